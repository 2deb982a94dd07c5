//! Create, read, replace, patch, delete.

use serde_json::{Value, json};
use store::{
    DeleteOptions, DryRun, FieldValidation, ListOptions, Patch, Preconditions, Selectors,
    Subresource, WriteOptions,
};

use crate::{Cluster, by, config_map, deployment, pod};

#[test]
fn a_new_object_gets_what_only_the_server_gives() {
    let mut cluster = Cluster::new();
    let object = cluster.make("configmaps", config_map("a"));
    let value = object.value();
    assert_eq!(value["apiVersion"], "v1");
    assert_eq!(value["metadata"]["namespace"], "default");
    assert_eq!(value["metadata"]["creationTimestamp"], "2026-01-02T03:04:05Z");
    assert_eq!(object.uid().len(), 36);
    assert_eq!(object.resource_version(), cluster.store.resource_version());
    assert!(value["metadata"].get("generation").is_none());
}

#[test]
fn versions_only_ever_grow() {
    let mut cluster = Cluster::new();
    let one = cluster.make("configmaps", config_map("a")).resource_version();
    let two = cluster.make("configmaps", config_map("b")).resource_version();
    assert_eq!(two, one + 1);
}

#[test]
fn refusals_are_worded_as_upstream_words_them() {
    let mut cluster = Cluster::new();
    cluster.make("configmaps", config_map("a"));
    let mut check = |kind: &str, body: Value, code: u16, text: &str| {
        let error = cluster.create(kind, body).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (code, text));
    };
    check("configmaps", config_map("a"), 409, "configmaps \"a\" already exists");
    check(
        "configmaps",
        json!({"metadata": {}}),
        422,
        "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required",
    );
    check(
        "configmaps",
        json!({"metadata": {"name": "x", "namespace": "other"}}),
        400,
        "the namespace of the provided object does not match the namespace sent on the request",
    );
    check(
        "configmaps",
        json!({"apiVersion": "v2", "metadata": {"name": "x"}}),
        400,
        "ConfigMap in version \"v2\" cannot be handled as a ConfigMap: no kind \"ConfigMap\" is registered for version \"v2\" in scheme \"pkg/runtime/scheme.go:111\"",
    );
    check(
        "deployments",
        json!({"metadata": {"name": "x"}, "spec": {"replicas": "three"}}),
        400,
        "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    );
    check(
        "secrets",
        json!({"metadata": {"name": "x"}, "data": {"k": "not base64"}}),
        400,
        "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input byte 3",
    );
}

#[test]
fn a_namespace_must_exist_and_not_be_closing() {
    let mut cluster = Cluster::new();
    let scope = store::Scope::namespaced(Cluster::gvr("configmaps"), "nowhere");
    let error = cluster.store.create(&scope, config_map("a"), &by("t"), cluster.now).unwrap_err();
    assert_eq!(error.message, "namespaces \"nowhere\" not found");
    cluster.make("namespaces", json!({"metadata": {"name": "closing"}}));
    cluster.delete("namespaces", "closing", &DeleteOptions::default());
    let scope = store::Scope::namespaced(Cluster::gvr("configmaps"), "closing");
    let error = cluster.store.create(&scope, config_map("a"), &by("t"), cluster.now).unwrap_err();
    assert_eq!(
        error.message,
        "configmaps \"a\" is forbidden: unable to create new content in namespace closing because it is being terminated"
    );
}

#[test]
fn a_generated_name_is_the_base_and_five_safe_letters() {
    let mut cluster = Cluster::new();
    let one = cluster.make("configmaps", json!({"metadata": {"generateName": "web-"}}));
    let two = cluster.make("configmaps", json!({"metadata": {"generateName": "web-"}}));
    assert_ne!(one.name(), two.name());
    let suffix = one.name().strip_prefix("web-").unwrap();
    assert_eq!(suffix.len(), 5);
    assert!(suffix.chars().all(|c| "bcdfghjklmnpqrstvwxz2456789".contains(c)));
}

#[test]
fn a_replace_with_an_old_version_conflicts() {
    let mut cluster = Cluster::new();
    let first = cluster.make("configmaps", config_map("a")).value().clone();
    let mut second = first.clone();
    second["data"]["a"] = json!("2");
    cluster.update("configmaps", second).unwrap();
    let mut third = first;
    third["data"]["a"] = json!("3");
    let error = cluster.update("configmaps", third).unwrap_err();
    assert_eq!(
        error.message,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
    );
}

