//! The snapshot that the page draws, from objects and counts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use dashboard::snapshot::{Snapshot, StepState};
use dashboard::view::{self, Counts, Objects};
use jiff::{SignedDuration, Timestamp};
use metrics::access::{AccessLog, Backend, Method, Outcome};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const SPAN: SignedDuration = SignedDuration::from_secs(10);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn object<T: DeserializeOwned>(value: Value) -> Arc<T> {
    Arc::new(serde_json::from_value(value).unwrap())
}

fn rollout(status: &Value) -> Value {
    let steps =
        json!([{ "setWeight": 20 }, { "pause": { "duration": "8s" } }, { "setWeight": 40 }]);
    json!({
        "metadata": { "name": "web", "namespace": "shop" },
        "spec": { "strategy": { "canary": { "steps": steps } } },
        "status": status,
    })
}

fn updating() -> Value {
    json!({
        "phase": "Paused", "message": "CanaryPauseStep", "stableRS": "aaa", "currentPodHash": "bbb",
        "currentStepIndex": 1,
        "canary": { "weights": { "canary": { "weight": 20 }, "stable": { "weight": 80 } } },
    })
}

fn replica_set(hash: &str, image: &str) -> Value {
    json!({
        "metadata": { "labels": { "rollouts-pod-template-hash": hash } },
        "spec": { "selector": {}, "template": { "spec": { "containers": [{ "name": "app", "image": image }] } } },
        "status": { "replicas": 5, "readyReplicas": 4 },
    })
}

fn event(version: &str, reason: &str) -> Value {
    json!({
        "metadata": { "resourceVersion": version, "annotations": { "ringfence.dev/evidence": "{\"value\":\"0.84\"}" } },
        "involvedObject": { "kind": "Rollout", "name": "web" },
        "reason": reason, "message": "it happened", "type": "Warning", "lastTimestamp": "2026-01-01T00:00:00Z",
    })
}

fn objects(status: &Value) -> Objects {
    let sets = [replica_set("aaa", "demo:blue"), replica_set("bbb", "demo:bad-red")];
    Objects {
        rollout: Some(object(rollout(status))),
        replica_sets: sets.into_iter().map(object).collect(),
        runs: Vec::new(),
        events: [event("9", "First"), event("10", "Second")].into_iter().map(object).collect(),
    }
}

/// 75 requests for stable; 20 good, 4 failed and 1 slow one for the canary, within ten seconds.
fn counts() -> Counts {
    let log = AccessLog::new();
    log.remember(at(0));
    let outcome = |code, millis| Outcome {
        code,
        method: Method::Get,
        latency: Duration::from_millis(millis),
    };
    let recorded = [
        ("aaa", outcome(200, 3), 75),
        ("bbb", outcome(200, 3), 20),
        ("bbb", outcome(500, 3), 4),
        ("bbb", outcome(200, 2000), 1),
    ];
    for (hash, outcome, count) in recorded {
        log.record(
            &Backend { pod_template_hash: hash.to_owned(), ..Backend::default() },
            outcome,
            count,
        );
    }
    Counts { total: log.snapshot(at(10)), window: log.window(at(10), SPAN) }
}

fn snapshot(status: &Value) -> Snapshot {
    view::snapshot(&objects(status), &counts(), &[], at(10))
}

#[test]
fn each_version_shows_what_the_gateway_counted_for_it() {
    let versions = snapshot(&updating()).versions;
    let (stable, canary) = (&versions[0], &versions[1]);
    assert_eq!(
        (stable.role, stable.image.as_str(), stable.weight),
        ("stable", "demo:blue", Some(80))
    );
    assert_eq!(
        (canary.role, canary.image.as_str(), canary.weight),
        ("canary", "demo:bad-red", Some(20))
    );
    assert_eq!((stable.observed_share, canary.observed_share), (Some(0.75), Some(0.25)));
    assert_eq!((stable.requests, stable.failed, stable.slow), (75, 0, 0));
    assert_eq!((canary.requests, canary.failed, canary.slow), (25, 4, 1));
    assert_eq!(canary.error_share, Some(0.16));
    assert_eq!((canary.colour, canary.pods, canary.ready_pods), (Some("red"), 5, 4));
}

#[test]
fn a_version_without_requests_has_no_shares_rather_than_zeros() {
    let nothing = AccessLog::new();
    let counts = Counts { total: nothing.snapshot(at(0)), window: nothing.window(at(0), SPAN) };
    let snapshot = view::snapshot(&objects(&updating()), &counts, &[], at(0));
    let canary = &snapshot.versions[1];
    assert_eq!(
        (canary.observed_share, canary.error_share, canary.p95_milliseconds),
        (None, None, None)
    );
}

#[test]
fn steps_are_done_current_or_next() {
    let steps = snapshot(&updating()).rollout.steps;
    let seen: Vec<_> = steps.iter().map(|step| (step.label.as_str(), step.state)).collect();
    let expected =
        [("20 %", StepState::Done), ("pause 8s", StepState::Current), ("40 %", StepState::Next)];
    assert_eq!(seen, expected);
}

#[test]
fn only_the_actions_that_make_sense_are_offered() {
    let settled = json!({ "phase": "Healthy", "stableRS": "bbb", "currentPodHash": "bbb" });
    let mut aborted = updating();
    aborted["abort"] = json!(true);
    for (status, actions) in [
        (updating(), vec!["promote", "promote-full", "abort", "undo"]),
        (settled, vec!["undo"]),
        (aborted, vec!["retry", "undo"]),
    ] {
        assert_eq!(snapshot(&status).rollout.actions, actions);
    }
}

#[test]
fn decisions_of_one_second_keep_their_order_and_their_evidence() {
    let decisions = snapshot(&updating()).decisions;
    let reasons: Vec<_> = decisions.iter().map(|decision| decision.reason.as_str()).collect();
    assert_eq!(reasons, ["Second", "First"]);
    assert_eq!(decisions[0].evidence["value"], "0.84");
}

#[test]
fn the_sentence_names_the_phase_the_version_and_the_reason() {
    let sentence = snapshot(&updating()).sentence;
    assert_eq!(sentence, "Paused: demo:bad-red has 20 % of the traffic — CanaryPauseStep");
    let nothing = view::snapshot(&Objects::default(), &counts(), &[], at(0));
    assert_eq!(nothing.sentence, "Waiting for the rollout to appear");
}
