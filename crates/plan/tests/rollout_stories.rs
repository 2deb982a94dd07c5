//! Whole updates, walked without a clock: every plan is held against the laws, and every story is cut after
//! every write and resumed.

mod model;

use model::{World, crash_everywhere, rollout, routed, routed_world};
use serde_json::json;

#[test]
fn a_first_deploy_becomes_stable_and_healthy() {
    let mut world =
        World::new(rollout(3, &json!({"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})));
    world.settle();
    let outcome = world.outcome();
    assert_eq!(
        (outcome.phase.as_str(), outcome.stable.as_str()),
        ("Healthy", "v1"),
        "{:#?}",
        world.status()
    );
    assert_eq!(world.pods("v1"), 3);
    assert!(world.has_event("RolloutUpdated", "Rollout updated to revision 1"));
}

#[test]
fn a_basic_canary_goes_by_the_ratio_of_pods_and_stops_at_a_pause() {
    let steps =
        json!([{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": 30}}]);
    let mut world = World::new(rollout(5, &json!({"canary": {"steps": steps}})));
    world.settle();
    world.set_image("v2");
    world.settle();
    assert_eq!((world.pods("v1"), world.pods("v2")), (4, 1));
    assert_eq!(world.outcome().message, "CanaryPauseStep");
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle();
    assert_eq!((world.pods("v1"), world.pods("v2")), (0, 5), "{:#?}", world.status());
    assert_eq!(world.outcome().phase, "Healthy");
    assert!(world.has_event("RolloutStepCompleted", "Rollout step 1/4 completed (setWeight: 20)"));
    assert!(world.has_event("RolloutStepCompleted", "Rollout step 4/4 completed (pause: 30)"));
}

#[test]
fn a_routed_canary_walks_its_weights_and_keeps_the_old_pods_for_a_while() {
    let steps = json!([{"setWeight": 20}, {"pause": {"duration": "10s"}}, {"setWeight": 60}, {"pause": {"duration": 10}}]);
    let mut world = routed_world(5, &routed(&steps));
    world.weights.clear();
    world.set_image("v2");
    world.settle();
    assert_eq!(world.weights, [0, 20, 60, 100, 0]);
    let outcome = world.outcome();
    assert_eq!(
        (outcome.phase.as_str(), outcome.stable.as_str(), outcome.index),
        ("Healthy", "v2", Some(4)),
        "{:#?}",
        world.status()
    );
    assert_eq!((world.pods("v1"), world.pods("v2")), (0, 5));
    assert!(world.has_event("TrafficWeightUpdated", "Traffic weight updated from 20 to 60"));
}

#[test]
fn an_abort_returns_traffic_before_it_scales_down() {
    let mut world = routed_world(4, &routed(&json!([{"setWeight": 50}, {"pause": {}}])));
    world.set_image("v2");
    world.settle();
    assert_eq!((world.weight(), world.pods("v2")), (Some(50), 2));
    world.edit(&json!({"status": {"abort": true}}));
    world.run_for(5);
    assert_eq!(
        (world.weight(), world.pods("v2")),
        (Some(0), 2),
        "the canary keeps its pods for the delay"
    );
    world.settle();
    assert_eq!((world.weight(), world.pods("v1"), world.pods("v2")), (Some(0), 4, 0));
    assert_eq!(world.outcome().phase, "Degraded");
    assert_eq!(world.outcome().message, "RolloutAborted: Rollout aborted update to revision 2");
    world.edit(&json!({"status": {"abort": false}}));
    world.settle();
    assert_eq!(
        (world.weight(), world.pods("v2"), world.outcome().phase.as_str()),
        (Some(50), 2, "Paused"),
        "{:#?}",
        world.status()
    );
}

#[test]
fn pods_that_never_become_ready_get_no_traffic_and_time_out() {
    let mut world = routed_world(2, &routed(&json!([{"setWeight": 50}])));
    world.broken.insert("bad".to_owned());
    world.weights.clear();
    world.set_image("bad");
    world.settle();
    assert_eq!(world.weights, [0]);
    let hash = world.hash_of("bad");
    assert_eq!(
        world.outcome().message,
        format!("ProgressDeadlineExceeded: ReplicaSet \"shop-{hash}\" has timed out progressing.")
    );
    assert_eq!(world.status()["reasons"][0]["code"], "WaitingForPods", "{:#?}", world.status());
}

#[test]
fn a_third_version_takes_over_from_the_second() {
    let mut world = routed_world(4, &routed(&json!([{"setWeight": 50}, {"pause": {}}])));
    world.set_image("v2");
    world.settle();
    world.set_image("v3");
    world.settle();
    assert_eq!(
        (world.weight(), world.pods("v2"), world.pods("v3")),
        (Some(50), 0, 2),
        "{:#?}",
        world.status()
    );
    world.set_image("v1");
    world.settle();
    assert_eq!(
        (world.weight(), world.pods("v1"), world.pods("v3")),
        (Some(0), 4, 0),
        "{:#?}",
        world.status()
    );
    assert_eq!(world.outcome().phase, "Healthy");
    assert!(world.has_event("SkipSteps", "Rollback to stable ReplicaSets"));
}

#[test]
fn full_promotion_skips_pauses_but_not_capacity() {
    let mut world = routed_world(
        4,
        &routed(&json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}])),
    );
    world.set_image("v2");
    world.settle();
    world.weights.clear();
    world.edit(&json!({"status": {"promoteFull": true}}));
    world.settle();
    assert_eq!(world.weights, [25, 100, 0]);
    assert_eq!(
        (world.outcome().phase.as_str(), world.pods("v2")),
        ("Healthy", 4),
        "{:#?}",
        world.status()
    );
}

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
fn a_blue_green_abort_after_the_switch_gives_users_the_stable_version_back() {
    let strategy = json!({"blueGreen": {"activeService": "active", "postPromotionAnalysis": {"templates": [{"templateName": "ok"}]}}});
    let mut world =
        World::new(rollout(2, &strategy)).with_service("active").with_template(template());
    world.settle();
    world.set_image("v2");
    world.settle();
    let run = format!("shop-{}-2-post", world.hash_of("v2"));
    world.verdicts.insert(run.clone(), "Failed");
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
fn a_failed_analysis_aborts_and_a_successful_one_lets_the_canary_pass() {
    let steps = json!([{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "ok"}]}}]);
    for (verdict, phase, stable) in [("Successful", "Healthy", "v2"), ("Failed", "Degraded", "v1")]
    {
        let mut world = World::new(rollout(2, &routed(&steps)))
            .with_service("stable")
            .with_service("canary")
            .with_route()
            .with_template(template());
        world.settle();
        world.set_image("v2");
        world.settle();
        let run = format!("shop-{}-2-1", world.hash_of("v2"));
        assert_eq!(
            world.status()["canary"]["currentStepAnalysisRunStatus"]["name"],
            run.as_str(),
            "{:#?}",
            world.status()
        );
        world.verdicts.insert(run, verdict);
        world.settle();
        assert_eq!(
            (world.outcome().phase.as_str(), world.outcome().stable.as_str()),
            (phase, stable),
            "{:#?}",
            world.status()
        );
    }
}

#[test]
fn an_inconclusive_analysis_pauses_until_somebody_decides() {
    let steps = json!([{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "ok"}]}}]);
    let mut world = World::new(rollout(2, &routed(&steps)))
        .with_service("stable")
        .with_service("canary")
        .with_route()
        .with_template(template());
    world.settle();
    world.set_image("v2");
    world.settle();
    let run = format!("shop-{}-2-1", world.hash_of("v2"));
    world.verdicts.insert(run.clone(), "Inconclusive");
    world.settle();
    assert_eq!(world.outcome().message, "InconclusiveAnalysisRun");
    world.verdicts.insert(format!("{run}.1"), "Successful");
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle();
    assert_eq!(world.outcome().phase, "Healthy", "{:#?}", world.status());
}

