//! Schemas that fields ask for by name.
//!
//! Those of Kubernetes' own types are made once, as they are large and stand in several kinds.
//! Nothing here is a whole kind; see [`super::structural`].

use super::{FINISHED, built_in};
use k8s_openapi::{api::batch::v1::JobSpec, apimachinery::pkg::apis::meta::v1::LabelSelector};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;
use std::sync::LazyLock;

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
    static SCHEMA: LazyLock<Schema> = LazyLock::new(built_in::embed::<LabelSelector>);
    SCHEMA.clone()
}

/// A label query that may not change.
pub(crate) fn immutable_selector(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = label_selector(generator);
    let rule = json!([{ "rule": "self == oldSelf", "message": ".spec.selector is immutable" }]);
    schema.insert("x-kubernetes-validations".to_owned(), rule);
    schema
}

/// A pod template, which is also the greater part of a Job.
pub(crate) fn pod_template(_: &mut SchemaGenerator) -> Schema {
    let template = JOB.get("properties").and_then(|fields| fields.get("template")).cloned();
    let schema = template.and_then(|template| Schema::try_from(template).ok());
    let mut schema = schema.unwrap_or_default();
    schema.insert(FINISHED.to_owned(), json!(true));
    schema
}

/// A Job's specification.
pub(crate) fn job(_: &mut SchemaGenerator) -> Schema {
    JOB.clone()
}

static JOB: LazyLock<Schema> = LazyLock::new(built_in::embed::<JobSpec>);
