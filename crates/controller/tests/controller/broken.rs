//! What people are told of objects that the API server takes and nobody can read.

use crate::{
    stories::world,
    story::{ARGO, canary, experiment, success_rate},
    support::{Cluster, Gate, Prometheus, pass},
};
use controller::ControllerConfig;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const YELLOW: &str = "argoproj/rollouts-demo:yellow";
const WHY: &str = "cannot be understood: 5000000000 is not an integer in range; \
                   whoever wrote it has to correct it";

/// The metrics of `object`, which has a specification, with a count that no integer of Kubernetes holds.
fn broken_metrics(object: &Value) -> Value {
    let mut metrics = object["spec"]["metrics"].clone();
    metrics[0]["count"] = json!(5_000_000_000_i64);
    json!({"spec": {"metrics": metrics}})
}

fn judged() -> Value {
    let analysis = json!({"templates": [{"templateName": "success-rate"}]});
    canary(&json!([{"setWeight": 20}, {"analysis": analysis}]), &Value::Null)
}

#[tokio::test(start_paused = true)]
async fn a_template_that_cannot_be_understood_is_not_called_missing_and_harms_nobody_else() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let mut template = success_rate();
    template["spec"] = broken_metrics(&template)["spec"].take();
    cluster.create(template).await;
    let _controller = cluster.controller(&Gate::open(), ControllerConfig::alone()).await;
    let mut other = canary(&json!([{"setWeight": 20}]), &Value::Null);
    other["metadata"]["name"] = json!("other");
    for labels in ["/spec/selector/matchLabels/app", "/spec/template/metadata/labels/app"] {
        *other.pointer_mut(labels).unwrap() = json!("other");
    }
    cluster.create(other).await;
    cluster.create(judged()).await;
    let web = cluster.until("Degraded", 120).await;
    let message = web["status"]["message"].as_str().unwrap();
    let expected = format!("AnalysisTemplate 'success-rate' {WHY}");
    assert!(message.starts_with("InvalidSpec: ") && message.ends_with(&expected), "{message}");
    pass(60).await;
    let other = cluster.get(ARGO, "Rollout", "other").await;
    assert_eq!(other["status"]["phase"], "Healthy", "{other:#}");
    cluster.patch(ARGO, "AnalysisTemplate", "success-rate", success_rate()).await;
    cluster.until("Healthy", 120).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_be_understood_ends_in_error_and_takes_the_release_back() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let prometheus = Arc::new(Prometheus(Mutex::new(1.0)));
    let alone = ControllerConfig::alone();
    let _controller = cluster.controller_asking(&Gate::open(), alone, prometheus).await;
    cluster.create(success_rate()).await;
    cluster.create(judged()).await;
    cluster.until("Healthy", 120).await;
    cluster.set_image(YELLOW).await;
    let run = running(&cluster).await;
    let name = run["metadata"]["name"].as_str().unwrap();
    cluster.patch(ARGO, "AnalysisRun", name, broken_metrics(&run)).await;
    let web = cluster.until("Degraded", 120).await;
    let expected = format!("the AnalysisRun {WHY}");
    let message = web["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("RolloutAborted: ") && message.ends_with(&expected), "{message}");
    let run = cluster.get(ARGO, "AnalysisRun", name).await;
    assert_eq!(
        (&run["status"]["phase"], &run["status"]["message"]),
        (&json!("Error"), &json!(expected))
    );
}

/// The first analysis run that is under way.
async fn running(cluster: &Cluster) -> Value {
    for _ in 0..120 {
        pass(1).await;
        let mut runs = cluster.list(ARGO, "AnalysisRun").await.into_iter();
        if let Some(run) = runs.find(|run| run["status"]["phase"] == "Running") {
            return run;
        }
    }
    panic!("no run is under way");
}

#[tokio::test(start_paused = true)]
async fn an_experiment_that_cannot_be_understood_is_in_error() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller(&Gate::open(), ControllerConfig::alone()).await;
    let resources = json!({"limits": "none"});
    let container = json!({"name": "c", "image": "i", "resources": resources});
    cluster.create(experiment(&container)).await;
    pass(30).await;
    let status = &cluster.get(ARGO, "Experiment", "try").await["status"];
    assert_eq!(status["phase"], "Error", "{status:#}");
    let message = status["message"].as_str().unwrap();
    assert!(message.starts_with("the Experiment cannot be understood: "), "{message}");
}
