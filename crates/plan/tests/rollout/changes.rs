//! A rollout that is seen for the first time, or that asks for something else than before.

use crate::model::{World, rollout, routed, routed_world};
use serde_json::json;

fn reasons(world: &World) -> Vec<&str> {
    world.events.iter().map(|(reason, _)| reason.as_str()).collect()
}

#[test]
fn the_first_words_come_in_upstreams_order_and_once() {
    let mut world = World::new(rollout(2, &json!({"canary": {}})));
    world.settle();
    let first =
        ["RolloutAddedToInformer", "RolloutUpdated", "NewReplicaSetCreated", "RolloutNotCompleted"];
    assert_eq!(reasons(&world)[..4], first);
    assert!(
        world.has_event(
            "RolloutAddedToInformer",
            "Rollout resource added to informer: default/shop"
        )
    );
    world.events.clear();
    world.set_image("v2");
    world.settle();
    assert_eq!(reasons(&world)[..3], first[1..]);
    for reason in first {
        assert!(reasons(&world).iter().filter(|found| **found == reason).count() < 2, "{reason}");
    }
}

#[test]
fn a_rollout_that_does_not_say_how_many_pods_it_wants_is_told_of_once() {
    let mut object = rollout(1, &json!({"canary": {}}));
    object["spec"].as_object_mut().unwrap().remove("replicas");
    let mut world = World::new(object);
    world.settle();
    assert_eq!(world.outcome().phase, "Healthy");
    let added = reasons(&world).into_iter().filter(|reason| *reason == "RolloutAddedToInformer");
    assert_eq!(added.count(), 1);
}

#[test]
fn going_back_to_a_version_tells_its_new_number_and_makes_nothing() {
    let mut world = World::new(rollout(2, &json!({"canary": {}})));
    world.settle();
    world.set_image("v2");
    world.settle();
    world.events.clear();
    world.set_image("v1");
    world.settle();
    assert_eq!(reasons(&world)[0], "RolloutUpdated");
    assert!(world.has_event("RolloutUpdated", "Rollout updated to revision 3"));
    assert!(!reasons(&world).contains(&"NewReplicaSetCreated"));
}

/// A rollout whose first step is an analysis that nobody carries out, so that no version but the first gets a pod.
fn judged_for_ever() -> World {
    let template = json!({"metadata": {"name": "rate"},
        "spec": {"metrics": [{"name": "rate", "count": 1, "provider": {"prometheus": {"query": "up"}}}]}});
    let steps = json!([{"analysis": {"templates": [{"templateName": "rate"}]}}]);
    World::new(rollout(2, &json!({"canary": {"steps": steps}}))).with_template(template)
}

#[test]
fn the_status_says_that_a_replica_set_was_made_once_it_is_there() {
    let mut world = judged_for_ever();
    for image in ["v1", "v2", "v3"] {
        world.set_image(image);
        world.settle();
    }
    let conditions = world.status()["conditions"].as_array().unwrap();
    let progress = conditions.iter().find(|it| it["type"] == "Progressing").unwrap();
    let made = format!("Created new replica set \"shop-{}\"", world.hash_of("v3"));
    assert_eq!(progress["message"], made.as_str());
}

#[test]
fn a_version_is_told_of_once_though_the_one_before_never_got_a_pod() {
    let mut world = judged_for_ever();
    for image in ["v1", "v2", "v3", "v4"] {
        world.set_image(image);
        world.settle();
    }
    for revision in 1..=4 {
        let words = format!("updated to revision {revision}");
        let told = world.events.iter().filter(|(_, message)| message.ends_with(&words));
        assert_eq!(told.count(), 1, "{words}: {:#?}", world.events);
    }
}

#[test]
fn a_version_that_is_wanted_again_keeps_off_the_nodes_of_the_one_that_is_stable_now() {
    let rule = json!({"requiredDuringSchedulingIgnoredDuringExecution": {}});
    let mut world = World::new(rollout(2, &json!({"canary": {"antiAffinity": rule}})));
    for image in ["v1", "v2", "v1"] {
        world.set_image(image);
        world.settle();
    }
    let set = world.get("ReplicaSet", &format!("shop-{}", world.hash_of("v1")));
    let affinity = &set["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"];
    let term = &affinity["requiredDuringSchedulingIgnoredDuringExecution"][0];
    let selected = &term["labelSelector"]["matchExpressions"][0]["values"];
    assert_eq!(*selected, json!([world.hash_of("v2")]));
}

#[test]
fn the_stable_version_made_again_does_not_keep_its_own_pods_apart() {
    let rule = json!({"requiredDuringSchedulingIgnoredDuringExecution": {}});
    let mut world = World::new(rollout(2, &json!({"canary": {"antiAffinity": rule}})));
    world.settle();
    let name = format!("shop-{}", world.hash_of("v1"));
    world.objects.remove(&("ReplicaSet".to_owned(), name.clone()));
    world.settle();
    let set = world.get("ReplicaSet", &name);
    assert!(set["spec"]["template"]["spec"].get("affinity").is_none(), "{set:#}");
}

