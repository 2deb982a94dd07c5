//! JSON patch, with the leniency of the library that upstream uses: what is absent reads as null in some
//! operations, and a path is cut at its slashes whatever stands before the first.

use serde_json::{Map, Value};

use crate::error::{ApiError, REJECTED};

/// How many operations one patch may have.
pub(crate) const OPERATIONS_MAX: usize = 10_000;
/// How many bytes the `copy` operations of one patch may add up to.
pub(crate) const COPIED_BYTES_MAX: usize = 3 * 1024 * 1024;

/// The value after a list of operations; a failed operation is a 422, a malformed list a 400.
///
/// A `copy` can double the value, so their sizes are counted as the operations go.
pub(crate) fn apply(old: &Value, operations: &Value) -> Result<Value, ApiError> {
    let Value::Array(operations) = operations else {
        return Err(ApiError::bad_request("error decoding patch: it is not a list"));
    };
    if operations.len() > OPERATIONS_MAX {
        let (max, given) = (OPERATIONS_MAX, operations.len());
        return Err(too_large(format!(
            "The allowed maximum operations in a JSON patch is {max}, got {given}"
        )));
    }
    let mut new = old.clone();
    let mut copied = 0;
    for operation in operations {
        copied += copied_bytes(&new, operation);
        if copied > COPIED_BYTES_MAX {
            return Err(too_large(format!(
                "the copy operations of a JSON patch may add up to {COPIED_BYTES_MAX} bytes"
            )));
        }
        carry_out(&mut new, operation).ok_or_else(|| ApiError::new(422, "Invalid", REJECTED))?;
    }
    if new.is_object() { Ok(new) } else { Err(ApiError::new(422, "Invalid", REJECTED)) }
}

/// Carries one operation out; `None` when it cannot be.
fn carry_out(value: &mut Value, operation: &Value) -> Option<()> {
    let path = steps(operation.get("path")?.as_str()?);
    let given = operation.get("value").cloned().unwrap_or(Value::Null);
    match operation.get("op")?.as_str()? {
        "add" => add(value, &path, given),
        "replace" => replace(value, &path, given),
        "remove" => remove(value, &path).map(drop),
        "move" => {
            let from = steps(operation.get("from")?.as_str()?);
            let moved = remove(value, &from)?;
            add(value, &path, moved)
        }
        "copy" => {
            let from = steps(operation.get("from")?.as_str()?);
            let found = parent(value, &from)?.pointer(&last(&from)).cloned();
            add(value, &path, found.unwrap_or(Value::Null))
        }
        "test" => {
            let found = match path.as_slice() {
                [] => Some(value.clone()),
                _ => parent(value, &path)?.pointer(&last(&path)).cloned(),
            };
            (found.unwrap_or(Value::Null) == given).then_some(())
        }
        _ => None,
    }
}

fn steps(path: &str) -> Vec<String> {
    let decode = |step: &str| step.replace("~1", "/").replace("~0", "~");
    path.split('/').skip(1).map(decode).collect()
}

fn encode(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

fn last(path: &[String]) -> String {
    path.last().map(|step| format!("/{}", encode(step))).unwrap_or_default()
}

fn parent<'a>(value: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    let (_, above) = path.split_last()?;
    let pointer = above.iter().fold(String::new(), |pointer, step| pointer + "/" + &encode(step));
    value.pointer_mut(&pointer).filter(|parent| parent.is_object() || parent.is_array())
}

fn add(value: &mut Value, path: &[String], given: Value) -> Option<()> {
    let Some(key) = path.last() else {
        *value = given;
        return Some(());
    };
    match parent(value, path)? {
        Value::Object(map) => _ = map.insert(key.clone(), given),
        Value::Array(list) if key == "-" => list.push(given),
        Value::Array(list) => {
            let at: usize = key.parse().ok().filter(|at| *at <= list.len())?;
            list.insert(at, given);
        }
        _ => return None,
    }
    Some(())
}

fn replace(value: &mut Value, path: &[String], given: Value) -> Option<()> {
    let Some(key) = path.last() else {
        *value = given;
        return Some(());
    };
    match parent(value, path)? {
        Value::Object(map) => _ = map.insert(key.clone(), given),
        Value::Array(list) => *list.get_mut(key.parse::<usize>().ok()?)? = given,
        _ => return None,
    }
    Some(())
}

fn remove(value: &mut Value, path: &[String]) -> Option<Value> {
    let key = path.last()?;
    match parent(value, path)? {
        Value::Object(map) => map.remove(key),
        Value::Array(list) => {
            let at: usize = key.parse().ok().filter(|at| *at < list.len())?;
            Some(list.remove(at))
        }
        _ => None,
    }
}

fn copied_bytes(value: &Value, operation: &Value) -> usize {
    if operation["op"] != "copy" {
        return 0;
    }
    let source = value.pointer(operation["from"].as_str().unwrap_or_default());
    source.map_or(0, |source| source.to_string().len())
}

fn too_large(message: String) -> ApiError {
    ApiError::new(413, "RequestEntityTooLarge", message)
}

/// The fields of an operation; another one is as strange as an unknown field of an object.
pub(crate) fn unknown_fields(operations: &Value) -> Vec<String> {
    let known = ["op", "path", "from", "value"];
    let list = operations.as_array().into_iter().flatten().enumerate();
    let strange = |(index, one): (usize, &Value)| -> Vec<String> {
        let map: Option<&Map<String, Value>> = one.as_object();
        let keys = map.into_iter().flat_map(Map::keys).filter(|key| !known.contains(&key.as_str()));
        keys.map(|key| format!("json patch unknown field \"[{index}].{key}\"")).collect()
    };
    list.flat_map(strange).collect()
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
    fn operations_read_what_is_absent_as_upstream_does() {
        let check = |operation: Value, expected: Option<Value>| {
            let value = json!({ "a": { "b": 1 }, "l": [1, 2] });
            let answer = apply(&value, &json!([operation])).ok();
            assert_eq!(answer.map(|new| new["a"].clone()), expected, "{operation}");
        };
        check(json!({"op": "replace", "path": "/a/c", "value": 2}), Some(json!({"b": 1, "c": 2})));
        check(json!({"op": "add", "path": "/a/c"}), Some(json!({"b": 1, "c": null})));
        check(json!({"op": "copy", "from": "/a/x", "path": "/a/b"}), Some(json!({"b": null})));
        check(json!({"op": "test", "path": "/a/b", "value": 1}), Some(json!({"b": 1})));
        check(json!({"op": "remove", "path": "/a/x"}), None);
        check(json!({"op": "add", "path": "/x/y", "value": 1}), None);
        check(json!({"op": "jump", "path": "/a/b"}), None);
        check(json!({"op": "add", "path": "/l/9", "value": 1}), None);
    }
}
