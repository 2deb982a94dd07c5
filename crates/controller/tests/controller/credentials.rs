//! Metric providers that are let in by Secrets.

use crate::{
    story::ARGO,
    support::{Cluster, Gate, pass},
};
use controller::{ControllerConfig, HttpCaller, Surroundings};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use vocab::{Call, Reply, ReplyError};

/// A service that refuses, and repeats what it was sent.
#[derive(Default)]
struct Echo(Mutex<Vec<Call>>);

impl HttpCaller for Echo {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, ReplyError>> {
        let sent: Vec<&str> = call.headers.iter().map(|(_, value)| value.as_str()).collect();
        let body = sent.join(" ").into_bytes();
        self.0.lock().unwrap().push(call);
        Box::pin(async move { Ok(Reply { status: 401, headers: BTreeMap::new(), body }) })
    }
}

fn run(secret: &Value) -> Value {
    let provider = json!({"datadog": {"query": "avg:errors{*}", "secretRef": secret}});
    json!({
        "apiVersion": ARGO, "kind": "AnalysisRun", "metadata": {"name": "by-hand"},
        "spec": {"metrics": [{"name": "errors", "provider": provider}]},
    })
}

/// What a run says about its first measurement, and the keys that were sent for it.
async fn measured(own_namespace: &str, secret: &Value) -> (String, Vec<String>) {
    let cluster = Cluster::start().await;
    let echo = Arc::new(Echo::default());
    let surroundings = Surroundings::in_namespace(own_namespace);
    let config = ControllerConfig { surroundings, ..ControllerConfig::alone() };
    let http = Arc::clone(&echo);
    let _controller = cluster.controller_asking(&Gate::open(), config, http).await;
    cluster
        .create(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "team"},
            "data": {"api-key": "czNjcjN0LTE=", "app-key": "czNjcjN0LTI="},
        }))
        .await;
    cluster.create(run(secret)).await;
    pass(5).await;
    let kept = [cluster.list(ARGO, "AnalysisRun").await, cluster.list("v1", "Event").await];
    assert!(!format!("{kept:?}").contains("s3cr3t"), "{kept:#?}");
    let first = &kept[0][0]["status"]["metricResults"][0]["measurements"][0];
    let message = first["message"].as_str().unwrap_or_default().to_owned();
    let calls = echo.0.lock().unwrap();
    let keys = calls.iter().flat_map(|call| &call.headers).map(|(_, value)| value.clone());
    (message, keys.filter(|value| value.contains("s3cr3t")).collect())
}

const ABSENT: &str = "failed to find the credentials for datadog metrics provider";

#[tokio::test(start_paused = true)]
async fn a_secret_of_the_controllers_namespace_lets_in_and_is_shown_to_nobody() {
    let (message, keys) = measured("default", &json!({"name": "team"})).await;
    assert_eq!(keys, ["s3cr3t-1", "s3cr3t-2"]);
    let expected = "received authentication error response code: 401 application/json ***** *****";
    assert_eq!(message, expected);
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_the_runs_namespace_counts_only_where_the_metric_says_so() {
    let own = json!({"name": "team", "namespaced": true});
    let (_, keys) = measured("elsewhere", &own).await;
    assert_eq!(keys.len(), 2);
    let (message, keys) = measured("elsewhere", &json!({"name": "team"})).await;
    assert_eq!((message.as_str(), keys.len()), (ABSENT, 0));
}
