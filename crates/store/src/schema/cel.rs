//! Rules in CEL.
use serde_json::Value;

use super::Schema;
use crate::error::FieldProblem;

/// All broken rules.
pub(crate) fn validate(_schema: &Schema, _new: &Value, _old: Option<&Value>) -> Vec<FieldProblem> {
    Vec::new()
}
