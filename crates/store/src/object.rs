//! A stored object: immutable, shared, serialised at most once.
//!
//! Start at [`Object`]. Objects are never changed in place: a write makes a new one.

use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::Value;

/// One version of one object.
#[derive(Debug)]
pub struct Object {
    value: Value,
    resource_version: u64,
    bytes: OnceLock<Bytes>,
}

impl Object {
    /// Wraps a value whose `metadata.resourceVersion` is already `resource_version`.
    pub fn new(value: Value, resource_version: u64) -> Self {
        Self { value, resource_version, bytes: OnceLock::new() }
    }

    /// The object as JSON.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The object serialised as JSON, made once and shared.
    pub fn bytes(&self) -> Bytes {
        self.bytes.get_or_init(|| Bytes::from(self.value.to_string())).clone()
    }

    /// `metadata.resourceVersion` as a number.
    pub fn resource_version(&self) -> u64 {
        self.resource_version
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        meta_str(&self.value, "name")
    }

    /// `metadata.namespace`; empty for cluster-wide kinds.
    pub fn namespace(&self) -> &str {
        meta_str(&self.value, "namespace")
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        meta_str(&self.value, "uid")
    }
}

/// A string of `metadata`; empty when absent.
pub(crate) fn meta_str<'a>(value: &'a Value, key: &str) -> &'a str {
    value["metadata"][key].as_str().unwrap_or_default()
}

/// Whether `metadata.deletionTimestamp` is set.
pub(crate) fn is_deleting(value: &Value) -> bool {
    value["metadata"]["deletionTimestamp"].is_string()
}

/// `metadata.finalizers`.
pub(crate) fn finalizers(value: &Value) -> impl Iterator<Item = &str> {
    strings(&value["metadata"]["finalizers"])
}

/// The strings of a JSON list; nothing when it is not one.
pub(crate) fn strings(value: &Value) -> impl Iterator<Item = &str> {
    items(value).iter().filter_map(Value::as_str)
}

/// The items of a JSON list; nothing when it is not one.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// `metadata` as a map, made when it is missing or not one.
pub(crate) fn metadata_mut(value: &mut Value) -> &mut serde_json::Map<String, Value> {
    map_mut(field_mut(value, "metadata"))
}

/// A field of an object; the value becomes an object if it is not one.
pub(crate) fn field_mut<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    map_mut(value).entry(key).or_insert(Value::Null)
}

/// The value as a map; it becomes an empty one if it is not one.
pub(crate) fn map_mut(value: &mut Value) -> &mut serde_json::Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(serde_json::Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made an object just above"),
    }
}
