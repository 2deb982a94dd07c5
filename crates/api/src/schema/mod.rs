//! Schemas as a Kubernetes API server takes them.
//!
//! Start at [`structural`]: from a Rust type to a structural schema, without references, nulls or
//! anything else that a server refuses. Nothing here knows a particular kind.

pub(crate) mod built_in;
pub(crate) mod shape;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Keywords that JSON Schema has and a structural schema has not, or that say nothing to users.
const DROPPED: [&str; 6] = ["$schema", "title", "minimum", "maximum", "examples", "deprecated"];

/// Formats that an API server checks; other formats are about Rust.
const FORMATS: [&str; 3] = ["int32", "int64", "date-time"];

/// Marks a schema within another that is structural already, and whose defaults are meant.
pub(crate) const FINISHED: &str = "x-finished";

/// The structural schema of a type.
pub(crate) fn structural<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    simplify(&mut schema);
    schema
}

/// Makes a schema and everything in it structural.
pub(crate) fn simplify(schema: &mut Value) {
    let Value::Object(keywords) = schema else {
        *schema = json!({ "x-kubernetes-preserve-unknown-fields": true });
        return;
    };
    if keywords.remove(FINISHED).is_some() {
        return;
    }
    unwrap_option(keywords);
    for keyword in DROPPED {
        keywords.remove(keyword);
    }
    keywords.retain(|keyword, value| match keyword.as_str() {
        "default" => !is_empty(value),
        "format" => value.as_str().is_some_and(|format| FORMATS.contains(&format)),
        "additionalProperties" => *value != Value::Bool(false),
        _ => true,
    });
    for child in children(keywords) {
        simplify(child);
    }
}

/// The schemas within a schema.
pub(crate) fn children(keywords: &mut Map<String, Value>) -> Vec<&mut Value> {
    let mut children = Vec::new();
    for (keyword, value) in keywords {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => children.extend(properties.values_mut()),
            ("items" | "additionalProperties", value @ Value::Object(_)) => children.push(value),
            _ => {}
        }
    }
    children
}

/// Drops the null that `Option` adds: absence says the same.
fn unwrap_option(keywords: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = keywords.get_mut("type") {
        types.retain(|kind| kind != "null");
        let only = types.pop().unwrap_or(Value::Null);
        keywords.insert("type".to_owned(), only);
    }
    if let Some(Value::Array(choices)) = keywords.remove("anyOf") {
        let chosen = choices.into_iter().find(|choice| choice["type"] != "null");
        for (keyword, value) in chosen.iter().filter_map(Value::as_object).flatten() {
            keywords.entry(keyword.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// Tells whether a default is what absence means anyway.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Sample {
        /// How many.
        count: Option<i32>,
        inner: Option<Inner>,
        size: u16,
    }

    /// What is inside.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Inner {
        text: String,
    }

    #[test]
    fn options_and_references_leave_no_trace() {
        let expected = json!({
            "type": "object",
            "required": ["size"],
            "properties": {
                "count": { "type": "integer", "format": "int32", "description": "How many." },
                "inner": {
                    "type": "object",
                    "description": "What is inside.",
                    "required": ["text"],
                    "properties": { "text": { "type": "string" } },
                },
                "size": { "type": "integer" },
            },
        });
        assert_eq!(structural::<Sample>(), expected);
    }
}
