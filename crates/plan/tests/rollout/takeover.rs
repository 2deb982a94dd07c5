//! Taking over what was there before: ReplicaSets nobody owns, names that are taken, templates of a workload.

use crate::model::{World, rollout};
use serde_json::{Value, json};

fn canary() -> Value {
    rollout(2, &json!({"canary": {}}))
}

#[test]
fn a_replica_set_that_nobody_owns_is_adopted_instead_of_made_again() {
    let mut world = World::new(canary());
    world.settle();
    let name = format!("shop-{}", world.hash_of("v1"));
    let mut orphan = world.get("ReplicaSet", &name).clone();
    orphan["metadata"].as_object_mut().unwrap().remove("ownerReferences");
    let mut world = World::new(canary());
    world.put("ReplicaSet", orphan);
    world.settle();
    assert_eq!(world.outcome().phase, "Healthy", "{:#?}", world.status());
    assert_eq!(world.outcome().pods.len(), 1);
    assert_eq!(world.get("ReplicaSet", &name)["metadata"]["ownerReferences"][0]["kind"], "Rollout");
}

#[test]
fn a_name_that_is_taken_gives_way_to_another_hash() {
    let mut world = World::new(canary());
    world.settle();
    let name = format!("shop-{}", world.hash_of("v1"));
    let mut stranger = world.get("ReplicaSet", &name).clone();
    stranger["metadata"]["ownerReferences"][0]["uid"] = json!("somebody else");
    stranger["spec"]["template"]["spec"]["containers"][0]["image"] = json!("other");
    let mut world = World::new(canary());
    world.put("ReplicaSet", stranger);
    world.settle();
    assert_eq!(world.status()["collisionCount"], 1);
    assert_eq!(
        (world.outcome().phase.as_str(), world.pods("v1")),
        ("Healthy", 2),
        "{:#?}",
        world.status()
    );
}

#[test]
fn a_hash_of_another_program_is_kept_while_the_template_stays() {
    let mut world = World::new(canary());
    world.settle();
    let name = format!("shop-{}", world.hash_of("v1"));
    let theirs = serde_json::from_str::<Value>(
        &world.get("ReplicaSet", &name).to_string().replace(&world.hash_of("v1"), "5f4dcc3b"),
    )
    .unwrap();
    let status = serde_json::from_str::<Value>(
        &world.status().to_string().replace(&world.hash_of("v1"), "5f4dcc3b"),
    )
    .unwrap();
    let revision = world.rollout()["metadata"]["annotations"].clone();
    let mut object = canary();
    object["status"] = status;
    object["metadata"]["annotations"] = revision;
    let mut world = World::new(object);
    world.adopt("ReplicaSet", theirs);
    world.tick();
    world.tick();
    let plan = world.plan();
    assert!(plan.writes.is_empty() && plan.status.is_none() && plan.events.is_empty(), "{plan:#?}");
}

/// Gives the versions hashes that our own would not be.
fn with_their_hashes(world: &mut World) {
    let hashes = [(world.hash_of("v1"), "5f4dcc3b"), (world.hash_of("v2"), "7c6a180b")];
    let theirs = |text: String| {
        hashes.iter().fold(text, |text, (ours, theirs)| text.replace(ours.as_str(), theirs))
    };
    let objects = std::mem::take(&mut world.objects);
    let objects = objects.into_iter().map(|((kind, name), object)| {
        let object = serde_json::from_str(&theirs(object.to_string())).unwrap();
        ((kind, theirs(name)), object)
    });
    world.objects = objects.collect();
}

#[test]
fn a_version_that_the_other_program_did_not_record_is_not_mistaken_for_the_recorded_one() {
    let mut world = World::new(canary());
    world.settle();
    world.set_image("v2");
    world.settle();
    with_their_hashes(&mut world);
    // Upstream notes the generation of what it finds paused, and leaves the version as it was.
    let rollout = world.objects.values_mut().find(|object| object["kind"] == "Rollout").unwrap();
    rollout["status"]["currentPodHash"] = json!("5f4dcc3b");
    rollout["status"]["stableRS"] = json!("5f4dcc3b");
    world.settle();
    let status = world.status();
    assert_eq!(status["stableRS"], "7c6a180b", "{status:#?}");
    assert_eq!(world.rollout()["metadata"]["annotations"]["rollout.argoproj.io/revision"], "2");
}

#[test]
fn the_template_of_a_deployment_is_followed() {
    let mut object = canary();
    let template = object["spec"].as_object_mut().unwrap().remove("template").unwrap();
    object["spec"]["workloadRef"] =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"});
    let mut world = World::new(object);
    world.run_for(60);
    assert_eq!(
        world.outcome().message,
        "InvalidSpec: The Rollout \"shop\" is invalid: deployments.apps \"default/shop\" not found"
    );
    world.put(
        "Deployment",
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"},
            "spec": {"selector": {"matchLabels": {"app": "shop"}}, "template": template}}),
    );
    world.settle();
    assert_eq!(
        (world.outcome().phase.as_str(), world.outcome().stable.as_str()),
        ("Healthy", "v1"),
        "{:#?}",
        world.status()
    );
    let mut deployment = world.get("Deployment", "shop").clone();
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = json!("v2");
    deployment["metadata"]["generation"] = json!(2);
    world.objects.insert(("Deployment".to_owned(), "shop".to_owned()), deployment);
    world.settle();
    assert_eq!(world.outcome().stable, "v2");
    assert_eq!(world.status()["workloadObservedGeneration"], "2");
}
