//! What people are told when the API server does not do what is asked of it.

use crate::{
    stories::{at_rest, world},
    story::{ARGO, canary, experiment},
    support::{Cluster, Gate, pass},
};
use controller::ControllerConfig;
use serde_json::{Value, json};

const YELLOW: &str = "argoproj/rollouts-demo:yellow";

#[tokio::test(start_paused = true)]
async fn a_refused_write_is_told_once_and_tried_again() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let gate = Gate::open();
    gate.deny(Some("/replicasets"));
    let controller = cluster.controller(&gate, ControllerConfig::alone()).await;
    cluster.create(canary(&json!([{"setWeight": 20}]), &Value::Null)).await;
    pass(300).await;
    let told = cluster.events().await;
    let told =
        told.iter().filter(|(reason, _)| reason == "ReplicaSetCreateError").collect::<Vec<_>>();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.ends_with("the test does not allow it"), "{told:?}");
    let reasons = &cluster.web().await["status"]["reasons"];
    assert_eq!(reasons[0]["code"], "Forbidden", "{reasons}");
    assert!(gate.writes().len() < 80, "{}", gate.writes().len());
    assert!(controller.metrics_text().contains("code=\"Forbidden\""));
    gate.deny(None);
    cluster.until("Healthy", 120).await;
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_replica_set_may_not_be_made_degrades_the_rollout_until_it_may_or_is_taken_back()
 {
    let gate = Gate::open();
    let (cluster, healthy, _running) = at_rest(&gate).await;
    let image = healthy["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    for way_out in [image.as_str().unwrap(), YELLOW] {
        gate.deny(Some("/replicasets"));
        cluster.set_image(YELLOW).await;
        let stuck = cluster.until("Degraded", 120).await;
        let message = stuck["status"]["message"].as_str().unwrap();
        let expected = "ReplicaSetCreateError: Failed to create new replica set \"web-";
        assert!(message.starts_with(expected), "{message}");
        assert!(message.ends_with("\": the test does not allow it"), "{message}");
        assert_eq!(stuck["status"]["stableRS"], healthy["status"]["stableRS"]);
        pass(60).await;
        gate.deny(None);
        cluster.set_image(way_out).await;
        let out = cluster.until("Healthy", 120).await;
        let progressing = out["status"]["conditions"].as_array().unwrap().iter();
        let progressing = progressing.filter(|it| it["type"] == "Progressing");
        let reasons = progressing.map(|it| it["reason"].clone()).collect::<Vec<_>>();
        assert_eq!(reasons, ["NewReplicaSetAvailable"], "{way_out}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_is_over_is_no_longer_told_while_another_write_fails() {
    let gate = Gate::open();
    let (cluster, _, _running) = at_rest(&gate).await;
    gate.deny(Some("/replicasets"));
    cluster.set_image(YELLOW).await;
    cluster.until("Degraded", 120).await;
    // One may be made now, but none changed.
    gate.deny(Some("/replicasets/"));
    pass(300).await;
    let status = cluster.web().await["status"].take();
    let message = status["message"].as_str().unwrap_or_default();
    assert_eq!(status["phase"], "Progressing", "{status:#}");
    assert!(message.starts_with("could not patch ReplicaSet default/web-"), "{message}");
    let conditions = status["conditions"].to_string();
    assert!(!conditions.contains("ReplicaSetCreateError"), "{conditions}");
    gate.deny(None);
    cluster.until("Healthy", 600).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_notes_the_generation_of_the_workload_that_clients_wait_for() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let gate = Gate::open();
    let _controller = cluster.controller(&gate, ControllerConfig::alone()).await;
    let mut rollout = canary(&json!([{"setWeight": 20}]), &Value::Null);
    let spec = &mut rollout["spec"];
    let (template, selector) = (spec["template"].take(), spec["selector"].clone());
    spec["workloadRef"] = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "base"});
    spec.as_object_mut().unwrap().remove("template");
    cluster
        .create(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "base"},
            "spec": {"replicas": 0, "selector": selector, "template": template},
        }))
        .await;
    cluster.create(rollout).await;
    cluster.until("Healthy", 120).await;
    gate.deny(Some("/replicasets"));
    let image = json!({"spec": {"template": {"metadata": {"annotations": {"second": "yes"}}}}});
    cluster.patch("apps/v1", "Deployment", "base", image).await;
    cluster.until("Degraded", 120).await;
    // Whoever makes revisions of the Deployment notes them on it, which is another generation.
    pass(60).await;
    let generation =
        cluster.get("apps/v1", "Deployment", "base").await["metadata"]["generation"].to_string();
    let stuck = cluster.get(ARGO, "Rollout", "web").await;
    let noted = &stuck["metadata"]["annotations"]["rollout.argoproj.io/workload-generation"];
    let observed = &stuck["status"]["workloadObservedGeneration"];
    assert_eq!((observed, noted), (&json!(generation), &json!(generation)));
    assert_eq!(stuck["status"]["phase"], "Degraded");
}

