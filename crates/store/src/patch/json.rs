//! JSON patch.

use json_patch::{Patch, PatchOperation};
use serde_json::Value;

use crate::error::ApiError;

/// How many operations one patch may have.
pub(crate) const OPERATIONS_MAX: usize = 10_000;
/// How many bytes the `copy` operations of one patch may add up to.
pub(crate) const COPIED_BYTES_MAX: usize = 3 * 1024 * 1024;

/// The value after a list of operations; a failed operation is a 422, a malformed list a 400.
///
/// A `copy` can double the value, so their sizes are counted as the operations go.
pub(crate) fn apply(old: &Value, operations: &Value) -> Result<Value, ApiError> {
    let patch: Patch = serde_json::from_value(operations.clone())
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    if patch.0.len() > OPERATIONS_MAX {
        let (max, given) = (OPERATIONS_MAX, patch.0.len());
        return Err(too_large(format!(
            "The allowed maximum operations in a JSON patch is {max}, got {given}"
        )));
    }
    let mut new = old.clone();
    let mut copied = 0;
    for (index, operation) in patch.0.iter().enumerate() {
        copied += copied_bytes(&new, operation);
        if copied > COPIED_BYTES_MAX {
            return Err(too_large(format!(
                "the copy operations of a JSON patch may add up to {COPIED_BYTES_MAX} bytes"
            )));
        }
        json_patch::patch(&mut new, std::slice::from_ref(operation)).map_err(|mut error| {
            error.operation = index;
            let why = "the server rejected our request due to an error in our request";
            ApiError::new(422, "Invalid", format!("{why}: {error}"))
        })?;
    }
    Ok(new)
}

fn copied_bytes(value: &Value, operation: &PatchOperation) -> usize {
    let PatchOperation::Copy(copy) = operation else { return 0 };
    let source = value.pointer(copy.from.as_str());
    source.map_or(0, |source| source.to_string().len())
}

fn too_large(message: String) -> ApiError {
    ApiError::new(413, "RequestEntityTooLarge", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn copies_cannot_double_a_value_without_end() {
        let copy = |at| json!({ "op": "copy", "from": "/x", "path": format!("/x/again{at}") });
        let operations = (0..40).map(copy).collect();
        let refused = apply(&json!({ "x": { "text": "some text" } }), &operations).unwrap_err();
        assert_eq!((refused.code, refused.reason), (413, "RequestEntityTooLarge"));
    }

    #[test]
    fn a_failed_operation_is_named_by_its_number() {
        let operations =
            json!([{ "op": "add", "path": "/a", "value": 1 }, { "op": "remove", "path": "/b" }]);
        let refused = apply(&json!({}), &operations).unwrap_err();
        assert!(refused.message.contains("operation '/1'"), "{}", refused.message);
    }
}
