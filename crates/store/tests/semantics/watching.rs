//! Watches: what they show, when they end, what they share.

use serde_json::json;
use store::{DeleteOptions, Gvr, Patch, Scope, Selectors, Since, Store, WatchCursor};

use crate::{Cluster, config_map, pod};

fn seen(store: &Store, cursor: &mut WatchCursor) -> Vec<String> {
    let events = store.poll(cursor).unwrap();
    events.iter().map(|event| format!("{} {}", event.kind.word(), event.object.name())).collect()
}

fn watch(cluster: &Cluster, kind: &str, labels: &str, since: Since) -> WatchCursor {
    let selectors = Selectors::parse(Some(labels), None).unwrap();
    cluster.store.watch(&Cluster::scope(kind), selectors, since).unwrap()
}

#[test]
fn a_watch_sees_every_change_once_and_in_order() {
    let mut cluster = Cluster::new();
    let mut cursor = watch(&cluster, "configmaps", "", Since::Now);
    cluster.make("configmaps", config_map("a"));
    cluster.make("pods", pod("elsewhere"));
    cluster.patch("configmaps", "a", Patch::Merge(json!({"data": {"a": "2"}}))).unwrap();
    cluster.delete("configmaps", "a", &DeleteOptions::default());
    assert_eq!(seen(&cluster.store, &mut cursor), ["ADDED a", "MODIFIED a", "DELETED a"]);
    assert!(seen(&cluster.store, &mut cursor).is_empty());
    assert_eq!(cursor.resource_version(), cluster.store.resource_version());
}

#[test]
fn a_watch_may_begin_with_what_there_is() {
    let mut cluster = Cluster::new();
    cluster.make("configmaps", config_map("a"));
    let mut cursor = watch(&cluster, "configmaps", "", Since::Initial);
    cluster.make("configmaps", config_map("b"));
    assert_eq!(seen(&cluster.store, &mut cursor), ["ADDED a"]);
    assert!(!cursor.is_listing());
    assert_eq!(seen(&cluster.store, &mut cursor), ["ADDED b"]);
}

#[test]
fn entering_and_leaving_a_selection_look_like_birth_and_death() {
    let mut cluster = Cluster::new();
    let mut cursor = watch(&cluster, "configmaps", "on=yes", Since::Now);
    cluster.make("configmaps", config_map("a"));
    let label = |value: &str| Patch::Merge(json!({"metadata": {"labels": {"on": value}}}));
    cluster.patch("configmaps", "a", label("yes")).unwrap();
    cluster.patch("configmaps", "a", label("no")).unwrap();
    let events = cluster.store.poll(&mut cursor).unwrap();
    let words: Vec<_> = events.iter().map(|event| event.kind.word()).collect();
    assert_eq!(words, ["ADDED", "DELETED"]);
    let last = events[1].object.value();
    assert_eq!(last["metadata"]["labels"]["on"], "yes", "the object as last selected");
    assert_eq!(events[1].object.resource_version(), cluster.store.resource_version());
}

#[test]
fn watchers_share_the_bytes_of_an_event() {
    let mut cluster = Cluster::new();
    let mut one = watch(&cluster, "configmaps", "", Since::Now);
    let mut two = one.clone();
    cluster.make("configmaps", config_map("a"));
    let (one, two) = (cluster.store.poll(&mut one).unwrap(), cluster.store.poll(&mut two).unwrap());
    assert_eq!(one[0].line().as_ptr(), two[0].line().as_ptr());
    let line: serde_json::Value = serde_json::from_slice(&one[0].line()).unwrap();
    assert_eq!(line["type"], "ADDED");
    assert_eq!(line["object"]["metadata"]["name"], "a");
}

#[test]
fn a_watch_from_before_what_is_remembered_is_gone() {
    let mut cluster = Cluster::new();
    let start = cluster.store.resource_version();
    let mut slow = watch(&cluster, "configmaps", "", Since::Now);
    for _ in 0..store::watch::WATCH_LOG_LIMIT {
        cluster.make("configmaps", json!({"metadata": {"generateName": "x-"}}));
    }
    cluster.make("configmaps", config_map("last"));
    let error = cluster.store.poll(&mut slow).unwrap_err();
    assert_eq!((error.code, error.reason), (410, "Expired"));
    let scope = Cluster::scope("configmaps");
    let late = cluster.store.watch(&scope, Selectors::default(), Since::Version(start));
    assert_eq!(late.unwrap_err().code, 410);
}

#[test]
fn events_are_one_kind_in_two_groups() {
    let mut cluster = Cluster::new();
    let newer = Gvr::new("events.k8s.io", "v1", "events");
    let scope = Scope::namespaced(newer, "default");
    let mut cursor = cluster.store.watch(&scope, Selectors::default(), Since::Now).unwrap();
    let body = json!({"metadata": {"name": "e"}, "message": "hello", "reason": "Why", "type": "Normal",
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}});
    cluster.make("events", body);
    let events = cluster.store.poll(&mut cursor).unwrap();
    let shown = events[0].object.value();
    assert_eq!(shown["apiVersion"], "events.k8s.io/v1");
    assert_eq!(shown["note"], "hello");
    assert_eq!(shown["regarding"]["name"], "p");
    assert_eq!(cluster.names("events", ("", "involvedObject.name=p,reason=Why")), ["e"]);
}
