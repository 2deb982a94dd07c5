//! Compiled schemas: one tree per kind that pruning, defaulting, validation, patches and field ownership walk.
//!
//! Start at [`Schema`]. Built-in kinds get theirs from the compiled-in types, custom ones from their definition.

pub(crate) mod cel;
pub(crate) mod collections;
mod cost;
pub(crate) mod custom;
pub(crate) mod decode;
pub(crate) mod default;
pub(crate) mod format;
pub(crate) mod structural;
pub(crate) mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

/// The JSON type a schema asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Anything.
    #[default]
    Any,
    /// An object with known fields, or a map.
    Object,
    /// A list.
    Array,
    /// A string.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A whole number or a string.
    IntOrString,
}

/// How a list merges and who can own a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListKind {
    /// Replaced as a whole.
    #[default]
    Atomic,
    /// Every item once.
    Set,
    /// Items are told apart by these keys.
    Map(Vec<String>),
}

/// How a strategic merge patch treats a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MergeRule {
    /// Lists are replaced, objects merged.
    #[default]
    Plain,
    /// Scalars are added.
    Union,
    /// Items are merged by this key.
    By(String),
}

/// One node of a schema.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a JSON schema has this many independent marks")]
pub struct Schema {
    /// Full name of the definition, such as `io.k8s.api.core.v1.PodSpec`; empty where there is none.
    pub name: String,
    /// The JSON type.
    pub shape: Shape,
    /// OpenAPI format, such as `int32`.
    pub format: String,
    /// The known fields of an object.
    pub properties: BTreeMap<String, Arc<Self>>,
    /// The type of a map's values.
    pub additional: Option<Arc<Self>>,
    /// The type of a list's items.
    pub items: Option<Arc<Self>>,
    /// Whether unknown fields are kept.
    pub preserve_unknown: bool,
    /// Whether this is an object within an object, which says what it is.
    pub(crate) embedded: bool,
    /// Whether null is a value.
    pub nullable: bool,
    /// What absent values become.
    pub default: Option<Value>,
    /// Whether an object is owned as a whole.
    pub atomic_map: bool,
    /// How a list merges.
    pub list: ListKind,
    /// How a strategic merge patch treats the list.
    pub merge: MergeRule,
    pub(crate) rules: Rules,
    pub(crate) cel: Vec<cel::Rule>,
    /// Whether a default is declared here or anywhere below.
    pub(crate) has_defaults: bool,
    /// Whether a CEL rule is declared here or anywhere below.
    pub(crate) has_cel: bool,
    /// Whether an object within the object is here or anywhere below.
    pub(crate) has_embedded: bool,
}

/// What a value must satisfy besides its type.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) required: Vec<String>,
    pub(crate) one_of_values: Vec<Value>,
    pub(crate) minimum: Option<(f64, Bound)>,
    pub(crate) maximum: Option<(f64, Bound)>,
    pub(crate) multiple_of: Option<f64>,
    pub(crate) length: (Option<u64>, Option<u64>),
    pub(crate) count: (Option<u64>, Option<u64>),
    pub(crate) fields: (Option<u64>, Option<u64>),
    pub(crate) pattern: Option<Regex>,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) any_of: Vec<Schema>,
    pub(crate) one_of: Vec<Schema>,
    pub(crate) not: Option<Box<Schema>>,
}

/// Whether a limit itself is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Inclusive,
    Exclusive,
}

impl Schema {
    /// The schema of a field of this object.
    pub(crate) fn field(&self, key: &str) -> Option<&Arc<Self>> {
        self.properties.get(key).or(self.additional.as_ref())
    }

    /// The definition's name without its package.
    pub(crate) fn short_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or_default()
    }

    /// Whether unknown fields of this object stay.
    pub(crate) fn is_open(&self) -> bool {
        self.preserve_unknown
            || self.shape == Shape::Any && self.properties.is_empty() && self.additional.is_none()
    }
}

/// The values of a list-map item that tell it apart: key and value in the schema's order.
///
/// A missing key takes its default, as the port protocol does.
pub(crate) fn item_keys(
    keys: &[String],
    items: Option<&Schema>,
    item: &Value,
) -> Vec<(String, Value)> {
    let value = |key: &String| {
        let given = item.get(key).filter(|value| !value.is_null()).cloned();
        let default = || items?.properties.get(key)?.default.clone();
        given.or_else(default)
    };
    keys.iter().filter_map(|key| Some((key.clone(), value(key)?))).collect()
}
