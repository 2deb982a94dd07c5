//! The embedded cluster: what it keeps, whom it lets in and how it splits requests.

use crate::support::{Cluster, Folder, is_installed};

#[test]
fn nothing_is_lost_when_the_server_is_killed() {
    if !is_installed("kubectl", "the journal") {
        return;
    }
    let folder = Folder::new("journal");
    let data = folder.file("data");
    let arguments = ["--with-controller", "--data", &data];
    let mut cluster = Cluster::start(&folder, &arguments).with_canary();
    cluster.ringfence("set image web app=argoproj/rollouts-demo:green").ok();
    cluster.await_phase("web", "Paused");
    cluster.kubectl("create configmap notes --from-literal=a=b").ok();
    let version = |cluster: &Cluster| {
        let path = "{.metadata.uid},{.metadata.resourceVersion}";
        cluster.kubectl(&format!("get configmap notes -o jsonpath={path}")).ok()
    };
    let before = version(&cluster);
    cluster.running.kill();

    let mut cluster = Cluster::start(&folder, &arguments);
    assert_eq!(version(&cluster), before, "same object, same version");
    cluster.kubectl("label configmap notes kept=true").ok();
    let number = |text: &str| text.split(',').nth(1).unwrap().parse::<u64>().unwrap();
    assert!(number(&version(&cluster)) > number(&before), "versions go on");
    let path = format!(
        "/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=1&resourceVersion={}",
        number(&before)
    );
    let watched = cluster.kubectl(&format!("get --raw {path}")).ok();
    assert!(watched.starts_with(r#"{"type":"MODIFIED""#), "a watch goes on too: {watched}");
    cluster.ringfence("promote web --full").ok();
    assert!(cluster.ringfence("status web --timeout 60s").ok().ends_with("Healthy\n"));
    assert_eq!(cluster.running.terminate().code(), Some(0), "it ends politely when asked to");
}

#[tokio::test]
async fn a_token_and_a_certificate_keep_strangers_out() {
    if !is_installed("kubectl", "TLS and tokens") {
        return;
    }
    let folder = Folder::new("tls");
    let cluster = Cluster::start(&folder, &["--token", "secret"]);
    assert!(cluster.kubectl("get namespaces").ok().contains("default"));
    cluster.ringfence("list rollouts").ok();
    let unauthorized = "error: You must be logged in to the server (Unauthorized)\n";
    assert_eq!(cluster.kubectl("get namespaces --token=wrong").fails(1), unauthorized);
    let url = format!("https://{}/api/v1/namespaces", cluster.api);
    let unverified = http().build().unwrap().get(&url).send().await.unwrap_err();
    assert!(unverified.is_connect(), "{unverified:?}");
    let stranger = http().danger_accept_invalid_certs(true).build().unwrap();
    assert_eq!(stranger.get(&url).send().await.unwrap().status(), 401);
}

fn http() -> reqwest::ClientBuilder {
    // Whichever test comes first names the TLS provider of all.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}

#[tokio::test]
async fn requests_are_split_exactly_as_the_route_says() {
    if !is_installed("kubectl", "the split of requests") {
        return;
    }
    let folder = Folder::new("split");
    let cluster = Cluster::start(&folder, &["--with-controller"]);
    cluster.pipe("apply -f -", include_str!("../../src/demo/manifests.yaml")).ok();
    cluster.kubectl("wait rollout/demo --for=condition=Healthy --timeout=60s").ok();
    cluster.ringfence("set image demo demo=argoproj/rollouts-demo:green").ok();
    cluster.kubectl("wait rollout/demo --for=jsonpath={.status.canary.weights.canary.weight}=20 --timeout=60s").ok();
    let http = http().build().unwrap();
    let mut green = 0;
    for _ in 0..50 {
        let reply = http.get(format!("{}/color", cluster.gateway)).send().await.unwrap();
        green += usize::from(reply.text().await.unwrap() == "\"green\"");
    }
    assert_eq!(green, 10, "20 % of 50 requests");
    let attached = "{.status.listeners[0].attachedRoutes}";
    assert_eq!(cluster.kubectl(&format!("get gateway demo -o jsonpath={attached}")).ok(), "1");
}
