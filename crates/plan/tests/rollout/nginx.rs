//! Whole updates whose split NGINX makes.

use crate::model::{World, crash_everywhere, rollout};
use serde_json::{Value, json};

fn strategy(nginx: &Value, steps: &Value) -> Value {
    json!({"canary": {
        "stableService": "stable", "canaryService": "canary", "steps": steps,
        "trafficRouting": {"nginx": nginx},
    }})
}

/// Four pods of v1 behind the ingresses, all of them healthy.
fn world(nginx: &Value, steps: &Value) -> World {
    let mut world = World::new(rollout(4, &strategy(nginx, steps)))
        .with_service("stable")
        .with_service("canary")
        .with_ingress("web", "stable")
        .with_ingress("inner", "stable");
    world.settle();
    assert_eq!(world.outcome().phase, "Healthy", "{:#?}", world.status());
    world
}

fn one() -> Value {
    json!({"stableIngress": "web"})
}

#[test]
fn a_canary_goes_up_the_steps_and_the_ingress_stays_with_no_weight() {
    let steps = json!([{"setWeight": 25}, {"pause": {"duration": "1m"}}, {"setWeight": 50}]);
    let mut world = world(&one(), &steps);
    assert!(world.has_event(
        "CreatingCanaryIngress",
        "Creating canary ingress `shop-web-canary` with weight `0`"
    ));
    world.set_image("v2");
    world.settle();
    assert_eq!(world.weights, [0, 25, 50, 100, 0]);
    assert!(world.has_event(
        "PatchingCanaryIngress",
        "Updating Ingress `shop-web-canary` to desiredWeight '25'"
    ));
    assert!(world.has_event("TrafficWeightUpdated", "Traffic weight updated from 0 to 25"));
    assert_eq!(world.status()["canary"]["weights"].get("verified"), None);
    let outcome = world.outcome();
    assert_eq!((outcome.phase.as_str(), outcome.stable.as_str()), ("Healthy", "v2"));
    let owner = &world.get("Ingress", "shop-web-canary")["metadata"]["ownerReferences"][0];
    assert_eq!(owner["uid"], world.rollout()["metadata"]["uid"]);
}

#[test]
fn several_ingresses_move_together() {
    let steps = json!([{"setWeight": 25}, {"pause": {}}]);
    let mut world = world(&json!({"stableIngresses": ["web", "inner"]}), &steps);
    world.set_image("v2");
    world.settle();
    assert_eq!(world.weights_of_ingresses(), [25, 25]);
    world.edit(&json!({"status": {"abort": true}}));
    world.settle();
    assert_eq!(world.weights_of_ingresses(), [0, 0]);
}

#[test]
fn a_release_that_is_cut_anywhere_ends_like_one_that_is_not() {
    let steps = json!([{"setWeight": 25}, {"pause": {"duration": "1m"}}, {"setWeight": 50}]);
    let mut world = world(&json!({"stableIngresses": ["web", "inner"]}), &steps);
    world.set_image("v2");
    assert!(crash_everywhere(&world) > 5);
    let mut fresh = World::new(rollout(4, &strategy(&one(), &steps)))
        .with_service("stable")
        .with_service("canary")
        .with_ingress("web", "stable");
    fresh.tick();
    assert!(crash_everywhere(&fresh) > 5);
}

#[test]
fn what_somebody_does_to_the_canary_ingress_is_taken_back() {
    let mut world = world(&one(), &json!([{"setWeight": 25}, {"pause": {}}]));
    world.set_image("v2");
    world.settle();
    let canary = world.get("Ingress", "shop-web-canary").clone();
    let mut edited = canary.clone();
    edited["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"] = json!("90");
    edited["spec"]["rules"][0]["host"] = json!("other.example");
    world.put("Ingress", edited);
    world.settle();
    assert_eq!(world.weight(), Some(25));
    assert_eq!(world.get("Ingress", "shop-web-canary")["spec"], canary["spec"]);
    world.objects.remove(&("Ingress".to_owned(), "shop-web-canary".to_owned())).unwrap();
    world.settle();
    assert_eq!(world.weight(), Some(25));
}

#[test]
fn a_foreign_ingress_of_that_name_holds_everything_and_is_told_once() {
    let mut world = world(&one(), &json!([{"setWeight": 25}, {"pause": {}}]));
    let ours = world.get("Ingress", "shop-web-canary").clone();
    let mut foreign = ours.clone();
    foreign["metadata"].as_object_mut().unwrap().remove("ownerReferences");
    world.put("Ingress", foreign);
    world.set_image("v2");
    world.run_for(60);
    assert_eq!((world.weight(), world.pods("v1")), (Some(0), 4));
    let text = "canary ingress `shop-web-canary` controlled by different object";
    let told = world.events.iter().filter(|(_, message)| message == text).count();
    assert_eq!(told, 1, "{:#?}", world.events);
    assert!(world.has_event("TrafficRoutingError", text));
    world.put("Ingress", ours);
    world.settle();
    assert_eq!(world.weight(), Some(25));
}

#[test]
fn shares_are_of_the_greatest_weight() {
    let mut strategy = strategy(&one(), &json!([{"setWeight": 50}, {"pause": {}}]));
    strategy["canary"]["trafficRouting"]["maxTrafficWeight"] = json!(200);
    let mut world = World::new(rollout(4, &strategy))
        .with_service("stable")
        .with_service("canary")
        .with_ingress("web", "stable");
    world.settle();
    world.set_image("v2");
    world.settle();
    assert_eq!((world.weight(), world.pods("v2")), (Some(50), 1));
    let annotations = &world.get("Ingress", "shop-web-canary")["metadata"]["annotations"];
    assert_eq!(annotations["nginx.ingress.kubernetes.io/canary-weight-total"], "200");
    assert_eq!(world.status()["canary"]["weights"]["stable"]["weight"], 150);
}
