//! Whole updates, walked without a clock: every plan is held against the laws, and every story is cut after
//! every write and resumed.

use crate::model::{World, crash_everywhere, rollout, routed, routed_world};
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
    assert!(!world.has_event("TrafficWeightUpdated", "Traffic weight updated "));
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
    world.able.insert("bad".to_owned(), 0);
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
fn a_failed_analysis_aborts_and_a_successful_one_lets_the_canary_pass() {
    let steps = json!([{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "ok"}]}}]);
    for (verdict, phase, stable) in [("Successful", "Healthy", "v2"), ("Failed", "Degraded", "v1")]
    {
        let mut world = judged_world(2, &routed(&steps));
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
    let mut world = judged_world(2, &routed(&steps));
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
fn a_timed_pause_that_passes_while_an_analysis_is_inconclusive_moves_nothing() {
    let steps = json!([{"pause": {"duration": 60}}, {"setWeight": 50}, {"pause": {}}]);
    let mut strategy = routed(&steps);
    strategy["canary"]["analysis"] = json!({"templates": [{"templateName": "ok"}]});
    let mut world = judged_world(2, &strategy);
    world.settle();
    world.set_image("v2");
    world.run_for(10);
    world.verdicts.insert(format!("shop-{}-2", world.hash_of("v2")), "Inconclusive");
    world.run_for(300);
    assert_eq!(world.status()["currentStepIndex"], 0, "{:#?}", world.status());
    assert_eq!(world.weight(), Some(0));
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.run_for(300);
    assert_eq!(world.status()["currentStepIndex"], 2, "{:#?}", world.status());
}

#[test]
fn a_pause_begun_by_a_clock_ahead_ends_in_its_own_time() {
    let mut world =
        routed_world(4, &routed(&json!([{"setWeight": 50}, {"pause": {"duration": 60}}])));
    world.set_image("v2");
    world.run_for(30);
    assert_eq!(world.outcome().phase, "Paused", "{:#?}", world.status());
    let mut pauses = world.status()["pauseConditions"].clone();
    pauses[0]["startTime"] = json!("2026-01-03T00:00:00Z");
    world.edit(&json!({"status": {"pauseConditions": pauses}}));
    world.run_for(300);
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
    let mut world =
        World::new(rollout(2, &routed(&json!([{"setWeight": 120}, {"plugin": {"name": "x"}}]))));
    world.run_for(60);
    assert_eq!(
        world.outcome().message,
        "InvalidSpec: The Rollout \"shop\" is invalid: spec.strategy.steps[0].setWeight: Invalid value: 120: \
         SetWeight needs to be between 0 and 100; spec.strategy.canary.steps[1].plugin: Forbidden: not supported yet"
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
    for world in
        [canary, aborted, replaced, blue_green, basic, judged("Successful"), judged("Failed")]
    {
        assert!(crash_everywhere(&world) > 5);
    }
}

/// An update whose analysis will end this way.
fn judged(verdict: &'static str) -> World {
    let steps = json!([{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "ok"}]}}]);
    let mut world = judged_world(2, &routed(&steps));
    world.settle();
    let mut ahead = world.clone();
    ahead.set_image("v2");
    ahead.settle();
    world.verdicts.insert(format!("shop-{}-2-1", ahead.hash_of("v2")), verdict);
    world.set_image("v2");
    world
}

/// A routed world with what its analyses measure.
pub(crate) fn judged_world(replicas: i32, strategy: &serde_json::Value) -> World {
    let world = World::new(rollout(replicas, strategy));
    world.with_service("stable").with_service("canary").with_route().with_template(template())
}

pub(crate) fn template() -> serde_json::Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "ok"},
        "spec": {"metrics": [{"name": "m", "provider": {"prometheus": {"address": "http://p", "query": "up"}}}]},
    })
}

/// A routed world in which `v2` is through and `v1` lies within the rollback window.
fn within_the_window(replicas: i32, weight: i32) -> World {
    let mut world = routed_world(replicas, &routed(&json!([{"setWeight": weight}, {"pause": {}}])));
    world.edit(&json!({"spec": {"rollbackWindow": {"revisions": 2}}}));
    world.set_image("v2");
    world.settle();
    world.edit(&json!({"status": {"promoteFull": true}}));
    world.settle();
    assert_eq!(world.outcome().stable, "v2");
    world
}

