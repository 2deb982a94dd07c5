//! Schemas of Kubernetes' own types where our kinds embed them.
//!
//! Start at [`embed`]. The generated types lack what server-side apply needs to merge lists, and the
//! defaults of keys, so both are added here. Descriptions are left out: they would be nine tenths of every definition.

use super::{FINISHED, children, simplify};
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Lists that are merged by key, by the name of their field.
const KEYED_LISTS: [(&str, &[&str]); 13] = [
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
    ("imagePullSecrets", &["name"]),
    ("resourceClaims", &["name"]),
    ("schedulingGates", &["name"]),
];

/// Defaults by field and property, without which a list's key, or a reference's name, may be missing.
const DEFAULTS: [(&str, &str, &str); 7] = [
    ("ports", "protocol", "TCP"),
    ("imagePullSecrets", "name", ""),
    ("configMapRef", "name", ""),
    ("secretRef", "name", ""),
    ("configMapKeyRef", "name", ""),
    ("secretKeyRef", "name", ""),
    ("grpc", "service", ""),
];

/// Objects that are replaced as a whole: those with exactly these fields.
const ATOMIC_OBJECTS: [&[&str]; 7] = [
    &["matchExpressions", "matchLabels"],
    &["matchExpressions", "matchFields"],
    &["nodeSelectorTerms"],
    &["key", "name", "optional"],
    &["name", "optional"],
    &["apiVersion", "fieldPath"],
    &["containerName", "divisor", "resource"],
];

/// What a reference to a shared definition begins with.
const REFERENCE: &str = "#/$defs/";

/// The schema of a Kubernetes type, structural and without descriptions.
///
/// Definitions are shared until the end, as the descriptions would be copied with them otherwise.
pub(crate) fn embed<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    let mut definitions = match schema["$defs"].take() {
        Value::Object(definitions) => definitions,
        _ => Map::new(),
    };
    for definition in definitions.values_mut().chain([&mut schema]) {
        simplify(definition);
        bare(definition);
    }
    resolve(&mut schema, &definitions);
    refine(&mut schema);
    schema[FINISHED] = json!(true);
    Schema::try_from(schema).unwrap_or_default()
}

/// Drops descriptions, and all of metadata but what a template may carry.
fn bare(schema: &mut Value) {
    let Value::Object(keywords) = schema else { return };
    keywords.remove("description");
    if let Some(Value::Object(properties)) = keywords.get_mut("properties") {
        shorten_metadata(properties);
    }
    children(keywords).into_iter().for_each(bare);
}

/// Puts shared definitions where they are referred to; Kubernetes' pods refer to no ancestor.
fn resolve(schema: &mut Value, definitions: &Map<String, Value>) {
    let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix(REFERENCE));
    if let Some(definition) = name.and_then(|name| definitions.get(name)) {
        *schema = definition.clone();
    }
    let Value::Object(keywords) = schema else { return };
    keywords.remove("$defs");
    for child in children(keywords) {
        resolve(child, definitions);
    }
}

