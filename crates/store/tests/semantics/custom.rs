//! Custom resources: schemas, versions, defaults, rules.

use serde_json::{Value, json};
use store::{Address, FieldValidation, Gvr, Patch, Subresource, WriteOptions};

use crate::{Cluster, by, widget, widgets};

fn schema() -> Value {
    json!({"type": "object", "required": ["spec"], "properties": {
        "spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "format": "int32", "minimum": 1},
            "replicas": {"type": "integer", "default": 1},
            "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
            "port": {"x-kubernetes-int-or-string": true},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}}},
            "fixed": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "fixed is immutable"}]},
        }, "x-kubernetes-validations": [{"rule": "self.replicas <= self.size", "message": "more replicas than size"}]},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }})
}

fn cluster() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.make("customresourcedefinitions", widgets(&schema()));
    cluster
}

#[test]
fn a_definition_is_established_at_once() {
    let cluster = cluster();
    let definition = cluster.value("customresourcedefinitions", "widgets.example.com");
    let conditions = definition["status"]["conditions"].as_array().unwrap();
    for kind in ["NamesAccepted", "Established"] {
        let one = conditions.iter().find(|condition| condition["type"] == kind).unwrap();
        assert_eq!(one["status"], "True");
    }
    assert_eq!(definition["status"]["storedVersions"], json!(["v1"]));
    let resource = cluster.store.resource(&Cluster::gvr("widgets")).unwrap();
    assert_eq!(resource.short_names, ["wd"]);
    assert_eq!(resource.list_kind, "WidgetList");
    assert_eq!(resource.columns[0].json_path, ".spec.size");
    let api = resource.openapi();
    assert_eq!(api.root, "com.example.v1.Widget");
    assert!(api.definitions[&api.root]["x-kubernetes-group-version-kind"].is_array());
}

#[test]
fn a_broken_definition_is_refused_with_every_reason() {
    let mut cluster = Cluster::new();
    let mut body =
        widgets(&json!({"type": "object", "x-kubernetes-validations": [{"rule": "self.("}]}));
    body["metadata"]["name"] = json!("wrong.example.com");
    let error = cluster.create("customresourcedefinitions", body).unwrap_err();
    assert!(error.message.contains("metadata.name: Invalid value"), "{error}");
    assert!(error.message.contains("compilation failed: ERROR: <input>:1:6"), "{error}");
}

#[test]
fn defaults_fill_in_and_unknown_fields_go() {
    let mut cluster = cluster();
    let body = widget(json!({"size": 3, "nope": 1, "free": {"any": {"thing": 1}}}));
    let written = cluster.create("widgets", body).unwrap();
    let spec = json!({"size": 3, "replicas": 1, "color": "red", "free": {"any": {"thing": 1}}});
    assert_eq!(written.object.value()["spec"], spec);
    assert_eq!(written.warnings, ["unknown field \"spec.nope\""]);
    let strict = WriteOptions { field_validation: FieldValidation::Strict, ..by("t") };
    let error = cluster.create_with("widgets", widget(json!({"size": 1, "nope": 1})), &strict);
    assert!(error.is_err(), "the name is taken");
    let mut other = widget(json!({"size": 1, "nope": 1}));
    other["metadata"]["name"] = json!("x");
    let error = cluster.create_with("widgets", other, &strict).unwrap_err();
    assert_eq!(
        error.message,
        "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.nope\""
    );
}

#[test]
fn validation_lists_every_problem_in_a_servers_words() {
    let mut cluster = cluster();
    let unchecked = "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
    let mut check = |spec: Value, text: &str| {
        let error = cluster.create("widgets", widget(spec)).unwrap_err();
        assert_eq!(error.code, 422);
        assert_eq!(error.message, format!("Widget.example.com \"w\" is invalid: {text}"));
    };
    check(json!({}), &format!("[spec.size: Required value, {unchecked}]"));
    check(
        json!({"size": "x"}),
        &format!(
            "[spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\", {unchecked}]"
        ),
    );
    check(
        json!({"size": 0, "color": "green"}),
        &format!(
            "[spec.color: Unsupported value: \"green\": supported values: \"red\", \"blue\", spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1, {unchecked}]"
        ),
    );
    check(json!({"size": 1, "replicas": 2}), "spec: Invalid value: more replicas than size");
    check(
        json!({"size": 1, "parts": [{"name": "a"}, {"name": "a"}]}),
        "spec.parts[1]: Duplicate value: {\"name\":\"a\"}",
    );
}

