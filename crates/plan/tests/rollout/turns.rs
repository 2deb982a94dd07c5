//! Turns that a release takes on the way: another version, another strategy, another size, another attempt,
//! a promotion.

use crate::{
    model::{World, rollout, routed, routed_world},
    stories::template,
};
use plan::laws;
use serde_json::{Value, json};
use std::sync::Arc;
use vocab::Write;

fn selected(world: &World, service: &str) -> String {
    let selector = &world.get("Service", service)["spec"]["selector"];
    selector["rollouts-pod-template-hash"].as_str().unwrap_or_default().to_owned()
}

fn dynamic(steps: &Value) -> Value {
    let mut strategy = routed(steps);
    strategy["canary"]["dynamicStableScale"] = json!(true);
    strategy
}

#[test]
fn a_change_to_blue_green_keeps_users_on_the_stable_version_until_the_new_one_is_whole() {
    let mut world = World::new(rollout(3, &json!({"canary": {}}))).with_service("active");
    world.settle();
    world.able.insert("v2".to_owned(), 0);
    world.edit(&json!({"spec": {
        "strategy": {"canary": null, "blueGreen": {"activeService": "active"}},
        "template": {"spec": {"containers": [{"name": "app", "image": "v2"}]}},
    }}));
    world.run_for(120);
    assert_eq!(world.pods("v1"), 3, "{:#?}", world.status());
    assert_eq!(selected(&world, "active"), world.hash_of("v1"));
    world.able.clear();
    world.settle();
    assert_eq!((world.pods("v1"), world.pods("v2")), (0, 3), "{:#?}", world.status());
    assert_eq!(selected(&world, "active"), world.hash_of("v2"));
}

#[test]
fn users_of_an_overtaken_canary_go_back_only_as_stable_pods_become_available() {
    let steps = json!([{"setWeight": 75}, {"pause": {}}]);
    let mut world = routed_world(4, &dynamic(&steps));
    world.set_image("v2");
    world.settle();
    assert_eq!((world.weight(), world.pods("v1"), world.pods("v2")), (Some(75), 1, 3));
    world.able.insert("v3".to_owned(), 0);
    world.set_image("v3");
    let (mut least, mut carried) = (i64::MAX, Vec::new());
    world.settle_with(
        |world, _| {
            let stable = world.pods("v1");
            carried.push((world.weight(), stable));
            if world.weight() == Some(0) {
                least = least.min(stable);
            }
        },
        None,
    );
    assert_eq!((world.weight(), least), (Some(0), 4), "{carried:?}");
}

#[test]
fn an_aborted_canary_stays_down_when_the_rollout_grows() {
    let steps = json!([{"setWeight": 20}, {"pause": {}}]);
    let mut world = routed_world(5, &dynamic(&steps));
    world.set_image("v2");
    world.settle();
    world.edit(&json!({"status": {"abort": true}}));
    world.settle();
    assert_eq!((world.weight(), world.pods("v2")), (Some(0), 0));
    world.edit(&json!({"spec": {"replicas": 10}}));
    world.settle_with(|world, _| assert_eq!(world.pods("v2"), 0), None);
    assert_eq!(world.pods("v1"), 10);
}

#[test]
fn a_canary_of_its_own_size_keeps_a_pod_when_it_follows_the_weight_again() {
    let steps = json!([
        {"setCanaryScale": {"replicas": 1}}, {"pause": {}},
        {"setCanaryScale": {"matchTrafficWeight": true}}, {"setWeight": 20}, {"pause": {}},
    ]);
    let mut world = routed_world(5, &routed(&steps));
    world.set_image("v2");
    world.settle();
    assert_eq!(world.pods("v2"), 1);
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle_with(|world, _| assert_eq!(world.pods("v2"), 1), None);
    assert_eq!(world.weight(), Some(20), "{:#?}", world.status());
}

#[test]
fn another_greatest_weight_is_taken_over_in_the_middle_of_a_release() {
    let steps = json!([{"setWeight": 20}, {"pause": {}}]);
    let mut world = routed_world(5, &routed(&steps));
    world.set_image("v2");
    world.settle();
    world.edit(&json!({"spec": {"strategy": {"canary": {
        "trafficRouting": {"maxTrafficWeight": 1000}, "steps": [{"setWeight": 200}, {"pause": {}}],
    }}}}));
    world.settle();
    assert_eq!(world.weight(), Some(200), "{:#?}", world.status());
}

#[test]
fn a_weight_in_the_millions_of_thousands_of_pods_does_not_overflow() {
    let mut strategy = dynamic(&json!([{"setWeight": 500_000}, {"pause": {}}]));
    strategy["canary"]["trafficRouting"]["maxTrafficWeight"] = json!(1_000_000);
    let mut world = routed_world(5000, &strategy);
    world.set_image("v2");
    world.settle();
    assert_eq!((world.pods("v1"), world.pods("v2")), (2500, 2500));
    world.edit(&json!({"status": {"abort": true}}));
    world.settle();
    assert_eq!((world.weight(), world.pods("v1")), (Some(0), 5000));
}

