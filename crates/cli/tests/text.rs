//! The text of `get rollout` and `list rollouts`, byte for byte.

#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use api::argo::{AnalysisRun, Rollout};
use cli::info::{Objects, RolloutInfo};
use cli::print::{self, Colour, Extra};
use expect_test::{Expect, expect};
use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Pod};
use serde_json::{Value, json};

const BORN: &str = "2026-01-01T00:00:00Z";

fn now() -> Timestamp {
    "2026-01-08T00:00:00Z".parse().unwrap()
}

fn rollout(strategy: &Value, status: &Value) -> Rollout {
    let mut all = json!({
        "observedGeneration": "3", "stableRS": "aaa", "currentPodHash": "bbb", "replicas": 6, "updatedReplicas": 1,
        "readyReplicas": 5, "availableReplicas": 5,
    });
    all.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    let object = json!({
        "metadata": { "name": "web", "namespace": "shop", "uid": "u1", "generation": 3, "creationTimestamp": BORN },
        "spec": { "replicas": 5, "strategy": strategy },
        "status": all,
    });
    serde_json::from_value(object).unwrap()
}

fn replica_set(name: &str, revision: &str, replicas: i32, available: i32) -> ReplicaSet {
    let object = json!({
        "metadata": {
            "name": format!("web-{name}"), "uid": name, "creationTimestamp": BORN,
            "labels": { "rollouts-pod-template-hash": name },
            "annotations": { "rollout.argoproj.io/revision": revision },
            "ownerReferences": [{ "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": "u1" }],
        },
        "spec": {
            "replicas": replicas, "selector": {},
            "template": { "spec": { "containers": [{ "name": "app", "image": format!("demo:{name}") }] } },
        },
        "status": { "replicas": replicas, "availableReplicas": available },
    });
    serde_json::from_value(object).unwrap()
}

fn pod(set: &str, name: &str, status: &Value) -> Pod {
    let object = json!({
        "metadata": {
            "name": format!("web-{set}-{name}"), "creationTimestamp": BORN,
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set, "uid": set }],
        },
        "spec": { "containers": [{ "name": "app" }] },
        "status": status,
    });
    serde_json::from_value(object).unwrap()
}

fn running() -> Value {
    let container = json!({
        "name": "app", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": { "running": {} },
    });
    json!({ "phase": "Running", "containerStatuses": [container] })
}

fn unpullable() -> Value {
    let container = json!({
        "name": "app", "image": "", "imageID": "", "ready": false, "restartCount": 2,
        "state": { "waiting": { "reason": "ImagePullBackOff" } },
    });
    json!({ "phase": "Pending", "containerStatuses": [container] })
}

fn run() -> AnalysisRun {
    let object = json!({
        "metadata": {
            "name": "web-bbb-2", "creationTimestamp": BORN,
            "annotations": { "rollout.argoproj.io/revision": "2" },
            "ownerReferences": [{ "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": "u1" }],
        },
        "spec": { "metrics": [] },
        "status": { "phase": "Failed", "metricResults": [
            { "name": "success-rate", "phase": "Failed", "successful": 4, "failed": 2 },
            { "name": "latency", "phase": "Successful", "successful": 1, "inconclusive": 1, "error": 3 },
        ] },
    });
    serde_json::from_value(object).unwrap()
}

fn check(objects: &Objects, colour: Colour, expected: &Expect) {
    let text = print::rollout(&RolloutInfo::new(objects, now()), colour);
    expected.assert_eq(&text);
}

fn canary() -> Objects {
    let strategy = json!({ "canary": {
        "steps": [{ "setWeight": 20 }, { "pause": {} }], "trafficRouting": { "plugins": { "argoproj-labs/gatewayAPI": {} } },
    } });
    let weights = json!({ "canary": { "weight": 20 }, "stable": { "weight": 80 } });
    let status = json!({
        "phase": "Degraded", "message": "RolloutAborted: it broke", "currentStepIndex": 1, "canary": { "weights": weights },
    });
    Objects {
        rollout: rollout(&strategy, &status),
        replica_sets: vec![replica_set("aaa", "1", 5, 5), replica_set("bbb", "2", 1, 0)],
        pods: vec![
            pod("aaa", "1", &running()),
            pod("aaa", "2", &running()),
            pod("bbb", "1", &unpullable()),
        ],
        runs: vec![run()],
    }
}