#[test]
fn a_write_that_changes_nothing_makes_no_version() {
    let mut cluster = Cluster::new();
    let object = cluster.make("deployments", deployment("a"));
    let again = cluster.update("deployments", object.value().clone()).unwrap();
    assert_eq!(again.object.resource_version(), object.resource_version());
    let patch = Patch::Merge(json!({"spec": {"replicas": 1}}));
    let again = cluster.patch("deployments", "a", patch).unwrap();
    assert_eq!(again.object.resource_version(), object.resource_version());
}

#[test]
fn generation_counts_changes_of_the_spec_only() {
    let mut cluster = Cluster::new();
    cluster.make("deployments", deployment("a"));
    let mut check = |patch: Value, expected: i64| {
        let written = cluster.patch("deployments", "a", Patch::Merge(patch)).unwrap();
        assert_eq!(written.object.value()["metadata"]["generation"], expected);
    };
    check(json!({"metadata": {"labels": {"x": "y"}}}), 1);
    check(json!({"spec": {"replicas": 3}}), 2);
    check(json!({"status": {"replicas": 3}}), 2);
    let status = json!({"metadata": {"name": "a"}, "status": {"replicas": 3}});
    let written = cluster.update_status("deployments", status).unwrap();
    assert_eq!(written.object.value()["metadata"]["generation"], 2);
    assert_eq!(written.object.value()["status"]["replicas"], 3);
}

#[test]
fn status_and_the_rest_are_written_apart() {
    let mut cluster = Cluster::new();
    let mut body = deployment("a");
    body["status"] = json!({"replicas": 9});
    let made = cluster.make("deployments", body).value().clone();
    assert_eq!(made["status"], json!({}));
    let mut both = made;
    both["spec"]["replicas"] = json!(5);
    both["status"] = json!({"replicas": 5});
    let written = cluster.update_status("deployments", both.clone()).unwrap();
    assert_eq!(written.object.value()["spec"]["replicas"], 1);
    assert_eq!(written.object.value()["status"]["replicas"], 5);
    both["metadata"]["resourceVersion"] = Value::Null;
    both["status"]["replicas"] = json!(6);
    let written = cluster.update("deployments", both).unwrap();
    assert_eq!(written.object.value()["spec"]["replicas"], 5);
    assert_eq!(written.object.value()["status"]["replicas"], 5);
}

#[test]
fn a_scale_reads_and_writes_replicas() {
    let mut cluster = Cluster::new();
    cluster.make("deployments", deployment("a"));
    let address = Cluster::address("deployments", "a").at(Subresource::Scale);
    let scale = cluster.store.get(&address).unwrap().value().clone();
    assert_eq!(scale["kind"], "Scale");
    assert_eq!(scale["spec"]["replicas"], 1);
    assert_eq!(scale["status"]["selector"], "app=web");
    let patch = Patch::Merge(json!({"spec": {"replicas": 4}}));
    let written = cluster.store.patch(&address, patch, &by("t"), cluster.now).unwrap();
    assert_eq!(written.object.value()["spec"]["replicas"], 4);
    assert_eq!(cluster.value("deployments", "a")["spec"]["replicas"], 4);
}

#[test]
fn a_dry_run_answers_but_keeps_nothing() {
    let mut cluster = Cluster::new();
    let options = WriteOptions { dry_run: DryRun::All, ..by("t") };
    let before = cluster.store.resource_version();
    cluster.create_with("configmaps", config_map("a"), &options).unwrap();
    assert!(cluster.get("configmaps", "a").is_none());
    assert_eq!(cluster.store.resource_version(), before);
}

