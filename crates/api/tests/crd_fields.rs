//! The definitions hold every field that users of Argo Rollouts know, and no other.

#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One line a field: kind, version, path, type, `required` or nothing, constraints.
const KNOWN_FIELDS: &str = include_str!("data/argo-crd-fields.tsv");

/// Paths that only our definitions have.
const OURS: &str = "Rollout status.reasons";

/// Text that our definitions take as a number too, for clients that can read no other.
const OUR_NUMBERS: [&str; 2] =
    ["Rollout status.observedGeneration", "Rollout status.workloadObservedGeneration"];

/// Ends of the paths below which Kubernetes' own types begin, which the list leaves out.
const BUILT_IN: [&str; 3] = [".selector", ".template", ".job.spec"];

/// Fields by kind and path, each as its type, whether it is required, and its constraints.
type Fields = BTreeMap<String, [String; 3]>;

#[test]
fn the_definitions_have_the_fields_that_users_know_and_no_others() {
    let (known, ours) = (known_fields(), our_fields());
    assert_eq!(known.len(), 1083);
    let complaints: Vec<String> = known
        .keys()
        .chain(ours.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter_map(|path| complaint(path, known.get(path), ours.get(path)))
        .collect();
    assert!(
        complaints.is_empty(),
        "{} fields differ:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

fn complaint(
    path: &str,
    known: Option<&[String; 3]>,
    ours: Option<&[String; 3]>,
) -> Option<String> {
    match (known, ours) {
        (Some(known), Some(ours)) if known == ours => None,
        (Some([kind, ..]), Some([ours, ..])) if OUR_NUMBERS.contains(&path) => {
            (kind != "string" || ours != "int-or-string").then(|| format!("{path}: ours is {ours}"))
        }
        (Some(known), Some(ours)) => Some(format!("{path}: known as {known:?}, ours is {ours:?}")),
        (Some(known), None) => Some(format!("{path}: missing, known as {known:?}")),
        (None, Some(_)) if path.starts_with(OURS) => None,
        (None, ours) => Some(format!("{path}: ours alone, {ours:?}")),
    }
}

fn known_fields() -> Fields {
    KNOWN_FIELDS
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let field = [cells[3], cells[4], cells.get(5).copied().unwrap_or_default()];
            (format!("{} {}", cells[0], cells[2]), field.map(str::to_owned))
        })
        .collect()
}

fn our_fields() -> Fields {
    let mut fields = Fields::new();
    for definition in api::crds() {
        let kind = &definition.spec.names.kind;
        let schema = definition.spec.versions[0].schema.clone().unwrap().open_api_v3_schema;
        let schema = serde_json::to_value(schema.unwrap()).unwrap();
        for part in ["spec", "status"] {
            if !schema["properties"][part].is_null() {
                collect(&schema, part, &format!("{kind} {part}"), &mut fields);
            }
        }
    }
    fields
}

/// Adds a property of a schema, and everything below it.
fn collect(parent: &Value, name: &str, path: &str, fields: &mut Fields) {
    let required = parent["required"].as_array().is_some_and(|names| names.contains(&name.into()));
    add(&parent["properties"][name], required, path, fields);
}

fn add(schema: &Value, required: bool, path: &str, fields: &mut Fields) {
    let word = if required { "required" } else { "" };
    let field = [kind_of(schema), word.to_owned(), constraints(schema)];
    fields.insert(path.to_owned(), field);
    if BUILT_IN.iter().any(|end| path.ends_with(end)) {
        return;
    }
    for name in schema["properties"].as_object().into_iter().flat_map(|fields| fields.keys()) {
        collect(schema, name, &format!("{path}.{name}"), fields);
    }
    if schema["items"].is_object() {
        add(&schema["items"], false, &format!("{path}[]"), fields);
    }
    if schema["additionalProperties"].is_object() {
        add(&schema["additionalProperties"], false, &format!("{path}{{}}"), fields);
    }
}

fn kind_of(schema: &Value) -> String {
    if schema["x-kubernetes-int-or-string"] == true {
        return "int-or-string".to_owned();
    }
    schema["type"].as_str().unwrap_or("none").to_owned()
}

fn constraints(schema: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let list = |value: &Value| {
        let items: Vec<String> = value.as_array().unwrap().iter().map(text).collect();
        items.join(",")
    };
    let mut found = Vec::new();
    let mut note = |keyword: &str, written: &dyn Fn(&Value) -> String| {
        if let Some(value) = schema.get(keyword) {
            found.push(written(value));
        }
    };
    note("format", &|value| format!("format={}", text(value)));
    note("enum", &|value| format!("enum={}", list(value)));
    note("default", &|value| format!("default={}", text(value)));
    note("pattern", &|value| format!("pattern={}", text(value)));
    note("minimum", &|value| format!("minimum={}", text(value)));
    note("maximum", &|value| format!("maximum={}", text(value)));
    note("minItems", &|value| format!("minItems={}", text(value)));
    note("nullable", &|_| "nullable".to_owned());
    note("x-kubernetes-validations", &|value| format!("cel={}", text(&value[0]["rule"])));
    note("x-kubernetes-preserve-unknown-fields", &|_| "preserve-unknown".to_owned());
    found.join("; ")
}
