//! Filling in defaults that a schema declares.

use serde_json::Value;

use super::Schema;

/// Fills in declared defaults; a null that is not a value becomes the default or goes.
pub(crate) fn apply(schema: &Schema, value: &mut Value) {
    if !schema.has_defaults {
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, field) in &schema.properties {
                let absent = map.get(key).is_none_or(|value| value.is_null() && !field.nullable);
                if let Some(default) = field.default.as_ref().filter(|_| absent) {
                    map.insert(key.clone(), default.clone());
                }
            }
            for (key, value) in map.iter_mut() {
                if let Some(field) = schema.field(key) {
                    apply(field, value);
                }
            }
        }
        Value::Array(list) => {
            let Some(items) = &schema.items else { return };
            for item in list {
                apply(items, item);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::structural::compile;
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_reach_into_lists_and_maps_but_make_no_parents() {
        let schema = json!({"type": "object", "properties": {
            "replicas": {"type": "integer", "default": 1},
            "inner": {"type": "object", "properties": {"mode": {"type": "string", "default": "on"}}},
            "list": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer", "default": 7}}}},
        }});
        let schema = compile(&schema, &mut |_| unreachable!());
        let check = |mut value: Value, expected: Value| {
            apply(&schema, &mut value);
            assert_eq!(value, expected);
        };
        check(json!({}), json!({"replicas": 1}));
        check(
            json!({"replicas": null, "inner": {}}),
            json!({"replicas": 1, "inner": {"mode": "on"}}),
        );
        check(
            json!({"replicas": 2, "list": [{}, {"n": 1}]}),
            json!({"replicas": 2, "list": [{"n": 7}, {"n": 1}]}),
        );
    }
}
