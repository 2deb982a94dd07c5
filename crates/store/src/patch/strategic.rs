//! Strategic merge patch: a merge patch that knows which lists are keyed, with directives for the rest.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::object::items;
use crate::schema::{MergeRule, Schema};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// The value after a strategic merge patch; a directive nobody knows is a 400.
pub(crate) fn apply(schema: &Schema, old: &Value, patch: &Value) -> Result<Value, ApiError> {
    let (Value::Object(old), Value::Object(patch)) = (old, patch) else {
        return Err(ApiError::bad_request(
            "error decoding patch: a strategic merge patch must be a JSON object",
        ));
    };
    merge_maps(Some(schema), old, patch).map(Value::Object)
}

fn merge_maps(
    schema: Option<&Schema>,
    old: &Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<Map<String, Value>, ApiError> {
    match patch.get(DIRECTIVE).and_then(Value::as_str) {
        None | Some("merge") => {}
        // Upstream keeps nothing of a plain map that says so.
        Some("replace") if schema.is_some_and(|schema| schema.additional.is_some()) => {
            return Ok(Map::new());
        }
        Some("replace") => return Ok(without_directives(patch)),
        Some("delete") => return Ok(Map::new()),
        Some(other) => return Err(unknown_directive(other, patch)),
    }
    let mut merged = old.clone();
    if let Some(kept) = patch.get(RETAIN_KEYS) {
        merged.retain(|key, _| items(kept).iter().any(|one| one == key));
    }
    for (key, value) in patch {
        let list = key.strip_prefix(DELETE_FROM).and_then(|list| merged.get_mut(list));
        if let Some(Value::Array(kept)) = list {
            kept.retain(|item| !items(value).contains(item));
        }
    }
    for (key, value) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        let field = schema.and_then(|schema| schema.field(key)).map(AsRef::as_ref);
        match (merged.get(key), value) {
            (_, Value::Null) => {
                merged.remove(key);
            }
            (before, value) => {
                let value = merge_field(field, before, value)?;
                merged.insert(key.clone(), value);
            }
        }
    }
    for (key, order) in patch {
        // Without an order of its own, a patch's list is one: its members come as it names them.
        let keyed = schema.and_then(|schema| schema.field(key));
        let keyed = keyed.is_some_and(|field| matches!(field.merge, MergeRule::By(_)));
        let own =
            keyed && order.is_array() && !patch.contains_key(&format!("{ELEMENT_ORDER}{key}"));
        let Some(list) = key.strip_prefix(ELEMENT_ORDER).or(own.then_some(key.as_str())) else {
            continue;
        };
        let field = schema.and_then(|schema| schema.field(list));
        let before = old.get(list).map(items).unwrap_or_default();
        if let (Some(field), Some(Value::Array(list))) = (field, merged.get_mut(list)) {
            *list = reorder(&field.merge, before, std::mem::take(list), items(order));
        }
    }
    Ok(merged)
}

fn merge_field(
    schema: Option<&Schema>,
    old: Option<&Value>,
    patch: &Value,
) -> Result<Value, ApiError> {
    match (old, patch) {
        (Some(Value::Object(old)), Value::Object(patch)) => {
            merge_maps(schema, old, patch).map(Value::Object)
        }
        (_, Value::Object(patch)) => merge_maps(schema, &Map::new(), patch).map(Value::Object),
        (old, Value::Array(patch)) => {
            let old = old.map(items).unwrap_or_default();
            let rule = schema.map_or(&MergeRule::Plain, |schema| &schema.merge);
            let inner = schema.and_then(|schema| schema.items.as_deref());
            match rule {
                MergeRule::Plain => Ok(Value::Array(patch.clone())),
                MergeRule::Union => Ok(Value::Array(union(old, patch))),
                MergeRule::By(key) => merge_lists(inner, key, old, patch).map(Value::Array),
            }
        }
        (_, scalar) => Ok(scalar.clone()),
    }
}

fn union(old: &[Value], patch: &[Value]) -> Vec<Value> {
    let mut all = old.to_vec();
    for item in patch {
        if !all.contains(item) {
            all.push(item.clone());
        }
    }
    all
}

fn merge_lists(
    schema: Option<&Schema>,
    key: &str,
    old: &[Value],
    patch: &[Value],
) -> Result<Vec<Value>, ApiError> {
    let replaces = patch.iter().any(|item| item[DIRECTIVE] == "replace");
    let mut merged = if replaces { Vec::new() } else { old.to_vec() };
    for item in patch {
        let Value::Object(fields) = item else { continue };
        let place = merged.iter().position(|other| other.get(key) == fields.get(key));
        match fields.get(DIRECTIVE).and_then(Value::as_str) {
            Some("replace") => {
                if fields.contains_key(key) {
                    merged.push(Value::Object(without_directives(fields)));
                }
            }
            Some("delete") => merged.retain(|other| other.get(key) != fields.get(key)),
            None | Some("merge") => {
                let Some(wanted) = fields.get(key) else { return Err(keyless(key, fields)) };
                let empty = Map::from_iter([(key.to_owned(), wanted.clone())]);
                let before = place.and_then(|place| merged[place].as_object()).unwrap_or(&empty);
                let new = Value::Object(merge_maps(schema, before, fields)?);
                match place {
                    Some(place) => merged[place] = new,
                    None => merged.push(new),
                }
            }
            Some(other) => return Err(unknown_directive(other, fields)),
        }
    }
    Ok(merged)
}