#[test]
fn a_rollback_within_the_window_skips_steps_and_pauses() {
    let mut world = within_the_window(3, 50);
    world.set_image("v1");
    world.settle();
    let outcome = world.outcome();
    assert_eq!(
        (outcome.phase.as_str(), outcome.stable.as_str()),
        ("Healthy", "v1"),
        "{:#?}",
        world.status()
    );
    let hash = world.hash_of("v1");
    let message =
        format!("Rollout completed update to revision 3 ({hash}): Rollback within window");
    assert!(world.has_event("RolloutCompleted", &message), "{:#?}", world.events);
}

#[test]
fn a_rollback_within_the_window_gives_the_first_pods_no_more_than_their_share() {
    let mut world = within_the_window(10, 60);
    world.able.insert("v1".to_owned(), 2);
    world.set_image("v1");
    world.run_for(60);
    assert_eq!(world.weight(), Some(20), "{:#?}", world.status());
    world.able.clear();
    world.settle();
    assert_eq!(world.outcome().stable, "v1");
}

#[test]
fn a_background_analysis_starts_at_its_step_and_aborts_when_it_fails() {
    let mut strategy = routed(
        &json!([{"setWeight": 25}, {"pause": {"duration": 10}}, {"setWeight": 50}, {"pause": {}}]),
    );
    strategy["canary"]["analysis"] =
        json!({"templates": [{"templateName": "ok"}], "startingStep": 2});
    let mut world = judged_world(4, &strategy);
    world.settle();
    world.set_image("v2");
    world.run_for(8);
    assert!(world.status()["canary"]["currentBackgroundAnalysisRunStatus"].is_null());
    world.settle();
    let run = format!("shop-{}-2", world.hash_of("v2"));
    assert_eq!(
        world.status()["canary"]["currentBackgroundAnalysisRunStatus"]["name"],
        run.as_str()
    );
    world.verdicts.insert(run, "Failed");
    world.settle();
    assert_eq!(world.weight(), Some(0));
    assert_eq!(
        world.outcome().message,
        "RolloutAborted: Rollout aborted update to revision 2: Background analysis phase error/failed"
    );
}

#[test]
fn an_aborted_canary_without_a_delay_keeps_its_pods_for_ever() {
    let mut strategy = routed(&json!([{"setWeight": 50}, {"pause": {}}]));
    strategy["canary"]["abortScaleDownDelaySeconds"] = json!(0);
    let mut world = routed_world(4, &strategy);
    world.set_image("v2");
    world.settle();
    world.edit(&json!({"status": {"abort": true}}));
    world.settle();
    assert_eq!((world.weight(), world.pods("v2")), (Some(0), 2));
}

#[test]
fn old_revisions_beyond_the_history_are_deleted() {
    let mut world = World::new(rollout(1, &json!({"canary": {}})));
    world.edit(&json!({"spec": {"revisionHistoryLimit": 2}}));
    for image in ["v1", "v2", "v3", "v4", "v5"] {
        world.set_image(image);
        world.settle();
    }
    let kept: Vec<String> = world.outcome().pods.into_keys().collect();
    assert_eq!(kept, ["v3", "v4", "v5"]);
    assert_eq!(world.rollout()["metadata"]["annotations"]["rollout.argoproj.io/revision"], "5");
}

#[test]
fn a_version_that_comes_back_gets_a_new_number_and_keeps_the_old_one_in_its_history() {
    let mut world = World::new(rollout(1, &json!({"canary": {}})));
    for image in ["v1", "v2", "v1"] {
        world.set_image(image);
        world.settle();
    }
    let name = format!("shop-{}", world.hash_of("v1"));
    let annotations = &world.get("ReplicaSet", &name)["metadata"]["annotations"];
    assert_eq!(annotations["rollout.argoproj.io/revision"], "3");
    assert_eq!(annotations["rollout.argoproj.io/revision-history"], "1");
}

#[test]
fn somebody_elses_edit_of_the_route_is_taken_back() {
    let mut world = routed_world(4, &routed(&json!([{"setWeight": 25}, {"pause": {}}])));
    world.set_image("v2");
    world.settle();
    let mut route = world.get("HTTPRoute", "shop").clone();
    route["spec"]["rules"][0]["backendRefs"][1]["weight"] = json!(90);
    world.put("HTTPRoute", route);
    world.settle();
    assert_eq!(world.weight(), Some(25));
}

