//! Each law meets a plan that breaks it.

use crate::model::{World, rollout, routed, routed_world};
use plan::laws::{self, Law};
use serde_json::{Value, json};
use vocab::{ObjectRef, PatchType, Plan, Precondition, Propagation, Subresource, Write};

/// A routed canary at half the traffic, paused, with four pods of v1 and two of v2.
fn halfway() -> World {
    let mut world =
        routed_world(4, &routed(&json!([{"setWeight": 50}, {"pause": {}}, {"setWeight": 75}])));
    world.set_image("v2");
    world.settle();
    assert_eq!((world.weight(), world.pods("v2")), (Some(50), 2));
    world
}

fn check(world: &World, plan: &Plan, law: Law) {
    let broken = laws::check(&world.observed(), plan, world.now);
    assert!(broken.iter().any(|violation| violation.law == law), "{law} in {broken:#?}");
}

fn patch(target: ObjectRef, body: Value) -> Write {
    let precondition = Precondition { uid: None, resource_version: Some("1".to_owned()) };
    Write::Patch {
        target,
        subresource: Subresource::Main,
        patch_type: PatchType::Merge,
        body,
        precondition,
    }
}

fn set(world: &World, image: &str) -> ObjectRef {
    ObjectRef::new("apps/v1", "ReplicaSet", "default", &format!("shop-{}", world.hash_of(image)))
}

fn scale(world: &World, image: &str, pods: i32) -> Write {
    patch(set(world, image), json!({"spec": {"replicas": pods}}))
}

fn weights(stable: i32, canary: i32) -> Write {
    let target = ObjectRef::new("gateway.networking.k8s.io/v1", "HTTPRoute", "default", "shop");
    patch(
        target,
        json!({"spec": {"rules": [{"backendRefs": [
            {"name": "stable", "port": 80, "weight": stable}, {"name": "canary", "port": 80, "weight": canary}]}]}}),
    )
}

fn status(body: &Value) -> Plan {
    let target = ObjectRef::new("argoproj.io/v1alpha1", "Rollout", "default", "shop");
    let Write::Patch { target, patch_type, precondition, .. } = patch(target, Value::Null) else {
        unreachable!()
    };
    let body = json!({ "status": body });
    Plan {
        status: Some(Write::Patch {
            target,
            subresource: Subresource::Status,
            patch_type,
            body,
            precondition,
        }),
        ..Plan::default()
    }
}

fn writes(writes: impl IntoIterator<Item = Write>) -> Plan {
    Plan { writes: writes.into_iter().collect(), ..Plan::default() }
}

#[test]
fn a_write_without_a_precondition_is_refused() {
    let world = halfway();
    let target = set(&world, "v2");
    let precondition = Precondition::default();
    let write = Write::Delete { target, propagation: Propagation::Background, precondition };
    check(&world, &writes([write]), Law::WritesCarryPreconditions);
}

#[test]
fn a_write_to_what_others_own_is_refused() {
    let world = halfway();
    for (kind, name) in [
        ("ConfigMap", "stable"),
        ("Service", "other"),
        ("ReplicaSet", "other"),
        ("AnalysisRun", "other"),
    ] {
        let target = ObjectRef::new("v1", kind, "default", name);
        check(&world, &writes([patch(target, json!({}))]), Law::WritesOnlyOwnKinds);
    }
    let orphan = Write::Create { object: json!({"kind": "ReplicaSet", "metadata": {"name": "x"}}) };
    check(&world, &writes([orphan]), Law::WritesOnlyOwnKinds);
    let owner = json!([{"uid": world.rollout()["metadata"]["uid"], "controller": true}]);
    let unnamed = Write::Create {
        object: json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "shop-web-canary", "namespace": "default", "ownerReferences": owner},
        }),
    };
    check(&world, &writes([unnamed]), Law::WritesOnlyOwnKinds);
}

#[test]
fn a_second_write_to_one_object_is_refused() {
    let world = halfway();
    check(
        &world,
        &writes([scale(&world, "v2", 2), scale(&world, "v2", 3)]),
        Law::WritesAnObjectOnce,
    );
}

#[test]
fn a_status_among_the_other_writes_is_refused() {
    let world = halfway();
    let early = status(&json!({"phase": "Healthy"})).status.unwrap();
    check(&world, &writes([early]), Law::StatusIsLast);
    let elsewhere = Plan { status: Some(scale(&world, "v2", 2)), ..Plan::default() };
    check(&world, &elsewhere, Law::StatusIsLast);
}

