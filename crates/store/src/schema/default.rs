//! Filling in defaults that a schema declares.
use serde_json::Value;

use super::Schema;

/// Fills in declared defaults.
pub(crate) fn apply(_schema: &Schema, _value: &mut Value) {}
