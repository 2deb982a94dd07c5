//! JSON patch.

use serde_json::Value;

use crate::error::ApiError;

/// The value after a list of operations; a failed operation is a 422, a malformed list a 400.
pub(crate) fn apply(old: &Value, operations: &Value) -> Result<Value, ApiError> {
    let patch: json_patch::Patch = serde_json::from_value(operations.clone())
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    let mut new = old.clone();
    json_patch::patch(&mut new, &patch).map_err(|error| {
        ApiError::new(
            422,
            "Invalid",
            format!("the server rejected our request due to an error in our request: {error}"),
        )
    })?;
    Ok(new)
}
