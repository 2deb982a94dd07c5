//! Schemas of Kubernetes' own types where our kinds embed them.
//!
//! Start at [`embed`]. The generated types lack what server-side apply needs to merge lists, so the
//! keys are added here. Descriptions are left out: they would be nine tenths of every definition.

use super::{children, simplify};
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Lists that are merged by key: the field, its keys, and a field that only this list's items have.
const KEYED_LISTS: [(&str, &[&str]); 15] = [
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("ephemeralContainers", &["name"]),
    ("env", &["name"]),
    ("ports", &["containerPort", "protocol"]),
    ("volumeDevices", &["devicePath"]),
    ("volumeMounts", &["mountPath"]),
    ("claims", &["name"]),
    ("hostAliases", &["ip"]),
    ("topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    ("volumes", &["name"]),
    ("imagePullSecrets", &["name"]),
    ("resourceClaims", &["name"]),
    ("schedulingGates", &["name"]),
    ("onPodConditions", &["type", "status"]),
];

/// Defaults of fields that are keys of a list, without which the key would be missing.
const KEY_DEFAULTS: [(&str, &str, &str); 2] =
    [("ports", "protocol", "TCP"), ("imagePullSecrets", "name", "")];

/// Objects that are replaced as a whole: those with exactly these fields.
const ATOMIC_OBJECTS: [&[&str]; 6] = [
    &["matchExpressions", "matchLabels"],
    &["matchExpressions", "matchFields"],
    &["nodeSelectorTerms"],
    &["key", "name", "optional"],
    &["apiVersion", "fieldPath"],
    &["containerName", "divisor", "resource"],
];

/// The schema of a Kubernetes type, structural and without descriptions.
pub(crate) fn embed<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    simplify(&mut schema);
    refine(&mut schema);
    Schema::try_from(schema).unwrap_or_default()
}

/// Adds merge keys and shortens metadata, everywhere in a schema.
fn refine(schema: &mut Value) {
    let Value::Object(keywords) = schema else { return };
    keywords.remove("description");
    if let Some(Value::Object(properties)) = keywords.get_mut("properties") {
        shorten_metadata(properties);
        merge_lists_by_key(properties);
        if is_atomic(properties) {
            keywords.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
        }
    }
    for child in children(keywords) {
        refine(child);
    }
}

/// Keeps the metadata that a template may carry: labels and annotations.
fn shorten_metadata(properties: &mut Map<String, Value>) {
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    if let Some(metadata) = properties.get_mut("metadata") {
        *metadata = json!({
            "type": "object",
            "properties": { "annotations": texts, "labels": texts },
        });
    }
}

/// Marks the lists that are merged by key, and gives optional keys their default.
fn merge_lists_by_key(properties: &mut Map<String, Value>) {
    for (field, keys) in KEYED_LISTS {
        let Some(list) = properties.get_mut(field) else { continue };
        let items = &list["items"]["properties"];
        if keys.iter().any(|key| items[*key].is_null()) {
            continue;
        }
        for (_, key, default) in KEY_DEFAULTS.iter().filter(|(owner, ..)| *owner == field) {
            list["items"]["properties"][*key]["default"] = json!(default);
        }
        list["x-kubernetes-list-type"] = json!("map");
        list["x-kubernetes-list-map-keys"] = json!(keys);
    }
}

fn is_atomic(properties: &Map<String, Value>) -> bool {
    ATOMIC_OBJECTS.iter().any(|fields| {
        fields.len() == properties.len()
            && fields.iter().all(|field| properties.contains_key(*field))
    })
}
