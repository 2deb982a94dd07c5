//! Owners and dependents, namespaces, definitions, old events, evictions.

use jiff::ToSpan;
use serde_json::{Value, json};
use store::{DeleteOptions, Object, Patch, Propagation, RestoredChange, Store};

use crate::{Cluster, by, config_map, pod, widget, widgets};

fn owned_by(name: &str, owner: &Object, block: bool) -> Value {
    let mut body = config_map(name);
    body["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "ConfigMap", "name": owner.name(), "uid": owner.uid(),
        "controller": true, "blockOwnerDeletion": block,
    }]);
    body
}

fn with(propagation: Propagation) -> DeleteOptions {
    DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() }
}

#[test]
fn dependents_follow_a_deleted_owner() {
    let mut cluster = Cluster::new();
    let owner = cluster.make("configmaps", config_map("owner"));
    let child = cluster.make("configmaps", owned_by("child", &owner, false));
    cluster.make("configmaps", owned_by("grandchild", &child, false));
    cluster.collect();
    assert!(cluster.get("configmaps", "grandchild").is_some());
    cluster.delete("configmaps", "owner", &with(Propagation::Background));
    cluster.collect();
    assert_eq!(cluster.names("configmaps", ("", "")), [""; 0]);
}

#[test]
fn orphaned_dependents_stay_without_the_reference() {
    let mut cluster = Cluster::new();
    let owner = cluster.make("configmaps", config_map("owner"));
    cluster.make("configmaps", owned_by("child", &owner, true));
    cluster.delete("configmaps", "owner", &with(Propagation::Orphan));
    assert!(cluster.get("configmaps", "owner").is_some());
    cluster.collect();
    assert_eq!(cluster.names("configmaps", ("", "")), ["child"]);
    assert!(cluster.value("configmaps", "child")["metadata"].get("ownerReferences").is_none());
}

#[test]
fn a_foreground_delete_waits_for_dependents_that_block() {
    let mut cluster = Cluster::new();
    let owner = cluster.make("configmaps", config_map("owner"));
    let mut child = owned_by("child", &owner, true);
    child["metadata"]["finalizers"] = json!(["example.com/hold"]);
    cluster.make("configmaps", child);
    cluster.delete("configmaps", "owner", &with(Propagation::Foreground));
    cluster.collect();
    assert_eq!(cluster.names("configmaps", ("", "")), ["child", "owner"]);
    assert!(cluster.value("configmaps", "child")["metadata"]["deletionTimestamp"].is_string());
    let release = Patch::Merge(json!({"metadata": {"finalizers": []}}));
    cluster.patch("configmaps", "child", release).unwrap();
    cluster.collect();
    assert_eq!(cluster.names("configmaps", ("", "")), [""; 0]);
}

