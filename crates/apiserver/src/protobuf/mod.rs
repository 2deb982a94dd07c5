//! Request bodies in Kubernetes' protobuf, read as the JSON they stand for.
//!
//! Go clients encode the built-in kinds so (`kubectl create`, `kubectl auth can-i`) and do not try again in
//! another format. Answers are always JSON, which the same clients read.
//!
//! `fields.tsv` is the wire contract of the built-in kinds: message, field number, JSON name (`.` when the
//! field's own fields stand in its parent), type, and `omit` when an empty value is left out of the JSON.

mod wire;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use wire::{Fields, Malformed, Raw, varint};

/// The first bytes of every body.
const MAGIC: &[u8] = b"k8s\0";

/// How deep messages may nest.
const DEPTH_MAX: usize = 64;

/// The types of fields.
static MESSAGES: LazyLock<BTreeMap<&str, BTreeMap<u32, Field>>> =
    LazyLock::new(|| read(include_str!("fields.tsv")));

/// One field of a message.
struct Field {
    name: &'static str,
    kind: &'static str,
    empty: Empty,
}

/// What an empty value means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    Kept,
    Omitted,
}

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is no such body at all, or it ends too early.
    Malformed,
    /// Its kind is not known in this format.
    Unknown,
}

impl From<Malformed> for Unreadable {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Reads a whole body.
pub(crate) fn decode(body: &[u8]) -> Result<Value, Unreadable> {
    let envelope = body.strip_prefix(MAGIC).ok_or(Unreadable::Malformed)?;
    let (mut kind, mut raw) = (&b""[..], &b""[..]);
    for field in Fields(envelope) {
        match field? {
            (1, Raw::Bytes(bytes)) => kind = bytes,
            (2, Raw::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let (api_version, kind) = (texts(kind, 1)?, texts(kind, 2)?);
    let fields = message(&definition(&api_version, &kind), raw, DEPTH_MAX)?;
    let mut object = Map::from_iter([
        ("apiVersion".to_owned(), Value::from(api_version)),
        ("kind".to_owned(), Value::from(kind)),
    ]);
    object.extend(fields);
    Ok(Value::Object(object))
}

/// The message of a kind: `apps/v1.Deployment`; delete options are the same in every group.
fn definition(api_version: &str, kind: &str) -> String {
    if kind == "DeleteOptions" {
        return "meta/v1.DeleteOptions".to_owned();
    }
    match api_version.split_once('/') {
        Some((group, version)) => {
            format!("{}/{version}.{kind}", group.split('.').next().unwrap_or_default())
        }
        None => format!("{api_version}.{kind}"),
    }
}

fn read(table: &'static str) -> BTreeMap<&'static str, BTreeMap<u32, Field>> {
    let mut messages: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for line in table.lines() {
        let mut cells = line.split('\t');
        let mut next = || cells.next().unwrap_or_default();
        let (message, number, name, kind) = (next(), next(), next(), next());
        let empty = if next() == "omit" { Empty::Omitted } else { Empty::Kept };
        let Ok(number) = number.parse() else { continue };
        messages.entry(message).or_default().insert(number, Field { name, kind, empty });
    }
    messages
}

fn message(name: &str, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, Unreadable> {
    let fields = MESSAGES.get(name).ok_or(Unreadable::Unknown)?;
    let deeper = depth.checked_sub(1).ok_or(Unreadable::Malformed)?;
    let mut object = Map::new();
    for field in Fields(bytes) {
        let (number, raw) = field?;
        let Some(field) = fields.get(&number) else { continue };
        field.put(&mut object, raw, deeper)?;
    }
    Ok(object)
}

impl Field {
    fn put(
        &self,
        object: &mut Map<String, Value>,
        raw: Raw<'_>,
        depth: usize,
    ) -> Result<(), Unreadable> {
        if let Some(kind) = self.kind.strip_prefix("[]") {
            let list = object.entry(self.name).or_insert_with(|| json!([]));
            return append(list, kind, raw, depth);
        }
        if let Some(kind) = self.kind.strip_prefix("map:") {
            let map = object.entry(self.name).or_insert_with(|| json!({}));
            return insert(map, kind, raw, depth);
        }
        match value(self.kind, raw, depth)? {
            Value::Null => {}
            Value::Object(inner) if self.name == "." => object.extend(inner),
            value if self.empty == Empty::Omitted && is_empty(&value) => {}
            value => {
                object.insert(self.name.to_owned(), value);
            }
        }
        Ok(())
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_i64() == Some(0),
        _ => false,
    }
}

fn append(list: &mut Value, kind: &str, raw: Raw<'_>, depth: usize) -> Result<(), Unreadable> {
    let Value::Array(items) = list else { return Err(Unreadable::Malformed) };
    if let ("int", Raw::Bytes(mut packed)) = (kind, raw) {
        while !packed.is_empty() {
            items.push(Value::from(varint(&mut packed)?.cast_signed()));
        }
        return Ok(());
    }
    items.push(value(kind, raw, depth)?);
    Ok(())
}

fn insert(map: &mut Value, kind: &str, raw: Raw<'_>, depth: usize) -> Result<(), Unreadable> {
    let (Value::Object(map), Raw::Bytes(entry)) = (map, raw) else {
        return Err(Unreadable::Malformed);
    };
    let key = texts(entry, 1)?;
    let mut found = value(kind, Raw::Bytes(b""), depth)?;
    for field in Fields(entry) {
        if let (2, raw) = field? {
            found = value(kind, raw, depth)?;
        }
    }
    map.insert(key, found);
    Ok(())
}

fn value(kind: &str, raw: Raw<'_>, depth: usize) -> Result<Value, Unreadable> {
    match (kind, raw) {
        ("bool", Raw::Number(number)) => Ok(Value::from(number != 0)),
        ("int", Raw::Number(number)) => Ok(Value::from(number.cast_signed())),
        ("double", Raw::Number(number)) => Ok(Value::from(f64::from_bits(number))),
        ("string", Raw::Bytes(bytes)) => text(bytes).map(Value::from),
        ("bytes", Raw::Bytes(bytes)) => Ok(Value::from(STANDARD.encode(bytes))),
        ("quantity", Raw::Bytes(bytes)) => texts(bytes, 1).map(Value::from),
        ("time", Raw::Bytes(bytes)) => time(bytes),
        ("duration", Raw::Bytes(bytes)) => {
            let span = SignedDuration::from_nanos(number(bytes, 1)?);
            Ok(Value::from(format!("{}s", span.as_secs_f64())))
        }
        ("intorstring", Raw::Bytes(bytes)) => match number(bytes, 1)? {
            0 => Ok(Value::from(number(bytes, 2)?)),
            _ => texts(bytes, 3).map(Value::from),
        },
        ("json", Raw::Bytes(bytes)) => {
            let inner = bytes_at(bytes, 1)?;
            serde_json::from_slice(inner).map_err(|_| Unreadable::Malformed)
        }
        // A list of strings as a map's value is a message of its own with one repeated field.
        ("[]string", Raw::Bytes(bytes)) => {
            let mut items = json!([]);
            for field in Fields(bytes) {
                append(&mut items, "string", field?.1, depth)?;
            }
            Ok(items)
        }
        (name, Raw::Bytes(bytes)) => message(name, bytes, depth).map(Value::Object),
        (_, Raw::Number(_)) => Err(Unreadable::Malformed),
    }
}

/// A time in whole seconds or, when it has them, microseconds; null when it is not set.
fn time(bytes: &[u8]) -> Result<Value, Unreadable> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let nanos = i32::try_from(number(bytes, 2)?).map_err(|_| Unreadable::Malformed)?;
    let time = Timestamp::new(number(bytes, 1)?, nanos).map_err(|_| Unreadable::Malformed)?;
    Ok(Value::from(if nanos == 0 { time.to_string() } else { format!("{time:.6}") }))
}

fn number(bytes: &[u8], wanted: u32) -> Result<i64, Unreadable> {
    let mut found = 0;
    for field in Fields(bytes) {
        match field? {
            (number, Raw::Number(value)) if number == wanted => found = value.cast_signed(),
            _ => {}
        }
    }
    Ok(found)
}

fn bytes_at(bytes: &[u8], wanted: u32) -> Result<&[u8], Unreadable> {
    let mut found = &b""[..];
    for field in Fields(bytes) {
        match field? {
            (number, Raw::Bytes(value)) if number == wanted => found = value,
            _ => {}
        }
    }
    Ok(found)
}

fn texts(bytes: &[u8], wanted: u32) -> Result<String, Unreadable> {
    text(bytes_at(bytes, wanted)?)
}

fn text(bytes: &[u8]) -> Result<String, Unreadable> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Unreadable::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `kubectl create configmap cm --from-literal=a=b` sends.
    const CONFIG_MAP: &[u8] = b"k8s\0\
        \x0a\x0f\x0a\x02v1\x12\x09ConfigMap\
        \x12\x1c\x0a\x12\x0a\x02cm\x12\x00\x1a\x00\x22\x00\x2a\x00\x32\x00\x38\x00\x42\x00\x12\x06\x0a\x01a\x12\x01b\
        \x1a\x00\x22\x00";

    #[test]
    fn a_body_of_kubectl_reads_as_its_json() {
        let expected = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": {"a": "b"},
        });
        assert_eq!(decode(CONFIG_MAP), Ok(expected));
    }

    #[test]
    fn no_prefix_of_a_body_panics() {
        for end in 0..CONFIG_MAP.len() {
            let _ = decode(&CONFIG_MAP[..end]);
        }
        assert_eq!(decode(b"{}"), Err(Unreadable::Malformed));
    }

    #[test]
    fn a_kind_without_table_is_unknown() {
        let body = b"k8s\0\x0a\x0b\x0a\x04x/v1\x12\x03Odd\x12\x00";
        assert_eq!(decode(body), Err(Unreadable::Unknown));
    }

    #[test]
    fn every_type_of_the_table_is_known() {
        let simple = [
            "bool",
            "int",
            "double",
            "string",
            "bytes",
            "quantity",
            "time",
            "duration",
            "intorstring",
            "json",
            "[]string",
        ];
        for field in MESSAGES.values().flat_map(BTreeMap::values) {
            let kind = field.kind.trim_start_matches("map:").trim_start_matches("[]");
            assert!(simple.contains(&kind) || MESSAGES.contains_key(kind), "{kind}");
        }
    }

    #[test]
    fn special_values_read_as_in_json() {
        let check = |kind: &str, bytes: &[u8], expected: Value| {
            assert_eq!(value(kind, Raw::Bytes(bytes), 9), Ok(expected), "{kind}");
        };
        check("intorstring", &[0x08, 0, 0x10, 80], json!(80));
        check("intorstring", &[0x08, 1, 0x1a, 3, b'2', b'5', b'%'], json!("25%"));
        check("quantity", &[0x0a, 4, b'1', b'0', b'0', b'm'], json!("100m"));
        check("time", &[0x08, 0x80, 0xa3, 0x05], json!("1970-01-02T00:00:00Z"));
        check("time", &[], Value::Null);
    }
}
