//! Blue-green updates from end to end.

use crate::{
    model::{World, rollout},
    stories::template,
};
use serde_json::json;

#[test]
fn blue_green_switches_users_when_the_new_version_is_whole() {
    let strategy = json!({"blueGreen": {"activeService": "active", "previewService": "preview", "autoPromotionEnabled": false}});
    let mut world =
        World::new(rollout(3, &strategy)).with_service("active").with_service("preview");
    world.settle();
    assert_eq!(world.outcome().phase, "Healthy", "{:#?}", world.status());
    world.set_image("v2");
    world.settle();
    assert_eq!(
        (world.outcome().message.as_str(), world.pods("v1"), world.pods("v2")),
        ("BlueGreenPause", 3, 3)
    );
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle();
    assert_eq!(
        (world.outcome().phase.as_str(), world.pods("v1"), world.pods("v2")),
        ("Healthy", 0, 3),
        "{:#?}",
        world.status()
    );
    let hash = world.hash_of("v2");
    assert_eq!(
        world.get("Service", "active")["spec"]["selector"]["rollouts-pod-template-hash"],
        hash.as_str()
    );
}

#[test]
fn a_promotion_that_is_seen_before_the_pause_is_taken_back_is_not_forgotten() {
    let strategy = json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": false}});
    let mut world = World::new(rollout(2, &strategy)).with_service("active");
    world.settle();
    world.set_image("v2");
    world.settle();
    world.edit(&json!({"spec": {"paused": true}}));
    world.settle();
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle();
    assert_eq!(world.outcome().stable, "v1", "{:#?}", world.status());
    world.edit(&json!({"spec": {"paused": false}}));
    world.settle();
    assert_eq!((world.outcome().phase.as_str(), world.pods("v2")), ("Healthy", 2));
    assert_eq!(world.outcome().stable, "v2", "{:#?}", world.status());
}

#[test]
fn blue_green_that_somebody_paused_still_follows_the_number_of_pods_wanted() {
    let strategy = json!({"blueGreen": {"activeService": "active"}});
    let mut world = World::new(rollout(1, &strategy)).with_service("active");
    world.settle();
    world.edit(&json!({"spec": {"paused": true}}));
    world.settle();
    world.edit(&json!({"spec": {"replicas": 3}}));
    world.settle();
    assert_eq!(world.pods("v1"), 3, "{:#?}", world.status());
    world.set_image("v2");
    world.settle();
    assert_eq!((world.pods("v2"), world.outcome().stable.as_str()), (3, "v1"));
}

#[test]
fn a_blue_green_abort_after_the_switch_gives_users_the_stable_version_back() {
    let strategy = json!({"blueGreen": {"activeService": "active", "postPromotionAnalysis": {"templates": [{"templateName": "ok"}]}}});
    let mut world =
        World::new(rollout(2, &strategy)).with_service("active").with_template(template());
    world.settle();
    world.set_image("v2");
    world.settle();
    let run = format!("shop-{}-2-post", world.hash_of("v2"));
    world.verdicts.insert(run, "Failed");
    world.settle();
    let hash = world.hash_of("v1");
    assert_eq!(
        world.get("Service", "active")["spec"]["selector"]["rollouts-pod-template-hash"],
        hash.as_str()
    );
    assert_eq!(
        (world.outcome().phase.as_str(), world.pods("v1"), world.pods("v2")),
        ("Degraded", 2, 0),
        "{:#?}",
        world.status()
    );
}

#[test]
fn a_preview_that_is_overtaken_goes_although_the_next_is_judged_after_its_switch() {
    let judged = json!({"templates": [{"templateName": "ok"}]});
    let strategy = json!({"blueGreen": {
        "activeService": "active", "autoPromotionEnabled": false, "postPromotionAnalysis": judged,
    }});
    let mut world =
        World::new(rollout(2, &strategy)).with_service("active").with_template(template());
    for image in ["v1", "v2", "v3"] {
        world.set_image(image);
        world.settle();
    }
    world.run_for(40);
    assert_eq!((world.pods("v1"), world.pods("v2"), world.pods("v3")), (2, 0, 2));
}

