//! Text that YAML takes for something else: `app: y` is true to it, and `version: 1.10` a number.
//!
//! Go's reader, which upstream's linter uses, knows the field that a value is meant for, and where that holds
//! text it makes text of booleans and numbers again: `true`, `1.1`.

use super::Schema;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

/// Fields of every object that hold nothing but text.
const OF_METADATA: [&str; 2] = ["/metadata/labels", "/metadata/annotations"];

/// Makes text of what stands where `schema` wants text.
pub(super) fn restore(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let known = schema.properties.as_ref().and_then(|known| known.get(name));
                let any = match &schema.additional_properties {
                    Some(JSONSchemaPropsOrBool::Schema(schema)) => Some(schema.as_ref()),
                    _ => None,
                };
                if let Some(schema) = known.or(any) {
                    restore(schema, value);
                }
            }
        }
        Value::Array(items) => {
            let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items else { return };
            for item in items {
                restore(schema, item);
            }
        }
        _ if schema.type_.as_deref() == Some("string") => make_text(value),
        _ => {}
    }
}

/// Makes text of the labels and annotations of an object of any kind, and of the selector of a Service.
pub(super) fn restore_metadata(object: &mut Value) {
    let selector = (object["kind"] == "Service").then_some("/spec/selector");
    for path in OF_METADATA.into_iter().chain(selector) {
        let texts = object.pointer_mut(path).and_then(Value::as_object_mut);
        texts.into_iter().flat_map(|texts| texts.values_mut()).for_each(make_text);
    }
}

fn make_text(value: &mut Value) {
    let text = match value {
        Value::Bool(word) => word.to_string(),
        Value::Number(number) => match number.as_f64() {
            // Go writes what has a fraction in single precision.
            #[expect(clippy::cast_possible_truncation, reason = "as Go does")]
            Some(fraction) if number.is_f64() => (fraction as f32).to_string(),
            _ => number.to_string(),
        },
        _ => return,
    };
    *value = Value::String(text);
}
