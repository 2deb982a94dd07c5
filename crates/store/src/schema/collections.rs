//! Sets without doubles, list maps without doubled keys, and objects within objects.

use serde_json::{Value, json};

use super::{ListKind, Schema, item_keys};
use crate::error::FieldProblem;
use crate::path::join;

/// Members that are there twice, at every depth.
pub(crate) fn validate(schema: &Schema, value: &Value) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    walk(schema, value, "", &mut |schema, value, path| {
        if let Value::Array(list) = value {
            doubled(schema, list, path, &mut problems);
        }
    });
    problems
}

/// Objects within the object that do not say what they are.
pub(crate) fn validate_embedded(schema: &Schema, value: &Value) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    walk(schema, value, "", &mut |schema, value, path| {
        if !schema.embedded || !value.is_object() {
            return;
        }
        for key in ["apiVersion", "kind"] {
            if value[key].as_str().unwrap_or_default().is_empty() {
                problems.push(FieldProblem::required(join(path, key), ""));
            }
        }
    });
    problems
}

/// Goes to every value that has a schema.
fn walk(schema: &Schema, value: &Value, path: &str, see: &mut dyn FnMut(&Schema, &Value, &str)) {
    see(schema, value, path);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let Some(field) = schema.field(key) else { continue };
                if value.is_array() || value.is_object() {
                    let named = schema.properties.contains_key(key);
                    let below = if named { join(path, key) } else { format!("{path}[{key}]") };
                    walk(field, value, &below, see);
                }
            }
        }
        Value::Array(list) => {
            let Some(items) = &schema.items else { return };
            for (index, item) in list.iter().enumerate() {
                walk(items, item, &format!("{path}[{index}]"), see);
            }
        }
        _ => {}
    }
}

fn doubled(schema: &Schema, list: &[Value], path: &str, problems: &mut Vec<FieldProblem>) {
    let identity = |item: &Value| match &schema.list {
        ListKind::Map(keys) => {
            let keys = item_keys(keys, schema.items.as_deref(), item);
            Some(Value::Object(keys.into_iter().collect()))
        }
        ListKind::Set => Some(item.clone()),
        ListKind::Atomic => None,
    };
    let mut seen: Vec<Value> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let Some(identity) = identity(item) else { return };
        if seen.contains(&identity) {
            let shown = if identity.is_object() { identity } else { json!(item) };
            problems.push(FieldProblem::duplicate(format!("{path}[{index}]"), shown));
        } else {
            seen.push(identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::structural::compile;

    #[test]
    fn doubles_and_nameless_objects_are_found_at_every_depth() {
        let schema = json!({"type": "object", "properties": {
            "map": {"type": "object", "additionalProperties": {
                "type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"},
            }},
            "ports": {
                "type": "array", "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
            "pod": {"type": "object", "x-kubernetes-embedded-resource": true},
        }});
        let schema = compile(&schema, &mut |_| unreachable!());
        let value = json!({
            "map": {"a": ["x", "y", "x"]},
            "ports": [{"name": "a"}, {"name": "a", "n": 1}],
            "pod": {"apiVersion": "v1"},
        });
        let texts = |problems: Vec<FieldProblem>| -> Vec<String> {
            problems.iter().map(ToString::to_string).collect()
        };
        let doubled =
            ["map[a][2]: Duplicate value: \"x\"", "ports[1]: Duplicate value: {\"name\":\"a\"}"];
        assert_eq!(texts(validate(&schema, &value)), doubled);
        assert_eq!(texts(validate_embedded(&schema, &value)), ["pod.kind: Required value"]);
    }
}
