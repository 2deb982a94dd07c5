//! Words for stories about rollouts.

use crate::support::{Cluster, pass};
use serde_json::{Value, json};

pub(crate) const ARGO: &str = "argoproj.io/v1alpha1";
const GATEWAY: &str = "gateway.networking.k8s.io/v1";

/// A canary whose steps are `steps`, with two services when it routes.
pub(crate) fn canary(steps: &Value, routing: &Value) -> Value {
    let mut strategy = json!({"steps": steps});
    if !routing.is_null() {
        strategy["stableService"] = json!("web-stable");
        strategy["canaryService"] = json!("web-canary");
        strategy["trafficRouting"] = routing.clone();
    }
    json!({
        "apiVersion": ARGO, "kind": "Rollout", "metadata": {"name": "web"},
        "spec": {
            "replicas": 5,
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{
                    "name": "web", "image": "argoproj/rollouts-demo:blue",
                    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                }]},
            },
            "strategy": {"canary": strategy},
        },
    })
}

/// The experiment `try` with one template, `a`, of pods with one container.
pub(crate) fn experiment(container: &Value) -> Value {
    let labels = json!({"app": "try"});
    let pods = json!({"metadata": {"labels": labels}, "spec": {"containers": [container]}});
    let template = json!({"name": "a", "selector": {"matchLabels": labels}, "template": pods});
    json!({
        "apiVersion": ARGO, "kind": "Experiment", "metadata": {"name": "try"},
        "spec": {"templates": [template]},
    })
}

/// The routing of a canary through the HTTPRoute `web`.
pub(crate) fn through_gateway() -> Value {
    json!({"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web", "namespace": "default"}}})
}

/// A service that selects the pods of `web`.
pub(crate) fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http", "name": "http"}]},
    })
}

/// The HTTPRoute `web` to the two services.
pub(crate) fn route() -> Value {
    json!({
        "apiVersion": GATEWAY, "kind": "HTTPRoute", "metadata": {"name": "web"},
        "spec": {"rules": [{"backendRefs": [
            {"name": "web-stable", "port": 80}, {"name": "web-canary", "port": 80},
        ]}]},
    })
}

/// A template that asks Prometheus for a success rate of at least 95 %.
pub(crate) fn success_rate() -> Value {
    json!({
        "apiVersion": ARGO, "kind": "AnalysisTemplate", "metadata": {"name": "success-rate"},
        "spec": {"metrics": [{
            "name": "success-rate", "interval": "10s", "count": 3, "failureLimit": 0,
            "successCondition": "result[0] >= 0.95",
            "provider": {"prometheus": {"address": "http://prometheus.example:9090", "query": "up"}},
        }]},
    })
}

impl Cluster {
    /// The rollout `web`.
    pub(crate) async fn web(&self) -> Value {
        self.get(ARGO, "Rollout", "web").await
    }

    /// Creates the services, the route and the rollout, and waits until it is healthy.
    pub(crate) async fn create_routed(&self, steps: &Value) {
        self.create(service("web-stable")).await;
        self.create(service("web-canary")).await;
        self.create(route()).await;
        self.create(canary(steps, &through_gateway())).await;
        self.until("Healthy", 120).await;
    }

    /// Sets the image of the rollout `web`.
    pub(crate) async fn set_image(&self, image: &str) {
        let mut template = self.web().await["spec"]["template"].clone();
        template["spec"]["containers"][0]["image"] = json!(image);
        self.patch(ARGO, "Rollout", "web", json!({"spec": {"template": template}})).await;
    }

    /// Ends the pause the rollout `web` is in.
    pub(crate) async fn promote(&self) {
        let patch = json!({"status": {"pauseConditions": null}});
        self.patch_status(ARGO, "Rollout", "web", patch).await;
    }

    /// Waits until the rollout `web` has a phase and has seen its latest specification.
    #[track_caller]
    pub(crate) fn until(&self, phase: &str, seconds: u64) -> impl Future<Output = Value> {
        let phase = phase.to_owned();
        let caller = std::panic::Location::caller();
        async move {
            for _ in 0..seconds {
                let web = self.web().await;
                let generation = web["metadata"]["generation"].to_string();
                let observed = web["status"]["observedGeneration"].as_str() == Some(&generation);
                if observed && web["status"]["phase"] == phase {
                    return web;
                }
                pass(1).await;
            }
            let web = self.web().await;
            let status = serde_json::to_string_pretty(&web["status"]).unwrap();
            let sets = self.sets().await;
            panic!("{caller}: not {phase} after {seconds} s: {status}\n{sets:#?}");
        }
    }

    /// Name, wanted, actual and available pods of every ReplicaSet.
    pub(crate) async fn sets(&self) -> Vec<(String, i64, i64, i64)> {
        let sets = self.list("apps/v1", "ReplicaSet").await;
        let number = |value: &Value| value.as_i64().unwrap_or_default();
        let describe = |set: &Value| {
            (
                set["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
                number(&set["spec"]["replicas"]),
                number(&set["status"]["replicas"]),
                number(&set["status"]["availableReplicas"]),
            )
        };
        sets.iter().map(describe).collect()
    }

    /// The canary's weight in the HTTPRoute.
    pub(crate) async fn canary_weight(&self) -> i64 {
        let route = self.get(GATEWAY, "HTTPRoute", "web").await;
        let backends =
            route["spec"]["rules"][0]["backendRefs"].as_array().cloned().unwrap_or_default();
        let canary = backends.iter().find(|backend| backend["name"] == "web-canary");
        canary.and_then(|backend| backend["weight"].as_i64()).unwrap_or_default()
    }

    /// Reason and message of every event about the rollout `web`.
    pub(crate) async fn events(&self) -> Vec<(String, String)> {
        let events = self.list("v1", "Event").await;
        let ours =
            events.iter().filter(|event| event["source"]["component"] == "rollouts-controller");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        ours.map(|event| (text(&event["reason"]), text(&event["message"]))).collect()
    }
}