#[test]
fn a_user_pause_holds_everything() {
    let mut world = routed_world(4, &routed(&json!([{"setWeight": 50}])));
    world.edit(&json!({"spec": {"paused": true}}));
    world.set_image("v2");
    world.settle();
    assert_eq!(
        (world.weight(), world.pods("v2"), world.outcome().message.as_str()),
        (Some(0), 0, "manually paused")
    );
    world.edit(&json!({"spec": {"paused": false}}));
    world.settle();
    assert_eq!(
        (world.pods("v2"), world.outcome().phase.as_str()),
        (4, "Healthy"),
        "{:#?}",
        world.status()
    );
}

#[test]
fn a_new_size_reaches_both_versions() {
    let mut world = routed_world(4, &routed(&json!([{"setWeight": 50}, {"pause": {}}])));
    world.set_image("v2");
    world.settle();
    world.edit(&json!({"spec": {"replicas": 8}}));
    world.settle();
    assert_eq!((world.pods("v1"), world.pods("v2")), (8, 4));
    world.edit(&json!({"spec": {"replicas": 2}}));
    world.settle();
    assert_eq!((world.pods("v1"), world.pods("v2"), world.weight()), (2, 1, Some(50)));
}

#[test]
fn template_and_size_may_change_at_once() {
    let mut world = routed_world(2, &routed(&json!([{"setWeight": 50}])));
    world.edit(&json!({"spec": {"replicas": 4, "template": {"spec": {"containers": [{"name": "app", "image": "v2"}]}}}}));
    world.settle();
    assert_eq!(
        (world.pods("v1"), world.pods("v2"), world.outcome().phase.as_str()),
        (0, 4, "Healthy"),
        "{:#?}",
        world.status()
    );
}