#[test]
fn a_service_that_the_rollout_no_longer_names_selects_every_version_again() {
    let strategy = json!({"blueGreen": {"activeService": "active"}});
    let mut world = World::new(rollout(2, &strategy)).with_service("active").with_service("other");
    world.settle();
    let selector =
        |world: &World, name: &str| world.get("Service", name)["spec"]["selector"].clone();
    let hash = world.hash_of("v1");
    assert_eq!(
        selector(&world, "active"),
        json!({"app": "shop", "rollouts-pod-template-hash": hash})
    );
    let canary = json!({"steps": [{"setWeight": 50}, {"pause": {}}]});
    world.edit(&json!({"spec": {"strategy": {"blueGreen": null, "canary": canary}}}));
    world.set_image("v2");
    world.settle();
    assert_eq!(world.outcome().phase, "Paused", "{:#?}", world.status());
    for name in ["active", "other"] {
        assert_eq!(selector(&world, name), json!({"app": "shop"}), "{name}");
    }
    let mark = &world.get("Service", "active")["metadata"]["annotations"];
    assert!(mark.get("argo-rollouts.argoproj.io/managed-by-rollouts").is_none(), "{mark}");
}

#[test]
fn an_amount_that_is_none_is_taken_out_and_told() {
    let mut object = rollout(2, &json!({"canary": {}}));
    let amounts = json!({"requests": {"memory": "invalid", "cpu": "1m"}});
    object["spec"]["template"]["spec"]["containers"][0]["resources"] = amounts;
    let mut world = World::new(object);
    world.settle();
    assert_eq!(world.outcome().phase, "Healthy");
    let hash = world.hash_of("v1");
    let set = world.get("ReplicaSet", &format!("shop-{hash}"));
    let resources = &set["spec"]["template"]["spec"]["containers"][0]["resources"];
    assert_eq!(*resources, json!({"requests": {"cpu": "1m"}}));
    let own = &world.rollout()["spec"]["template"]["spec"]["containers"][0]["resources"];
    assert_eq!(own, resources);
    let path = "/spec/template/spec/containers/0/resources/requests/memory";
    let message = format!("{path} is no amount and was taken out");
    assert!(world.has_event("InvalidQuantity", &message));
}

#[test]
fn an_amount_makes_one_version_however_it_is_written() {
    let world = |cpu: serde_json::Value| {
        let mut object = rollout(2, &json!({"canary": {}}));
        let amounts = json!({"requests": {"cpu": cpu}});
        object["spec"]["template"]["spec"]["containers"][0]["resources"] = amounts;
        let mut world = World::new(object);
        world.settle();
        assert_eq!(world.outcome().phase, "Healthy");
        world.hash_of("v1")
    };
    let hash = world(json!("1m"));
    assert_eq!([world(json!(0.001)), world(json!("0.001"))], [hash.clone(), hash]);
}

#[test]
fn a_stable_version_that_somebody_deletes_leaves_the_new_one_to_be_it() {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let mut world = World::new(rollout(2, &json!({"canary": {"steps": steps}})));
    world.settle();
    world.set_image("v2");
    world.settle();
    assert_eq!(world.outcome().phase, "Paused");
    let stable = format!("shop-{}", world.hash_of("v1"));
    world.objects.remove(&("ReplicaSet".to_owned(), stable));
    world.settle();
    let outcome = world.outcome();
    assert_eq!((outcome.phase.as_str(), outcome.stable.as_str()), ("Healthy", "v2"));
    assert_eq!(world.pods("v2"), 2);
}

/// What is told of the end of an update back to `v1`, whose two pods are kept, when so many are wanted by then.
fn told_of_going_back(replicas: i32) -> serde_json::Value {
    let mut strategy = routed(&json!([{"setWeight": 50}, {"pause": {}}]));
    strategy["canary"]["scaleDownDelaySeconds"] = json!(600);
    let mut world = routed_world(2, &strategy);
    world.set_image("v2");
    world.run_for(10);
    world.edit(&json!({"status": {"promoteFull": true}}));
    world.run_for(10);
    world.edit(&json!({"spec": {"replicas": replicas}}));
    world.run_for(10);
    assert_eq!(world.status()["duration"]["completionStatus"], "FastPromoted");
    assert_eq!((world.outcome().stable.as_str(), world.pods("v1")), ("v2", 2));
    world.set_image("v1");
    world.run_for(10);
    assert_eq!(world.outcome().phase, "Paused");
    world.status()["duration"]["completionStatus"].clone()
}

#[test]
fn going_back_is_noted_where_the_kept_pods_are_of_another_size() {
    assert_eq!(told_of_going_back(5), "RolledBack");
    assert_eq!(told_of_going_back(2), json!(null));
}

/// Goes back as an undo does, which copies the template of a ReplicaSet, defaults and all.
fn undo(world: &mut World, image: &str) {
    let set = world.get("ReplicaSet", &format!("shop-{}", world.hash_of(image)));
    let mut template = set["spec"]["template"].clone();
    template["metadata"]["labels"]["rollouts-pod-template-hash"] = json!(null);
    template["spec"]["dnsPolicy"] = json!("ClusterFirst");
    world.edit(&json!({"spec": {"template": template}}));
}

#[test]
fn an_undo_makes_no_version_of_the_rule_that_keeps_versions_apart() {
    let rule = json!({"requiredDuringSchedulingIgnoredDuringExecution": {}});
    let mut world = World::new(rollout(2, &json!({"canary": {"antiAffinity": rule}})));
    for image in ["v1", "v2", "v3"] {
        world.set_image(image);
        world.settle();
    }
    for image in ["v1", "v2", "v3"] {
        undo(&mut world, image);
        world.settle();
        let sets = world.objects.keys().filter(|(kind, _)| kind == "ReplicaSet").count();
        assert_eq!((sets, world.outcome().stable.as_str()), (3, image));
    }
}