#[test]
fn unknown_fields_are_dropped_warned_about_or_refused() {
    let mut cluster = Cluster::new();
    let mut body = deployment("a");
    body["spec"]["foo"] = json!(1);
    body["spec"]["template"]["spec"]["containers"][0]["bar"] = json!(1);
    let with = |field_validation| WriteOptions { field_validation, ..by("t") };
    let strict = with(FieldValidation::Strict);
    let error = cluster.create_with("deployments", body.clone(), &strict).unwrap_err();
    assert_eq!(error.code, 400);
    assert_eq!(
        error.message,
        "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \"spec.foo\", unknown field \"spec.template.spec.containers[0].bar\""
    );
    let warn = with(FieldValidation::Warn);
    let written = cluster.create_with("deployments", body.clone(), &warn).unwrap();
    assert_eq!(written.warnings[0], "unknown field \"spec.foo\"");
    assert!(written.object.value()["spec"].get("foo").is_none());
    body["metadata"]["name"] = json!("b");
    let ignore = with(FieldValidation::Ignore);
    assert!(cluster.create_with("deployments", body, &ignore).unwrap().warnings.is_empty());
}

#[test]
fn selectors_choose_by_labels_and_offered_fields() {
    let mut cluster = Cluster::new();
    cluster.make("pods", pod("a"));
    let mut other = pod("b");
    other["metadata"]["labels"] = json!({"app": "api"});
    other["spec"]["nodeName"] = json!("n1");
    cluster.make("pods", other);
    assert_eq!(cluster.names("pods", ("app=web", "")), ["a"]);
    assert_eq!(cluster.names("pods", ("app in (web,api)", "metadata.name!=a")), ["b"]);
    assert_eq!(cluster.names("pods", ("", "spec.nodeName=n1")), ["b"]);
    assert_eq!(cluster.names("pods", ("", "status.phase=Pending")), ["a", "b"]);
    let selectors = Selectors::parse(None, Some("spec.color=red")).unwrap();
    let options = ListOptions { selectors, ..ListOptions::default() };
    let error = cluster.store.list(&Cluster::scope("pods"), &options).unwrap_err();
    assert!(error.message.ends_with("field label not supported: spec.color"), "{error}");
}

#[test]
fn pages_show_the_cluster_as_it_was_at_the_first() {
    let mut cluster = Cluster::new();
    for name in ["a", "b", "c", "d", "e"] {
        cluster.make("configmaps", config_map(name));
    }
    let scope = Cluster::scope("configmaps");
    let page = |cluster: &Cluster, token: Option<String>| {
        let options =
            ListOptions { limit: Some(2), continue_token: token, ..ListOptions::default() };
        cluster.store.list(&scope, &options).unwrap()
    };
    let first = page(&cluster, None);
    assert_eq!((first.items.len(), first.remaining), (2, Some(3)));
    cluster.delete("configmaps", "c", &DeleteOptions::default());
    cluster.make("configmaps", config_map("bb"));
    let second = page(&cluster, first.continue_token);
    let names: Vec<_> = second.items.iter().map(|object| object.name().to_owned()).collect();
    assert_eq!(names, ["c", "d"]);
    assert_eq!(second.resource_version, first.resource_version);
    let third = page(&cluster, second.continue_token);
    assert_eq!((third.items.len(), third.continue_token), (1, None));
}

#[test]
fn a_broken_continue_token_is_a_bad_request() {
    let cluster = Cluster::new();
    let options = ListOptions { continue_token: Some("nonsense".into()), ..ListOptions::default() };
    assert_eq!(cluster.store.list(&Cluster::scope("pods"), &options).unwrap_err().code, 400);
}

#[test]
fn patches_of_every_type_change_the_object() {
    let mut cluster = Cluster::new();
    cluster.make("deployments", deployment("a"));
    let mut check = |patch: Patch, path: &str, expected: Value| {
        let written = cluster.patch("deployments", "a", patch).unwrap();
        assert_eq!(written.object.value().pointer(path), Some(&expected));
    };
    let json = json!([{"op": "replace", "path": "/spec/replicas", "value": 2}]);
    check(Patch::Json(json), "/spec/replicas", json!(2));
    check(Patch::Merge(json!({"spec": {"replicas": 3}})), "/spec/replicas", json!(3));
    let containers = json!([{"name": "main", "image": "nginx:2"}]);
    let strategic = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    check(
        Patch::Strategic(strategic),
        "/spec/template/spec/containers/0/terminationMessagePolicy",
        json!("File"),
    );
    let bad = Patch::Json(json!([{"op": "remove", "path": "/spec/nope"}]));
    assert_eq!(cluster.patch("deployments", "a", bad).unwrap_err().code, 422);
    let rename = Patch::Merge(json!({"metadata": {"name": "b"}}));
    assert_eq!(cluster.patch("deployments", "a", rename).unwrap_err().code, 400);
}