#[test]
fn transition_rules_compare_with_the_old_object() {
    let mut cluster = cluster();
    cluster.make("widgets", widget(json!({"size": 3, "fixed": "a"})));
    let error =
        cluster.patch("widgets", "w", Patch::Merge(json!({"spec": {"fixed": "b"}}))).unwrap_err();
    assert!(
        error.message.ends_with("spec.fixed: Invalid value: \"b\": fixed is immutable"),
        "{error}"
    );
    cluster.patch("widgets", "w", Patch::Merge(json!({"spec": {"size": 4}}))).unwrap();
}

#[test]
fn every_served_version_shows_the_same_object() {
    let mut cluster = cluster();
    cluster.make("widgets", widget(json!({"size": 3})));
    let address = Address::new(Gvr::new("example.com", "v2", "widgets"), Some("default"), "w");
    let shown = cluster.store.get(&address).unwrap();
    assert_eq!(shown.value()["apiVersion"], "example.com/v2");
    let patch = Patch::Merge(json!({"spec": {"size": 5}}));
    let written = cluster.store.patch(&address, patch, &by("t"), cluster.now).unwrap();
    assert_eq!(written.object.value()["apiVersion"], "example.com/v2");
    let kept = cluster.value("widgets", "w");
    assert_eq!((&kept["apiVersion"], &kept["spec"]["size"]), (&json!("example.com/v1"), &json!(5)));
    assert_eq!(kept["metadata"]["generation"], 2);
}

#[test]
fn status_and_scale_work_as_declared() {
    let mut cluster = cluster();
    cluster.make("widgets", widget(json!({"size": 9})));
    let mut body = cluster.value("widgets", "w");
    body["status"] = json!({"replicas": 2, "selector": "a=b"});
    cluster.update_status("widgets", body).unwrap();
    let address = Cluster::address("widgets", "w").at(Subresource::Scale);
    let scale = cluster.store.get(&address).unwrap();
    assert_eq!(scale.value()["status"], json!({"replicas": 2, "selector": "a=b"}));
    let body = json!({"spec": {"replicas": 7}});
    cluster.store.update(&address, body, &by("t"), cluster.now).unwrap();
    assert_eq!(cluster.value("widgets", "w")["spec"]["replicas"], 7);
}

#[test]
fn declared_fields_can_be_selected_by() {
    let mut cluster = cluster();
    cluster.make("widgets", widget(json!({"size": 9, "color": "blue"})));
    assert_eq!(cluster.names("widgets", ("", "spec.color=blue")), ["w"]);
    assert_eq!(cluster.names("widgets", ("", "spec.color=red")), [""; 0]);
}

#[test]
fn a_new_default_shows_in_old_objects() {
    let mut cluster = cluster();
    cluster.make("widgets", widget(json!({"size": 9})));
    let mut schema = schema();
    schema["properties"]["spec"]["properties"]["extra"] =
        json!({"type": "string", "default": "new"});
    let patch = Patch::Merge(json!({"spec": {"versions": widgets(&schema)["spec"]["versions"]}}));
    cluster.patch("customresourcedefinitions", "widgets.example.com", patch).unwrap();
    assert_eq!(cluster.value("widgets", "w")["spec"]["extra"], "new");
}

