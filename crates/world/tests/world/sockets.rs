//! Pods on real sockets and in real time.

use crate::support::{Stage, holds};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use world::WorldConfig;

async fn stage(network: u8) -> Stage {
    Stage::with(WorldConfig {
        pod_network: Ipv4Addr::new(127, network, 0, 0),
        ..WorldConfig::default()
    })
    .await
}

async fn start(stage: &Stage, name: &str, image: &str) -> String {
    let pod: Value = json!({
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "app", "image": image, "ports": [{"containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1, "failureThreshold": 2}}]},
    });
    stage.create::<Pod>(pod).await;
    let pod = stage.until::<Pod>(name, |pod| holds(pod, "Ready")).await;
    format!("http://{}:8080", pod.status.unwrap().pod_ip.unwrap())
}

/// No test here speaks TLS, but the client wants to know who would.
fn plain_http() -> reqwest::Client {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

#[tokio::test]
async fn a_pod_answers_with_its_colour_and_a_bad_one_fails_fifteen_percent() {
    let stage = stage(78).await;
    let good = start(&stage, "good", "argoproj/rollouts-demo:blue").await;
    let bad = start(&stage, "bad", "argoproj/rollouts-demo:bad-yellow").await;
    let other = start(&stage, "other", "nginx:1.27").await;
    let client = plain_http();
    let answer = client.get(format!("{good}/color")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "\"blue\"");
    let mut failed = 0;
    for _ in 0..200 {
        failed += u32::from(
            client.post(format!("{bad}/color")).body("[]").send().await.unwrap().status() == 500,
        );
    }
    assert_eq!(failed, 30);
    assert_eq!(client.get(&other).send().await.unwrap().text().await.unwrap(), "other\n");
}

#[tokio::test]
async fn an_application_that_says_it_is_not_ready_leaves_the_endpoints() {
    let stage = stage(79).await;
    let address = start(&stage, "a", "argoproj/rollouts-demo:blue").await;
    let client = plain_http();
    client.post(format!("{address}/readyz/disable")).send().await.unwrap();
    stage.until::<Pod>("a", |pod| !holds(pod, "Ready")).await;
    client.post(format!("{address}/readyz/enable")).send().await.unwrap();
    stage.until::<Pod>("a", |pod| holds(pod, "Ready")).await;
}

#[tokio::test]
async fn a_deleted_pod_stops_listening() {
    let stage = stage(80).await;
    let address = start(&stage, "a", "argoproj/rollouts-demo:blue").await;
    stage.api::<Pod>().delete("a", &kube::api::DeleteParams::default()).await.unwrap();
    let client = plain_http();
    let refused = async {
        while client.get(format!("{address}/color")).send().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), refused).await.unwrap();
}