#[test]
fn what_is_wrong_is_said_and_nothing_else_happens() {
    let mut world = World::new(rollout(
        2,
        &routed(&json!([{"setWeight": 120}, {"experiment": {"templates": []}}])),
    ));
    world.run_for(60);
    assert_eq!(
        world.outcome().message,
        "InvalidSpec: The Rollout \"shop\" is invalid: spec.strategy.steps[0].setWeight: Invalid value: 120: \
         SetWeight needs to be between 0 and 100; spec.strategy.steps[1].experiment: is not supported yet"
    );
    assert_eq!(world.objects.len(), 1);
    world.edit(&json!({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 20}]}}}}));
    world.run_for(60);
    assert!(
        world.outcome().message.contains("Invalid value: \"stable\": service \"stable\" not found"),
        "{:?}",
        world.outcome()
    );
    let mut world = world.with_service("stable").with_service("canary").with_route();
    world.settle();
    assert_eq!(world.outcome().phase, "Healthy", "{:#?}", world.status());
}

#[test]
fn every_story_survives_a_crash_after_every_write() {
    let steps = json!([{"setWeight": 25}, {"pause": {"duration": 5}}, {"setWeight": 75}]);
    let mut canary = routed_world(4, &routed(&steps));
    canary.set_image("v2");
    let mut aborted = routed_world(4, &routed(&json!([{"setWeight": 50}, {"pause": {}}])));
    aborted.set_image("v2");
    aborted.settle();
    aborted.edit(&json!({"status": {"abort": true}}));
    let mut replaced = routed_world(4, &routed(&json!([{"setWeight": 50}, {"pause": {}}])));
    replaced.set_image("v2");
    replaced.settle();
    replaced.set_image("v3");
    let strategy = json!({"blueGreen": {"activeService": "active", "previewService": "preview", "autoPromotionSeconds": 5}});
    let mut blue_green =
        World::new(rollout(3, &strategy)).with_service("active").with_service("preview");
    blue_green.settle();
    blue_green.set_image("v2");
    let mut basic = World::new(rollout(
        5,
        &json!({"canary": {"steps": [{"setWeight": 40}, {"pause": {"duration": 5}}]}}),
    ));
    basic.settle();
    basic.set_image("v2");
    for world in [canary, aborted, replaced, blue_green, basic] {
        assert!(crash_everywhere(&world) > 5);
    }
}

fn template() -> serde_json::Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "ok"},
        "spec": {"metrics": [{"name": "m", "provider": {"prometheus": {"address": "http://p", "query": "up"}}}]},
    })
}
