//! Small words for writing structural schemas.

use serde_json::{Map, Value, json};

/// One named property of an object.
pub(super) struct Field {
    name: &'static str,
    schema: Value,
    required: bool,
}

impl Field {
    /// A property with a schema.
    pub(super) fn of(name: &'static str, schema: Value) -> Self {
        Self { name, schema, required: false }
    }

    /// Must be there.
    pub(super) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Has this value when it is not given.
    pub(super) fn default(self, value: &Value) -> Self {
        self.with("default", value.clone())
    }

    /// May only be one of these texts.
    pub(super) fn one_of(self, values: &[&str]) -> Self {
        self.with("enum", json!(values))
    }

    /// Must lie within these bounds.
    pub(super) fn between(self, least: i64, most: i64) -> Self {
        self.with("minimum", json!(least)).with("maximum", json!(most))
    }

    /// Has at most so many items.
    pub(super) fn at_most(self, items: u32) -> Self {
        self.with("maxItems", json!(items))
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        self.schema[key] = value;
        self
    }
}

/// A text.
pub(super) fn string(name: &'static str) -> Field {
    Field::of(name, json!({"type": "string"}))
}

/// A whole number.
pub(super) fn integer(name: &'static str) -> Field {
    Field::of(name, json!({"type": "integer", "format": "int32"}))
}

/// A list.
pub(super) fn array(name: &'static str, items: Value) -> Field {
    Field::of(name, json!({"type": "array"})).with("items", items)
}

/// Anything: fields that the embedded gateway does not look at.
pub(super) fn any(name: &'static str) -> Field {
    Field::of(name, json!({"x-kubernetes-preserve-unknown-fields": true}))
}

/// An object with these properties and no others.
pub(super) fn object<const N: usize>(fields: [Field; N]) -> Value {
    let required: Vec<&str> =
        fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut schema = json!({"type": "object"});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    let properties: Map<String, Value> =
        fields.into_iter().map(|field| (field.name.to_owned(), field.schema)).collect();
    schema["properties"] = Value::Object(properties);
    schema
}
