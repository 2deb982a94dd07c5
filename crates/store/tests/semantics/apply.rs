//! Server-side apply and who owns which field.

use serde_json::{Value, json};
use store::{Force, Patch, WriteOptions};

use crate::{Cluster, by, deployment};

fn owned(object: &Value, manager: &str) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["manager"] == manager);
    entry.map_or(Value::Null, |entry| entry["fieldsV1"].clone())
}

fn forced(manager: &str) -> WriteOptions {
    WriteOptions { force: Force::Yes, ..by(manager) }
}

fn labels(labels: Value) -> Value {
    json!({"metadata": {"name": "a", "labels": labels}})
}

#[test]
fn a_create_owns_everything_it_says() {
    let mut cluster = Cluster::new();
    let mut body = deployment("a");
    body["metadata"]["labels"] = json!({"x": "y"});
    let object = cluster.make("deployments", body).value().clone();
    let entry = &object["metadata"]["managedFields"][0];
    assert_eq!(entry["operation"], "Update");
    assert_eq!(entry["apiVersion"], "apps/v1");
    assert_eq!(entry["fieldsType"], "FieldsV1");
    let fields = owned(&object, "test");
    assert_eq!(fields["f:metadata"]["f:labels"], json!({".": {}, "f:x": {}}));
    assert_eq!(fields["f:spec"]["f:replicas"], json!({}));
    let containers = &fields["f:spec"]["f:template"]["f:spec"]["f:containers"];
    assert_eq!(containers["k:{\"name\":\"main\"}"]["f:image"], json!({}));
}

#[test]
fn an_update_takes_over_what_it_changes() {
    let mut cluster = Cluster::new();
    cluster.make("deployments", deployment("a"));
    let address = Cluster::address("deployments", "a");
    let patch = Patch::Merge(json!({"spec": {"replicas": 4}}));
    let written = cluster.store.patch(&address, patch, &by("scaler"), cluster.now).unwrap();
    let object = written.object.value();
    assert_eq!(owned(object, "scaler"), json!({"f:spec": {"f:replicas": {}}}));
    assert!(owned(object, "test")["f:spec"].get("f:replicas").is_none());
}

#[test]
fn an_apply_makes_the_object_and_owns_what_it_says() {
    let mut cluster = Cluster::new();
    let written = cluster.apply("deployments", deployment("a"), &by("me")).unwrap();
    assert!(written.created);
    let fields = owned(written.object.value(), "me");
    assert!(fields["f:spec"].get("f:replicas").is_none(), "defaults are nobody's");
    assert_eq!(fields["f:spec"]["f:selector"], json!({}));
    assert_eq!(written.object.value()["spec"]["replicas"], 1);
}

#[test]
fn applying_the_same_again_changes_nothing() {
    let mut cluster = Cluster::new();
    let first = cluster.apply("deployments", deployment("a"), &by("me")).unwrap();
    let second = cluster.apply("deployments", deployment("a"), &by("me")).unwrap();
    assert!(!second.created);
    assert_eq!(first.object.value(), second.object.value());
}

#[test]
fn a_conflict_names_the_manager_and_the_field() {
    let mut cluster = Cluster::new();
    let mut body = deployment("a");
    body["spec"]["replicas"] = json!(2);
    cluster.apply("deployments", body.clone(), &by("one")).unwrap();
    body["spec"]["replicas"] = json!(3);
    let error = cluster.apply("deployments", body.clone(), &by("two")).unwrap_err();
    assert_eq!(error.code, 409);
    assert_eq!(
        error.message,
        "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas"
    );
    assert_eq!(error.details.causes[0].reason, "FieldManagerConflict");
    assert_eq!(error.details.causes[0].field, ".spec.replicas");
    let written = cluster.apply("deployments", body, &forced("two")).unwrap();
    assert_eq!(written.object.value()["spec"]["replicas"], 3);
    assert!(owned(written.object.value(), "one")["f:spec"].get("f:replicas").is_none());
}

