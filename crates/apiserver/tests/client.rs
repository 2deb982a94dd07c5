//! kube-rs against the server in the same process, on paused time.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use apiserver::{Server, ServerConfig};
use clock::Clock;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{
    Api, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams, WatchEvent,
    WatchParams,
};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::json;
use std::sync::Arc;

fn server() -> Arc<Server> {
    let clock = Clock::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
    Server::new(ServerConfig::new(clock, 7)).unwrap()
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"key": value}})).unwrap()
}

#[tokio::test(start_paused = true)]
async fn objects_are_made_read_changed_and_deleted() {
    let server = server();
    let api: Api<ConfigMap> = Api::default_namespaced(server.client());
    let made = api.create(&PostParams::default(), &config_map("a", "1")).await.unwrap();
    assert!(made.metadata.uid.is_some() && made.metadata.creation_timestamp.is_some());

    let patch = Patch::Merge(json!({"data": {"key": "2"}}));
    let patched = api.patch("a", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(patched.data.as_ref().unwrap()["key"], "2");
    assert_ne!(patched.metadata.resource_version, made.metadata.resource_version);

    let stale = api.replace("a", &PostParams::default(), &made).await.unwrap_err();
    assert!(matches!(stale, kube::Error::Api(status) if status.code == 409));

    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 1);
    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert!(api.get_opt("a").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn server_side_apply_makes_and_owns() {
    let server = server();
    let api: Api<ConfigMap> = Api::default_namespaced(server.client());
    let mine = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"key": "1"},
    });
    let made = api.patch("a", &PatchParams::apply("me"), &Patch::Apply(&mine)).await.unwrap();
    assert_eq!(made.data.unwrap()["key"], "1");
}

#[tokio::test(start_paused = true)]
async fn a_watch_sees_every_change_in_order() {
    let server = server();
    let api: Api<ConfigMap> = Api::default_namespaced(server.client());
    let version =
        api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let mut watch = api.watch(&WatchParams::default(), &version).await.unwrap().boxed();
    api.create(&PostParams::default(), &config_map("a", "1")).await.unwrap();
    let patch = Patch::Merge(json!({"data": {"key": "2"}}));
    api.patch("a", &PatchParams::default(), &patch).await.unwrap();
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.push(match watch.try_next().await.unwrap().unwrap() {
            WatchEvent::Added(map) => ("added", map.data.unwrap()["key"].clone()),
            WatchEvent::Modified(map) => ("modified", map.data.unwrap()["key"].clone()),
            WatchEvent::Deleted(map) => ("deleted", map.data.unwrap()["key"].clone()),
            other => panic!("{other:?}"),
        });
    }
    let expected = [("added", "1"), ("modified", "2"), ("deleted", "2")];
    assert_eq!(seen, expected.map(|(kind, value)| (kind, value.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_reflector_follows_by_list_and_by_stream() {
    let server = server();
    let api: Api<ConfigMap> = Api::default_namespaced(server.client());
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let name = format!("m{}", api.list(&ListParams::default()).await.unwrap().items.len());
        let mut changes = watcher(api.clone(), config).default_backoff().applied_objects().boxed();
        api.create(&PostParams::default(), &config_map(&name, "1")).await.unwrap();
        loop {
            let seen = changes.try_next().await.unwrap().unwrap();
            if seen.metadata.name.as_deref() == Some(name.as_str()) {
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_taken_once_per_version() {
    let server = server();
    let api: Api<Lease> = Api::default_namespaced(server.client());
    let lease: Lease = serde_json::from_value(
        json!({"metadata": {"name": "leader"}, "spec": {"holderIdentity": "a"}}),
    )
    .unwrap();
    let made = api.create(&PostParams::default(), &lease).await.unwrap();
    let mut first = made.clone();
    first.spec.as_mut().unwrap().holder_identity = Some("b".to_owned());
    api.replace("leader", &PostParams::default(), &first).await.unwrap();
    let mut second = made;
    second.spec.as_mut().unwrap().holder_identity = Some("c".to_owned());
    assert!(api.replace("leader", &PostParams::default(), &second).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn status_and_scale_are_their_own_paths() {
    let server = server();
    let api: Api<Deployment> = Api::default_namespaced(server.client());
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }))
    .unwrap();
    api.create(&PostParams::default(), &deployment).await.unwrap();
    let status = Patch::Merge(json!({"status": {"replicas": 1, "readyReplicas": 1}}));
    let reported = api.patch_status("web", &PatchParams::default(), &status).await.unwrap();
    assert_eq!(reported.status.unwrap().ready_replicas, Some(1));
    let scale = Patch::Merge(json!({"spec": {"replicas": 5}}));
    api.patch_scale("web", &PatchParams::default(), &scale).await.unwrap();
    assert_eq!(api.get("web").await.unwrap().spec.unwrap().replicas, Some(5));
}

#[tokio::test(start_paused = true)]
async fn a_pod_without_runtime_has_no_log_and_with_one_has() {
    let server = server();
    let api: Api<Pod> = Api::default_namespaced(server.client());
    let pod: Pod = serde_json::from_value(
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}),
    )
    .unwrap();
    api.create(&PostParams::default(), &pod).await.unwrap();
    assert!(api.logs("p", &LogParams::default()).await.is_err());
    server.set_pod_logs(Arc::new(|namespace, pod, container| {
        Some(vec![(jiff::Timestamp::UNIX_EPOCH, format!("{namespace}/{pod}/{container}"))])
    }));
    assert_eq!(api.logs("p", &LogParams::default()).await.unwrap(), "default/p/c\n");
}

#[tokio::test(start_paused = true)]
async fn the_first_namespaces_are_there() {
    let server = server();
    let api: Api<Namespace> = Api::all(server.client());
    let names: Vec<_> = api.list(&ListParams::default()).await.unwrap().items;
    let names: Vec<_> = names.into_iter().filter_map(|one| one.metadata.name).collect();
    assert_eq!(names, ["default", "kube-node-lease", "kube-public", "kube-system"]);
}