/// Items named by the client come in its order; the others stay where they were among them.
fn reorder(rule: &MergeRule, old: &[Value], merged: Vec<Value>, order: &[Value]) -> Vec<Value> {
    let key = match rule {
        MergeRule::By(key) => Some(key.as_str()),
        MergeRule::Union => None,
        MergeRule::Plain => return merged,
    };
    let identity = |item: &Value| key.map_or_else(|| item.clone(), |key| item[key].clone());
    let before = |item: &Value| old.iter().position(|one| identity(one) == identity(item));
    let rank = |item: &Value| order.iter().position(|one| identity(one) == identity(item));
    let (mut ordered, others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| rank(item).is_some());
    ordered.sort_by_key(|item| rank(item));
    let mut result = Vec::with_capacity(ordered.len() + others.len());
    let mut others = others.into_iter().peekable();
    for item in ordered {
        let place = before(&item);
        while let Some(other) = others.next_if(|other| place.is_some() && before(other) < place) {
            result.push(other);
        }
        result.push(item);
    }
    result.extend(others);
    result
}

fn without_directives(map: &Map<String, Value>) -> Map<String, Value> {
    let fields = map.iter().filter(|(key, value)| !key.starts_with('$') && !value.is_null());
    fields.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn unknown_directive(word: &str, map: &Map<String, Value>) -> ApiError {
    let map = go_map(&Value::Object(map.clone()));
    ApiError::unnamed(format!("unknown patch type: {word} in map: {map}"))
}

fn keyless(key: &str, map: &Map<String, Value>) -> ApiError {
    let map = go_map(&Value::Object(map.clone()));
    ApiError::unnamed(format!("map: {map} does not contain declared merge key: {key}"))
}

/// A value as Go prints it.
fn go_map(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let field = |(key, value): (&String, &Value)| format!("{key}:{}", go_map(value));
            let fields: Vec<String> = map.iter().map(field).collect();
            format!("map[{}]", fields.join(" "))
        }
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(go_map).collect();
            format!("[{}]", items.join(" "))
        }
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::schemas::of;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    #[test]
    fn lists_merge_by_key_and_obey_directives() {
        let schema = of::<Pod>();
        let spec = schema.properties["spec"].as_ref();
        let check = |old: Value, patch: Value, expected: Value| {
            assert_eq!(apply(spec, &old, &patch).unwrap(), expected, "{patch}");
        };
        let two = json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]});
        check(
            two.clone(),
            json!({"containers": [{"name": "b", "image": "3"}]}),
            json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "3"}]}),
        );
        check(
            two.clone(),
            json!({"containers": [{"name": "a", "$patch": "delete"}]}),
            json!({"containers": [{"name": "b", "image": "2"}]}),
        );
        check(
            two.clone(),
            json!({"containers": [{"$patch": "replace"}, {"name": "c"}]}),
            json!({"containers": [{"name": "c"}]}),
        );
        check(
            two.clone(),
            json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
            json!({"containers": [{"name": "b", "image": "2"}, {"name": "a", "image": "1"}]}),
        );
        check(
            two,
            json!({"containers": [{"name": "a", "image": null}], "nodeName": "n"}),
            json!({"containers": [{"name": "a"}, {"name": "b", "image": "2"}], "nodeName": "n"}),
        );
        check(
            json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
            json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/"}}]}),
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
        );
        check(
            json!({"tolerations": [{"key": "a"}]}),
            json!({"tolerations": [{"key": "b"}]}),
            json!({"tolerations": [{"key": "b"}]}),
        );
    }

    #[test]
    fn primitive_lists_merge_and_shrink() {
        let schema = of::<Pod>();
        let meta = schema.properties["metadata"].as_ref();
        let old = json!({"finalizers": ["a", "b"]});
        let patch = json!({"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]});
        assert_eq!(apply(meta, &old, &patch).unwrap(), json!({"finalizers": ["b", "c"]}));
    }

    #[test]
    fn an_unknown_directive_is_refused() {
        let schema = of::<Pod>();
        let patch = json!({"spec": {"$patch": "explode"}});
        assert_eq!(apply(&schema, &json!({}), &patch).unwrap_err().code, 500);
    }
}
