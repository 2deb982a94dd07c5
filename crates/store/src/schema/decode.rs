//! Decoding as a server does it: types are checked, unknown fields dropped, reported or refused.
//!
//! Built-in kinds refuse a value of the wrong type here; custom ones in validation, where all are listed.

use serde_json::Value;

use super::{Schema, Shape};
use crate::builtin::quantity::Quantity;
use crate::builtin::schemas::{self, ObjectMeta};
use crate::error::ApiError;
use crate::options::{FieldValidation, WriteOptions};
use crate::path::join;
use crate::resource::{Origin, Resource};

/// Said of a text that is no amount.
const QUANTITY: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// The most warnings one answer carries.
const WARNING_LIMIT: usize = 32;

/// Checks and prunes a body; the answer is the warnings.
pub(crate) fn decode(
    resource: &Resource,
    schema: &Schema,
    body: &mut Value,
    options: &WriteOptions,
) -> Result<Vec<String>, ApiError> {
    let refuse = |why: &str| {
        ApiError::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: {why}",
            resource.kind, resource.version, resource.kind
        ))
    };
    let mut walk = Walk { unknown: Vec::new(), mistyped: None };
    match resource.origin {
        Origin::BuiltIn => walk.typed(schema, body, &Place::root(schema)),
        Origin::Custom => {
            if let (Some(meta), Some(value)) =
                (schema.properties.get("metadata"), body.get_mut("metadata"))
            {
                let path = "metadata".to_owned();
                let root = Place { owner: "ObjectMeta".into(), path, go: String::new() };
                walk.typed(meta, value, &root);
                walk.embedded(schema, body, "");
            }
            prune(schema, body, "", &mut walk.unknown);
        }
    }
    if let Some(mistyped) = walk.mistyped {
        return Err(refuse(&mistyped));
    }
    walk.unknown.sort();
    let doubled = options.duplicates.iter().map(|path| format!("duplicate field {path:?}"));
    let unknown = walk.unknown.iter().map(|path| format!("unknown field {path:?}"));
    let complaints: Vec<String> = doubled.chain(unknown).take(WARNING_LIMIT).collect();
    match options.field_validation {
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn => Ok(complaints),
        FieldValidation::Strict if complaints.is_empty() => Ok(complaints),
        FieldValidation::Strict => {
            Err(refuse(&format!("strict decoding error: {}", complaints.join(", "))))
        }
    }
}

/// The first value of another type than a built-in kind's schema has.
pub(crate) fn mistyped(schema: &Schema, body: &Value) -> Option<String> {
    let mut walk = Walk { unknown: Vec::new(), mistyped: None };
    walk.typed(schema, &mut body.clone(), &Place::root(schema));
    walk.mistyped
}

/// Drops the fields a structural schema does not know and names them.
pub(crate) fn prune(schema: &Schema, value: &mut Value, path: &str, dropped: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let open = schema.is_open();
            map.retain(|key, _| {
                let known = open || schema.field(key).is_some();
                if !known {
                    dropped.push(join(path, key));
                }
                known
            });
            for (key, value) in map.iter_mut() {
                if path.is_empty() && key == "metadata" {
                    continue;
                }
                if let Some(field) = schema.field(key) {
                    prune_below(field, value, dropped, || join(path, key));
                }
            }
        }
        Value::Array(list) => {
            let Some(items) = &schema.items else { return };
            for (index, item) in list.iter_mut().enumerate() {
                prune_below(items, item, dropped, || format!("{path}[{index}]"));
            }
        }
        _ => {}
    }
}

/// Only containers have something below them; scalars cost no path.
fn prune_below(
    schema: &Schema,
    value: &mut Value,
    dropped: &mut Vec<String>,
    path: impl FnOnce() -> String,
) {
    if value.is_object() || value.is_array() {
        prune(schema, value, &path(), dropped);
    }
}

/// Fields of a probe that Go keeps in a structure within it.
const EMBEDDED_HANDLERS: [&str; 4] = ["exec", "grpc", "httpGet", "tcpSocket"];

/// Where the walk is: the struct that holds the field, the path for people, the path Go prints.
struct Place {
    owner: String,
    path: String,
    go: String,
}

impl Place {
    fn root(schema: &Schema) -> Self {
        Self { owner: schema.short_name().to_owned(), path: String::new(), go: String::new() }
    }

