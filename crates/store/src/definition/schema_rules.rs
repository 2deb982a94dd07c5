//! Judging the schema of a definition: it is structural, its defaults fit it, and its rules compile.
//!
//! Start at [`validate`]. Every node is judged by what it is for itself; the order is upstream's.

use std::sync::Arc;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::error::FieldProblem;
use crate::object::{items, strings};
use crate::schema::{Schema, cel, decode, structural, validate as objects};

type Problems = Vec<FieldProblem>;

/// The types of JSON.
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
/// Words of JSON schemas that definitions may not use.
const FORBIDDEN: [&str; 7] = [
    "id",
    "additionalItems",
    "patternProperties",
    "definitions",
    "dependencies",
    "$ref",
    "$schema",
];
/// Words that say what a value is, which only the structure itself may do.
const STRUCTURE: [(&str, &str); 9] = [
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
];
/// Keys of JSON schemas that hold several schemas.
const JUNCTORS: [&str; 3] = ["anyOf", "allOf", "oneOf"];

/// Where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// The broken rules of a schema at a path.
pub(super) fn validate(schema: &Value, path: &str) -> Problems {
    let mut structure = Problems::new();
    let readable = !any_node(schema, &|node| FORBIDDEN.iter().any(|key| node.get(*key).is_some()));
    if readable {
        structural_node(schema, Level::Root, path, &mut structure);
        structure.sort_by_key(ToString::to_string);
        if structure.is_empty() {
            defaults(schema, path, &mut structure);
        }
    }
    let is_sound = readable && structure.is_empty();
    let mut problems = structure;
    open_api_node(schema, path, &mut problems);
    if is_sound && problems.is_empty() {
        rules(schema, schema, path, &mut problems);
    }
    problems
}

fn flag(node: &Value, key: &str) -> bool {
    node[key].as_bool().unwrap_or(false)
}

fn kind(node: &Value) -> &str {
    node["type"].as_str().unwrap_or_default()
}

fn fields(node: &Value) -> impl Iterator<Item = (&String, &Value)> {
    node["properties"].as_object().into_iter().flat_map(Map::iter)
}

/// Whether a schema or one below it is such.
fn any_node(node: &Value, is_such: &dyn Fn(&Value) -> bool) -> bool {
    let below = |key: &str| node[key].is_object() && any_node(&node[key], is_such);
    is_such(node)
        || fields(node).any(|(_, field)| any_node(field, is_such))
        || ["items", "additionalProperties", "not"].into_iter().any(below)
        || JUNCTORS.iter().any(|key| items(&node[*key]).iter().any(|one| any_node(one, is_such)))
}

fn structural_node(node: &Value, level: Level, path: &str, problems: &mut Problems) {
    let open = flag(node, "x-kubernetes-preserve-unknown-fields");
    let either = flag(node, "x-kubernetes-int-or-string");
    let embedded = flag(node, "x-kubernetes-embedded-resource");
    if kind(node) == "array" && !node["items"].is_object() {
        problems.push(FieldProblem::required(format!("{path}.items"), "must be specified"));
    }
    if node["items"].is_object() {
        structural_node(&node["items"], Level::Item, &format!("{path}.items"), problems);
    }
    for (key, field) in fields(node) {
        structural_node(field, Level::Field, &format!("{path}.properties[{key}]"), problems);
    }
    let others = format!("{path}.additionalProperties");
    if !node["additionalProperties"].is_null() && level == Level::Root {
        problems.push(FieldProblem::forbidden(&others, "must not be used at the root"));
    }
    if node["additionalProperties"].is_object() {
        structural_node(&node["additionalProperties"], Level::Field, &others, problems);
    }
    value_rules(node, level, path, problems);
    let type_path = format!("{path}.type");
    if embedded && kind(node) != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        problems.push(missing_or_wrong(node, type_path, detail));
    } else if kind(node).is_empty() && !either && !open {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        problems.push(FieldProblem::required(type_path, detail));
    } else if level == Level::Root && kind(node) != "object" && !kind(node).is_empty() {
        let detail = "must be object at the root";
        problems.push(FieldProblem::invalid(type_path, node["type"].clone(), detail));
    }
    if level == Level::Root || embedded {
        own_fields(node, level, path, problems);
    }
    if embedded && !open && fields(node).next().is_none() {
        let detail = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        problems.push(FieldProblem::required(format!("{path}.properties"), detail));
    }
}

/// A type that is missing, or another than it must be.
fn missing_or_wrong(node: &Value, path: String, detail: &str) -> FieldProblem {
    if kind(node).is_empty() {
        FieldProblem::required(path, detail)
    } else {
        FieldProblem::invalid(path, node["type"].clone(), detail)
    }
}