#[test]
fn a_new_storage_version_is_what_objects_are_kept_in() {
    let mut cluster = cluster();
    cluster.make("widgets", widget(json!({"size": 9})));
    let mut versions = widgets(&schema())["spec"]["versions"].clone();
    versions[0]["storage"] = json!(false);
    versions[1]["storage"] = json!(true);
    let patch = Patch::Merge(json!({"spec": {"versions": versions}}));
    cluster.patch("customresourcedefinitions", "widgets.example.com", patch).unwrap();
    let definition = cluster.value("customresourcedefinitions", "widgets.example.com");
    assert_eq!(definition["status"]["storedVersions"], json!(["v1", "v2"]));
    assert_eq!(cluster.value("widgets", "w")["apiVersion"], "example.com/v1");
    let address = Address::new(Gvr::new("example.com", "v2", "widgets"), Some("default"), "w");
    assert_eq!(cluster.store.get(&address).unwrap().value()["apiVersion"], "example.com/v2");
}

#[test]
fn strategic_patches_are_for_built_in_kinds() {
    let mut cluster = cluster();
    cluster.make("widgets", widget(json!({"size": 9})));
    let error = cluster.patch("widgets", "w", Patch::Strategic(json!({}))).unwrap_err();
    assert_eq!(error.code, 415);
}

#[test]
fn applies_merge_keyed_lists_of_custom_kinds() {
    let mut cluster = cluster();
    let parts =
        |names: &[&str]| -> Value { names.iter().map(|name| json!({"name": name})).collect() };
    cluster
        .apply("widgets", widget(json!({"size": 9, "parts": parts(&["a"])})), &by("one"))
        .unwrap();
    let mut second = widget(json!({"parts": parts(&["b"])}));
    second["spec"]["size"] = json!(9);
    let written = cluster.apply("widgets", second, &by("two")).unwrap();
    assert_eq!(written.object.value()["spec"]["parts"], parts(&["a", "b"]));
}

#[test]
fn loops_within_loops_over_long_lists_are_refused_before_they_run() {
    let rule = "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))";
    let numbers = json!({"type": "array", "items": {"type": "integer"}, "x-kubernetes-validations": [{"rule": rule}]});
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"l": numbers}}}});
    let mut cluster = Cluster::new();
    cluster.make("customresourcedefinitions", widgets(&schema));
    let error = cluster.create("widgets", widget(json!({"l": vec![1; 400]}))).unwrap_err();
    assert_eq!(error.code, 422);
    assert!(error.message.contains("would take more than 1000000 turns"), "{error}");
    assert!(cluster.create("widgets", widget(json!({"l": vec![1; 20]}))).is_ok());
}

#[test]
fn a_definition_waits_until_its_names_are_free() {
    let mut cluster = cluster();
    let mut other = widgets(&json!({"type": "object"}));
    other["metadata"]["name"] = json!("gadgets.example.com");
    other["spec"]["names"]["plural"] = json!("gadgets");
    other["spec"]["names"]["shortNames"] = json!([]);
    cluster.make("customresourcedefinitions", other);
    let established = |cluster: &Cluster| {
        let waiting = cluster.value("customresourcedefinitions", "gadgets.example.com");
        let conditions = waiting["status"]["conditions"].as_array().unwrap().clone();
        conditions.iter().find(|one| one["type"] == "Established").unwrap()["status"].clone()
    };
    assert_eq!(established(&cluster), "False");
    assert!(cluster.store.resource(&Cluster::gvr("gadgets")).is_none());
    let options = store::DeleteOptions::default();
    cluster.delete("customresourcedefinitions", "widgets.example.com", &options);
    cluster.collect();
    assert_eq!(established(&cluster), "True");
    assert!(cluster.store.resource(&Cluster::gvr("gadgets")).is_some());
}

#[test]
fn a_custom_object_is_replaced_by_who_knows_its_version() {
    let mut cluster = cluster();
    let made = cluster.make("widgets", widget(json!({"size": 1})));
    let error = cluster.update("widgets", widget(json!({"size": 2}))).unwrap_err();
    assert!(error.message.contains("must be specified for an update"), "{error}");
    let mut body = made.value().clone();
    body["spec"]["size"] = json!(2);
    assert_eq!(cluster.update("widgets", body).unwrap().object.value()["spec"]["size"], 2);
}
