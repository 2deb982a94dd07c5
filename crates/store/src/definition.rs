//! Custom resource definitions: what they add to the catalogue, and their conditions.
//!
//! Start at [`changed`]. A definition is established as soon as it is kept: nothing else has to agree.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::builtin::kinds::VERBS;
use crate::builtin::schemas::{self, ObjectMeta};
use crate::error::FieldProblem;
use crate::object::{Object, field_mut, is_deleting, items, map_mut, metadata_mut, strings};
use crate::resource::{
    Column, GroupResource, Origin, Reach, Resource, ScalePaths, SchemaSource, Subresources,
};
use crate::schema::{Schema, structural};
use crate::store::{Store, time_text};

/// The finalizer that keeps a definition until its objects are gone.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Fills in what a definition's controller would: names, finalizer and conditions.
pub(crate) fn settle(definition: &mut Value, now: Timestamp) {
    let spec = field_mut(definition, "spec");
    let names = field_mut(spec, "names");
    let kind = names["kind"].as_str().unwrap_or_default().to_owned();
    let names = map_mut(names);
    names.entry("singular").or_insert_with(|| json!(kind.to_lowercase()));
    names.entry("listKind").or_insert_with(|| json!(format!("{kind}List")));
    let accepted = Value::Object(names.clone());
    map_mut(spec).entry("conversion").or_insert_with(|| json!({ "strategy": "None" }));
    let storage = items(&spec["versions"]).iter().find(|version| version["storage"] == true);
    let storage = storage.map_or(Value::Null, |version| version["name"].clone());
    if !is_deleting(definition) {
        let metadata = metadata_mut(definition);
        let finalizers = metadata.entry("finalizers").or_insert_with(|| json!([]));
        if let Value::Array(list) = finalizers
            && !list.contains(&json!(CLEANUP))
        {
            list.push(json!(CLEANUP));
        }
    }
    let status = field_mut(definition, "status");
    status["acceptedNames"] = accepted;
    let stored = field_mut(status, "storedVersions");
    if !items(stored).contains(&storage) {
        let mut all = items(stored).to_vec();
        all.push(storage);
        *stored = Value::Array(all);
    }
    if items(&status["conditions"]).is_empty() {
        let condition = |kind: &str, reason: &str, message: &str| {
            json!({
                "type": kind, "status": "True", "lastTransitionTime": time_text(now),
                "reason": reason, "message": message,
            })
        };
        status["conditions"] = json!([
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition(
                "Established",
                "InitialNamesAccepted",
                "the initial names have been accepted"
            ),
        ]);
    }
}

/// The broken rules of a definition.
pub(crate) fn validate(definition: &Value) -> Vec<FieldProblem> {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, plural) = (text(&spec["group"]), text(&spec["names"]["plural"]));
    let mut problems = Vec::new();
    let expected = format!("{plural}.{group}");
    let name = text(&definition["metadata"]["name"]);
    if name != expected {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        problems.push(FieldProblem::invalid("metadata.name", json!(name), detail));
    }
    if group.is_empty() {
        problems.push(FieldProblem::required("spec.group", ""));
    }
    let scope = text(&spec["scope"]);
    if scope.is_empty() {
        problems.push(FieldProblem::required("spec.scope", ""));
    } else if !["Cluster", "Namespaced"].contains(&scope.as_str()) {
        let words = ["Cluster", "Namespaced"];
        problems.push(FieldProblem::not_supported("spec.scope", json!(scope), words));
    }
    let versions = items(&spec["versions"]);
    versions_named(versions, &mut problems);
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        let value = json!(versions);
        problems.push(FieldProblem::invalid("spec.versions", value, detail));
    }
    names_given(&spec["names"], &mut problems);
    for (index, version) in versions.iter().enumerate() {
        let path = format!("spec.versions[{index}].schema.openAPIV3Schema");
        let schema = &version["schema"]["openAPIV3Schema"];
        if schema.is_null() {
            problems.push(FieldProblem::required(path, ""));
            continue;
        }
        if schema["type"] != "object" {
            let path = format!("{path}.type");
            problems.push(FieldProblem::required(path, "must not be empty at the root"));
        }
        let (_, errors) = structural::compile_custom(schema, &Arc::new(Schema::default()));
        let broken =
            errors.into_iter().map(|error| FieldProblem::invalid(&path, json!("object"), error));
        problems.extend(broken);
    }
    problems
}