/// The fields every object has: a schema may say little about them.
fn own_fields(node: &Value, level: Level, path: &str, problems: &mut Problems) {
    let given = &node["properties"];
    for key in ["kind", "apiVersion"] {
        if given[key].is_object() && kind(&given[key]) != "string" {
            let path = format!("{path}.properties[{key}].type");
            problems.push(FieldProblem::invalid(path, json!(kind(&given[key])), "must be string"));
        }
    }
    let metadata = &given["metadata"];
    let path = format!("{path}.properties[metadata]");
    if metadata.is_object() && kind(metadata) != "object" {
        let path = format!("{path}.type");
        problems.push(FieldProblem::invalid(path, json!(kind(metadata)), "must be object"));
    }
    let judged = metadata
        .as_object()
        .into_iter()
        .flatten()
        .any(|(key, _)| !["type", "properties", "description"].contains(&key.as_str()));
    let other = fields(metadata).any(|(key, _)| key != "name" && key != "generateName");
    if level == Level::Root && (judged || other) {
        let detail = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        problems.push(FieldProblem::forbidden(path, detail));
    }
}

/// Rules on values, and the schemas they are put together from.
fn value_rules(node: &Value, level: Level, path: &str, problems: &mut Problems) {
    let pair = json!([{ "type": "integer" }, { "type": "string" }]);
    let either = node["anyOf"] == pair;
    for junctor in JUNCTORS {
        if junctor == "anyOf" && either {
            continue;
        }
        for (index, inner) in items(&node[junctor]).iter().enumerate() {
            let skip = junctor == "allOf" && index == 0 && inner["anyOf"] == pair;
            nested(inner, skip, level, &format!("{path}.{junctor}[{index}]"), problems);
        }
    }
    if node["not"].is_object() {
        nested(&node["not"], false, level, &format!("{path}.not"), problems);
    }
    if let Some(pattern) = node["pattern"].as_str()
        && let Err(error) = Regex::new(pattern)
    {
        let detail = format!(
            "must be a valid regular expression, but isn't: error parsing regexp: {}",
            go_complaint(&error, pattern)
        );
        problems.push(FieldProblem::invalid(format!("{path}.pattern"), json!(pattern), detail));
    }
}

/// What Go says of a regular expression that is none.
fn go_complaint(error: &regex::Error, pattern: &str) -> String {
    let said = error.to_string();
    let last = said.rsplit("error: ").next().unwrap_or_default().trim();
    match last {
        "unclosed group" => format!("missing closing ): `{pattern}`"),
        "unopened group" => format!("unexpected ): `{pattern}`"),
        "unclosed character class" => format!("missing closing ]: `{pattern}`"),
        other => format!("{other}: `{pattern}`"),
    }
}

/// A schema within a junctor: it may only restrict values.
fn nested(node: &Value, skip: bool, level: Level, path: &str, problems: &mut Problems) {
    if !skip {
        value_rules(node, level, path, problems);
    }
    if node["items"].is_object() {
        nested(&node["items"], false, level, &format!("{path}.items"), problems);
    }
    for (key, field) in fields(node) {
        nested(field, false, Level::Field, &format!("{path}.properties[{key}]"), problems);
    }
    let empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    for (key, detail) in STRUCTURE.into_iter().filter(|(key, _)| !empty(&node[*key])) {
        problems.push(FieldProblem::forbidden(format!("{path}.{key}"), detail));
    }
    if !items(&node["x-kubernetes-validations"]).is_empty() {
        let path = format!("{path}.x-kubernetes-validations");
        problems.push(FieldProblem::forbidden(path, "must be empty to be structural"));
    }
    if !node["properties"]["metadata"].is_null() {
        let path = format!("{path}.properties[metadata]");
        problems.push(FieldProblem::forbidden(path, "must not be specified in a nested context"));
    }
}

/// Defaults are values of their schema, without unknown fields.
fn defaults(node: &Value, path: &str, problems: &mut Problems) {
    if let Some(default) = node.get("default").filter(|default| !default.is_null()) {
        let schema = structural::compile(node, &mut |_| Arc::new(Schema::default()));
        let path = format!("{path}.default");
        let (mut pruned, mut unknown) = (default.clone(), Vec::new());
        decode::prune(&schema, &mut pruned, "default", &mut unknown);
        if !unknown.is_empty() {
            let detail = "must not have unknown fields";
            problems.push(FieldProblem::invalid(&path, default.clone(), detail));
        }
        let broken = objects::validate_at(&path, &schema, default, None);
        if broken.is_empty() {
            let mut found = cel::validate(&schema, default, None);
            for problem in &mut found {
                problem.path = format!("{path}{}{}", dot(&problem.path), problem.path);
            }
            problems.extend(found);
        }
        problems.extend(broken);
    }
    if node["items"].is_object() {
        defaults(&node["items"], &format!("{path}.items"), problems);
    }
    for (key, field) in fields(node) {
        defaults(field, &format!("{path}.properties[{key}]"), problems);
    }
}