#[test]
fn a_lost_route_holds_everything_and_says_so() {
    let mut world = routed_world(4, &routed(&json!([{"setWeight": 25}, {"pause": {}}])));
    world.set_image("v2");
    world.settle();
    let route = world.objects.remove(&("HTTPRoute".to_owned(), "shop".to_owned())).unwrap();
    world.edit(&json!({"status": {"abort": true}}));
    world.settle();
    assert_eq!(
        (world.pods("v1"), world.pods("v2")),
        (4, 1),
        "nothing shrinks while the split is unknown"
    );
    let codes: Vec<&str> = world.status()["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|reason| reason["code"].as_str())
        .collect();
    assert!(codes.contains(&"WaitingForRouter"), "{codes:?}");
    world.put("HTTPRoute", route);
    world.settle();
    assert_eq!((world.weight(), world.pods("v2")), (Some(0), 0));
}

#[test]
fn a_promoted_step_is_skipped_by_the_client_and_the_rest_follows() {
    let mut world = routed_world(
        4,
        &routed(&json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}])),
    );
    world.set_image("v2");
    world.settle();
    world.edit(&json!({"status": {"pauseConditions": null, "controllerPause": false, "currentStepIndex": 2}}));
    world.settle();
    assert_eq!((world.weight(), world.outcome().index), (Some(50), Some(3)));
}

#[test]
fn a_long_wait_is_explained_in_the_message() {
    let mut world = routed_world(2, &routed(&json!([{"setWeight": 50}])));
    world.able.insert("bad".to_owned(), 0);
    world.set_image("bad");
    world.run_for(20);
    assert_eq!(world.outcome().message, "more replicas need to be updated");
    world.run_for(20);
    let hash = world.hash_of("bad");
    assert_eq!(
        world.outcome().message,
        format!("more replicas need to be updated: shop-{hash} has 0 of 1 pods available")
    );
}

#[test]
fn a_route_without_weights_gets_them_on_the_first_deploy() {
    let mut world = World::new(rollout(2, &routed(&json!([{"setWeight": 50}]))))
        .with_service("stable")
        .with_service("canary")
        .with_route();
    let mut route = world.get("HTTPRoute", "shop").clone();
    for backend in route["spec"]["rules"][0]["backendRefs"].as_array_mut().unwrap() {
        backend.as_object_mut().unwrap().remove("weight");
    }
    world.put("HTTPRoute", route);
    world.settle();
    assert_eq!(
        (world.weight(), world.outcome().phase.as_str()),
        (Some(0), "Healthy"),
        "{:#?}",
        world.status()
    );
}

#[test]
fn pods_carry_the_metadata_of_their_role() {
    let mut strategy = routed(&json!([{"setWeight": 50}, {"pause": {}}]));
    strategy["canary"]["canaryMetadata"] =
        json!({"labels": {"role": "canary"}, "annotations": {"only": "canary"}});
    strategy["canary"]["stableMetadata"] = json!({"labels": {"role": "stable"}});
    let mut world = routed_world(2, &strategy);
    let metadata = |world: &World, image: &str| {
        let name = format!("shop-{}", world.hash_of(image));
        world.get("ReplicaSet", &name)["spec"]["template"]["metadata"].clone()
    };
    assert_eq!(metadata(&world, "v1")["labels"]["role"], "stable");
    world.set_image("v2");
    world.settle();
    assert_eq!(
        (&metadata(&world, "v1")["labels"]["role"], &metadata(&world, "v2")["labels"]["role"]),
        (&json!("stable"), &json!("canary"))
    );
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle();
    assert_eq!(world.outcome().phase, "Healthy", "{:#?}", world.status());
    let promoted = metadata(&world, "v2");
    assert_eq!(
        (&promoted["labels"]["role"], &promoted["annotations"]["only"]),
        (&json!("stable"), &json!(null))
    );
}

#[test]
fn a_rollout_of_no_pods_still_reaches_its_version() {
    let mut world = routed_world(2, &routed(&json!([{"setWeight": 50}])));
    world.edit(&json!({"spec": {"replicas": 0}}));
    world.settle();
    world.set_image("v2");
    world.settle();
    assert_eq!(
        (world.outcome().phase.as_str(), world.outcome().stable.as_str()),
        ("Healthy", "v2"),
        "{:#?}",
        world.status()
    );
}
