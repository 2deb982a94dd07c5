//! Header routes and mirrors as steps of a release.

use crate::model::{World, crash_everywhere, rollout, routed, routed_world};
use serde_json::{Value, json};

fn header(name: &str) -> Value {
    let matched = json!([{"headerName": "x-tester", "headerValue": {"exact": "yes"}}]);
    json!({"setHeaderRoute": {"name": name, "match": matched}})
}

fn mirror(name: &str) -> Value {
    let matched = json!([{"method": {"exact": "GET"}, "path": {"prefix": "/"}}]);
    json!({"setMirrorRoute": {"name": name, "percentage": 25, "match": matched}})
}

/// The rules that the rollout has put before the one of others.
fn managed_rules(world: &World) -> Vec<Value> {
    let rules = world.get("HTTPRoute", "shop")["spec"]["rules"].as_array().unwrap();
    rules[..rules.len() - 1].to_vec()
}

fn managing(steps: &Value) -> Value {
    let mut strategy = routed(steps);
    strategy["canary"]["trafficRouting"]["managedRoutes"] =
        json!([{"name": "testers"}, {"name": "copies"}]);
    strategy
}

/// Four pods of v1, and v2 on its way by these steps.
fn releasing(steps: &Value) -> World {
    let mut world = routed_world(4, &managing(steps));
    assert_eq!(managed_rules(&world), [Value::Null; 0], "nothing is routed at the first deploy");
    world.set_image("v2");
    world.settle();
    world
}

/// The names of the rules that lead to the canary.
fn names(world: &World) -> Vec<String> {
    let name = |rule: &Value| rule["name"].as_str().unwrap_or_default().to_owned();
    managed_rules(world).iter().map(name).collect()
}

fn resume(world: &mut World) {
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle();
}

const ONE_POD: &str = "setCanaryScale";

#[test]
fn testers_reach_the_canary_before_anybody_else_and_only_they() {
    let steps = json!([{ONE_POD: {"replicas": 1}}, header("testers"), {"pause": {}}]);
    let world = releasing(&steps);
    assert_eq!((world.weight(), world.pods("v2")), (Some(0), 1));
    assert_eq!(
        managed_rules(&world),
        [json!({
            "name": "testers",
            "matches": [{
                "path": {"type": "PathPrefix", "value": "/"},
                "headers": [{"type": "Exact", "name": "x-tester", "value": "yes"}],
            }],
            "backendRefs": [
                {"group": "", "kind": "Service", "name": "canary", "port": 80, "weight": 1}],
        })]
    );
    assert_eq!(world.outcome().message, "CanaryPauseStep");
    let done = "Rollout step 2/3 completed (setHeaderRoute: testers)";
    assert!(world.has_event("RolloutStepCompleted", done), "{:#?}", world.events);
}

#[test]
fn a_mirror_leads_users_as_before_and_follows_the_weight() {
    let steps = json!([{ONE_POD: {"replicas": 2}}, mirror("copies"), {"pause": {}}, {"setWeight": 40}, {"pause": {}}]);
    let mut world = releasing(&steps);
    let rule = &managed_rules(&world)[0];
    assert_eq!(rule["matches"][0]["method"], "GET");
    assert_eq!(
        rule["filters"],
        json!([{"type": "RequestMirror", "requestMirror": {
            "backendRef": {"group": "", "kind": "Service", "name": "canary", "port": 80},
            "percent": 25,
        }}])
    );
    let weights = |world: &World| {
        let rule = &managed_rules(world)[0];
        [0, 1].map(|place: usize| rule["backendRefs"][place]["weight"].as_i64().unwrap())
    };
    assert_eq!(weights(&world), [100, 0]);
    resume(&mut world);
    assert_eq!((world.weight(), weights(&world)), (Some(40), [60, 40]));
}

#[test]
fn what_stands_follows_from_the_steps_so_far() {
    let scale = json!({ONE_POD: {"replicas": 1}});
    let off = json!({"setHeaderRoute": {"name": "testers"}});
    for (steps, expected) in [
        (
            json!([scale, header("testers"), mirror("copies"), {"pause": {}}]),
            &["testers", "copies"][..],
        ),
        (
            json!([scale, mirror("copies"), header("testers"), {"pause": {}}]),
            &["testers", "copies"],
        ),
        (json!([scale, header("testers"), mirror("copies"), off, {"pause": {}}]), &["copies"]),
        (json!([scale, header("testers"), {"setWeight": 25}, {"pause": {}}]), &["testers"]),
        (json!([scale, {"pause": {}}, header("testers")]), &[]),
        // Beside another kind of step, as upstream lets them stand.
        (
            json!([{ONE_POD: {"replicas": 1}, "setHeaderRoute": header("testers")["setHeaderRoute"]}, {"pause": {}}]),
            &["testers"],
        ),
        // Nobody to lead to: it comes with the first pod of the canary.
        (json!([header("testers"), {"pause": {}}]), &[]),
        (json!([header("testers"), {"setWeight": 25}, {"pause": {}}]), &["testers"]),
        // It goes before the last pod does.
        (json!([scale, header("testers"), {ONE_POD: {"replicas": 0}}, {"pause": {}}]), &[]),
    ] {
        let world = releasing(&steps);
        assert_eq!(names(&world), expected, "{steps}");
        assert_eq!(world.outcome().phase, "Paused", "{steps}");
    }
}

