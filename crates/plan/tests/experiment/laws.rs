//! Each law with a plan that breaks it.

use crate::model::{World, template};
use jiff::SignedDuration;
use plan::laws::{self, Law};
use serde_json::json;
use vocab::{ObjectRef, PatchType, Plan, Precondition, Propagation, Subresource, Write};

/// An experiment with users, whose pods are ready.
fn world() -> World {
    let mut world = World::of_rollout(&json!({"templates": [template("a")]}));
    world.settle();
    world.lead_users_to("try-a");
    world
}

fn precondition() -> Precondition {
    Precondition { uid: None, resource_version: Some("1".to_owned()) }
}

fn patch(kind: &str, name: &str, body: serde_json::Value) -> Write {
    let api_version = if kind == "ReplicaSet" { "apps/v1" } else { "argoproj.io/v1alpha1" };
    Write::Patch {
        target: ObjectRef::new(api_version, kind, "default", name),
        subresource: Subresource::Main,
        patch_type: PatchType::Merge,
        body,
        precondition: precondition(),
    }
}

#[track_caller]
fn check(plan: &Plan, law: Law) {
    let world = world();
    let broken = laws::check_experiment(&world.observed(), plan, world.now);
    assert!(broken.iter().any(|violation| violation.law == law), "{broken:#?}");
}

fn of(writes: Vec<Write>) -> Plan {
    Plan { writes, ..Plan::default() }
}

#[test]
fn pods_that_a_route_leads_to_are_not_taken_down() {
    check(
        &of(vec![patch("ReplicaSet", "try-a", json!({"spec": {"replicas": 0}}))]),
        Law::TrafficLeavesFirst,
    );
    let service = ObjectRef::new("v1", "Service", "default", "try-a");
    let propagation = Propagation::Background;
    let delete = Write::Delete { target: service, propagation, precondition: precondition() };
    check(&of(vec![delete]), Law::TrafficLeavesFirst);
}

#[test]
fn what_others_own_is_not_written() {
    check(&of(vec![patch("ReplicaSet", "other", json!({}))]), Law::WritesOnlyOwnKinds);
    check(&of(vec![patch("Rollout", "shop", json!({}))]), Law::WritesOnlyOwnKinds);
    let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x", "namespace": "default"}});
    check(&of(vec![Write::Create { object }]), Law::WritesOnlyOwnKinds);
}

#[test]
fn an_object_is_written_once_and_on_a_condition() {
    let twice = || patch("ReplicaSet", "try-a", json!({}));
    check(&of(vec![twice(), twice()]), Law::WritesAnObjectOnce);
    let Write::Patch { target, subresource, patch_type, body, .. } = twice() else { panic!() };
    let precondition = Precondition::default();
    let blind = Write::Patch { target, subresource, patch_type, body, precondition };
    check(&of(vec![blind]), Law::WritesCarryPreconditions);
}

#[test]
fn the_status_comes_last_and_alone() {
    let status = patch("Experiment", "try", json!({"status": {"phase": "Running"}}));
    check(&of(vec![status]), Law::StatusIsLast);
    let more = patch("Experiment", "try", json!({"spec": {"terminate": true}}));
    check(&Plan { status: Some(more), ..Plan::default() }, Law::StatusIsLast);
}

#[test]
fn a_plan_wakes_in_the_future() {
    let past = world().now - SignedDuration::from_secs(1);
    check(&Plan { wake: Some(past), ..Plan::default() }, Law::WakesInTheFuture);
}