#[tokio::test(start_paused = true)]
async fn a_pod_template_that_kubernetes_refuses_is_an_invalid_specification_until_it_is_mended() {
    let (cluster, healthy, _running) = at_rest(&Gate::open()).await;
    let mut broken = healthy["spec"]["template"]["spec"].clone();
    broken["containers"][0]["volumeMounts"] = json!([{"name": "typo", "mountPath": "/x"}]);
    for (pods, phase) in
        [(broken, "Degraded"), (healthy["spec"]["template"]["spec"].clone(), "Healthy")]
    {
        cluster.patch(ARGO, "Rollout", "web", json!({"spec": {"template": {"spec": pods}}})).await;
        let web = cluster.until(phase, 120).await;
        let message = web["status"]["message"].as_str().unwrap_or_default().to_owned();
        let problem = "InvalidSpec: The Rollout \"web\" is invalid: \
                       spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"typo\"";
        assert_eq!(message, if phase == "Degraded" { problem } else { "" });
        let kinds = web["status"]["conditions"].as_array().unwrap().iter();
        let invalid = kinds.filter(|it| it["type"] == "InvalidSpec").count();
        assert_eq!(invalid, usize::from(phase == "Degraded"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_analysis_whose_job_may_not_be_made_ends_in_error() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let gate = Gate::open();
    gate.deny(Some("/jobs"));
    let _controller = cluster.controller(&gate, ControllerConfig::alone()).await;
    let pods = json!({"spec": {"containers": [{"name": "c", "image": "i"}]}});
    let job = json!({"spec": {"template": pods}});
    let metric = json!({"name": "check", "count": 1, "provider": {"job": job}});
    let run = json!({
        "apiVersion": ARGO, "kind": "AnalysisRun", "metadata": {"name": "by-hand"},
        "spec": {"metrics": [metric]},
    });
    cluster.create(run).await;
    pass(120).await;
    let run = cluster.get(ARGO, "AnalysisRun", "by-hand").await;
    assert_eq!(run["status"]["phase"], "Error", "{run:#}");
    let measured = &run["status"]["metricResults"][0];
    assert_eq!(measured["error"], 5, "{measured:#}");
    assert_eq!(measured["measurements"][0]["message"], "the test does not allow it");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_made_before_another_one_was_refused_is_not_made_again() {
    let cluster = Cluster::start().await;
    let gate = Gate::open();
    let _controller = cluster.controller(&gate, ControllerConfig::alone()).await;
    let pods =
        json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}});
    // No Job may have a name with a capital letter.
    let metrics = ["check", "Refused"].map(|name| {
        let job = json!({"spec": {"template": pods}});
        json!({"name": name, "count": 1, "provider": {"job": job}})
    });
    cluster
        .create(json!({
            "apiVersion": ARGO, "kind": "AnalysisRun", "metadata": {"name": "by-hand"},
            "spec": {"metrics": metrics},
        }))
        .await;
    pass(5).await;
    let made = gate
        .writes()
        .into_iter()
        .filter(|write| write.starts_with("POST") && write.ends_with("/jobs"));
    assert_eq!(made.count(), 2, "{:#?}", gate.writes());
    let run = cluster.get(ARGO, "AnalysisRun", "by-hand").await;
    let phases = run["status"]["metricResults"].as_array().unwrap().iter();
    let phases = phases.map(|it| it["measurements"][0]["phase"].clone()).collect::<Vec<_>>();
    assert_eq!(phases, ["Running", "Error"], "{run:#}");
}

#[tokio::test(start_paused = true)]
async fn an_experiment_whose_replica_set_may_not_be_made_ends_in_error() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let gate = Gate::open();
    gate.deny(Some("/replicasets"));
    let _controller = cluster.controller(&gate, ControllerConfig::alone()).await;
    cluster.create(experiment(&json!({"name": "c", "image": "i"}))).await;
    pass(30).await;
    let status = &cluster.get(ARGO, "Experiment", "try").await["status"];
    assert_eq!(status["phase"], "Error", "{status:#}");
    assert_eq!(
        status["templateStatuses"][0]["message"],
        "Failed to create ReplicaSet for template 'a': the test does not allow it"
    );
}

#[tokio::test(start_paused = true)]
async fn an_experiment_whose_replica_set_may_not_grow_ends_in_error() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let gate = Gate::open();
    gate.deny(Some("/replicasets/"));
    let _controller = cluster.controller(&gate, ControllerConfig::alone()).await;
    cluster.create(experiment(&json!({"name": "c", "image": "i"}))).await;
    pass(30).await;
    let status = &cluster.get(ARGO, "Experiment", "try").await["status"];
    assert_eq!(status["phase"], "Error", "{status:#}");
    assert_eq!(
        status["templateStatuses"][0]["message"],
        "Unable to scale ReplicaSet for template 'a' to desired replica count '1': the test does not allow it"
    );
}