#[test]
fn a_canary_shows_its_step_its_weights_and_its_tree() {
    check(
        &canary(),
        Colour::Never,
        &expect![[r"
            Name:            web
            Namespace:       shop
            Status:          ✖ Degraded
            Message:         RolloutAborted: it broke
            Strategy:        Canary
              Step:          1/2
              SetWeight:     20
              ActualWeight:  20
            Images:          demo:aaa (stable)
                             demo:bbb (canary)
            Replicas:
              Desired:       5
              Current:       6
              Updated:       1
              Ready:         5
              Available:     5

            NAME                  KIND         STATUS              AGE  INFO
            ⟳ web                 Rollout      ✖ Degraded          7d   
            ├──# revision:2                                             
            │  ├──⧉ web-bbb       ReplicaSet   ◌ Progressing       7d   canary
            │  │  └──□ web-bbb-1  Pod          ⚠ ImagePullBackOff  7d   ready:0/1,restarts:2
            │  └──α web-bbb-2     AnalysisRun  ✖ Failed            7d   ✔ 5,✖ 2,? 1,⚠ 3
            └──# revision:1                                             
               └──⧉ web-aaa       ReplicaSet   ✔ Healthy           7d   stable
                  ├──□ web-aaa-1  Pod          ✔ Running           7d   ready:1/1
                  └──□ web-aaa-2  Pod          ✔ Running           7d   ready:1/1
        "]],
    );
}

#[test]
fn blue_green_shows_what_is_active_and_what_is_previewed() {
    let strategy = json!({ "blueGreen": { "activeService": "web" } });
    let selectors = json!({ "activeSelector": "aaa", "previewSelector": "bbb" });
    let status = json!({ "phase": "Paused", "message": "BlueGreenPause", "blueGreen": selectors });
    let objects = Objects {
        rollout: rollout(&strategy, &status),
        replica_sets: vec![
            replica_set("aaa", "1", 5, 5),
            replica_set("bbb", "2", 1, 1),
            replica_set("ccc", "0", 0, 0),
        ],
        ..Objects::default()
    };
    check(
        &objects,
        Colour::Never,
        &expect![[r"
            Name:            web
            Namespace:       shop
            Status:          ॥ Paused
            Message:         BlueGreenPause
            Strategy:        BlueGreen
            Images:          demo:aaa (stable, active)
                             demo:bbb (preview)
            Replicas:
              Desired:       5
              Current:       6
              Updated:       1
              Ready:         5
              Available:     5

            NAME             KIND        STATUS        AGE  INFO
            ⟳ web            Rollout     ॥ Paused      7d   
            ├──# revision:2                                 
            │  └──⧉ web-bbb  ReplicaSet  ✔ Healthy     7d   preview
            ├──# revision:1                                 
            │  └──⧉ web-aaa  ReplicaSet  ✔ Healthy     7d   stable,active
            └──# revision:0                                 
               └──⧉ web-ccc  ReplicaSet  • ScaledDown  7d   
        "]],
    );
}

#[test]
fn a_change_that_was_not_observed_yet_is_said_so() {
    let mut objects = canary();
    objects.rollout.metadata.generation = Some(4);
    let info = RolloutInfo::new(&objects, now());
    assert_eq!(
        (info.status.as_str(), info.message.as_str()),
        ("Progressing", "waiting for rollout spec update to be observed")
    );
}

#[test]
fn colours_are_written_only_when_asked_for() {
    let info = RolloutInfo::new(&canary(), now());
    assert!(!print::rollout(&info, Colour::Never).contains('\u{1b}'));
    assert!(print::rollout(&info, Colour::Always).contains("\u{1b}[31m✖\u{1b}[0m Degraded"));
}

#[test]
fn the_list_has_a_line_for_each_rollout() {
    let rows = [print::row(&canary().rollout)];
    expect![[r"
        NAME        STRATEGY   STATUS        STEP  SET-WEIGHT  READY  DESIRED  UP-TO-DATE  AVAILABLE
        web         Canary     Degraded      1/2   20          5/6    5        1           5        
    "]]
    .assert_eq(&print::list(&rows, Extra::default()));
}