#[test]
fn no_route_outlives_its_release_however_it_ends() {
    let steps =
        json!([{ONE_POD: {"replicas": 1}}, header("testers"), mirror("copies"), {"pause": {}}]);
    let ends = [
        json!({"status": {"abort": true}}),
        json!({"status": {"promoteFull": true}}),
        json!({"status": {"pauseConditions": null}}),
        json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "v1"}]}}}}),
    ];
    for end in ends {
        let mut world = releasing(&steps);
        assert_eq!(names(&world), ["testers", "copies"]);
        world.edit(&end);
        world.settle();
        assert_eq!(names(&world), [""; 0], "{end} {:#?}", world.outcome());
        let annotations = &world.get("HTTPRoute", "shop")["metadata"]["annotations"];
        assert_eq!(annotations, &json!({}), "{end}");
    }
}

#[test]
fn a_rollout_that_is_going_takes_its_routes_along_and_does_nothing_else() {
    let steps = json!([{ONE_POD: {"replicas": 1}}, header("testers"), {"pause": {}}]);
    let mut world = releasing(&steps);
    world.edit(&json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}));
    let plan = world.plan();
    assert_eq!((plan.writes.len(), plan.status), (1, None));
    world.settle();
    assert_eq!((names(&world), world.pods("v2")), (Vec::new(), 1));
}

#[test]
fn an_abort_takes_the_route_away_at_once() {
    let mut world =
        releasing(&json!([{ONE_POD: {"replicas": 1}}, header("testers"), {"pause": {}}]));
    world.edit(&json!({"status": {"abort": true}}));
    world.run_for(1);
    assert_eq!((names(&world), world.pods("v2")), (Vec::new(), 1));
}

#[test]
fn a_canary_that_loses_its_pods_loses_its_testers_and_gets_them_back() {
    let mut world =
        releasing(&json!([{ONE_POD: {"replicas": 1}}, header("testers"), {"pause": {}}]));
    world.able.insert("v2".to_owned(), 0);
    // Nothing can keep a pod from failing; what leads there goes as soon as it is seen.
    world.settle();
    assert_eq!(names(&world), [""; 0]);
    world.able.remove("v2");
    world.settle();
    assert_eq!(names(&world), ["testers"]);
}

#[test]
fn a_third_version_begins_without_the_testers_of_the_second() {
    let mut world = releasing(&json!([{"setWeight": 25}, header("testers"), {"pause": {}}]));
    assert_eq!(names(&world), ["testers"]);
    world.able.insert("v3".to_owned(), 0);
    world.set_image("v3");
    world.run_for(60);
    assert_eq!(names(&world), [""; 0], "{:#?}", world.outcome());
    world.able.remove("v3");
    world.settle();
    assert_eq!((names(&world), world.weight()), (vec!["testers".to_owned()], Some(25)));
}

#[test]
fn what_somebody_does_to_the_rules_is_mended_and_theirs_stay() {
    let mut world =
        releasing(&json!([{ONE_POD: {"replicas": 1}}, header("testers"), {"pause": {}}]));
    let mut route = world.get("HTTPRoute", "shop").clone();
    let ours = route["spec"]["rules"][0].clone();
    let theirs = json!({"name": "own", "matches": [{"path": {"value": "/own"}}], "backendRefs": [{"name": "canary", "port": 80}]});
    route["spec"]["rules"] = json!([theirs, route["spec"]["rules"][1]]);
    world.put("HTTPRoute", route);
    world.settle();
    assert_eq!(managed_rules(&world), [ours, theirs.clone()]);
    world.edit(&json!({"status": {"abort": true}}));
    world.settle();
    assert_eq!(managed_rules(&world), [theirs]);
}

#[test]
fn a_release_that_is_cut_anywhere_ends_like_one_that_is_not() {
    let steps = json!([
        {ONE_POD: {"replicas": 1}}, header("testers"), mirror("copies"), {"pause": {"duration": "1m"}},
        {"setHeaderRoute": {"name": "testers"}}, {ONE_POD: {"matchTrafficWeight": true}}, {"setWeight": 50},
    ]);
    let mut world = routed_world(4, &managing(&steps));
    world.set_image("v2");
    assert!(crash_everywhere(&world) > 10);
    let mut aborted = releasing(&json!([{"setWeight": 50}, header("testers"), {"pause": {}}]));
    aborted.edit(&json!({"status": {"abort": true}}));
    assert!(crash_everywhere(&aborted) > 3);
}

#[test]
fn a_rollout_made_with_routes_skips_them_at_the_first_deploy() {
    let steps = json!([header("testers"), mirror("copies"), {"pause": {}}]);
    let mut world = World::new(rollout(2, &managing(&steps)))
        .with_service("stable")
        .with_service("canary")
        .with_route();
    world.settle();
    assert_eq!((names(&world), world.outcome().phase.as_str()), (Vec::new(), "Healthy"));
}
