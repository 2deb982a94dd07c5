//! Schemas that fields ask for by name.
//!
//! Nothing here is a whole kind; see [`super::structural`].

use super::built_in;
use k8s_openapi::{
    api::{batch::v1::JobSpec, core::v1::PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;

/// Any object; the server knows better what is in it.
pub(crate) fn object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}

/// An object that is kept as it is.
pub(crate) fn free_form(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// A whole number or text.
pub(crate) fn int_or_string(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-int-or-string": true })
}

/// What a thing waits for, with its evidence.
pub(crate) fn reasons(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": { "type": "string", "description": "A stable code, such as `WaitingForPods`." },
                "message": { "type": "string", "description": "One sentence." },
                "evidence": {
                    "type": "object",
                    "description": "The facts the sentence rests on.",
                    "additionalProperties": { "type": "string" },
                },
            },
        },
    })
}

/// A label query, replaced as a whole.
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    built_in::embed::<LabelSelector>()
}

/// A label query that may not change.
pub(crate) fn immutable_selector(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = label_selector(generator);
    let rule = json!([{ "rule": "self == oldSelf", "message": ".spec.selector is immutable" }]);
    schema.insert("x-kubernetes-validations".to_owned(), rule);
    schema
}

/// A pod template.
pub(crate) fn pod_template(_: &mut SchemaGenerator) -> Schema {
    built_in::embed::<PodTemplateSpec>()
}

/// A Job's specification.
pub(crate) fn job(_: &mut SchemaGenerator) -> Schema {
    built_in::embed::<JobSpec>()
}