    /// What is below a key: a field of a structure, or a value of a map.
    fn below(&self, owner: &Schema, key: &str) -> Self {
        if owner.properties.contains_key(key) { self.field(owner, key) } else { self.value(key) }
    }

    fn field(&self, owner: &Schema, key: &str) -> Self {
        let name = owner.short_name();
        let owner = if name.is_empty() { self.owner.clone() } else { name.to_owned() };
        let embedded = match owner.as_str() {
            "Probe" if EMBEDDED_HANDLERS.contains(&key) => "ProbeHandler",
            "Volume" if key != "name" => "VolumeSource",
            _ => "",
        };
        let go = if embedded.is_empty() { self.go.clone() } else { join(&self.go, embedded) };
        Self { owner, path: join(&self.path, key), go: join(&go, key) }
    }

    /// A value of a map: Go names the map.
    fn value(&self, key: &str) -> Self {
        Self { owner: self.owner.clone(), path: join(&self.path, key), go: self.go.clone() }
    }

    fn item(&self, index: usize) -> Self {
        let path = format!("{}[{index}]", self.path);
        Self { owner: self.owner.clone(), path, go: self.go.clone() }
    }
}

struct Walk {
    unknown: Vec<String>,
    mistyped: Option<String>,
}

impl Walk {
    /// Checks types the way Go's decoder does: the first wrong one is fatal, nulls are absent fields.
    fn typed(&mut self, schema: &Schema, value: &mut Value, place: &Place) {
        if !fits(schema, value) {
            self.complain(schema, value, place);
            return;
        }
        match value {
            Value::Object(map) => {
                let open = schema.is_open();
                map.retain(|key, value| {
                    let known = open || schema.field(key).is_some();
                    if !known {
                        self.unknown.push(join(&place.path, key));
                    }
                    if value.is_null() && zero_is_text(schema, key) {
                        *value = Value::String(String::new());
                    }
                    if let Some(field) = schema.field(key).filter(|field| is_quantity(field)) {
                        canonical(field, value);
                    }
                    known && (open || !value.is_null()) && !is_left_out(schema, key, value)
                });
                for (key, value) in map.iter_mut() {
                    let Some(field) = schema.field(key) else { continue };
                    if value.is_object() || value.is_array() || !fits(field, value) {
                        self.typed(field, value, &place.below(schema, key));
                    }
                }
            }
            Value::Array(list) => {
                let Some(items) = &schema.items else { return };
                for (index, item) in list.iter_mut().enumerate() {
                    self.typed(items, item, &place.item(index));
                }
            }
            _ => {}
        }
    }

    /// The metadata of objects within the object is read as metadata is.
    fn embedded(&mut self, schema: &Schema, value: &mut Value, path: &str) {
        let below = |key: &str| join(path, key);
        match value {
            Value::Object(map) => {
                if let Some(metadata) = map.get_mut("metadata").filter(|_| schema.embedded) {
                    self.embedded_metadata(metadata, &below("metadata"));
                }
                for (key, value) in map.iter_mut().filter(|(_, value)| !value.is_string()) {
                    if let Some(field) = schema.field(key).filter(|field| field.has_embedded) {
                        self.embedded(field, value, &below(key));
                    }
                }
            }
            Value::Array(list) => {
                let Some(items) = schema.items.as_deref().filter(|items| items.has_embedded) else {
                    return;
                };
                for (index, item) in list.iter_mut().enumerate() {
                    self.embedded(items, item, &format!("{path}[{index}]"));
                }
            }
            _ => {}
        }
    }

    fn embedded_metadata(&mut self, metadata: &mut Value, path: &str) {
        let schema = schemas::of::<ObjectMeta>();
        let shown = metadata.to_string();
        let mut inner = Self { unknown: Vec::new(), mistyped: None };
        let root = Place { owner: "ObjectMeta".into(), path: path.to_owned(), go: String::new() };
        inner.typed(&schema, metadata, &root);
        self.unknown.extend(inner.unknown);
        if let Some(why) = inner.mistyped.filter(|_| self.mistyped.is_none()) {
            self.mistyped = Some(format!("{path}: Invalid value: {shown}: {why}"));
        }
    }

