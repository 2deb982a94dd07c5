//! A Deployment that hands its users over to the rollout.

use crate::model::{World, rollout};
use serde_json::{Value, json};

/// A rollout of three pods that takes its template from a Deployment of three.
fn migration(when: &str) -> World {
    let mut object = rollout(3, &json!({"canary": {}}));
    let template = object["spec"].as_object_mut().unwrap().remove("template").unwrap();
    object["spec"]["workloadRef"] = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "shop", "scaleDown": when,
    });
    let mut world = World::new(object);
    world.put(
        "Deployment",
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "shop"}}, "template": template}}),
    );
    world
}

fn deployed(world: &World) -> Value {
    world.get("Deployment", "shop")["spec"]["replicas"].clone()
}

fn edit_deployment(world: &mut World, change: impl FnOnce(&mut Value)) {
    let mut deployment = world.get("Deployment", "shop").clone();
    change(&mut deployment);
    let generation = deployment["metadata"]["generation"].as_i64().unwrap() + 1;
    deployment["metadata"]["generation"] = json!(generation);
    world.objects.insert(("Deployment".to_owned(), "shop".to_owned()), deployment);
}

#[track_caller]
fn check(when: &str, while_one_is_ready: i32, at_the_end: i32) {
    let mut world = migration(when);
    world.able.insert("v1".to_owned(), 0);
    world.run_for(5);
    assert_eq!(deployed(&world), 3, "{when}: nobody else serves yet");
    world.able.insert("v1".to_owned(), 1);
    world.run_for(5);
    assert_eq!(deployed(&world), while_one_is_ready, "{when}");
    world.able.clear();
    world.settle();
    assert_eq!(world.outcome().phase, "Healthy", "{:#?}", world.status());
    assert_eq!(deployed(&world), at_the_end, "{when}");
}

#[test]
fn a_deployment_goes_when_its_rollout_says_so() {
    check("never", 3, 3);
    check("", 3, 3);
    check("unheard-of", 3, 3);
    check("onsuccess", 3, 0);
    check("progressively", 2, 0);
}

#[test]
fn a_deployment_comes_back_for_pods_that_are_lost_before_the_rollout_was_healthy() {
    let mut world = migration("progressively");
    world.able.insert("v1".to_owned(), 2);
    world.run_for(5);
    assert_eq!(deployed(&world), 1);
    world.able.insert("v1".to_owned(), 1);
    world.run_for(5);
    assert_eq!(deployed(&world), 2);
}

#[test]
fn a_deployment_that_is_scaled_after_the_first_update_is_left_alone() {
    let mut world = migration("progressively");
    world.settle();
    edit_deployment(&mut world, |deployment| deployment["spec"]["replicas"] = json!(2));
    world.settle();
    assert_eq!(deployed(&world), 0, "the first version keeps it down");
    edit_deployment(&mut world, |deployment| {
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = json!("v2");
    });
    world.settle();
    assert_eq!(world.outcome().stable, "v2");
    edit_deployment(&mut world, |deployment| deployment["spec"]["replicas"] = json!(1));
    world.settle();
    assert_eq!(deployed(&world), 1);
}

#[test]
fn a_template_beside_a_workload_is_empty_without_labels_and_annotations() {
    let template = |metadata: Value| json!({"spec": {"template": {"metadata": metadata, "spec": {"containers": [{"name": "app", "image": "of-nobody"}]}}}});
    let mut world = migration("never");
    world.edit(&template(json!({})));
    world.settle();
    assert_eq!(world.outcome().phase, "Healthy", "{:#?}", world.status());
    assert_eq!(world.pods("v1"), 3);
    for field in ["labels", "annotations"] {
        let mut world = migration("never");
        world.edit(&template(json!({field: {"a": "b"}})));
        world.run_for(1);
        let message = world.outcome().message;
        assert!(
            message.contains("template must be empty for workload reference rollout"),
            "{message}"
        );
    }
}

#[test]
fn a_rollout_of_a_deployment_is_told_of_once() {
    let mut world = migration("never");
    world.settle();
    let told = world.events.iter().filter(|(reason, _)| reason == "RolloutAddedToInformer");
    assert_eq!(told.count(), 1, "{:#?}", world.events);
    assert_eq!(world.events[0].0, "RolloutAddedToInformer");
}
