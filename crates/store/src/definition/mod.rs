//! Custom resource definitions: what they add to the catalogue, and their conditions.
//!
//! Start at [`changed`]. A definition is established as soon as it is kept: nothing else has to agree.

mod judge;
mod names;
mod schema_rules;

pub(crate) use judge::validate;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::builtin::kinds::VERBS;
use crate::builtin::schemas::{self, ObjectMeta};
use crate::object::{Object, field_mut, is_deleting, items, map_mut, metadata_mut, strings};
use crate::resource::{
    Column, GroupResource, Origin, Reach, Resource, ScalePaths, SchemaSource, Subresources,
};
use crate::schema::{Schema, structural};
use crate::store::Store;

/// The finalizer that keeps a definition until its objects are gone.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Fills in names and the converter where they are not given.
pub(crate) fn default(definition: &mut Value) {
    let spec = field_mut(definition, "spec");
    let names = field_mut(spec, "names");
    let kind = names["kind"].as_str().unwrap_or_default().to_owned();
    let names = map_mut(names);
    let empty = |value: Option<&Value>| value.is_none_or(|value| value.is_null() || value == "");
    if !kind.is_empty() && empty(names.get("singular")) {
        names.insert("singular".into(), json!(kind.to_lowercase()));
    }
    if !kind.is_empty() && empty(names.get("listKind")) {
        names.insert("listKind".into(), json!(format!("{kind}List")));
    }
    let spec = map_mut(spec);
    if empty(spec.get("conversion")) {
        spec.insert("conversion".into(), json!({ "strategy": "None" }));
    }
}

/// Fills in what a definition's controllers would: finalizer, stored versions, accepted names and conditions.
pub(crate) fn settle(store: &Store, definition: &mut Value, now: Timestamp) {
    if !is_deleting(definition) {
        let metadata = metadata_mut(definition);
        let finalizers = metadata.entry("finalizers").or_insert_with(|| json!([]));
        if let Value::Array(list) = finalizers
            && !list.contains(&json!(CLEANUP))
        {
            list.push(json!(CLEANUP));
        }
    }
    let versions = items(&definition["spec"]["versions"]);
    let storage = versions.iter().find(|version| version["storage"] == true);
    let storage = storage.map(|version| version["name"].clone());
    let status = field_mut(definition, "status");
    let stored = field_mut(status, "storedVersions");
    let new = storage.filter(|storage| !items(stored).contains(storage));
    if let Some(new) = new {
        let mut all = items(stored).to_vec();
        all.push(new);
        *stored = Value::Array(all);
    }
    names::settle(store, definition, now);
}

/// Takes a kept definition into the catalogue: one resource per served version.
pub(crate) fn changed(store: &mut Store, definition: &Arc<Object>) {
    let value = definition.value();
    let key = defined(value);
    store.catalogue.remove(&key);
    if !names::is_established(value) {
        store.refresh(&key);
        return;
    }
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
    store.catalogue.remove(&defined(definition.value()));
}

/// Takes a removed definition out of the catalogue, and lets others have its names.
pub(crate) fn discarded(store: &mut Store, definition: &Object, now: Timestamp) {
    removed(store, definition);
    for mut waiting in names::waiting(store, &definition.value()["spec"]["group"]) {
        names::settle(store, &mut waiting, now);
        let kept = store.keep(&names::definitions(), waiting, now);
        changed(store, &kept);
    }
}

/// The resource type a definition defines.
pub(crate) fn defined(definition: &Value) -> GroupResource {
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
    let schema = structural::compile_custom(raw, metadata);
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
        deprecation: deprecation(spec, version),
        origin: Origin::Custom,
        storage_group: text(&spec["group"]),
        storage_version: storage.map(|version| text(&version["name"])).unwrap_or_default(),
        schema: SchemaSource::Custom(Arc::new(schema), Arc::new(raw.clone())),
    }
}

/// What is said to users of a version that goes away.
fn deprecation(spec: &Value, version: &Value) -> Option<String> {
    if version["deprecated"] != true {
        return None;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let own = version["deprecationWarning"].as_str().map(str::to_owned);
    Some(own.unwrap_or_else(|| {
        let (group, name) = (text(&spec["group"]), text(&version["name"]));
        format!("{group}/{name} {} is deprecated", text(&spec["names"]["kind"]))
    }))
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
