//! Modelled users against the server in the same process, on paused time.

use crate::support::{Stage, deployment, is_complete, service};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service, networking::v1::Ingress};
use kube::{
    Api,
    api::PostParams,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use metrics::{access::AccessLog, series::SeriesStore};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use world::traffic::{Fault, Target, TrafficConfig, TrafficHandle, TrafficModel};

fn users(stage: &Stage) -> (TrafficHandle, Arc<Mutex<SeriesStore>>) {
    let series = Arc::new(Mutex::new(SeriesStore::default()));
    let config = TrafficConfig { series: Some(series.clone()), ..TrafficConfig::default() };
    let traffic =
        TrafficModel::start(stage.client.clone(), stage.clock, Arc::new(AccessLog::new()), config);
    (traffic, series)
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn route(stage: &Stage, rules: Value) -> Result<DynamicObject, kube::Error> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(
        "gateway.networking.k8s.io",
        "v1",
        "HTTPRoute",
    ));
    let api: Api<DynamicObject> = Api::namespaced_with(stage.client.clone(), "default", &kind);
    let object = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "web"},
        "spec": {"parentRefs": [{"name": "gateway"}], "rules": rules},
    });
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn users_meet_versions_by_the_weights_of_the_route() {
    let stage = Stage::quiet().await;
    for (name, tag) in [("stable", "blue"), ("canary", "bad-yellow")] {
        stage.create::<Service>(service(name)).await;
        stage.create::<Deployment>(deployment(name, 2, tag)).await;
        stage.until::<Deployment>(name, is_complete).await;
    }
    let weighted = json!([{"backendRefs": [{"name": "stable", "port": 80, "weight": 80}, {"name": "canary", "port": 80, "weight": 20}]}]);
    let made = route(&stage, weighted).await.unwrap();
    assert_eq!(made.data["spec"]["rules"][0]["matches"][0]["path"]["value"], "/");
    pass(5).await;
    let (traffic, series) = users(&stage);
    pass(100).await;
    let totals = traffic.totals();
    assert_eq!(totals.requests, 5000);
    assert_eq!(totals.by_image("bad-yellow"), (1000, 150));
    assert_eq!(totals.unserved, 0);

    traffic.set_fault(Fault {
        target: Target::Image("blue".into()),
        errors: Some(0.05),
        latency: None,
    });
    pass(100).await;
    traffic.clear_faults();
    let totals = traffic.totals();
    assert_eq!(totals.by_image("demo:blue"), (8000, 200));

    let now = stage.clock.now();
    let query = r#"sum(increase(istio_requests_total{destination_service_name="canary"}[60s]))"#;
    let found = metrics::promql::query_instant(
        &series.lock().unwrap(),
        query,
        now,
        &metrics::promql::Options::default(),
    );
    let text = format!("{found:?}");
    assert!(text.contains("600"), "{text}");
}

/// An Ingress of everything on `shop.example`.
fn ingress(name: &str, service: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"rules": [{"host": "shop.example", "http": {"paths": [{
            "path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": service, "port": {"number": 80}}},
        }]}}]},
    })
}

#[tokio::test(start_paused = true)]
async fn users_meet_versions_by_the_weight_of_the_canary_ingress() {
    let stage = Stage::quiet().await;
    for (name, tag) in [("stable", "blue"), ("canary", "yellow")] {
        stage.create::<Service>(service(name)).await;
        stage.create::<Deployment>(deployment(name, 2, tag)).await;
        stage.until::<Deployment>(name, is_complete).await;
    }
    stage.create::<Ingress>(ingress("web", "stable", &json!({}))).await;
    let prefix = "nginx.example/canary";
    let annotations = json!({
        prefix: "true", format!("{prefix}-weight"): "20", format!("{prefix}-weight-total"): "200",
    });
    stage.create::<Ingress>(ingress("web-canary", "canary", &annotations)).await;
    pass(5).await;
    let (traffic, _) = users(&stage);
    pass(100).await;
    let totals = traffic.totals();
    assert_eq!((totals.requests, totals.unserved), (5000, 0));
    assert_eq!(totals.by_image("yellow").0, 500);
}

#[tokio::test(start_paused = true)]
async fn nobody_finds_a_closed_door_during_a_rolling_update() {
    let stage = Stage::quiet().await;
    stage.create::<Service>(service("web")).await;
    let (traffic, _) = users(&stage);
    let mut object = deployment("web", 3, "blue");
    object["spec"]["template"]["metadata"]["annotations"] =
        json!({"ringfence.dev/ready-delay": "3s"});
    stage.create::<Deployment>(object).await;
    stage.until::<Deployment>("web", is_complete).await;
    pass(60).await;
    let template =
        json!({"containers": [{"name": "app", "image": "argoproj/rollouts-demo:green"}]});
    stage.patch::<Deployment>("web", json!({"spec": {"template": {"spec": template}}})).await;
    stage.until::<Deployment>("web", is_complete).await;
    pass(60).await;
    let totals = traffic.totals();
    assert_eq!((totals.failed, totals.unserved), (0, 0));
    assert!(totals.by_image("green").0 >= 3000 && totals.by_image("blue").0 >= 3000);
}

#[tokio::test(start_paused = true)]
async fn a_mistyped_route_is_refused() {
    let stage = Stage::quiet().await;
    let wrong = route(&stage, json!([{"backendRefs": [{"name": "web", "weight": "much"}]}])).await;
    assert!(wrong.unwrap_err().to_string().contains("weight"));
}

#[tokio::test(start_paused = true)]
async fn a_day_of_users_passes_in_a_moment() {
    let stage = Stage::quiet().await;
    stage.create::<Service>(service("web")).await;
    stage.create::<Deployment>(deployment("web", 3, "blue")).await;
    stage.until::<Deployment>("web", is_complete).await;
    let (traffic, _) = users(&stage);
    pass(86_400).await;
    let totals = traffic.totals();
    assert!((86_390 * 50..=86_400 * 50).contains(&totals.requests), "{}", totals.requests);
}
