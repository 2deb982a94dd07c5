//! The `/scale` subresource: three numbers and a selector seen through a small object of its own.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::object::{Object, meta_str};
use crate::path;
use crate::resource::{Origin, Resource, ScalePaths};
use crate::selector::LabelSelector;

/// The scale of a stored object.
pub(crate) fn of(resource: &Resource, object: &Object) -> Result<Arc<Object>, ApiError> {
    let paths = paths(resource)?;
    let value = view(object.value(), paths);
    Ok(Arc::new(Object::new(value, object.resource_version())))
}

/// A stored object's scale as JSON.
pub(crate) fn view(object: &Value, paths: &ScalePaths) -> Value {
    let count = |dotted: &str| path::get(object, dotted).and_then(Value::as_i64).unwrap_or(0);
    let mut metadata = serde_json::Map::new();
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        let text = meta_str(object, key);
        if !text.is_empty() {
            metadata.insert(key.into(), json!(text));
        }
    }
    let mut status = json!({ "replicas": count(&paths.status_replicas) });
    let selector = paths.selector.as_ref().and_then(|dotted| path::get(object, dotted));
    if let Some(selector) = selector {
        status["selector"] = json!(selector_text(selector));
    }
    let wanted = match count(&paths.spec_replicas) {
        0 => json!({}),
        wanted => json!({ "replicas": wanted }),
    };
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": wanted, "status": status,
    })
}

/// The object with the desired count that a scale asks for.
pub(crate) fn applied(
    resource: &Resource,
    object: &Value,
    scale: &Value,
) -> Result<Value, ApiError> {
    let paths = paths(resource)?;
    let replicas = &scale["spec"]["replicas"];
    let built_in = resource.origin == Origin::BuiltIn;
    if built_in && replicas.as_i64().is_some_and(|count| count < 0) {
        let problem = crate::error::FieldProblem::invalid(
            "spec.replicas",
            replicas.clone(),
            "must be greater than or equal to 0",
        );
        let name = meta_str(object, "name");
        return Err(ApiError::invalid("autoscaling", "Scale", name, &[problem]));
    }
    let mut changed = object.clone();
    path::set(&mut changed, &paths.spec_replicas, json!(replicas.as_i64().unwrap_or(0)));
    if let Some(version) = scale["metadata"]["resourceVersion"].as_str() {
        changed["metadata"]["resourceVersion"] = json!(version);
    }
    Ok(changed)
}

fn paths(resource: &Resource) -> Result<&ScalePaths, ApiError> {
    resource.subresources.scale.as_ref().ok_or_else(ApiError::no_such_resource)
}

fn selector_text(selector: &Value) -> String {
    match selector {
        Value::String(text) => text.clone(),
        Value::Object(map)
            if !map.contains_key("matchLabels") && !map.contains_key("matchExpressions") =>
        {
            LabelSelector::from_object(&json!({ "matchLabels": selector })).to_string()
        }
        other => LabelSelector::from_object(other).to_string(),
    }
}