#[test]
fn a_patch_with_a_stale_version_conflicts() {
    let mut cluster = Cluster::new();
    cluster.make("configmaps", config_map("a"));
    let patch = Patch::Merge(json!({"metadata": {"resourceVersion": "1"}, "data": {"a": "2"}}));
    assert_eq!(cluster.patch("configmaps", "a", patch).unwrap_err().code, 409);
}

#[test]
fn odd_patches_are_refused_and_never_panic() {
    let mut cluster = Cluster::new();
    cluster.make("deployments", deployment("a"));
    for odd in
        [json!(1), json!([]), json!({"metadata": "x"}), json!({"spec": 5}), json!({"spec": null})]
    {
        assert!(cluster.patch("deployments", "a", Patch::Merge(odd.clone())).is_err(), "{odd}");
        assert!(cluster.patch("deployments", "a", Patch::Strategic(odd.clone())).is_err(), "{odd}");
    }
    let root = Patch::Json(json!([{"op": "replace", "path": "", "value": 3}]));
    assert!(cluster.patch("deployments", "a", root).is_err());
    for odd in [
        json!(null),
        json!([1]),
        json!("x"),
        json!({"metadata": []}),
        json!({"metadata": {"labels": 3, "name": "x"}}),
    ] {
        assert!(cluster.create("deployments", odd.clone()).is_err(), "{odd}");
    }
}

#[test]
fn preconditions_guard_a_delete() {
    let mut cluster = Cluster::new();
    cluster.make("configmaps", config_map("a"));
    let preconditions = Preconditions { uid: Some("other".into()), ..Preconditions::default() };
    let options = DeleteOptions { preconditions, ..DeleteOptions::default() };
    let address = Cluster::address("configmaps", "a");
    let error = cluster.store.delete(&address, &options, cluster.now).unwrap_err();
    assert_eq!(error.code, 409);
    assert!(error.message.contains("the UID in the precondition (other) does not match"));
}

#[test]
fn finalizers_hold_an_object_until_they_are_gone() {
    let mut cluster = Cluster::new();
    let mut body = config_map("a");
    body["metadata"]["finalizers"] = json!(["example.com/hold"]);
    cluster.make("configmaps", body);
    cluster.delete("configmaps", "a", &DeleteOptions::default());
    let held = cluster.value("configmaps", "a");
    assert_eq!(held["metadata"]["deletionTimestamp"], "2026-01-02T03:04:05Z");
    let more = Patch::Merge(json!({"metadata": {"finalizers": ["example.com/hold", "b.c/d"]}}));
    assert_eq!(cluster.patch("configmaps", "a", more).unwrap_err().code, 422);
    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    cluster.patch("configmaps", "a", none).unwrap();
    assert!(cluster.get("configmaps", "a").is_none());
}

#[test]
fn a_running_pod_gets_its_grace_period() {
    let mut cluster = Cluster::new();
    let mut body = pod("a");
    body["spec"]["nodeName"] = json!("n1");
    cluster.make("pods", body);
    cluster.make("pods", pod("unbound"));
    cluster.delete("pods", "unbound", &DeleteOptions::default());
    assert!(cluster.get("pods", "unbound").is_none());
    cluster.delete("pods", "a", &DeleteOptions::default());
    let value = cluster.value("pods", "a");
    assert_eq!(value["metadata"]["deletionGracePeriodSeconds"], 30);
    assert_eq!(value["metadata"]["deletionTimestamp"], "2026-01-02T03:04:35Z");
    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    cluster.delete("pods", "a", &now);
    assert!(cluster.get("pods", "a").is_none());
}

#[test]
fn a_collection_is_deleted_by_selector() {
    let mut cluster = Cluster::new();
    cluster.make("pods", pod("a"));
    let mut other = pod("b");
    other["metadata"]["labels"] = json!({"app": "api"});
    cluster.make("pods", other);
    let selectors = Selectors::parse(Some("app=web"), None).unwrap();
    let list = ListOptions { selectors, ..ListOptions::default() };
    let scope = Cluster::scope("pods");
    let now = cluster.now;
    cluster.store.delete_collection(&scope, &list, &DeleteOptions::default(), now).unwrap();
    assert_eq!(cluster.names("pods", ("", "")), ["b"]);
}