#[test]
fn a_dependent_of_nobody_goes_and_one_of_two_owners_stays() {
    let mut cluster = Cluster::new();
    let one = cluster.make("configmaps", config_map("one"));
    let two = cluster.make("configmaps", config_map("two"));
    let mut child = owned_by("child", &one, false);
    let second = owned_by("x", &two, false)["metadata"]["ownerReferences"][0].clone();
    child["metadata"]["ownerReferences"][0]["controller"] = json!(false);
    child["metadata"]["ownerReferences"].as_array_mut().unwrap().push(second);
    cluster.make("configmaps", child);
    cluster.delete("configmaps", "one", &DeleteOptions::default());
    cluster.collect();
    let left = cluster.value("configmaps", "child");
    assert_eq!(left["metadata"]["ownerReferences"].as_array().unwrap().len(), 1);
    let mut stray = config_map("stray");
    stray["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "nobody"}]);
    cluster.make("configmaps", stray);
    cluster.collect();
    assert!(cluster.get("configmaps", "stray").is_none());
}

#[test]
fn a_namespace_empties_itself_and_goes() {
    let mut cluster = Cluster::new();
    cluster.make("namespaces", json!({"metadata": {"name": "ns"}}));
    let scope = store::Scope::namespaced(Cluster::gvr("configmaps"), "ns");
    let mut held = config_map("held");
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let now = cluster.now;
    cluster.store.create(&scope, config_map("plain"), &by("t"), now).unwrap();
    cluster.store.create(&scope, held, &by("t"), now).unwrap();
    cluster.delete("namespaces", "ns", &DeleteOptions::default());
    cluster.collect();
    assert_eq!(cluster.value("namespaces", "ns")["status"]["phase"], "Terminating");
    let address = store::Address::new(Cluster::gvr("configmaps"), Some("ns"), "held");
    let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    cluster.store.patch(&address, release, &by("t"), now).unwrap();
    cluster.collect();
    assert!(cluster.get("namespaces", "ns").is_none());
}

#[test]
fn some_namespaces_cannot_be_deleted() {
    let mut cluster = Cluster::new();
    let address = Cluster::address("namespaces", "default");
    let error = cluster.store.delete(&address, &DeleteOptions::default(), cluster.now).unwrap_err();
    assert_eq!(
        error.message,
        "namespaces \"default\" is forbidden: this namespace may not be deleted"
    );
}

#[test]
fn a_definition_takes_its_objects_with_it() {
    let mut cluster = Cluster::new();
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    cluster.make("customresourcedefinitions", widgets(&open));
    cluster.make("widgets", widget(json!({})));
    cluster.delete("customresourcedefinitions", "widgets.example.com", &DeleteOptions::default());
    assert!(cluster.get("widgets", "w").is_some());
    cluster.collect();
    assert!(cluster.get("customresourcedefinitions", "widgets.example.com").is_none());
    assert!(cluster.store.resource(&Cluster::gvr("widgets")).is_none());
    cluster.make("customresourcedefinitions", widgets(&open));
    assert_eq!(cluster.names("widgets", ("", "")), [""; 0]);
}

#[test]
fn events_live_an_hour_after_their_last_write() {
    let mut cluster = Cluster::new();
    let event = |name: &str| json!({"metadata": {"name": name}, "involvedObject": {"kind": "Pod"}, "reason": "R"});
    cluster.make("events", event("a"));
    cluster.make("events", event("b"));
    cluster.now = cluster.now.checked_add(40.minutes()).unwrap();
    cluster.patch("events", "b", Patch::Merge(json!({"count": 2}))).unwrap();
    cluster.now = cluster.now.checked_add(21.minutes()).unwrap();
    assert!(cluster.store.has_garbage(cluster.now));
    cluster.collect();
    assert_eq!(cluster.names("events", ("", "")), ["b"]);
}

#[test]
fn an_eviction_obeys_the_disruption_budget() {
    let mut cluster = Cluster::new();
    for name in ["a", "b"] {
        let mut body = pod(name);
        body["spec"]["nodeName"] = json!("n");
        cluster.make("pods", body);
        let status =
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        cluster
            .update_status(
                "pods",
                json!({"metadata": {"name": name, "labels": {"app": "web"}}, "status": status}),
            )
            .unwrap();
    }
    let budget = json!({"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}});
    cluster.make("poddisruptionbudgets", budget);
    let mut evict = |name: &str| {
        let address = Cluster::address("pods", name);
        cluster.store.evict(&address, &DeleteOptions::default(), cluster.now)
    };
    assert!(evict("a").is_ok());
    assert_eq!(evict("b").unwrap_err().code, 429);
}

#[test]
fn a_pod_is_bound_once() {
    let mut cluster = Cluster::new();
    cluster.make("pods", pod("a"));
    let address = Cluster::address("pods", "a");
    let now = cluster.now;
    let before = cluster.store.resource_version();
    let written = cluster.store.bind(&address, "n1", &by("scheduler"), now).unwrap();
    assert_eq!(cluster.store.resource_version(), before + 1, "node and condition are one write");
    assert_eq!(written.object.value()["spec"]["nodeName"], "n1");
    assert_eq!(written.object.value()["status"]["conditions"][0]["type"], "PodScheduled");
    assert_eq!(cluster.store.bind(&address, "n2", &by("scheduler"), now).unwrap_err().code, 409);
}

#[test]
fn a_restored_store_is_the_store_that_was_journalled() {
    let mut cluster = Cluster::new();
    cluster.store.record_changes();
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    cluster.make("customresourcedefinitions", widgets(&open));
    cluster.make("widgets", widget(json!({"size": 3})));
    cluster.make("configmaps", config_map("gone"));
    cluster.delete("configmaps", "gone", &DeleteOptions::default());
    let journal = cluster.store.take_changes();
    let mut restored = Store::empty(7);
    for change in journal {
        let object = change.object.value().clone();
        let change = RestoredChange { resource: change.resource, kind: change.kind, object };
        restored.restore(change, cluster.now);
    }
    restored.restored();
    assert_eq!(restored.resource_version(), cluster.store.resource_version());
    let widget = restored.get(&Cluster::address("widgets", "w")).unwrap();
    assert_eq!(*widget.value(), cluster.value("widgets", "w"));
    assert!(restored.get(&Cluster::address("configmaps", "gone")).is_err());
}
