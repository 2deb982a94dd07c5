//! Defaults of built-in kinds.
use serde_json::Value;

use crate::resource::Resource;

/// Fills in what the user left out.
pub(crate) fn apply(_resource: &Resource, _old: Option<&Value>, _new: &mut Value) {}