#[test]
fn going_back_to_a_version_that_still_runs_asks_nobody() {
    let judged = json!({"templates": [{"templateName": "ok"}]});
    let strategy = json!({"blueGreen": {
        "activeService": "active", "autoPromotionEnabled": false,
        "prePromotionAnalysis": judged, "postPromotionAnalysis": judged,
    }});
    let mut world =
        World::new(rollout(2, &strategy)).with_service("active").with_template(template());
    world.settle();
    world.set_image("v2");
    world.settle();
    for stage in ["pre", "post"] {
        let run = format!("shop-{}-2-{stage}", world.hash_of("v2"));
        world.verdicts.insert(run, "Successful");
    }
    world.settle();
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.run_for(5);
    assert_eq!(world.outcome().stable, "v2", "{:#?}", world.status());
    world.set_image("v1");
    world.run_for(5);
    assert_eq!(
        (world.outcome().phase.as_str(), world.outcome().stable.as_str()),
        ("Healthy", "v1")
    );
    let hash = world.hash_of("v1");
    let runs =
        world.objects.keys().filter(|(kind, name)| kind == "AnalysisRun" && name.contains(&hash));
    assert_eq!(runs.count(), 0);
    world.settle();
    assert_eq!(world.pods("v2"), 0);
    let set = world.get("ReplicaSet", &format!("shop-{hash}"));
    assert!(set["metadata"]["annotations"].get("scale-down-deadline").is_none(), "{set:#}");
}

#[test]
fn a_deadline_that_nobody_can_read_keeps_no_pods() {
    let strategy = json!({"blueGreen": {"activeService": "active", "scaleDownDelaySeconds": 600}});
    let mut world = World::new(rollout(2, &strategy)).with_service("active");
    world.settle();
    world.set_image("v2");
    world.run_for(5);
    assert_eq!((world.outcome().stable.as_str(), world.pods("v1")), ("v2", 2));
    let name = format!("shop-{}", world.hash_of("v1"));
    let set = world.objects.get_mut(&("ReplicaSet".to_owned(), name)).unwrap();
    set["metadata"]["annotations"]["scale-down-deadline"] = json!("Abcd123");
    world.run_for(5);
    assert_eq!(world.pods("v1"), 0);
}

#[test]
fn a_preview_stays_small_until_it_may_grow() {
    let strategy = json!({"blueGreen": {"activeService": "active", "previewService": "preview", "previewReplicaCount": 1, "autoPromotionEnabled": false}});
    let mut world =
        World::new(rollout(3, &strategy)).with_service("active").with_service("preview");
    world.settle();
    world.set_image("v2");
    world.settle();
    assert_eq!(
        (world.pods("v1"), world.pods("v2"), world.outcome().message.as_str()),
        (3, 1, "BlueGreenPause")
    );
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle();
    assert_eq!(
        (world.pods("v1"), world.pods("v2"), world.outcome().phase.as_str()),
        (0, 3, "Healthy"),
        "{:#?}",
        world.status()
    );
}

#[test]
fn what_an_abort_leaves_up_for_ever_follows_the_number_of_pods_wanted() {
    let strategy = json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": false,
        "abortScaleDownDelaySeconds": 0}});
    let mut world = World::new(rollout(4, &strategy)).with_service("active");
    world.settle();
    world.set_image("v2");
    world.settle();
    world.edit(&json!({"status": {"abort": true}}));
    world.settle();
    assert_eq!((world.pods("v1"), world.pods("v2")), (4, 4), "{:#?}", world.status());
    world.edit(&json!({"spec": {"replicas": 2}}));
    world.settle();
    assert_eq!((world.pods("v1"), world.pods("v2")), (2, 2), "{:#?}", world.status());
}