#[test]
fn a_conflict_with_a_plain_writer_says_how_it_wrote() {
    let mut cluster = Cluster::new();
    cluster.make("deployments", deployment("a"));
    let mut body = deployment("a");
    body["spec"]["replicas"] = json!(3);
    let error = cluster.apply("deployments", body, &by("two")).unwrap_err();
    assert_eq!(
        error.message,
        "Apply failed with 1 conflict: conflict with \"test\" using apps/v1: .spec.replicas"
    );
}

#[test]
fn equal_values_are_owned_together() {
    let mut cluster = Cluster::new();
    cluster.apply("configmaps", labels(json!({"x": "1"})), &by("one")).unwrap();
    cluster.apply("configmaps", labels(json!({"x": "1"})), &by("two")).unwrap();
    let written = cluster.apply("configmaps", labels(json!({})), &by("one")).unwrap();
    assert_eq!(written.object.value()["metadata"]["labels"]["x"], "1", "two still wants it");
    let written = cluster.apply("configmaps", labels(json!({})), &by("two")).unwrap();
    assert!(written.object.value()["metadata"]["labels"].get("x").is_none());
}

#[test]
fn what_is_applied_no_more_goes_and_the_rest_stays() {
    let mut cluster = Cluster::new();
    cluster.apply("configmaps", labels(json!({"x": "1", "y": "2"})), &by("one")).unwrap();
    let patch = Patch::Merge(json!({"metadata": {"labels": {"z": "3"}}}));
    cluster.patch("configmaps", "a", patch).unwrap();
    let written = cluster.apply("configmaps", labels(json!({"y": "2"})), &by("one")).unwrap();
    assert_eq!(written.object.value()["metadata"]["labels"], json!({"y": "2", "z": "3"}));
}

#[test]
fn list_items_are_merged_and_removed_by_key() {
    let mut cluster = Cluster::new();
    let mut body = deployment("a");
    let env = |names: &[&str]| -> Value {
        names.iter().map(|name| json!({"name": name, "value": "v"})).collect()
    };
    let place = "/spec/template/spec/containers/0";
    body.pointer_mut(place).unwrap()["env"] = env(&["A", "B"]);
    cluster.apply("deployments", body.clone(), &by("one")).unwrap();
    let strategic = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "env": env(&["C"])}]}}}});
    cluster.patch("deployments", "a", Patch::Strategic(strategic)).unwrap();
    body.pointer_mut(place).unwrap()["env"] = env(&["B"]);
    let written = cluster.apply("deployments", body, &by("one")).unwrap();
    let left = written.object.value().pointer(place).unwrap()["env"].as_array().unwrap();
    let names: Vec<_> = left.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["C", "B"]);
}

#[test]
fn an_applied_status_leaves_the_spec_alone() {
    let mut cluster = Cluster::new();
    cluster.make("deployments", deployment("a"));
    let address = Cluster::address("deployments", "a").at(store::Subresource::Status);
    let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 9}, "status": {"replicas": 2}});
    let written =
        cluster.store.patch(&address, Patch::Apply(body), &by("ctl"), cluster.now).unwrap();
    assert_eq!(written.object.value()["spec"]["replicas"], 1);
    assert_eq!(written.object.value()["status"]["replicas"], 2);
    assert_eq!(owned(written.object.value(), "ctl"), json!({"f:status": {"f:replicas": {}}}));
}

#[test]
fn an_apply_needs_a_manager_and_no_managed_fields() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.apply("deployments", deployment("a"), &by("")).unwrap_err().code, 422);
    let mut body = deployment("a");
    body["metadata"]["managedFields"] = json!([]);
    assert_eq!(cluster.apply("deployments", body, &by("me")).unwrap_err().code, 400);
}

#[test]
fn a_client_may_hand_fields_over_by_rewriting_managed_fields() {
    let mut cluster = Cluster::new();
    let object = cluster.make("deployments", deployment("a")).value().clone();
    let mut entries = object["metadata"]["managedFields"].clone();
    entries[0]["operation"] = json!("Apply");
    entries[0]["manager"] = json!("kubectl");
    let patch = Patch::Json(
        json!([{"op": "replace", "path": "/metadata/managedFields", "value": entries}]),
    );
    let written = cluster.patch("deployments", "a", patch).unwrap();
    assert_eq!(written.object.value()["metadata"]["managedFields"][0]["manager"], "kubectl");
}
