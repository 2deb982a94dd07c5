//! Controllers that see less than everything: one namespace, one instance, analysis alone.

use crate::{
    stories::world,
    story::{ARGO, canary, success_rate},
    support::{Cluster, Gate, Prometheus, pass},
};
use controller::{ControllerConfig, Pace, Work};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

const INSTANCE: &str = "argo-rollouts.argoproj.io/controller-instance-id";

fn plain() -> Value {
    canary(&json!([{"setWeight": 20}]), &Value::Null)
}

fn run() -> Value {
    let template = success_rate();
    json!({
        "apiVersion": ARGO, "kind": "AnalysisRun", "metadata": {"name": "by-hand"},
        "spec": {"metrics": template["spec"]["metrics"]},
    })
}

#[tokio::test(start_paused = true)]
async fn a_controller_of_one_namespace_asks_for_nothing_beyond_it() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let gate = Gate::open();
    let namespace = Some("default".to_owned());
    let config = ControllerConfig { namespace, ..ControllerConfig::alone() };
    let _controller = cluster.controller(&gate, config).await;
    cluster.create(plain()).await;
    cluster.until("Healthy", 120).await;
    let beyond = |path: &String| !path.contains("/namespaces/default/");
    let asked = gate.watched().into_iter().chain(gate.writes());
    assert_eq!(asked.filter(beyond).collect::<Vec<_>>(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn analysis_alone_measures_and_leaves_rollouts_to_others() {
    let cluster = Cluster::start().await;
    let gate = Gate::open();
    let config = ControllerConfig { work: Work::Analysis, ..ControllerConfig::alone() };
    let prometheus = Arc::new(Prometheus(Mutex::new(1.0)));
    let _controller = cluster.controller_asking(&gate, config, prometheus).await;
    cluster.create(plain()).await;
    cluster.create(run()).await;
    pass(60).await;
    let measured = cluster.get(ARGO, "AnalysisRun", "by-hand").await;
    assert_eq!(measured["status"]["phase"], "Successful", "{measured:#}");
    assert_eq!(cluster.web().await["status"]["phase"], Value::Null);
    assert!(!gate.has_watched("/rollouts") && !gate.has_watched("/services"));
}

#[tokio::test(start_paused = true)]
async fn each_instance_works_on_the_objects_with_its_label() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let blue =
        ControllerConfig { instance_id: Some("blue".to_owned()), ..ControllerConfig::alone() };
    let _blue = cluster.controller(&Gate::open(), blue).await;
    cluster.create(plain()).await;
    pass(60).await;
    assert_eq!(cluster.web().await["status"]["phase"], Value::Null, "it has no label");
    let labelled = json!({"metadata": {"labels": {INSTANCE: "blue"}}});
    cluster.patch(ARGO, "Rollout", "web", labelled).await;
    cluster.until("Healthy", 120).await;
    let unlabelled = json!({"metadata": {"labels": {INSTANCE: null}}, "spec": {"replicas": 3}});
    cluster.patch(ARGO, "Rollout", "web", unlabelled).await;
    let _rest = cluster.controller(&Gate::open(), ControllerConfig::alone()).await;
    pass(60).await;
    assert_eq!(cluster.until("Healthy", 120).await["status"]["replicas"], 3);
}

#[tokio::test(start_paused = true)]
async fn writes_keep_to_their_pace_and_nothing_is_left_undone() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let gate = Gate::open();
    let config = ControllerConfig { pace: Pace::new(0.2, 1), ..ControllerConfig::alone() };
    let _controller = cluster.controller(&gate, config).await;
    cluster.create(plain()).await;
    pass(12).await;
    assert!((1..=3).contains(&gate.writes().len()), "{:#?}", gate.writes());
    cluster.until("Healthy", 300).await;
}

#[tokio::test(start_paused = true)]
async fn requests_updates_and_objects_are_counted_under_upstreams_names() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let metrics_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let config = ControllerConfig { metrics_listen, ..ControllerConfig::alone() };
    let controller = cluster.controller(&Gate::open(), config).await;
    cluster.create(plain()).await;
    cluster.until("Healthy", 120).await;
    let text = controller.metrics_text();
    let expected = [
        "build_info{version=",
        "controller_clientset_k8s_request_total{kind=\"replicasets\",namespace=\"default\",name=\"\",verb=\"Create\",status_code=\"201\"} 1\n",
        "controller_clientset_k8s_request_total{kind=\"rollouts\",namespace=\"\",name=\"\",verb=\"Watch\",status_code=\"200\"}",
        "rollout_duration_seconds_count{status=\"Promoted\"} 1\n",
        "rollout_info{namespace=\"default\",name=\"web\",strategy=\"canary\",traffic_router=\"\",phase=\"Completed\"} 1\n",
        "rollout_info_replicas_available{namespace=\"default\",name=\"web\"} 5\n",
        "rollout_phase{namespace=\"default\",name=\"web\",strategy=\"canary\",phase=\"Completed\"} 1\n",
        "rollout_reconcile_bucket{namespace=\"default\",name=\"web\",le=\"0.01\"}",
    ];
    for line in expected {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    cluster.delete(ARGO, "Rollout", "web").await;
    pass(60).await;
    assert!(!controller.metrics_text().contains("name=\"web\""));
    let gone = ("RolloutDeleted".to_owned(), "Rollout web/default is deleted.".to_owned());
    assert!(cluster.events().await.contains(&gone));
}

/// Gives the ReplicaSet `set` a pod whose image cannot be had.
async fn add_pod_without_image(cluster: &Cluster, set: &Value) {
    let metadata = &set["metadata"];
    let owner = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
        "name": metadata["name"], "uid": metadata["uid"],
    });
    cluster
        .create(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "one", "labels": metadata["labels"], "ownerReferences": [owner]},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }))
        .await;
    let state = json!({"waiting": {"reason": "ImagePullBackOff"}});
    let container = json!({
        "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state,
    });
    let status = json!({"status": {"phase": "Pending", "containerStatuses": [container]}});
    cluster.patch_status("v1", "Pod", "one", status).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_pod_waits_for_is_told_once_it_lasts_and_numbers_at_once() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller(&Gate::open(), ControllerConfig::alone()).await;
    cluster.create(plain()).await;
    pass(60).await;
    let told = async || {
        let web = cluster.get(ARGO, "Rollout", "web").await;
        web["status"]["reasons"][0]["message"].as_str().unwrap_or_default().to_owned()
    };
    let set = cluster.list("apps/v1", "ReplicaSet").await.remove(0);
    let name = set["metadata"]["name"].as_str().unwrap();
    let counted = json!({"status": {"replicas": 5, "readyReplicas": 1, "availableReplicas": 1}});
    cluster.patch_status("apps/v1", "ReplicaSet", name, counted).await;
    pass(1).await;
    assert_eq!(told().await, format!("{name} has 1 of 5 pods available"));
    add_pod_without_image(&cluster, &set).await;
    pass(3).await;
    assert_eq!(told().await, format!("{name} has 1 of 5 pods available"));
    pass(2).await;
    assert_eq!(told().await, format!("{name} has 1 of 5 pods available (ImagePullBackOff)"));
}