/// Within a minute `v1` has the users, and never loses a pod.
fn stays_whole_and_gets_the_users(world: &mut World) {
    let until = world.now + jiff::SignedDuration::from_secs(60);
    world.settle_with(|world, _| assert_eq!(world.pods("v1"), 3), Some(until));
    assert_eq!(selected(world, "active"), world.hash_of("v1"));
}

/// Blue-green with a small preview: users are on `v2`, and `v1` keeps its pods for ten minutes.
fn kept_after_the_switch() -> World {
    let strategy = json!({"blueGreen": {
        "activeService": "active", "previewService": "preview", "previewReplicaCount": 1,
        "scaleDownDelaySeconds": 600,
    }});
    let mut world =
        World::new(rollout(3, &strategy)).with_service("active").with_service("preview");
    world.settle();
    world.set_image("v2");
    world.run_for(60);
    assert_eq!((world.pods("v1"), world.pods("v2")), (3, 3), "{:#?}", world.status());
    world
}

#[test]
fn a_rollback_to_a_kept_version_does_not_make_it_as_small_as_a_preview() {
    let mut world = kept_after_the_switch();
    world.set_image("v1");
    stays_whole_and_gets_the_users(&mut world);
}

#[test]
fn a_kept_version_that_gets_the_users_back_after_its_deadline_stays_whole() {
    let mut world = kept_after_the_switch();
    // Nobody is there while the deadline passes and somebody turns back.
    world.set_image("v1");
    world.now += jiff::SignedDuration::from_hours(1);
    stays_whole_and_gets_the_users(&mut world);
}

#[test]
fn a_retry_of_blue_green_is_judged_anew_after_the_switch() {
    let strategy = json!({"blueGreen": {"activeService": "active", "postPromotionAnalysis": {"templates": [{"templateName": "ok"}]}}});
    let mut world =
        World::new(rollout(2, &strategy)).with_service("active").with_template(template());
    world.settle();
    world.set_image("v2");
    world.settle();
    let run = format!("shop-{}-2-post", world.hash_of("v2"));
    world.verdicts.insert(run.clone(), "Failed");
    world.settle();
    assert_eq!(world.outcome().phase, "Degraded");
    world.verdicts.insert(format!("{run}.1"), "Successful");
    world.edit(&json!({"status": {"abort": false}}));
    world.settle();
    assert_eq!(world.outcome().phase, "Healthy", "{:#?}", world.status());
}

#[test]
fn a_label_of_the_template_comes_back_when_the_role_that_covered_it_ends() {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let strategy =
        json!({"canary": {"steps": steps, "canaryMetadata": {"labels": {"role": "canary"}}}});
    let mut world = World::new(rollout(2, &strategy));
    world.settle();
    let role = |world: &World| {
        let set = world.get("ReplicaSet", &format!("shop-{}", world.hash_of("v2")));
        set["spec"]["template"]["metadata"]["labels"]["role"].clone()
    };
    world.edit(&json!({"spec": {"template": {"metadata": {"labels": {"role": "stable"}}}}}));
    world.set_image("v2");
    world.settle();
    assert_eq!(role(&world), "canary");
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle();
    assert_eq!(role(&world), "stable", "{:#?}", world.status());
}

#[test]
fn a_label_that_a_version_has_of_its_own_stays_when_the_role_that_gives_it_too_ends() {
    let strategy = json!({"canary": {"stableMetadata": {"labels": {"role": "stable"}}}});
    let mut world = World::new(rollout(2, &strategy));
    world.settle();
    let set = |world: &World, image: &str| {
        world.get("ReplicaSet", &format!("shop-{}", world.hash_of(image))).clone()
    };
    let role = |set: &Value| set["spec"]["template"]["metadata"]["labels"]["role"].clone();
    world.edit(&json!({"spec": {"template": {"metadata": {"labels": {"role": "stable"}}}}}));
    world.set_image("v2");
    world.settle();
    let note = &set(&world, "v2")["metadata"]["annotations"];
    assert!(note.get("rollout.argoproj.io/ephemeral-metadata").is_none(), "{note}");
    world.edit(&json!({"spec": {"template": {"metadata": {"labels": {"role": null}}}}}));
    world.set_image("v3");
    world.settle();
    assert_eq!(world.outcome().stable, "v3");
    assert_eq!(role(&set(&world, "v1")), json!(null));
    assert_eq!(role(&set(&world, "v2")), "stable");
}

#[test]
fn a_third_version_gets_through_though_the_first_never_ran_and_the_second_had_just_begun() {
    let steps = json!([{"setWeight": 20}, {"pause": {"duration": 20}}]);
    let mut world = World::new(rollout(10, &json!({"canary": {"steps": steps}})));
    world.able.insert("v1".to_owned(), 0);
    world.run_for(60);
    world.set_image("v2");
    world.run_for(10);
    assert_eq!((world.pods("v1"), world.pods("v2")), (8, 2), "{:#?}", world.status());
    world.set_image("v3");
    world.settle();
    assert_eq!(world.outcome().stable, "v3", "{:#?}", world.status());
    assert_eq!((world.pods("v1"), world.pods("v2"), world.pods("v3")), (0, 0, 10));
}

