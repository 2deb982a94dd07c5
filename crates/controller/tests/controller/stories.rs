//! Whole stories: real planner, real API server, real workload controllers, virtual time.

use crate::{
    story::{ARGO, canary, success_rate},
    support::{Cluster, Gate, NoHttp, Prometheus, pass},
};
use controller::{ControllerConfig, ControllerHandle};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use world::{Recording, ServePods, World, WorldConfig, WorldHandle};

pub(crate) async fn world(cluster: &Cluster) -> WorldHandle {
    let config = WorldConfig {
        serve_pods: ServePods::None,
        recording: Recording::Nothing,
        ..WorldConfig::default()
    };
    World::start(cluster.client.clone(), cluster.clock, config).await.unwrap()
}

/// A cluster with a canary at rest, the canary, and what has to live as long as the story.
pub(crate) async fn at_rest(gate: &Gate) -> (Cluster, Value, (WorldHandle, ControllerHandle)) {
    let cluster = Cluster::start().await;
    let world = world(&cluster).await;
    let controller = cluster.controller(gate, ControllerConfig::alone()).await;
    cluster.create(canary(&json!([{"setWeight": 20}]), &Value::Null)).await;
    let healthy = cluster.until("Healthy", 120).await;
    (cluster, healthy, (world, controller))
}

fn with_pause() -> Value {
    json!([{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": "30s"}}])
}

#[tokio::test(start_paused = true)]
async fn a_basic_canary_pauses_and_goes_on_when_promoted() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let _controller = cluster.controller(&Gate::open(), ControllerConfig::alone()).await;
    cluster.create(canary(&with_pause(), &Value::Null)).await;
    let first = cluster.until("Healthy", 120).await;
    cluster.set_image("argoproj/rollouts-demo:yellow").await;
    let paused = cluster.until("Paused", 120).await;
    assert_eq!(paused["status"]["message"], "CanaryPauseStep");
    assert_eq!(paused["status"]["currentStepIndex"], 1);
    let available = cluster.sets().await.into_iter().map(|set| set.3).collect::<Vec<_>>();
    assert_eq!(available.iter().sum::<i64>(), 5, "{available:?}");
    assert!(available.contains(&1), "{available:?}");
    cluster.promote().await;
    let done = cluster.until("Healthy", 240).await;
    assert_ne!(done["status"]["stableRS"], first["status"]["stableRS"]);
    assert_eq!(done["status"]["currentPodHash"], done["status"]["stableRS"]);
}

#[tokio::test(start_paused = true)]
async fn a_routed_canary_moves_the_weights_of_its_route() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let _controller = cluster.controller(&Gate::open(), ControllerConfig::alone()).await;
    cluster.create_routed(&with_pause()).await;
    assert_eq!(cluster.canary_weight().await, 0);
    cluster.set_image("argoproj/rollouts-demo:yellow").await;
    cluster.until("Paused", 120).await;
    assert_eq!(cluster.canary_weight().await, 20);
    cluster.promote().await;
    cluster.until("Healthy", 240).await;
    assert_eq!(cluster.canary_weight().await, 0);
}

#[tokio::test(start_paused = true)]
async fn abort_returns_traffic_before_it_scales_down() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let gate = Gate::open();
    let _controller = cluster.controller(&gate, ControllerConfig::alone()).await;
    cluster.create_routed(&with_pause()).await;
    cluster.set_image("argoproj/rollouts-demo:yellow").await;
    cluster.until("Paused", 120).await;
    let before = gate.writes().len();
    cluster.patch_status(ARGO, "Rollout", "web", json!({"status": {"abort": true}})).await;
    cluster.until("Degraded", 120).await;
    pass(120).await;
    assert_eq!(cluster.canary_weight().await, 0);
    let writes = gate.writes().split_off(before);
    let first = |part: &str| writes.iter().position(|write| write.contains(part));
    let (route, sets) = (first("/httproutes/"), first("/replicasets/"));
    assert!(route.is_some() && (sets.is_none() || route < sets), "{writes:#?}");
    let canary = cluster.sets().await.into_iter().filter(|set| set.1 == 0).count();
    assert_eq!(canary, 1, "{:?}", cluster.sets().await);
}

