//! The values of an evaluation.
//!
//! Lists, maps and texts are shared, so that naming one costs nothing. Each knows how many values it
//! holds and how deep it is; one beyond the limits cannot be made, so that no walk over a value is long.

use super::{
    limits::{MAX_VALUE_NESTING, MAX_VALUES},
    number::float_text,
};
use jiff::Timestamp;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    List(Arc<List>),
    Map(Arc<Map>),
    Time(Timestamp),
    /// Nanoseconds.
    Duration(i64),
}

/// A list that is within the limits.
#[derive(Debug)]
pub(super) struct List {
    items: Vec<Value>,
    extent: Extent,
}

/// A map that is within the limits.
#[derive(Debug)]
pub(super) struct Map {
    fields: BTreeMap<Arc<str>, Value>,
    extent: Extent,
}

/// How many values there are within one, and how deep it is.
#[derive(Clone, Copy, Debug)]
struct Extent {
    values: usize,
    depth: usize,
}

/// Bytes of text that count as one value.
const BYTES_A_VALUE: usize = 16;

impl Value {
    /// A list.
    ///
    /// # Errors
    /// The limit, when it is passed.
    pub(super) fn list(items: Vec<Self>) -> Result<Self, String> {
        let extent = Extent::around(items.iter())?;
        Ok(Self::List(Arc::new(List { items, extent })))
    }

    /// A map.
    ///
    /// # Errors
    /// The limit, when it is passed.
    pub(super) fn map(fields: BTreeMap<Arc<str>, Self>) -> Result<Self, String> {
        let extent = Extent::around(fields.values())?;
        Ok(Self::Map(Arc::new(Map { fields, extent })))
    }

    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// How many values a walk over this one meets.
    pub(super) fn extent(&self) -> usize {
        Extent::of(self).values
    }

    /// How deep lists and maps are nested within this one.
    pub(super) fn depth(&self) -> usize {
        Extent::of(self).depth
    }

    /// The type of this value in Go's words.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
            Self::Time(_) => "time.Time",
            Self::Duration(_) => "time.Duration",
        }
    }

    /// This value, of which the engine demands that it is true or false.
    ///
    /// # Errors
    /// Go's sentence.
    pub(super) fn as_bool(&self) -> Result<bool, String> {
        match self {
            Self::Bool(value) => Ok(*value),
            other => Err(other.is_no("bool")),
        }
    }

    /// Go's sentence on a value that is not of the type that is demanded.
    pub(super) fn is_no(&self, wanted: &str) -> String {
        let is = if self.is_nil() { "nil" } else { self.type_name() };
        format!("interface conversion: interface {{}} is {is}, not {wanted}")
    }
}

impl List {
    pub(super) fn items(&self) -> &[Value] {
        &self.items
    }
}

impl Map {
    pub(super) fn fields(&self) -> &BTreeMap<Arc<str>, Value> {
        &self.fields
    }
}

impl Extent {
    fn of(value: &Value) -> Self {
        match value {
            Value::Text(text) => Self { values: 1 + text.len() / BYTES_A_VALUE, depth: 0 },
            Value::List(list) => list.extent,
            Value::Map(map) => map.extent,
            _ => Self { values: 1, depth: 0 },
        }
    }

    fn around<'a>(within: impl Iterator<Item = &'a Value>) -> Result<Self, String> {
        let start = Self { values: 1, depth: 0 };
        let extent = within.map(Self::of).fold(start, |sum, each| Self {
            values: sum.values.saturating_add(each.values),
            depth: sum.depth.max(each.depth + 1),
        });
        if extent.values > MAX_VALUES {
            return Err(format!("a value holds more than {MAX_VALUES} values"));
        }
        if extent.depth > MAX_VALUE_NESTING {
            return Err(format!("a value is nested more than {MAX_VALUE_NESTING} deep"));
        }
        Ok(extent)
    }
}

/// As Go's `%v` prints it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("<nil>"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => f.write_str(&float_text(*value)),
            Self::Text(text) => f.write_str(text),
            Self::List(list) => {
                f.write_str("[")?;
                for (at, item) in list.items.iter().enumerate() {
                    write!(f, "{}{item}", if at == 0 { "" } else { " " })?;
                }
                f.write_str("]")
            }
            Self::Map(map) => {
                f.write_str("map[")?;
                for (at, (key, value)) in map.fields.iter().enumerate() {
                    write!(f, "{}{key}:{value}", if at == 0 { "" } else { " " })?;
                }
                f.write_str("]")
            }
            Self::Time(time) => write!(f, "{}", time.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC")),
            Self::Duration(nanos) => f.write_str(&super::time::duration_text(*nanos)),
        }
    }
}