#[test]
fn an_overtaken_version_keeps_its_pods_until_the_data_plane_must_have_left_them() {
    let mut world = routed_world(4, &routed(&json!([{"setWeight": 50}, {"pause": {}}])));
    world.set_image("v2");
    world.settle();
    assert_eq!((world.weight(), world.pods("v2")), (Some(50), 2));
    world.set_image("v3");
    world.run_for(20);
    assert_eq!((world.pods("v2"), world.pods("v3")), (2, 2), "{:#?}", world.status());
    world.run_for(30);
    assert_eq!(world.pods("v2"), 0, "{:#?}", world.status());
}

#[test]
fn an_overtaken_version_keeps_its_pods_while_the_canary_service_selects_it() {
    let mut strategy = routed(&json!([{"setWeight": 50}, {"pause": {}}]));
    strategy["canary"]["scaleDownDelaySeconds"] = json!(1);
    let mut world = routed_world(4, &strategy);
    world.set_image("v2");
    world.settle();
    world.able.insert("v3".to_owned(), 0);
    world.set_image("v3");
    world.run_for(60);
    assert_eq!((world.weight(), world.pods("v2")), (Some(0), 2), "{:#?}", world.status());
    world.able.remove("v3");
    world.run_for(60);
    assert_eq!((world.weight(), world.pods("v2")), (Some(50), 0), "{:#?}", world.status());
}

#[test]
fn a_promotion_that_comes_with_another_size_is_not_lost() {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let mut world = World::new(rollout(4, &json!({"canary": {"steps": steps}})));
    world.settle();
    world.set_image("v2");
    world.settle();
    assert_eq!(world.status()["phase"], "Paused");
    world.edit(&json!({"spec": {"replicas": 6}, "status": {"pauseConditions": null}}));
    world.settle();
    assert_eq!((world.pods("v1"), world.pods("v2")), (0, 6), "{:#?}", world.status());
}

#[test]
fn a_step_that_is_promoted_while_somebody_pauses_everything_is_over_afterwards() {
    let steps = json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]);
    let mut world = routed_world(4, &routed(&steps));
    world.set_image("v2");
    world.settle();
    world.edit(&json!({"spec": {"paused": true}}));
    world.settle();
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle();
    assert_eq!((world.outcome().index, world.weight()), (Some(1), Some(25)));
    world.edit(&json!({"spec": {"paused": false}}));
    world.settle();
    assert_eq!((world.outcome().index, world.weight()), (Some(3), Some(50)));
    // A new version is asked about anew.
    world.edit(&json!({"spec": {"paused": true}}));
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle();
    world.set_image("v3");
    world.settle();
    world.edit(&json!({"spec": {"paused": false}}));
    world.settle();
    assert_eq!((world.outcome().index, world.weight()), (Some(1), Some(25)));
}

#[test]
fn pods_that_are_on_their_way_out_make_no_room_for_others_to_go() {
    let enough = json!({"type": "Percent", "value": 34});
    let strategy = json!({"canary": {"replicaProgressThreshold": enough}});
    let mut world = World::new(rollout(5, &strategy));
    world.settle();
    world.able.insert("v2".to_owned(), 2);
    world.set_image("v2");
    world.settle();
    assert_eq!((world.outcome().stable.as_str(), world.pods("v1")), ("v2", 2));
    let mut observed = world.observed();
    let (hash, label) = (world.hash_of("v1"), "rollouts-pod-template-hash");
    let mut sets = observed.replica_sets.iter_mut().map(Arc::make_mut);
    let old = sets.find(|set| {
        set.metadata.labels.as_ref().is_some_and(|labels| labels.get(label) == Some(&hash))
    });
    old.unwrap().status.as_mut().unwrap().available_replicas = Some(3);
    let plan = plan::rollout::plan(&observed, world.now);
    let violations = laws::check(&observed, &plan, world.now);
    assert!(violations.is_empty(), "{violations:#?}");
    assert!(plan.writes.is_empty(), "{plan:#?}");
}

#[test]
fn pods_of_a_version_that_comes_back_are_made_in_their_role() {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let strategy =
        json!({"canary": {"steps": steps, "canaryMetadata": {"labels": {"role": "canary"}}}});
    let mut world = World::new(rollout(2, &strategy));
    world.settle();
    world.set_image("v2");
    world.settle();
    world.edit(&json!({"status": {"promoteFull": true, "pauseConditions": null}}));
    world.settle();
    assert_eq!((world.outcome().stable.as_str(), world.pods("v1")), ("v2", 0));
    world.set_image("v1");
    let name = format!("shop-{}", world.hash_of("v1"));
    while world.pods("v1") == 0 {
        let role = world.get("ReplicaSet", &name)["spec"]["template"]["metadata"]["labels"]["role"]
            .clone();
        let plan = world.plan();
        for write in plan.writes.iter().filter(|write| write.target().name == name) {
            let Write::Patch { body, .. } = write else { panic!("{write:?}") };
            assert!(body["spec"]["replicas"].is_null() || role == "canary", "{write:?}");
        }
        world.carry_out(&plan, usize::MAX);
        world.tick();
    }
}