#[tokio::test(start_paused = true)]
async fn a_failing_analysis_rolls_back_and_says_why() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let rate = Arc::new(Prometheus(Mutex::new(0.84)));
    let config = ControllerConfig::alone();
    let _controller = cluster.controller_asking(&Gate::open(), config, rate.clone()).await;
    cluster.create(success_rate()).await;
    let steps = json!([{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "success-rate"}]}}, {"setWeight": 60}]);
    cluster.create_routed(&steps).await;
    cluster.set_image("argoproj/rollouts-demo:bad-yellow").await;
    let web = cluster.until("Degraded", 240).await;
    assert_eq!(web["status"]["abort"], true);
    let message = web["status"]["message"].as_str().unwrap();
    assert!(message.contains("success-rate"), "{message}");
    assert_eq!(cluster.canary_weight().await, 0);
    *rate.0.lock().unwrap() = 0.99;
    cluster.set_image("argoproj/rollouts-demo:green").await;
    let web = cluster.until("Healthy", 240).await;
    let runs = cluster.list(ARGO, "AnalysisRun").await;
    let phases = runs.iter().map(|run| run["status"]["phase"].clone()).collect::<Vec<_>>();
    assert!(
        phases.contains(&json!("Failed")) && phases.contains(&json!("Successful")),
        "{phases:?} {web}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_controller_killed_after_any_write_is_replaced_without_a_trace() {
    let (expected, writes) = story(None).await;
    // What a status says is said again; of what changes the cluster, every third is worth a death.
    let tells = |write: &String| write.contains("/events") || write.ends_with("/status");
    let cuts = (1..=writes.len()).filter(|cut| !tells(&writes[cut - 1])).step_by(3);
    let cuts = cuts.collect::<Vec<_>>();
    assert!(cuts.len() > 4, "{writes:#?}");
    for cut in cuts {
        let (outcome, _) = story(Some(cut)).await;
        assert_eq!(outcome, expected, "killed after write {cut}: {}", writes[cut - 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_story_is_told_twice_in_the_same_words() {
    assert_eq!(story(None).await, story(None).await);
}

/// A whole update, with the controller killed after a write if asked; the end state and the writes.
async fn story(cut: Option<usize>) -> (Value, Vec<String>) {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let gate = Gate::open();
    let first = cluster.controller(&gate, ControllerConfig::alone()).await;
    let steps = json!([{"setWeight": 20}, {"pause": {"duration": "10s"}}]);
    if let Some(cut) = cut {
        gate.cut_after(cut);
    }
    let drama = async {
        if cut.is_some() {
            gate.reached(cut.unwrap_or_default()).await;
            pass(1).await;
            first.abort();
        } else {
            futures::future::pending::<()>().await;
            drop(first);
        }
        cluster.controller(&Gate::open(), ControllerConfig::alone()).await
    };
    let plot = async {
        cluster.create_routed(&steps).await;
        cluster.set_image("argoproj/rollouts-demo:yellow").await;
        let web = cluster.until("Healthy", 240).await;
        pass(60).await;
        web
    };
    tokio::pin!(drama);
    tokio::pin!(plot);
    let mut second = None;
    let web = loop {
        tokio::select! {
            biased;
            controller = &mut drama, if second.is_none() => second = Some(controller),
            web = &mut plot => break web,
        }
    };
    let sets = cluster.sets().await;
    let status = &web["status"];
    let outcome = json!({
        "sets": sets,
        "weight": cluster.canary_weight().await,
        "stable": status["stableRS"],
        "current": status["currentPodHash"],
        "step": status["currentStepIndex"],
    });
    (outcome, gate.writes())
}

#[tokio::test(start_paused = true)]
async fn nothing_is_planned_on_a_picture_older_than_our_own_writes() {
    let gate = Gate::open();
    let (cluster, _, _running) = at_rest(&gate).await;
    gate.freeze(Some("/replicasets"));
    cluster.set_image("argoproj/rollouts-demo:yellow").await;
    pass(4).await;
    let made = gate
        .writes()
        .iter()
        .filter(|write| write.starts_with("POST") && write.ends_with("/replicasets"))
        .count();
    assert_eq!(made, 2, "one set for each revision, none made twice: {:#?}", gate.writes());
    gate.freeze(None);
    cluster.until("Healthy", 120).await;
    assert_eq!(cluster.sets().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stable_version_that_a_list_leaves_out_keeps_its_users() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let first = cluster.controller(&Gate::open(), ControllerConfig::alone()).await;
    cluster.create(canary(&with_pause(), &Value::Null)).await;
    let stable = cluster.until("Healthy", 120).await["status"]["stableRS"].clone();
    first.abort();
    cluster.set_image("argoproj/rollouts-demo:yellow").await;
    let behind = Gate::open();
    behind.overlook("/replicasets");
    let _second = cluster.controller(&behind, ControllerConfig::alone()).await;
    pass(20).await;
    behind.freeze(None);
    let paused = cluster.until("Paused", 120).await;
    assert_eq!(paused["status"]["stableRS"], stable);
    assert_eq!(paused["status"]["updatedReplicas"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_a_list_leaves_out_is_waited_for() {
    let cluster = Cluster::start().await;
    let first = cluster.controller(&Gate::open(), ControllerConfig::alone()).await;
    let pods =
        json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}});
    let job = json!({"spec": {"template": pods}});
    let metric = json!({"name": "check", "count": 1, "provider": {"job": job}});
    cluster
        .create(json!({
            "apiVersion": ARGO, "kind": "AnalysisRun", "metadata": {"name": "by-hand"},
            "spec": {"metrics": [metric]},
        }))
        .await;
    pass(5).await;
    first.abort();
    let behind = Gate::open();
    behind.overlook("/jobs");
    let _second = cluster.controller(&behind, ControllerConfig::alone()).await;
    pass(20).await;
    behind.freeze(None);
    pass(20).await;
    let run = cluster.get(ARGO, "AnalysisRun", "by-hand").await;
    let measured = run["status"]["metricResults"][0]["measurements"].as_array().unwrap().iter();
    let phases = measured.map(|measurement| &measurement["phase"]).collect::<Vec<_>>();
    assert_eq!(phases, ["Running"], "{run:#}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_no_possible_job_costs_a_look() {
    let cluster = Cluster::start().await;
    let gate = Gate::open();
    for (number, job) in ["", "?watch=1", ".."].into_iter().enumerate() {
        let begun = json!({"phase": "Running", "startedAt": "2026-01-01T00:00:00Z", "metadata": {"job-name": job}});
        let provider = json!({"job": {"spec": {"template": {"spec": {"containers": []}}}}});
        let metric = json!({"name": "check", "count": 1, "failureLimit": 0, "provider": provider});
        let result = json!({"name": "check", "phase": "Running", "measurements": [begun]});
        cluster
            .create(json!({
                "apiVersion": ARGO, "kind": "AnalysisRun", "metadata": {"name": format!("odd-{number}")},
                "spec": {"metrics": [metric]},
                "status": {"phase": "Running", "metricResults": [result]},
            }))
            .await;
    }
    let _controller = cluster.controller(&gate, ControllerConfig::alone()).await;
    pass(5).await;
    for number in 0..3 {
        let run = cluster.get(ARGO, "AnalysisRun", &format!("odd-{number}")).await;
        let measured = &run["status"]["metricResults"][0]["measurements"][0];
        assert_eq!(measured["phase"], "Error", "{run:#}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_done_is_told_even_if_the_write_after_it_is_refused() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let gate = Gate::open();
    gate.deny(Some("/replicasets"));
    let _controller = cluster.controller(&gate, ControllerConfig::alone()).await;
    cluster.create(canary(&json!([{"setWeight": 20}]), &Value::Null)).await;
    pass(30).await;
    let told = cluster.events().await;
    for reason in ["RolloutUpdated", "RolloutNotCompleted"] {
        let found = told.iter().filter(|(told, _)| told == reason);
        assert_eq!(found.count(), 1, "{reason}: {told:?}");
    }
    gate.deny(None);
    cluster.until("Healthy", 120).await;
}

#[tokio::test(start_paused = true)]
async fn no_work_waits_for_the_news_of_it_to_be_written() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let gate = Gate::open();
    gate.leave_unanswered("/events");
    let _controller = cluster.controller(&gate, ControllerConfig::alone()).await;
    cluster.create(canary(&json!([{"setWeight": 20}]), &Value::Null)).await;
    cluster.until("Healthy", 20).await;
    let told = gate.writes().into_iter().filter(|write| write.contains("/events")).count();
    assert_eq!(told, 1, "{:#?}", gate.writes());
}

#[tokio::test(start_paused = true)]
async fn a_settled_rollout_is_left_alone_for_a_day() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let gate = Gate::open();
    let config = ControllerConfig::alone();
    let _controller = cluster.controller_asking(&gate, config, Arc::new(NoHttp)).await;
    cluster.create_routed(&json!([{"setWeight": 20}, {"pause": {"duration": "10s"}}])).await;
    cluster.set_image("argoproj/rollouts-demo:yellow").await;
    cluster.until("Healthy", 240).await;
    pass(600).await;
    let before = gate.writes();
    pass(24 * 3600).await;
    assert_eq!(gate.writes()[before.len()..], [] as [String; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_deleted_lets_go_of_its_services_even_while_nobody_looks() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let first = cluster.controller(&Gate::open(), ControllerConfig::alone()).await;
    cluster.create_routed(&with_pause()).await;
    assert!(selector(&cluster).await.to_string().contains("rollouts-pod-template-hash"));
    first.abort();
    cluster.delete(ARGO, "Rollout", "web").await;
    let _second = cluster.controller(&Gate::open(), ControllerConfig::alone()).await;
    pass(5).await;
    assert_eq!(selector(&cluster).await, json!({"app": "web"}));
}

async fn selector(cluster: &Cluster) -> Value {
    cluster.get("v1", "Service", "web-stable").await["spec"]["selector"].clone()
}
