//! Rules on the content of built-in kinds.
use serde_json::Value;

use crate::error::FieldProblem;
use crate::resource::Resource;

/// All broken rules.
pub(crate) fn validate(_r: &Resource, _old: Option<&Value>, _new: &Value) -> Vec<FieldProblem> {
    Vec::new()
}