    fn complain(&mut self, schema: &Schema, value: &Value, place: &Place) {
        if self.mistyped.is_some() {
            return;
        }
        let (found, wanted) = (found(schema, value), go_type(schema));
        let (owner, field) = (&place.owner, &place.go);
        self.mistyped = Some(if schema.format == "date-time" && value.is_string() {
            let fraction = if schema.name.ends_with("MicroTime") { ".000000" } else { "" };
            format!(
                "parsing time {value} as \"2006-01-02T15:04:05{fraction}Z07:00\": cannot parse {value} as \"2006\""
            )
        } else if is_quantity(schema) {
            QUANTITY.to_owned()
        } else if schema.format == "byte" && value.is_string() {
            format!("illegal base64 data at input byte {}", bad_byte(value))
        } else if field.is_empty() {
            format!("json: cannot unmarshal {found} into Go value of type {wanted}")
        } else {
            format!(
                "json: cannot unmarshal {found} into Go struct field {owner}.{field} of type {wanted}"
            )
        });
    }
}

/// Whether a null stands for the empty text: Go's maps of texts have no other way to hold it.
fn zero_is_text(schema: &Schema, key: &str) -> bool {
    let value = schema.additional.as_deref();
    !schema.properties.contains_key(key) && value.is_some_and(|value| value.shape == Shape::String)
}

/// Empty lists and maps are not written by Go, but for the few fields that say otherwise.
fn is_left_out(schema: &Schema, key: &str, value: &Value) -> bool {
    const WRITTEN: [&str; 5] = ["rules", "finalizers", "subjects", "versions", "policies"];
    let Some(field) = schema.properties.get(key) else { return false };
    if schema.rules.required.iter().any(|one| one == key) || !fits(field, value) {
        return false;
    }
    let in_metadata = schema.short_name() == "ObjectMeta";
    match value {
        Value::Array(list) => list.is_empty() && (in_metadata || !WRITTEN.contains(&key)),
        Value::Object(map) => {
            map.is_empty() && field.additional.is_some() && field.properties.is_empty()
        }
        _ => false,
    }
}

/// Where a text stops being base64.
fn bad_byte(value: &Value) -> usize {
    let text = value.as_str().unwrap_or_default();
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    // Of one that ends too early, Go names the beginning of the last group of four.
    text.bytes().position(|byte| !good(byte)).unwrap_or(text.len() - text.len() % 4)
}

fn is_quantity(schema: &Schema) -> bool {
    schema.name.ends_with(".Quantity")
}

/// Amounts are written in one way, whatever way they came in.
fn canonical(schema: &Schema, value: &mut Value) {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    if fits(schema, value)
        && let Some(written) = crate::builtin::quantity::canonical(&text)
    {
        *value = Value::String(written);
    }
}

fn fits(schema: &Schema, value: &Value) -> bool {
    if is_quantity(schema) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return value.is_null() || Quantity::parse(&text).is_some();
    }
    match (schema.shape, value) {
        (_, Value::Null) | (Shape::Any, _) => true,
        (Shape::Object, Value::Object(_)) | (Shape::Array, Value::Array(_)) => true,
        (Shape::String, Value::String(text)) => {
            let checked = matches!(schema.format.as_str(), "date-time" | "byte");
            !checked || super::format::holds(&schema.format, text)
        }
        (Shape::Integer, Value::Number(number)) => {
            let whole = number.as_i64();
            whole.is_some_and(|whole| schema.format != "int32" || i32::try_from(whole).is_ok())
        }
        (Shape::Number, Value::Number(_)) | (Shape::Boolean, Value::Bool(_)) => true,
        (Shape::IntOrString, Value::Number(_) | Value::String(_)) => true,
        _ => false,
    }
}

fn found(schema: &Schema, value: &Value) -> String {
    match value {
        Value::Number(number) if schema.shape == Shape::Integer => format!("number {number}"),
        other => go_kind(other).to_owned(),
    }
}

fn go_type(schema: &Schema) -> String {
    let mut parts = schema.name.rsplit('.');
    let last = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match schema.shape {
        Shape::Integer if schema.format == "int32" => "int32".into(),
        Shape::Integer => "int64".into(),
        Shape::Number => "float64".into(),
        Shape::Boolean => "bool".into(),
        Shape::String => "string".into(),
        Shape::IntOrString => "int32".into(),
        Shape::Array => format!("[]{}", schema.items.as_deref().map(go_type).unwrap_or_default()),
        Shape::Object if last.0.is_empty() => {
            let value = schema.additional.as_deref().map_or("interface {}".into(), go_type);
            format!("map[string]{value}")
        }
        _ if last.0.is_empty() => "interface {}".into(),
        _ => format!("{}.{}", last.1, last.0),
    }
}

/// The word Go uses for a JSON value's type.
pub fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
