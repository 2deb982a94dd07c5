//! What a column is, and how cells reach into an object.

use super::age;
use jiff::Timestamp;
use serde_json::{Value, json};

/// One column of a built-in kind's table.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// The JSON type of the cells: `string` or `integer`.
    pub(crate) kind: &'static str,
    /// 0 is always shown, 1 only with `-o wide`.
    pub(crate) priority: u8,
    pub(crate) cell: Cell,
}

/// Computes a cell from an object and the present time.
pub(crate) type Cell = fn(&Value, Timestamp) -> Value;

pub(crate) const NAME: Column = text("Name", |object, _| shown(object, "/metadata/name"));
pub(crate) const AGE: Column = text("Age", |object, now| {
    json!(age::since(string(object, "/metadata/creationTimestamp"), now))
});
pub(crate) const CREATED_AT: Column = Column {
    name: "Created At",
    kind: "date",
    priority: 0,
    cell: |object, _| shown(object, "/metadata/creationTimestamp"),
};

pub(crate) const fn text(name: &'static str, cell: Cell) -> Column {
    Column { name, kind: "string", priority: 0, cell }
}

pub(crate) const fn wide(name: &'static str, cell: Cell) -> Column {
    Column { name, kind: "string", priority: 1, cell }
}

/// A number that upstream calls text in its definitions.
pub(crate) const fn count(name: &'static str, cell: Cell) -> Column {
    Column { name, kind: "string", priority: 0, cell }
}

pub(crate) const fn number(name: &'static str, cell: Cell) -> Column {
    Column { name, kind: "integer", priority: 0, cell }
}

impl Column {
    /// The column as a table's `columnDefinitions` entry.
    pub(crate) fn definition(&self) -> Value {
        let format = if self.name == "Name" { "name" } else { "" };
        json!({
            "name": self.name,
            "type": self.kind,
            "format": format,
            "description": "",
            "priority": self.priority,
        })
    }
}

/// The string at a JSON pointer.
pub(crate) fn string<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The string at a JSON pointer as a cell, empty when there is none.
pub(crate) fn shown(object: &Value, pointer: &str) -> Value {
    json!(string(object, pointer).unwrap_or_default())
}

/// The string at a JSON pointer as a cell, or `otherwise`.
pub(crate) fn shown_or(object: &Value, pointer: &str, otherwise: &str) -> Value {
    json!(string(object, pointer).unwrap_or(otherwise))
}

/// The integer at a JSON pointer, 0 when there is none.
pub(crate) fn integer(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// The items of the list at a JSON pointer; none when there is no list.
pub(crate) fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// How many entries the map at a JSON pointer has.
pub(crate) fn entries(object: &Value, pointer: &str) -> usize {
    object.pointer(pointer).and_then(Value::as_object).map_or(0, serde_json::Map::len)
}

/// `key=value,…` of the map at a JSON pointer, or `<none>`.
pub(crate) fn labels(object: &Value, pointer: &str) -> String {
    let map = object.pointer(pointer).and_then(Value::as_object);
    or_none(pairs(map).join(","))
}

/// `key=value` of each entry, by key.
fn pairs(map: Option<&serde_json::Map<String, Value>>) -> Vec<String> {
    let mut entries: Vec<_> = map.into_iter().flatten().collect();
    entries.sort_by_key(|(key, _)| key.as_str());
    entries.into_iter().map(|(key, value)| format!("{key}={}", plain(value))).collect()
}

/// A label selector with `matchLabels` and `matchExpressions` in one line.
pub(crate) fn selector(object: &Value, pointer: &str) -> String {
    let Some(selector) = object.pointer(pointer) else { return "<none>".to_owned() };
    let equal = selector.get("matchLabels").and_then(Value::as_object);
    let equal = pairs(equal).into_iter();
    let parts = equal.chain(items(selector, "/matchExpressions").iter().map(expression));
    or_none(parts.collect::<Vec<_>>().join(","))
}

fn expression(requirement: &Value) -> String {
    let key = string(requirement, "/key").unwrap_or_default();
    let mut values: Vec<String> = items(requirement, "/values").iter().map(plain).collect();
    values.sort();
    let values = joined(values.into_iter());
    match string(requirement, "/operator").unwrap_or_default() {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} notin ({values})"),
        "DoesNotExist" => format!("!{key}"),
        _ => key.to_owned(),
    }
}

/// A scalar without quotes, anything else as JSON.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `<none>` for an empty text.
pub(crate) fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
}

/// Parts with commas between.
pub(crate) fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

/// One field of each item of a list, with commas between.
pub(crate) fn each(object: &Value, list: &str, field: &str) -> Value {
    json!(joined(
        items(object, list).iter().filter_map(|item| string(item, field)).map(str::to_owned)
    ))
}
