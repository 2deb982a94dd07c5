//! The text of `get` and `list`, byte for byte.

#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use api::argo::{AnalysisRun, Experiment, Rollout};
use cli::info::{ExperimentInfo, ExperimentObjects, Objects, RolloutInfo};
use cli::print::{self, Colour, Extra, Namespace};
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
        ..Objects::default()
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

/// As upstream's client writes it to a terminal: the name is coloured once for each part that it plays, and
/// what has no colour has an empty code.
#[test]
fn colours_are_upstreams_code_by_code() {
    let mut objects = canary();
    let status = json!({ "phase": "Paused", "blueGreen": { "activeSelector": "aaa" } });
    objects.rollout = rollout(&json!({ "blueGreen": { "activeService": "web" } }), &status);
    objects.replica_sets = vec![replica_set("aaa", "1", 5, 5), replica_set("ccc", "0", 0, 0)];
    let text = print::rollout(&RolloutInfo::new(&objects, now()), Colour::Always);
    for words in [
        "Status:          \u{1b}[0m॥\u{1b}[0m Paused\n",
        "⧉ \u{1b}[32m\u{1b}[32mweb-aaa\u{1b}[0m\u{1b}[0m ",
        " \u{1b}[32mstable\u{1b}[0m,\u{1b}[32mactive\u{1b}[0m\n",
        "⧉ web-ccc ",
        " \u{1b}[0m•\u{1b}[0m ScaledDown ",
        "α \u{1b}[0mweb-bbb-2\u{1b}[0m ",
    ] {
        assert!(text.contains(words), "{words:?} in {text:?}");
    }
}

