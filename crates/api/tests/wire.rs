//! Objects are read as other clients write them, and written without what is empty.

#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use api::argo::{
    AnalysisPhase, AnalysisRun, Experiment, Rollout, RolloutPhase, RolloutStatus, StepKind,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn write<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap()
}

fn canary() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": { "name": "shop", "namespace": "default" },
        "spec": {
            "replicas": 5,
            "selector": { "matchLabels": { "app": "shop" } },
            "template": {
                "metadata": { "labels": { "app": "shop" } },
                "spec": { "containers": [{ "name": "shop", "image": "shop:1" }] },
            },
            "strategy": { "canary": {
                "canaryService": "shop-canary",
                "maxSurge": "25%",
                "trafficRouting": { "plugins": { "argoproj-labs/gatewayAPI": { "httpRoute": "shop" } } },
                "analysis": { "templates": [{ "templateName": "errors" }], "startingStep": 1 },
                "steps": [
                    { "setWeight": 20 },
                    { "pause": { "duration": "10m" } },
                    { "setCanaryScale": { "matchTrafficWeight": true } },
                    { "plugin": { "name": "p", "config": { "keep": null } } },
                ],
            } },
        },
    })
}

#[test]
fn a_rollout_survives_a_round_trip_unchanged() {
    assert_eq!(write(&read::<Rollout>(&canary())), canary());
}

#[test]
fn a_background_analysis_keeps_its_own_fields_beside_the_shared_ones() {
    let rollout: Rollout = read(&canary());
    let strategy = rollout.spec.strategy.canary.unwrap();
    let background = strategy.analysis.unwrap();
    assert_eq!(background.starting_step, Some(1));
    assert_eq!(background.analysis.templates[0].template_name, "errors");
    assert_eq!(strategy.steps[0].kind(), StepKind::SetWeight(20));
}

#[test]
fn statuses_are_read_however_a_client_wrote_them() {
    let check = |written: Value, expected: Value| {
        assert_eq!(write(&read::<RolloutStatus>(&written)), expected, "{written}");
    };
    check(json!({ "pauseConditions": null, "conditions": null, "abort": null }), json!({}));
    check(json!({ "observedGeneration": 7 }), json!({ "observedGeneration": 7 }));
    check(json!({ "observedGeneration": 7.0 }), json!({ "observedGeneration": 7 }));
    check(json!({ "observedGeneration": "of old" }), json!({ "observedGeneration": "of old" }));
    check(json!({ "observedGeneration": "" }), json!({}));
    check(json!({ "observedGeneration": "7" }), json!({ "observedGeneration": "7" }));
    check(json!({ "currentStepIndex": 2.0 }), json!({ "currentStepIndex": 2 }));
    check(
        json!({ "HPAReplicas": 3, "stableRS": "abc" }),
        json!({ "HPAReplicas": 3, "stableRS": "abc" }),
    );
    check(json!({ "canary": {}, "blueGreen": {}, "message": "", "replicas": 0 }), json!({}));
    check(json!({ "phase": "Healthy" }), json!({ "phase": "Healthy" }));
    check(json!({ "phase": "" }), json!({}));
    check(
        json!({ "reasons": [{ "code": "C", "message": "m" }] }),
        json!({ "reasons": [{ "code": "C", "message": "m" }] }),
    );
}

#[test]
fn a_word_of_a_newer_controller_still_loads() {
    let status: RolloutStatus = read(&json!({ "phase": "Dreaming" }));
    assert_eq!(status.phase, Some(RolloutPhase::Unknown));
}

#[test]
fn a_number_that_is_no_integer_is_refused() {
    let check = |status: Value| assert!(serde_json::from_value::<RolloutStatus>(status).is_err());
    check(json!({ "replicas": 1.5 }));
    check(json!({ "replicas": 3_000_000_000_i64 }));
    check(json!({ "replicas": "3" }));
}

#[test]
fn times_are_written_to_the_second() {
    let status: RolloutStatus = read(&json!({ "abortedAt": "2026-01-02T03:04:05.678+01:00" }));
    assert_eq!(write(&status), json!({ "abortedAt": "2026-01-02T02:04:05Z" }));
}

#[test]
fn limits_are_numbers_or_text() {
    let metric = json!({
        "name": "errors",
        "count": "{{args.count}}",
        "failureLimit": 3,
        "provider": { "prometheus": { "query": "up" } },
    });
    let run = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {},
        "spec": { "metrics": [metric], "args": [{ "name": "empty", "value": "" }] },
        "status": { "phase": "Running" },
    });
    let read: AnalysisRun = read(&run);
    assert_eq!(write(&read), run);
    assert_eq!(read.status.unwrap().phase, AnalysisPhase::Running);
}

#[test]
fn an_analysis_that_has_not_begun_is_pending() {
    assert_eq!(AnalysisPhase::from(""), AnalysisPhase::Pending);
    let run: AnalysisRun = read(&json!({ "spec": { "metrics": null }, "status": { "phase": "" } }));
    assert_eq!(run.status.unwrap().phase, AnalysisPhase::Pending);
}

#[test]
fn an_experiment_survives_a_round_trip_unchanged() {
    let template = json!({
        "name": "baseline",
        "replicas": 0,
        "selector": { "matchLabels": { "app": "shop" } },
        "template": { "metadata": {}, "spec": { "containers": [{ "name": "shop", "image": "shop:1" }] } },
        "service": {},
    });
    let experiment = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Experiment",
        "metadata": { "name": "e" },
        "spec": { "templates": [template], "duration": "5m" },
    });
    assert_eq!(write(&read::<Experiment>(&experiment)), experiment);
}
