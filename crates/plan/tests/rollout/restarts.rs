//! Restarts in the middle of a release: users are led away before their only pod goes.

use crate::model::{World, rollout, routed, routed_world};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;
use plan::{
    laws::{self, Law},
    rollout::Observed,
};
use serde_json::{Value, json};
use std::sync::Arc;
use vocab::{ObjectRef, Plan, Precondition, Write};

const OLD: &str = "2025-12-31T00:00:00Z";
const YOUNG: &str = "2026-12-31T00:00:00Z";
/// Looks after which a story counts as stuck.
const MOST_LOOKS: usize = 20;

/// A canary with its route at `weight`, paused, that somebody asks to restart; `more` is of its strategy.
fn restarting(weight: i32, more: &Value) -> World {
    let mut strategy = routed(&json!([{"setWeight": weight}, {"pause": {}}]));
    json_patch::merge(&mut strategy["canary"], more);
    let mut world = routed_world(5, &strategy);
    world.set_image("v2");
    world.settle();
    assert_eq!(world.weight(), Some(i64::from(weight)));
    let now = world.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    world.edit(&json!({"spec": {"restartAt": now}}));
    world.now += SignedDuration::from_secs(60);
    world
}

/// A ready pod of a version; the first is called `v1-0`.
fn pod(world: &World, (image, number): (&str, i64), created: &str) -> Value {
    let set = world.get("ReplicaSet", &format!("shop-{}", world.hash_of(image)));
    let name = format!("{image}-{number}");
    json!({
        "metadata": {"name": name, "namespace": "default", "uid": name, "creationTimestamp": created,
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
                "name": set["metadata"]["name"], "uid": set["metadata"]["uid"]}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    })
}

/// All pods of a version.
fn pods(world: &World, image: &str, created: &str) -> Vec<Value> {
    (0..world.pods(image)).map(|number| pod(world, (image, number), created)).collect()
}

fn observed(world: &World, pods: &[Value]) -> Observed {
    let typed = |pod: &Value| Arc::new(serde_json::from_value::<Pod>(pod.clone()).unwrap());
    Observed { pods: pods.iter().map(typed).collect(), ..world.observed() }
}

/// Carries plans out until one evicts pods or nothing is left to do; the pods it evicts, and that plan.
fn look(world: &mut World, pods: &[Value]) -> (Vec<String>, Plan) {
    for _ in 0..MOST_LOOKS {
        let observed = observed(world, pods);
        let plan = plan::rollout::plan(&observed, world.now);
        let violations = laws::check(&observed, &plan, world.now);
        assert!(violations.is_empty(), "{violations:#?}\n{plan:#?}");
        let evicted = plan.writes.iter().filter_map(|write| match write {
            Write::Evict { target, .. } => Some(target.name.clone()),
            _ => None,
        });
        let evicted: Vec<String> = evicted.collect();
        let writes = plan.writes.len() + plan.status.iter().count();
        if !evicted.is_empty() {
            return (evicted, plan);
        }
        world.carry_out(&plan, writes);
        if !world.tick() && writes == 0 {
            return (evicted, plan);
        }
    }
    panic!("no rest after {MOST_LOOKS} looks: {:#?}", world.outcome());
}

fn is_restarted(world: &World) -> bool {
    world.status()["restartedAt"] == world.rollout()["spec"]["restartAt"]
}

#[test]
fn users_leave_the_only_pod_of_a_canary_before_it_is_evicted() {
    let mut world = restarting(20, &json!({}));
    let stable = pods(&world, "v1", YOUNG);
    let mut canary = pod(&world, ("v2", 0), OLD);
    let with = |canary: &Value| stable.iter().chain([canary]).cloned().collect::<Vec<_>>();
    assert_eq!(look(&mut world, &with(&canary)).0, ["v2-0"]);
    assert_eq!(world.weight(), Some(0));
    // It goes, and its ReplicaSet has not noticed yet.
    canary["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:10:00Z");
    assert_eq!(look(&mut world, &with(&canary)).0, [""; 0]);
    assert_eq!((world.weight(), is_restarted(&world)), (Some(0), false));
    let successor = pod(&world, ("v2", 1), YOUNG);
    assert_eq!(look(&mut world, &with(&successor)).0, [""; 0]);
    assert_eq!((world.weight(), is_restarted(&world)), (Some(20), true));
    let turns = world.weights.iter().rev().take(3).copied().collect::<Vec<_>>();
    assert_eq!(turns, [20, 0, 20]);
}

#[test]
fn users_stay_with_a_canary_while_stable_is_restarted() {
    let mut world = restarting(20, &json!({}));
    let all = [pods(&world, "v1", OLD), pods(&world, "v2", OLD)].concat();
    assert_eq!(look(&mut world, &all).0, ["v1-0"]);
    assert_eq!(world.weight(), Some(20));
}

#[test]
fn a_restart_goes_on_when_another_version_comes() {
    let mut world = restarting(20, &json!({}));
    world.set_image("v3");
    world.run_for(20);
    assert!(!is_restarted(&world));
    let young = ["v2", "v3"].map(|image| pods(&world, image, YOUNG)).concat();
    let all = [pods(&world, "v1", OLD), young].concat();
    assert_eq!(look(&mut world, &all).0, ["v1-0"]);
}

#[test]
fn a_version_of_several_pods_keeps_one_that_is_ready() {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let mut world =
        World::new(rollout(4, &json!({"canary": {"maxUnavailable": 2, "steps": steps}})));
    world.settle();
    world.set_image("v2");
    world.settle();
    assert_eq!((world.pods("v1"), world.pods("v2")), (2, 2));
    let now = world.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    world.edit(&json!({"spec": {"restartAt": now}}));
    world.now += SignedDuration::from_secs(60);
    let all = [pods(&world, "v1", OLD), pods(&world, "v2", OLD)].concat();
    assert_eq!(look(&mut world, &all).0, ["v1-0", "v2-0"]);
}

#[test]
fn the_only_stable_pod_stays_while_users_are_led_there() {
    let mut world = restarting(80, &json!({"dynamicStableScale": true}));
    assert_eq!((world.pods("v1"), world.pods("v2")), (1, 4));
    let all = [pods(&world, "v1", OLD), pods(&world, "v2", YOUNG)].concat();
    let (evicted, plan) = look(&mut world, &all);
    assert_eq!(evicted, [""; 0]);
    let told = plan.reasons.iter().find(|reason| reason.code == "WaitingForTraffic");
    let name = format!("shop-{}", world.hash_of("v1"));
    assert_eq!(told.unwrap().evidence["replicaSet"], name);
    assert_eq!(world.weight(), Some(80));
}

#[test]
fn the_last_pod_with_traffic_is_not_evicted() {
    let world = restarting(20, &json!({}));
    let all = [pods(&world, "v1", YOUNG), pods(&world, "v2", OLD)].concat();
    let evict = |name: &str| Write::Evict {
        target: ObjectRef::new("v1", "Pod", "default", name),
        precondition: Precondition { uid: Some(name.to_owned()), resource_version: None },
    };
    let broken = |name: &str| {
        let plan = Plan { writes: vec![evict(name)], ..Plan::default() };
        laws::check(&observed(&world, &all), &plan, world.now)
    };
    let laws = |name: &str| broken(name).into_iter().map(|found| found.law).collect::<Vec<_>>();
    assert_eq!((laws("v2-0"), laws("v1-0")), (vec![Law::TrafficLeavesFirst], Vec::new()));
}