#[test]
fn a_wake_in_the_past_is_refused() {
    let world = halfway();
    check(&world, &Plan { wake: Some(world.now), ..Plan::default() }, Law::WakesInTheFuture);
}

#[test]
fn weights_that_do_not_add_up_are_refused() {
    let world = halfway();
    for (canary, stable) in [(50, 60), (120, -20)] {
        let body = json!({"canary": {"weights": {"canary": {"weight": canary}, "stable": {"weight": stable}}}});
        check(&world, &status(&body), Law::WeightsAddUp);
    }
}

#[test]
fn traffic_to_a_service_without_endpoints_is_refused() {
    let mut world = halfway();
    world.endpoints.get_mut("canary").unwrap().clear();
    check(&world, &writes([weights(25, 75)]), Law::TrafficNeedsEndpoints);
}

#[test]
fn a_service_is_not_switched_in_the_plan_that_sends_it_more() {
    let world = halfway();
    let service = ObjectRef::new("v1", "Service", "default", "canary");
    let body = json!({"spec": {"selector": {"rollouts-pod-template-hash": world.hash_of("v2")}}});
    check(&world, &writes([patch(service, body), weights(25, 75)]), Law::TrafficNeedsEndpoints);
}

#[test]
fn stable_does_not_shrink_below_its_share() {
    let world = halfway();
    check(&world, &writes([scale(&world, "v1", 1)]), Law::StableKeepsItsCapacity);
    let mut basic =
        World::new(rollout(4, &json!({"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}})));
    basic.settle();
    basic.set_image("v2");
    basic.settle();
    check(&basic, &writes([scale(&basic, "v1", 0)]), Law::StableKeepsItsCapacity);
}

#[test]
fn pods_with_traffic_are_not_taken_away() {
    let world = halfway();
    check(&world, &writes([scale(&world, "v2", 0)]), Law::TrafficLeavesFirst);
    check(&world, &writes([weights(100, 0), scale(&world, "v2", 1)]), Law::TrafficLeavesFirst);
    let target = set(&world, "v2");
    let precondition = Precondition { uid: None, resource_version: Some("1".to_owned()) };
    let delete = Write::Delete { target, propagation: Propagation::Background, precondition };
    check(&world, &writes([delete]), Law::TrafficLeavesFirst);
}

#[test]
fn the_active_version_is_not_taken_away() {
    let mut world = World::new(rollout(2, &json!({"blueGreen": {"activeService": "active"}})))
        .with_service("active");
    world.settle();
    check(&world, &writes([scale(&world, "v1", 1)]), Law::TrafficLeavesFirst);
}

#[test]
fn traffic_is_written_before_pods_go() {
    let world = halfway();
    check(&world, &writes([scale(&world, "v2", 1), weights(100, 0)]), Law::TrafficIsWrittenFirst);
}

#[test]
fn a_pause_is_not_passed() {
    let world = halfway();
    check(&world, &status(&json!({"currentStepIndex": 2})), Law::PausesHold);
    let strategy = json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": false}});
    let mut world = World::new(rollout(2, &strategy)).with_service("active");
    world.settle();
    world.set_image("v2");
    world.settle();
    let service = ObjectRef::new("v1", "Service", "default", "active");
    let body = json!({"spec": {"selector": {"rollouts-pod-template-hash": world.hash_of("v2")}}});
    check(&world, &writes([patch(service, body)]), Law::PausesHold);
}

#[test]
fn steps_are_not_skipped_and_not_opened_again() {
    let world = halfway();
    check(&world, &status(&json!({"currentStepIndex": 3})), Law::StepsComeInOrder);
    check(&world, &status(&json!({"currentStepIndex": 0})), Law::FinishedStepsStayFinished);
}

/// The steps that each status written after a new version says are done.
fn indexes(mut world: World) -> Vec<i64> {
    let mut indexes = Vec::new();
    world.settle();
    world.set_image("v2");
    world.settle_with(
        |_, plan| {
            let Some(Write::Patch { body, .. }) = &plan.status else { return };
            indexes.extend(body["status"]["currentStepIndex"].as_i64());
        },
        None,
    );
    indexes
}

#[test]
fn weights_that_the_pods_at_hand_make_up_share_a_status_and_those_of_a_route_do_not() {
    let steps = json!([{"setWeight": 20}, {"setWeight": 40}, {"setWeight": 30}, {"pause": {}}]);
    let by_pods = World::new(rollout(2, &json!({"canary": {"steps": steps}})));
    assert_eq!(indexes(by_pods), [0, 3]);
    assert_eq!(indexes(routed_world(2, &routed(&steps))), [0, 1, 2, 3]);
}
