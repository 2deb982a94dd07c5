//! Strategic merge patch.
use serde_json::Value;

use crate::error::ApiError;
use crate::schema::Schema;

/// The value after a strategic merge patch.
pub(crate) fn apply(_schema: &Schema, _old: &Value, _patch: &Value) -> Result<Value, ApiError> {
    Err(ApiError::unsupported_media_type("strategic merge patches are not supported yet"))
}
