//! Server-side apply.
use serde_json::Value;

use super::Writer;
use crate::error::ApiError;
use crate::options::Force;
use crate::schema::Schema;

/// The object after an apply, with its `managedFields`.
pub(crate) fn apply(
    _schema: &Schema,
    _live: Option<&Value>,
    _config: &Value,
    _writer: &Writer<'_>,
    _force: Force,
) -> Result<Value, ApiError> {
    Err(ApiError::unsupported_media_type("apply patches are not supported yet"))
}
