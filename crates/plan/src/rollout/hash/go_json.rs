//! A pod template and canary steps as Go writes them: fields in the order of Go's types, what is empty left out where Go
//! leaves it out, amounts in their canonical form.
//!
//! The order is data, in `wire_order.txt`. Fields that are not there are newer than it and left out.

use crate::rollout::quantities::canonical;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::LazyLock};

static TYPES: LazyLock<BTreeMap<&'static str, Vec<Field>>> = LazyLock::new(|| {
    let lines = include_str!("wire_order.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).map(|(name, rest)| (name, fields(rest))).collect()
});

struct Field {
    name: &'static str,
    /// Whether it is written although it is empty.
    stays: bool,
    kind: Kind,
}

enum Kind {
    Any,
    Bool,
    List(Box<Self>),
    Map(Box<Self>),
    Number,
    Object(&'static str),
    Pointer(Box<Self>),
    Quantity,
    Text,
}

/// The JSON that Go makes of a pod template, before it escapes what HTML would take for markup.
pub(super) fn pod_template(template: &Value) -> String {
    let mut out = String::new();
    object("PodTemplateSpec", template, &mut out);
    out
}

/// The JSON that Go makes of canary steps.
pub(super) fn canary_steps(steps: &[Value]) -> String {
    let mut out = String::new();
    list(&Kind::Object("CanaryStep"), steps, &mut out);
    out
}

fn fields(line: &'static str) -> Vec<Field> {
    let field = |word: &'static str| {
        let (name, kind) = word.split_once(':')?;
        let (name, stays) = name.strip_suffix('!').map_or((name, false), |name| (name, true));
        Some(Field { name, stays, kind: Kind::named(kind) })
    };
    line.split(' ').filter_map(field).collect()
}

impl Kind {
    fn named(word: &'static str) -> Self {
        let inner = || Box::new(Self::named(&word[1..]));
        match word {
            "any" => Self::Any,
            "bool" => Self::Bool,
            "number" => Self::Number,
            "quantity" => Self::Quantity,
            "text" | "time" => Self::Text,
            _ if word.starts_with('*') => Self::Pointer(inner()),
            _ if word.starts_with('[') => Self::List(inner()),
            _ if word.starts_with('{') => Self::Map(inner()),
            _ => Self::Object(word),
        }
    }

    /// What Go leaves out. A value that is no pointer is never absent, and an object never empty.
    fn is_empty(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Any | Self::Object(_) | Self::Quantity, _) => false,
            (_, Value::Null) => true,
            (Self::Pointer(_), _) => false,
            (_, Value::Bool(value)) => !value,
            (_, Value::Number(number)) => number.as_i64() == Some(0),
            (_, Value::String(text)) => text.is_empty(),
            (_, Value::Array(items)) => items.is_empty(),
            (_, Value::Object(fields)) => fields.is_empty(),
        }
    }

    /// What Go writes for a value that was not given.
    fn zero(&self) -> &'static str {
        match self {
            Self::Any | Self::Number => "0",
            Self::Bool => "false",
            Self::List(_) | Self::Map(_) | Self::Pointer(_) => "null",
            Self::Quantity => "\"0\"",
            Self::Object(_) | Self::Text => "\"\"",
        }
    }
}

fn object(name: &str, value: &Value, out: &mut String) {
    out.push('{');
    let mut separator = "";
    for field in TYPES.get(name).into_iter().flatten() {
        let value = value.get(field.name).unwrap_or(&Value::Null);
        if field.stays || !field.kind.is_empty(value) {
            out.push_str(separator);
            out.push_str(&text_of(field.name));
            out.push(':');
            write(&field.kind, value, out);
            separator = ",";
        }
    }
    out.push('}');
}

fn write(kind: &Kind, value: &Value, out: &mut String) {
    match (kind, value) {
        (Kind::Object(name), _) => object(name, value, out),
        (_, Value::Null) => out.push_str(kind.zero()),
        (Kind::Pointer(inner), _) => write(inner, value, out),
        (Kind::List(inner), Value::Array(items)) => list(inner, items, out),
        (Kind::Map(inner), Value::Object(fields)) => map(inner, fields, out),
        (Kind::Quantity, Value::String(text)) => out.push_str(&text_of(&canonical(text))),
        _ => out.push_str(&value.to_string()),
    }
}

fn list(kind: &Kind, items: &[Value], out: &mut String) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        write(kind, item, out);
    }
    out.push(']');
}

/// Go sorts the keys of a map.
fn map(kind: &Kind, fields: &Map<String, Value>, out: &mut String) {
    let sorted = fields.iter().collect::<BTreeMap<_, _>>();
    out.push('{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        out.push_str(&text_of(key));
        out.push(':');
        write(kind, value, out);
    }
    out.push('}');
}

fn text_of(text: &str) -> String {
    Value::from(text).to_string()
}