#[test]
fn a_step_that_is_wrong_still_has_its_weight() {
    let strategy = json!({ "canary": { "steps": [{ "setWeight": 25, "pause": {} }] } });
    let status = json!({ "phase": "Degraded", "message": "InvalidSpec: it is wrong" });
    let row = print::row(&rollout(&strategy, &status));
    expect![[r"
        NAME        STRATEGY   STATUS        STEP  SET-WEIGHT  READY  DESIRED  UP-TO-DATE  AVAILABLE
        web         Canary     Degraded      -     25          5/6    5        1           5        
    "]]
    .assert_eq(&print::list(&[row], Extra::default()));
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

fn owned_by(kind: &str, uid: &str) -> Value {
    json!([{ "apiVersion": "argoproj.io/v1alpha1", "kind": kind, "name": uid, "uid": uid }])
}

fn experiment(phase: &str, message: &str) -> Experiment {
    let object = json!({
        "metadata": {
            "name": "web-bbb-2-0", "namespace": "shop", "uid": "e1", "creationTimestamp": BORN,
            "annotations": { "rollout.argoproj.io/revision": "2" },
            "ownerReferences": owned_by("Rollout", "u1"),
        },
        "spec": { "templates": [], "duration": "8d" },
        "status": { "phase": phase, "message": message },
    });
    serde_json::from_value(object).unwrap()
}

fn baseline() -> ReplicaSet {
    let mut set = replica_set("ccc", "0", 1, 1);
    set.metadata.owner_references = serde_json::from_value(owned_by("Experiment", "e1")).unwrap();
    let annotation = ("experiment.argoproj.io/template-name".to_owned(), "baseline".to_owned());
    set.metadata.annotations = Some([annotation].into());
    set
}

fn job_run(owner: &str, kind: &str) -> AnalysisRun {
    let measurement = |name: &str, phase: &str| json!({ "phase": phase, "startedAt": BORN, "metadata": { "job-name": name } });
    let measurements = [measurement("load-1", "Successful"), measurement("load-2", "Running")];
    let object = json!({
        "metadata": {
            "name": "web-load", "creationTimestamp": BORN,
            "annotations": { "rollout.argoproj.io/revision": "2" },
            "ownerReferences": owned_by(kind, owner),
        },
        "spec": { "metrics": [] },
        "status": { "phase": "Running", "metricResults": [
            { "name": "load", "phase": "Running", "successful": 1, "measurements": measurements },
        ] },
    });
    serde_json::from_value(object).unwrap()
}

#[test]
fn an_experiment_shows_its_images_its_replica_sets_and_its_runs() {
    let objects = ExperimentObjects {
        experiment: experiment("Running", "waiting for the run"),
        replica_sets: vec![baseline(), replica_set("aaa", "1", 5, 5)],
        pods: vec![pod("ccc", "1", &running())],
        runs: vec![job_run("e1", "Experiment"), run()],
    };
    let info = ExperimentInfo::new(&objects, now());
    expect![[r"
        Name:            web-bbb-2-0
        Namespace:       shop
        Status:          ◌ Running
        Message:         waiting for the run
        Images:          demo:ccc (Σ:baseline)

        NAME               KIND         STATUS        AGE  INFO
        Σ web-bbb-2-0      Experiment   ◌ Running     7d   
        ├──⧉ web-ccc       ReplicaSet   ✔ Healthy     7d   
        │  └──□ web-ccc-1  Pod          ✔ Running     7d   ready:1/1
        └──α web-load      AnalysisRun  ◌ Running     7d   ✔ 1
           ├──⊞ load-1     Job          ✔ Successful  7d   
           └──⊞ load-2     Job          ◌ Running     7d   
    "]]
    .assert_eq(&print::experiment(&info, Colour::Never));
}

#[test]
fn a_rollout_shows_its_experiments_between_its_replica_sets_and_its_runs() {
    let mut objects = canary();
    objects.experiments = vec![experiment("Pending", "")];
    objects.replica_sets.push(baseline());
    objects.runs = vec![run(), job_run("u1", "Rollout")];
    let text = print::rollout(&RolloutInfo::new(&objects, now()), Colour::Never);
    let (header, tree) = text.split_once("\n\n").unwrap();
    expect![[r"
        Images:          demo:aaa (stable)
                         demo:bbb (canary)
                         demo:ccc (Σ:baseline)"]]
    .assert_eq(&header.lines().skip(8).take(3).collect::<Vec<_>>().join("\n"));
    expect![[r"
        NAME                  KIND         STATUS              AGE  INFO
        ⟳ web                 Rollout      ✖ Degraded          7d   
        ├──# revision:2                                             
        │  ├──⧉ web-bbb       ReplicaSet   ◌ Progressing       7d   canary
        │  │  └──□ web-bbb-1  Pod          ⚠ ImagePullBackOff  7d   ready:0/1,restarts:2
        │  ├──Σ web-bbb-2-0   Experiment   ◷ Pending           7d   
        │  │  └──⧉ web-ccc    ReplicaSet   ✔ Healthy           7d   
        │  ├──α web-load      AnalysisRun  ◌ Running           7d   ✔ 1
        │  │  ├──⊞ load-1     Job          ✔ Successful        7d   
        │  │  └──⊞ load-2     Job          ◌ Running           7d   
        │  └──α web-bbb-2     AnalysisRun  ✖ Failed            7d   ✔ 5,✖ 2,? 1,⚠ 3
        └──# revision:1                                             
           └──⧉ web-aaa       ReplicaSet   ✔ Healthy           7d   stable
              ├──□ web-aaa-1  Pod          ✔ Running           7d   ready:1/1
              └──□ web-aaa-2  Pod          ✔ Running           7d   ready:1/1
    "]]
    .assert_eq(tree);
}

#[test]
fn only_names_of_what_is_under_way_are_coloured() {
    let colour = |phase: &str| {
        let objects = ExperimentObjects {
            experiment: experiment(phase, ""),
            replica_sets: Vec::new(),
            pods: Vec::new(),
            runs: Vec::new(),
        };
        print::experiment(&ExperimentInfo::new(&objects, now()), Colour::Always)
    };
    assert!(colour("Running").contains("\u{1b}[94mweb-bbb-2-0\u{1b}[0m"));
    assert!(colour("Pending").contains("\u{1b}[33m◷\u{1b}[0m Pending"));
    for phase in ["Successful", "Failed", "Error", "Inconclusive"] {
        assert!(colour(phase).contains("Σ \u{1b}[0mweb-bbb-2-0\u{1b}[0m "), "{phase}");
    }
}

#[test]
fn the_list_of_experiments_says_how_long_each_still_runs() {
    let with = |name: &str, duration: &str, status: &Value| {
        let object = json!({
            "metadata": { "name": name, "namespace": "shop", "creationTimestamp": BORN },
            "spec": { "templates": [], "duration": duration },
            "status": status,
        });
        print::experiment_row(&serde_json::from_value::<Experiment>(object).unwrap(), now())
    };
    let rows = [
        with("bakes", "192h", &json!({ "phase": "Running", "availableAt": BORN })),
        with("endless", "", &json!({ "phase": "Running", "availableAt": BORN })),
        with("over", "192h", &json!({ "phase": "Successful", "availableAt": BORN })),
        with("rather-long-name", "5m", &json!({})),
    ];
    expect![[r"
        NAME              STATUS      DURATION  REMAINING  AGE
        bakes             Running     8d        24h        7d 
        endless           Running     -         -          7d 
        over              Successful  8d        -          7d 
        rather-long-name              5m        -          7d 
    "]]
    .assert_eq(&print::experiments(&rows, Namespace::Hidden));
    expect![[r"
        NAMESPACE  NAME        STATUS   DURATION  REMAINING  AGE
        shop       bakes       Running  8d        24h        7d 
    "]]
    .assert_eq(&print::experiments(&rows[..1], Namespace::Shown));
}