/// The names of versions are labels, and no two are the same.
fn versions_named(versions: &[Value], problems: &mut Vec<FieldProblem>) {
    let mut seen = std::collections::BTreeSet::new();
    for (index, version) in versions.iter().enumerate() {
        let name = version["name"].as_str().unwrap_or_default();
        if let Some(bad) = crate::builtin::names::word_label(name) {
            let path = format!("spec.versions[{index}].name");
            problems.push(FieldProblem::invalid(path, json!(name), bad));
        }
        if !seen.insert(name) {
            let detail = "must contain unique version names";
            problems.push(FieldProblem::invalid("spec.versions", json!(versions), detail));
        }
    }
}

/// All names of a kind; the lower-case ones are labels.
fn names_given(given: &Value, problems: &mut Vec<FieldProblem>) {
    for key in ["plural", "singular", "kind", "listKind"] {
        let path = format!("spec.names.{key}");
        let name = given[key].as_str().unwrap_or_default();
        if name.is_empty() || name == "List" && key == "listKind" {
            problems.push(FieldProblem::required(path, ""));
        } else if let Some(bad) = crate::builtin::names::word_label(&if key.ends_with("ind") {
            name.to_lowercase()
        } else {
            name.to_owned()
        }) {
            problems.push(FieldProblem::invalid(path, json!(name), bad));
        }
    }
}

/// Takes a kept definition into the catalogue: one resource per served version.
pub(crate) fn changed(store: &mut Store, definition: &Arc<Object>) {
    let value = definition.value();
    let key = names(value);
    store.catalogue.remove(&key);
    let metadata = schemas::of::<ObjectMeta>();
    for version in items(&value["spec"]["versions"]) {
        if version["served"] == true {
            store.catalogue.insert(resource(value, version, &metadata));
        }
    }
    store.refresh(&key);
}

/// Takes a removed definition out of the catalogue.
pub(crate) fn removed(store: &mut Store, definition: &Object) {
    store.catalogue.remove(&names(definition.value()));
}

/// The resource type a definition defines.
pub(crate) fn names(definition: &Value) -> GroupResource {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let spec = &definition["spec"];
    GroupResource::new(text(&spec["group"]), text(&spec["names"]["plural"]))
}

fn resource(definition: &Value, version: &Value, metadata: &Arc<Schema>) -> Resource {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let many = |value: &Value| strings(value).map(str::to_owned).collect::<Vec<_>>();
    let raw = &version["schema"]["openAPIV3Schema"];
    let (schema, _) = structural::compile_custom(raw, metadata);
    let storage = items(&spec["versions"]).iter().find(|version| version["storage"] == true);
    let selectable = items(&version["selectableFields"]).iter();
    Resource {
        group: text(&spec["group"]),
        version: text(&version["name"]),
        plural: text(&names["plural"]),
        singular: text(&names["singular"]),
        kind: text(&names["kind"]),
        list_kind: text(&names["listKind"]),
        short_names: many(&names["shortNames"]),
        categories: many(&names["categories"]),
        reach: if spec["scope"] == "Cluster" { Reach::Cluster } else { Reach::Namespaced },
        subresources: subresources(&version["subresources"]),
        verbs: VERBS.to_vec(),
        columns: items(&version["additionalPrinterColumns"]).iter().map(column).collect(),
        selectable_fields: selectable.map(|field| text(&field["jsonPath"])).collect(),
        origin: Origin::Custom,
        storage_group: text(&spec["group"]),
        storage_version: storage.map(|version| text(&version["name"])).unwrap_or_default(),
        schema: SchemaSource::Custom(Arc::new(schema), Arc::new(raw.clone())),
    }
}

fn subresources(value: &Value) -> Subresources {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let scale = value["scale"].as_object().map(|scale| ScalePaths {
        spec_replicas: scale.get("specReplicasPath").map(text).unwrap_or_default(),
        status_replicas: scale.get("statusReplicasPath").map(text).unwrap_or_default(),
        selector: scale.get("labelSelectorPath").map(text),
    });
    Subresources { status: value["status"].is_object(), scale }
}

fn column(value: &Value) -> Column {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    Column {
        name: text("name"),
        kind: text("type"),
        format: text("format"),
        description: text("description"),
        priority: value["priority"].as_i64().and_then(|one| i32::try_from(one).ok()).unwrap_or(0),
        json_path: text("jsonPath"),
    }
}
