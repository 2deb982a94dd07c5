//! The difference of two values as a patch.

use serde_json::{Map, Value};

/// The merge patch (RFC 7386) that turns `old` into `new`; `None` when there is nothing to do.
///
/// A merge patch cannot tell a field that is null from one that is not there, so neither does this: a
/// patch that would change nothing is never made. Lists are replaced whole.
pub fn merge_patch_between(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return (old != new).then(|| new.clone());
    };
    let mut patch = Map::new();
    for (key, value) in new {
        let before = old.get(key).unwrap_or(&Value::Null);
        let change = merge_patch_between(before, value);
        patch.extend(change.map(|change| (key.clone(), change)));
    }
    let gone = old.iter().filter(|(key, value)| !value.is_null() && !new.contains_key(*key));
    patch.extend(gone.map(|(key, _)| (key.clone(), Value::Null)));
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(old: &Value, new: &Value, patch: Option<&Value>) {
        assert_eq!(merge_patch_between(old, new).as_ref(), patch, "{old} -> {new}");
    }

    #[test]
    fn a_merge_patch_holds_only_what_changed() {
        check(&json!({"a": 1}), &json!({"a": 1}), None);
        check(&json!({}), &json!({"a": 1}), Some(&json!({"a": 1})));
        check(&json!({"a": 1, "b": 2}), &json!({"a": 1}), Some(&json!({"b": null})));
        check(
            &json!({"a": {"x": 1, "y": 2}, "b": {"c": 2}}),
            &json!({"a": {"x": 1, "y": 3}, "b": {"c": 2}}),
            Some(&json!({"a": {"y": 3}})),
        );
        check(
            &json!({"a": 1, "b": {"c": 2}}),
            &json!({"b": {}}),
            Some(&json!({"a": null, "b": {"c": null}})),
        );
    }

    #[test]
    fn lists_and_values_of_another_type_are_replaced_whole() {
        check(&json!({"l": [1]}), &json!({"l": [1, 2]}), Some(&json!({"l": [1, 2]})));
        check(&json!({"a": "x"}), &json!({"a": {"x": 1}}), Some(&json!({"a": {"x": 1}})));
        check(&Value::Null, &json!({"a": 1}), Some(&json!({"a": 1})));
        check(&json!({"a": 1}), &Value::Null, Some(&Value::Null));
    }

    #[test]
    fn null_and_absent_are_the_same() {
        check(&json!({}), &json!({"a": null}), None);
        check(&json!({"a": null}), &json!({}), None);
        check(&json!({"a": 1}), &json!({"a": null}), Some(&json!({"a": null})));
    }
}
