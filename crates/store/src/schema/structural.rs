//! Compiling JSON schemas into trees.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use super::{Bound, ListKind, MergeRule, Rules, Schema, Shape, cel};
use crate::object::{items, strings};

/// Resolves a `$ref`; the answer is shared.
pub(crate) type Resolve<'a> = &'a mut dyn FnMut(&str) -> Arc<Schema>;

/// Compiles the schema of a custom resource version.
pub(crate) fn compile_custom(json: &Value, metadata: &Arc<Schema>) -> Schema {
    let mut schema = compile(json, &mut |_| Arc::new(Schema::default()));
    schema.shape = Shape::Object;
    schema.properties.insert("metadata".into(), Arc::clone(metadata));
    add_type_fields(&mut schema);
    schema
}

/// Compiles one schema; references go through `resolve`.
pub(crate) fn compile(json: &Value, resolve: Resolve<'_>) -> Schema {
    if let Some(reference) = reference(json) {
        return resolve(reference).as_ref().clone();
    }
    let mut schema = Schema {
        shape: shape(json),
        format: text(json, "format"),
        preserve_unknown: flag(json, "x-kubernetes-preserve-unknown-fields"),
        nullable: flag(json, "nullable"),
        default: json.get("default").cloned(),
        atomic_map: json["x-kubernetes-map-type"] == "atomic",
        list: list_kind(json),
        merge: MergeRule::Plain,
        ..Schema::default()
    };
    schema.properties = properties(json, resolve);
    schema.additional = match &json["additionalProperties"] {
        Value::Object(_) => Some(child(&json["additionalProperties"], resolve)),
        Value::Bool(true) => Some(Arc::new(Schema::default())),
        _ => None,
    };
    schema.items = json.get("items").map(|items| child(items, resolve));
    if flag(json, "x-kubernetes-embedded-resource") {
        schema.embedded = true;
        schema.properties.entry("metadata".into()).or_default();
        add_type_fields(&mut schema);
    }
    schema.rules = rules(json, resolve);
    schema.cel = cel::compile(&json["x-kubernetes-validations"]);
    note_what_is_below(&mut schema);
    schema
}

/// Notes whether defaults, CEL rules and objects within objects occur at or below a node.
pub(crate) fn note_what_is_below(schema: &mut Schema) {
    let children =
        || schema.properties.values().chain(schema.additional.iter()).chain(schema.items.iter());
    let defaults = children().any(|child| child.has_defaults || child.default.is_some());
    let cel = !schema.cel.is_empty() || children().any(|child| child.has_cel);
    let embedded = schema.embedded || children().any(|child| child.has_embedded);
    (schema.has_defaults, schema.has_cel, schema.has_embedded) = (defaults, cel, embedded);
}

/// The definition a schema stands for, directly or as the only member of `allOf`.
pub(crate) fn reference(json: &Value) -> Option<&str> {
    let direct = json["$ref"].as_str();
    let wrapped = || items(&json["allOf"]).first().and_then(|one| one["$ref"].as_str());
    let path = direct.or_else(wrapped)?;
    path.rsplit('/').next()
}

fn child(json: &Value, resolve: Resolve<'_>) -> Arc<Schema> {
    match reference(json) {
        Some(name) => resolve(name),
        None => Arc::new(compile(json, resolve)),
    }
}

fn properties(json: &Value, resolve: Resolve<'_>) -> BTreeMap<String, Arc<Schema>> {
    let fields = json["properties"].as_object().into_iter().flatten();
    fields.map(|(key, field)| (key.clone(), child(field, resolve))).collect()
}

/// Adds the fields every object has, as rules may name them.
pub(crate) fn add_object_fields(schema: &mut Schema) {
    schema.properties.insert("metadata".into(), Arc::new(Schema::default()));
    add_type_fields(schema);
}

fn add_type_fields(schema: &mut Schema) {
    for key in ["apiVersion", "kind"] {
        let text = Schema { shape: Shape::String, ..Schema::default() };
        schema.properties.entry(key.into()).or_insert_with(|| Arc::new(text));
    }
}

fn shape(json: &Value) -> Shape {
    if flag(json, "x-kubernetes-int-or-string") || json["format"] == "int-or-string" {
        return Shape::IntOrString;
    }
    match json["type"].as_str() {
        Some("object") => Shape::Object,
        Some("array") => Shape::Array,
        Some("string") => Shape::String,
        Some("integer") => Shape::Integer,
        Some("number") => Shape::Number,
        Some("boolean") => Shape::Boolean,
        _ => Shape::Any,
    }
}

fn list_kind(json: &Value) -> ListKind {
    match json["x-kubernetes-list-type"].as_str() {
        Some("set") => ListKind::Set,
        Some("map") => {
            let keys = strings(&json["x-kubernetes-list-map-keys"]);
            ListKind::Map(keys.map(str::to_owned).collect())
        }
        _ => ListKind::Atomic,
    }
}

fn rules(json: &Value, resolve: Resolve<'_>) -> Rules {
    let limit = |key: &str| json[key].as_u64();
    let pattern = json["pattern"].as_str().and_then(|pattern| Regex::new(pattern).ok());
    let mut many = |key: &str| -> Vec<Schema> {
        items(&json[key]).iter().map(|one| compile(one, resolve)).collect()
    };
    let (all_of, any_of, one_of) = (many("allOf"), many("anyOf"), many("oneOf"));
    let not = json.get("not").map(|one| Box::new(compile(one, resolve)));
    Rules {
        required: strings(&json["required"]).map(str::to_owned).collect(),
        one_of_values: items(&json["enum"]).to_vec(),
        minimum: bound(json, "minimum", "exclusiveMinimum"),
        maximum: bound(json, "maximum", "exclusiveMaximum"),
        multiple_of: json["multipleOf"].as_f64(),
        length: (limit("minLength"), limit("maxLength")),
        count: (limit("minItems"), limit("maxItems")),
        fields: (limit("minProperties"), limit("maxProperties")),
        pattern,
        all_of,
        any_of,
        one_of,
        not,
    }
}

fn bound(json: &Value, key: &str, exclusive: &str) -> Option<(f64, Bound)> {
    let kind = if flag(json, exclusive) { Bound::Exclusive } else { Bound::Inclusive };
    json[key].as_f64().map(|limit| (limit, kind))
}

fn flag(json: &Value, key: &str) -> bool {
    json[key].as_bool().unwrap_or(false)
}

fn text(json: &Value, key: &str) -> String {
    json[key].as_str().unwrap_or_default().to_owned()
}