/// Adds merge keys, defaults and atomic marks, everywhere in a schema.
fn refine(schema: &mut Value) {
    let Value::Object(keywords) = schema else { return };
    if let Some(Value::Object(properties)) = keywords.get_mut("properties") {
        merge_lists_by_key(properties);
        add_defaults(properties);
        take_any_amount(properties);
        take_any_volume(properties);
        if is_atomic(properties) {
            keywords.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
        }
    }
    children(keywords).into_iter().for_each(refine);
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

/// Marks the lists that are merged by key.
fn merge_lists_by_key(properties: &mut Map<String, Value>) {
    for (field, keys) in KEYED_LISTS {
        let Some(list) = properties.get_mut(field) else { continue };
        let items = &list["items"]["properties"];
        if keys.iter().all(|key| items[*key].is_object()) {
            list["x-kubernetes-list-type"] = json!("map");
            list["x-kubernetes-list-map-keys"] = json!(keys);
        }
    }
}

/// Takes the amounts of a container as upstream's definitions do: `cpu: 0.5` is neither an integer nor text.
fn take_any_amount(properties: &mut Map<String, Value>) {
    if !properties.contains_key("claims") {
        return;
    }
    for amounts in ["limits", "requests"] {
        if let Some(schema) = properties.get_mut(amounts) {
            *schema = json!({ "x-kubernetes-preserve-unknown-fields": true });
        }
    }
}

/// Takes the volumes of a pod as upstream's definitions do: newer clusters have kinds of volumes that are not
/// known here, and what is wrong with one the API server says when pods are made of it.
fn take_any_volume(properties: &mut Map<String, Value>) {
    if properties.contains_key("containers")
        && let Some(schema) = properties.get_mut("volumes")
    {
        *schema = json!({ "x-kubernetes-preserve-unknown-fields": true });
    }
}

/// Gives properties their default; what has a default is not required.
fn add_defaults(properties: &mut Map<String, Value>) {
    for (field, property, default) in DEFAULTS {
        let Some(schema) = properties.get_mut(field) else { continue };
        let is_list = schema["items"].is_object();
        let object = if is_list { &mut schema["items"] } else { schema };
        if object["properties"][property].is_object() {
            object["properties"][property]["default"] = json!(default);
            withdraw_demand(object, property);
        }
    }
}

fn withdraw_demand(object: &mut Value, property: &str) {
    let Some(fields) = object.as_object_mut() else { return };
    if let Some(Value::Array(required)) = fields.get_mut("required") {
        required.retain(|name| name != property);
        if required.is_empty() {
            fields.remove("required");
        }
    }
}

fn is_atomic(properties: &Map<String, Value>) -> bool {
    ATOMIC_OBJECTS.iter().any(|fields| {
        fields.len() == properties.len()
            && fields.iter().all(|field| properties.contains_key(*field))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::PodTemplateSpec;

    fn pod() -> Value {
        let template = embed::<PodTemplateSpec>().to_value();
        template["properties"]["spec"]["properties"].clone()
    }

    #[test]
    fn containers_are_merged_by_name_and_ports_by_number_and_protocol() {
        let check = |list: &Value, keys: Value| {
            assert_eq!(list["x-kubernetes-list-type"], "map");
            assert_eq!(list["x-kubernetes-list-map-keys"], keys);
        };
        let pod = pod();
        check(&pod["containers"], json!(["name"]));
        let ports = &pod["containers"]["items"]["properties"]["ports"];
        check(ports, json!(["containerPort", "protocol"]));
        assert_eq!(ports["items"]["properties"]["protocol"]["default"], "TCP");
    }

    #[test]
    fn every_key_of_a_list_is_required_or_has_a_default() {
        fn check(schema: &Value) {
            let items = &schema["items"];
            for key in schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten() {
                let required = items["required"].as_array().is_some_and(|all| all.contains(key));
                let default = &items["properties"][key.as_str().unwrap()]["default"];
                assert!(required || !default.is_null(), "{key} in {items}");
            }
            match schema {
                Value::Object(fields) => fields.values().for_each(check),
                Value::Array(schemas) => schemas.iter().for_each(check),
                _ => {}
            }
        }
        check(&pod());
    }

    #[test]
    fn the_amounts_of_containers_are_taken_in_any_form() {
        let any = json!({ "x-kubernetes-preserve-unknown-fields": true });
        for list in ["containers", "initContainers", "ephemeralContainers"] {
            let amounts = &pod()[list]["items"]["properties"]["resources"]["properties"];
            assert_eq!((&amounts["limits"], &amounts["requests"]), (&any, &any), "{list}");
        }
    }

    #[test]
    fn template_metadata_is_labels_and_annotations() {
        let template = embed::<PodTemplateSpec>().to_value();
        let fields = &template["properties"]["metadata"]["properties"];
        let names: Vec<&String> = fields.as_object().unwrap().keys().collect();
        assert_eq!(names, ["annotations", "labels"]);
    }

    #[test]
    fn nothing_is_described_twice() {
        fn check(schema: &Value) {
            assert!(!schema["description"].is_string(), "{schema}");
            schema.as_object().into_iter().flat_map(Map::values).for_each(check);
        }
        check(&embed::<PodTemplateSpec>().to_value());
    }
}