fn dot(path: &str) -> &'static str {
    if path.is_empty() || path.starts_with('[') { "" } else { "." }
}

/// What a node may not say for itself, by the rules of OpenAPI and of Kubernetes.
fn open_api_node(node: &Value, path: &str, problems: &mut Problems) {
    let at = |key: &str| format!("{path}.{key}");
    if !kind(node).is_empty() && !TYPES.contains(&kind(node)) {
        problems.push(FieldProblem::not_supported(at("type"), node["type"].clone(), TYPES));
    }
    for key in FORBIDDEN.into_iter().filter(|key| node.get(*key).is_some()) {
        let detail = format!("{key} is not supported");
        problems.push(FieldProblem::forbidden(at(key), detail));
    }
    if flag(node, "uniqueItems") {
        let detail =
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        problems.push(FieldProblem::forbidden(at("uniqueItems"), detail));
    }
    let others = &node["additionalProperties"];
    if fields(node).next().is_some() && (others.is_object() || *others == false) {
        let detail = "additionalProperties and properties are mutual exclusive";
        problems.push(FieldProblem::forbidden(at("additionalProperties"), detail));
    }
    if others.is_object() {
        open_api_node(others, &at("additionalProperties"), problems);
    }
    for (key, field) in fields(node) {
        open_api_node(field, &format!("{path}.properties[{key}]"), problems);
    }
    if node["not"].is_object() {
        open_api_node(&node["not"], &at("not"), problems);
    }
    for junctor in ["allOf", "oneOf", "anyOf"] {
        for (index, inner) in items(&node[junctor]).iter().enumerate() {
            open_api_node(inner, &format!("{path}.{junctor}[{index}]"), problems);
        }
    }
    if node["items"].is_object() {
        open_api_node(&node["items"], &at("items"), problems);
    }
    if node["x-kubernetes-preserve-unknown-fields"] == false {
        let path = at("x-kubernetes-preserve-unknown-fields");
        problems.push(FieldProblem::invalid(path, json!(false), "must be true or undefined"));
    }
    collections(node, path, problems);
}

/// Marks of lists and maps.
fn collections(node: &Value, path: &str, problems: &mut Problems) {
    let at = |key: &str| format!("{path}.{key}");
    let marks = [
        ("x-kubernetes-map-type", "object", &["atomic", "granular"][..]),
        ("x-kubernetes-list-type", "array", &["atomic", "set", "map"][..]),
    ];
    for (key, wanted, words) in marks {
        let Some(mark) = node[key].as_str() else { continue };
        if kind(node) != wanted {
            let detail = format!("must be {wanted} if {key} is specified");
            problems.push(missing_or_wrong(node, at("type"), &detail));
        }
        if !words.contains(&mark) {
            problems.push(FieldProblem::not_supported(at(key), json!(mark), words.iter().copied()));
        }
    }
    let list = node["x-kubernetes-list-type"].as_str().unwrap_or_default();
    let keys: Vec<&str> = strings(&node["x-kubernetes-list-map-keys"]).collect();
    if !keys.is_empty() && list != "map" {
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        let path = at("x-kubernetes-list-type");
        problems.push(if list.is_empty() {
            FieldProblem::required(path, detail)
        } else {
            FieldProblem::invalid(path, json!(list), detail)
        });
    }
    if list == "map" {
        list_map(node, &keys, path, problems);
    }
    if matches!(list, "map" | "set") && flag(&node["items"], "nullable") {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {list}");
        problems.push(FieldProblem::forbidden(at("items.nullable"), detail));
    }
    if list == "map" {
        list_map_keys(&node["items"], &keys, path, problems);
    }
}

/// A list of objects that are told apart by keys.
fn list_map(node: &Value, keys: &[&str], path: &str, problems: &mut Problems) {
    let inner = &node["items"];
    let keys_path = format!("{path}.x-kubernetes-list-map-keys");
    if keys.is_empty() {
        let detail = "must not be empty if x-kubernetes-list-type is map";
        problems.push(FieldProblem::required(&keys_path, detail));
    }
    if inner.is_null() {
        let detail = "must have a schema if x-kubernetes-list-type is map";
        problems.push(FieldProblem::required(format!("{path}.items"), detail));
    } else if kind(inner) != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        problems.push(FieldProblem::invalid(
            format!("{path}.items.type"),
            json!(kind(inner)),
            detail,
        ));
        return;
    }
    for (index, key) in keys.iter().enumerate() {
        let field = &inner["properties"][*key];
        if field.is_null() {
            let detail = "entries must all be names of item properties";
            problems.push(FieldProblem::invalid(&keys_path, json!(keys), detail));
        } else if matches!(kind(field), "array" | "object") {
            let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
            let path = format!("{path}.items.properties[{key}].type");
            problems.push(FieldProblem::invalid(path, json!(kind(inner)), detail));
        }
        if keys[..index].contains(key) {
            let detail = "must not contain duplicate entries";
            problems.push(FieldProblem::invalid(&keys_path, json!(keys), detail));
        }
    }
}

