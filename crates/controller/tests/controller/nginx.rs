//! A canary that NGINX splits.

use crate::{
    stories::world,
    story::ARGO,
    support::{Cluster, Gate, pass},
};
use controller::ControllerConfig;
use serde_json::{Value, json};

const NETWORKING: &str = "networking.k8s.io/v1";
const WEIGHT: &str = "nginx.ingress.kubernetes.io/canary-weight";

fn ingress() -> Value {
    json!({
        "apiVersion": NETWORKING, "kind": "Ingress", "metadata": {"name": "web"},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "shop.example", "http": {"paths": [{
            "path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": "web-stable", "port": {"number": 80}}},
        }]}}]},
    })
}

impl Cluster {
    /// The weight that the canary Ingress has, null when it is not there.
    async fn ingress_weight(&self) -> Value {
        let ingress = self.get(NETWORKING, "Ingress", "web-web-canary").await;
        ingress["metadata"]["annotations"][WEIGHT].clone()
    }
}

#[tokio::test(start_paused = true)]
async fn ingresses_are_watched_once_a_rollout_refers_to_one_and_what_others_do_is_put_right() {
    let cluster = Cluster::start().await;
    let _world = world(&cluster).await;
    let gate = Gate::open();
    let _controller = cluster.controller(&gate, ControllerConfig::alone()).await;
    cluster.create_routed(&json!([{"setWeight": 20}, {"pause": {}}])).await;
    assert!(!gate.has_watched("/ingresses"));
    let routing = json!({"plugins": null, "nginx": {"stableIngress": "web"}});
    let strategy = json!({"canary": {"trafficRouting": routing}});
    cluster.patch(ARGO, "Rollout", "web", json!({"spec": {"strategy": strategy}})).await;
    let web = cluster.until("Degraded", 10).await;
    assert!(web["status"]["message"].as_str().unwrap().contains("stableIngress"), "{web}");
    assert!(gate.has_watched("/ingresses"));
    cluster.create(ingress()).await;
    // The watch tells of it: nobody waits for the next look.
    cluster.until("Healthy", 5).await;
    pass(2).await;
    assert_eq!(cluster.ingress_weight().await, "0");
    cluster.set_image("argoproj/rollouts-demo:yellow").await;
    cluster.until("Paused", 120).await;
    assert_eq!(cluster.ingress_weight().await, "20");
    let turned = json!({"metadata": {"annotations": {WEIGHT: "90"}}});
    cluster.patch(NETWORKING, "Ingress", "web-web-canary", turned).await;
    pass(2).await;
    assert_eq!(cluster.ingress_weight().await, "20");
    cluster.delete(NETWORKING, "Ingress", "web-web-canary").await;
    pass(2).await;
    assert_eq!(cluster.ingress_weight().await, "20");
    cluster.delete(ARGO, "Rollout", "web").await;
    pass(30).await;
    assert_eq!(cluster.ingress_weight().await, Value::Null, "it goes with the rollout");
}
