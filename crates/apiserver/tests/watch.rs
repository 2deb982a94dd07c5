//! Watch streams: fan-out, bookmarks, initial events, expiry, tables.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use apiserver::{Server, ServerConfig};
use axum::Router;
use axum::body::{Body, BodyDataStream};
use clock::Clock;
use futures::StreamExt;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// How many watches the fan-out test opens.
const WATCHES: usize = 10_000;

/// How many objects each of them must see.
const OBJECTS: usize = 5;

fn server() -> Arc<Server> {
    let clock = Clock::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
    Server::new(ServerConfig::new(clock, 7)).unwrap()
}

async fn ask(router: &Router, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

async fn make(router: &Router, name: &str) {
    let (status, answer) =
        ask(router, Method::POST, MAPS, json!({"metadata": {"name": name}})).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
}

struct Events {
    stream: BodyDataStream,
    rest: Vec<u8>,
}

impl Events {
    async fn open(router: &Router, path: &str, accept: &str) -> Self {
        let request = Request::get(path).header("accept", accept).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        Self { stream: response.into_body().into_data_stream(), rest: Vec::new() }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            self.rest.extend_from_slice(&self.stream.next().await?.unwrap());
        }
    }

    /// Type and name of the next event.
    async fn named(&mut self) -> (String, String) {
        let event = self.next().await.unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&event["type"]), text(&event["object"]["metadata"]["name"]))
    }
}

fn pair(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), name.to_owned())
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_watches_each_see_every_object() {
    let server = server();
    let router = server.router();
    let path = format!(
        "{MAPS}?watch=true&resourceVersion=0&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"
    );
    let mut watches = Vec::new();
    for _ in 0..WATCHES {
        let mut events = Events::open(&router, &path, "application/json").await;
        watches.push(tokio::spawn(async move {
            let mut names = Vec::new();
            while names.len() < OBJECTS {
                names.push(events.named().await.1);
            }
            names
        }));
    }
    let expected: Vec<String> = (0..OBJECTS).map(|number| format!("m{number}")).collect();
    for name in &expected {
        make(&router, name).await;
    }
    for watch in watches {
        assert_eq!(watch.await.unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_version_begins_with_what_there_is() {
    let server = server();
    let router = server.router();
    make(&router, "a").await;
    let mut events = Events::open(&router, &format!("{MAPS}?watch=true"), "*/*").await;
    assert_eq!(events.named().await, pair("ADDED", "a"));
    make(&router, "b").await;
    assert_eq!(events.named().await, pair("ADDED", "b"));
}

#[tokio::test(start_paused = true)]
async fn initial_events_end_with_a_bookmark() {
    let server = server();
    let router = server.router();
    make(&router, "a").await;
    let path = format!(
        "{MAPS}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    );
    let mut events = Events::open(&router, &path, "*/*").await;
    assert_eq!(events.named().await, pair("ADDED", "a"));
    let end = events.next().await.unwrap();
    assert_eq!(end["type"], "BOOKMARK");
    assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_gets_bookmarks_and_ends_in_time() {
    let server = server();
    let router = server.router();
    let path = format!("{MAPS}?watch=true&allowWatchBookmarks=true&timeoutSeconds=750");
    let mut events = Events::open(&router, &path, "*/*").await;
    let mut kinds = Vec::new();
    while let Some(event) = events.next().await {
        kinds.push(event["type"].clone());
    }
    assert_eq!(kinds, ["BOOKMARK", "BOOKMARK", "BOOKMARK"]);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_nobody_remembers_is_expired() {
    let server = server();
    let router = server.router();
    for version in ["999999", "1000000000000"] {
        let path = format!("{MAPS}?watch=true&resourceVersion={version}");
        let mut events = Events::open(&router, &path, "*/*").await;
        let event = events.next().await.unwrap();
        assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
        assert_eq!(events.next().await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_selector_turns_changes_into_arrivals_and_departures() {
    let server = server();
    let router = server.router();
    make(&router, "a").await;
    let path = format!("{MAPS}?watch=true&labelSelector=on");
    let mut events = Events::open(&router, &path, "*/*").await;
    for labels in [json!({"on": "1"}), json!({"on": "2"}), json!({"on": null})] {
        let request = Request::patch(format!("{MAPS}/a"))
            .header("content-type", "application/merge-patch+json")
            .body(Body::from(json!({"metadata": {"labels": labels}}).to_string()))
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    for kind in ["ADDED", "MODIFIED", "DELETED"] {
        assert_eq!(events.named().await, pair(kind, "a"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_stream_names_its_columns_once() {
    let server = server();
    let router = server.router();
    make(&router, "a").await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let mut events = Events::open(&router, &format!("{MAPS}?watch=true"), accept).await;
    let first = events.next().await.unwrap();
    assert_eq!(first["object"]["kind"], "Table");
    assert_eq!(first["object"]["columnDefinitions"].as_array().unwrap().len(), 3);
    assert_eq!(first["object"]["rows"][0]["cells"], json!(["a", 0, "0s"]));
    make(&router, "b").await;
    let second = events.next().await.unwrap();
    assert_eq!(second["object"]["columnDefinitions"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn metadata_alone_can_be_listed_and_watched() {
    let server = server();
    let router = server.router();
    make(&router, "a").await;
    let accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    let mut events = Events::open(&router, &format!("{MAPS}?watch=true"), accept).await;
    let event = events.next().await.unwrap();
    assert_eq!(event["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(event["object"]["metadata"]["name"], "a");
}