/// Keys are always there.
fn list_map_keys(inner: &Value, keys: &[&str], path: &str, problems: &mut Problems) {
    for key in keys {
        let field = &inner["properties"][*key];
        if field.is_null() {
            continue;
        }
        let path = format!("{path}.items.properties[{key}]");
        let is_required = strings(&inner["required"]).any(|one| one == *key);
        if !is_required && field["default"].is_null() {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            problems.push(FieldProblem::required(format!("{path}.default"), detail));
        }
        if flag(field, "nullable") {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            problems.push(FieldProblem::forbidden(format!("{path}.nullable"), detail));
        }
    }
}

/// The rules of a node and of those below it are expressions that say true or false.
fn rules(root: &Value, node: &Value, path: &str, problems: &mut Problems) {
    let rules_here = items(&node["x-kubernetes-validations"]);
    let schema = (!rules_here.is_empty()).then(|| {
        let mut schema = structural::compile(node, &mut |_| Arc::new(Schema::default()));
        if std::ptr::eq(root, node) {
            structural::add_object_fields(&mut schema);
        }
        schema
    });
    for (index, rule) in rules_here.iter().enumerate() {
        let path = format!("{path}.x-kubernetes-validations[{index}]");
        let source = rule["rule"].as_str().unwrap_or_default();
        if source.trim().is_empty() {
            let path = format!("{path}.rule");
            problems.push(FieldProblem::required(path, "rule is not specified"));
            continue;
        }
        let Some(schema) = &schema else { continue };
        if let Err(why) = cel::judge(source, schema, cel::Wanted::Truth) {
            problems.push(FieldProblem::invalid(format!("{path}.rule"), shown(rule), why));
        }
        let message = rule["messageExpression"].as_str();
        if let Some(Err(why)) = message.map(|text| cel::judge(text, schema, cel::Wanted::Text)) {
            let path = format!("{path}.messageExpression");
            problems.push(FieldProblem::invalid(path, shown(rule), why));
        }
    }
    for key in ["items", "additionalProperties"] {
        if node[key].is_object() {
            rules(root, &node[key], &format!("{path}.{key}"), problems);
        }
    }
    for (key, field) in fields(node) {
        rules(root, field, &format!("{path}.properties[{key}]"), problems);
    }
}

/// A rule as upstream's messages show it.
fn shown(rule: &Value) -> Value {
    let text = |key: &str| rule[key].as_str().unwrap_or_default();
    let fields = ["Rule", "Message", "MessageExpression", "Reason", "FieldPath", "OptionalOldSelf"];
    let values = json!([
        text("rule"),
        text("message"),
        text("messageExpression"),
        rule["reason"],
        text("fieldPath"),
        rule["optionalOldSelf"]
    ]);
    FieldProblem::record(&fields, &values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &Value, expected: &[&str]) {
        let said: Vec<String> = validate(schema, "s").iter().map(ToString::to_string).collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn a_schema_is_structural() {
        check(&json!({"type": "object"}), &[]);
        check(
            &json!({"type": "object", "properties": {"a": {"properties": {"b": {"type": "string"}}}}}),
            &[
                "s.properties[a].type: Required value: must not be empty for specified object fields",
            ],
        );
        check(
            &json!({"type": "object", "properties": {"a": {
                "x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}],
            }}}),
            &[],
        );
        check(
            &json!({"type": "object", "properties": {"a": {"type": "string", "anyOf": [{"type": "string"}]}}}),
            &["s.properties[a].anyOf[0].type: Forbidden: must be empty to be structural"],
        );
    }

    #[test]
    fn defaults_fit_their_schema() {
        check(
            &json!({"type": "object", "properties": {"a": {
                "type": "object", "properties": {"n": {"type": "integer"}}, "default": {"n": 1},
            }}}),
            &[],
        );
        check(
            &json!({"type": "object", "properties": {"a": {
                "type": "object", "properties": {"n": {"type": "integer"}}, "default": {"n": "x", "m": 1},
            }}}),
            &[
                "s.properties[a].default: Invalid value: {\"m\":1,\"n\":\"x\"}: must not have unknown fields",
                "s.properties[a].default.n: Invalid value: \"string\": n in body must be of type integer: \"string\"",
            ],
        );
    }
}
