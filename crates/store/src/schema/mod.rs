//! Compiled schemas: one tree per kind that pruning, defaulting, validation, patches and field ownership walk.
//!
//! Start at [`Schema`]. Built-in kinds get theirs from the compiled-in types, custom ones from their definition.

pub(crate) mod cel;
pub(crate) mod decode;
pub(crate) mod default;
pub(crate) mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

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

/// One node of a schema.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Name of the definition without its package, such as `PodSpec`; empty where there is none.
    pub name: String,
    /// The JSON type.
    pub shape: Shape,
    /// OpenAPI format, such as `int32`.
    pub format: String,
    /// The known fields of an object.
    pub properties: BTreeMap<String, Arc<Schema>>,
    /// The type of a map's values.
    pub additional: Option<Arc<Schema>>,
    /// The type of a list's items.
    pub items: Option<Arc<Schema>>,
    /// Whether unknown fields are kept.
    pub preserve_unknown: bool,
    /// Whether the value is a whole Kubernetes object.
    pub embedded: bool,
    /// Whether null is a value.
    pub nullable: bool,
    /// What absent values become.
    pub default: Option<Value>,
    /// Whether an object is owned as a whole.
    pub atomic_map: bool,
    /// How a list merges.
    pub list: ListKind,
    /// The key by which a strategic merge patch tells items apart; empty for lists of scalars that merge.
    pub merge_key: Option<String>,
}
