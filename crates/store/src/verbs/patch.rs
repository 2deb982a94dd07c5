//! Patch: three media types, each turned into a replace; the fourth is `apply`.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Written;
use super::create::check_kind;
use super::update::check_name;
use super::write::{Draft, Ownership};
use crate::error::ApiError;
use crate::object::{Object, meta_str};
use crate::options::{FieldValidation, Patch, WriteOptions};
use crate::patch;
use crate::resource::{Address, Origin, Resource, Subresource};
use crate::scale;
use crate::store::Store;

impl Store {
    /// Changes an object, or its status or scale. An apply patch makes the object if it is not there.
    pub fn patch(
        &mut self,
        address: &Address,
        patch: Patch,
        options: &WriteOptions,
        now: Timestamp,
    ) -> Result<Written, ApiError> {
        let resource = self.catalogue.get(&address.resource)?;
        match patch {
            Patch::Apply(body) => self.apply(resource, address, body, options, now),
            other => {
                let old = self.current(&resource, address)?;
                let mut new = if address.subresource == Subresource::Scale {
                    patched_scale(&resource, &old, &other)?
                } else {
                    patched(&resource, old.value(), &other)?
                };
                let (made, kind) = (new.clone(), Arc::clone(&resource));
                let unread = || shown(&kind, &other, &made);
                let (strange, options) = strange_fields(&other, options);
                refuse_strange(&strange, &unread, &options)?;
                check_kind(&resource, &mut new).map_err(|error| unreadable(&error, &unread))?;
                check_identity(address, &new)?;
                let uid = meta_str(&new, "uid");
                if address.subresource != Subresource::Scale && !uid.is_empty() && uid != old.uid()
                {
                    return Err(other_uid(&resource, &address.name, uid));
                }
                let (subresource, ownership) = (address.subresource, Ownership::Changed);
                let old = Some(old);
                let draft =
                    Draft { resource, subresource, old, new, options: &options, ownership, now };
                let written = self.replace(draft).map(|mut written| {
                    written.warnings.splice(0..0, strange);
                    written
                });
                written.map_err(|error| match error.code {
                    400 => unreadable(&error, &unread),
                    _ => error,
                })
            }
        }
    }
}

pub(super) fn other_uid(resource: &Resource, name: &str, uid: &str) -> ApiError {
    let bad =
        || crate::error::FieldProblem::invalid("metadata.uid", json!(uid), "field is immutable");
    ApiError::invalid(&resource.group, &resource.kind, name, &[bad(), bad()])
}

/// What a patch made cannot be read as an object: the fault is the patch's.
fn unreadable(error: &ApiError, made: &dyn Fn() -> String) -> ApiError {
    let why = error.message.split_once(" cannot be handled as a ");
    let Some((_, why)) = why.and_then(|(_, rest)| rest.split_once(": ")) else {
        return error.clone();
    };
    let value = Value::String(made());
    let problem = crate::error::FieldProblem::invalid("patch", value, why);
    ApiError::invalid("", "", "", &[problem])
}

/// What a patch made, as refusals show it: the patch itself where it was merged by its fields' types.
fn shown(resource: &Resource, patch: &Patch, made: &Value) -> String {
    if let Patch::Strategic(body) = patch {
        return go_map(body);
    }
    if resource.origin == Origin::Custom {
        return sorted(made).to_string();
    }
    let mut whole = Map::new();
    let mut fields: Vec<_> = made.as_object().into_iter().flatten().collect();
    fields.sort_by_key(|(key, _)| key.as_str());
    for (key, value) in fields {
        let value = if key == "metadata" { in_order(value) } else { value.clone() };
        whole.insert(key.clone(), value);
    }
    Value::Object(whole).to_string()
}

/// Fields of metadata in the order of upstream's structure.
const METADATA_ORDER: [&str; 14] = [
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

fn in_order(metadata: &Value) -> Value {
    let fields = METADATA_ORDER
        .iter()
        .filter_map(|key| metadata.get(*key).map(|value| ((*key).to_owned(), value.clone())));
    Value::Object(fields.collect())
}

pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            let fields = fields.into_iter().map(|(key, value)| (key.clone(), sorted(value)));
            Value::Object(fields.collect())
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        scalar => scalar.clone(),
    }
}

/// A value as Go prints what it reads without a schema.
fn go_map(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            let texts: Vec<String> = list.iter().map(go_map).collect();
            format!("[{}]", texts.join(" "))
        }
        Value::Object(map) => {
            let mut texts: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", go_map(value))).collect();
            texts.sort();
            format!("map[{}]", texts.join(" "))
        }
        scalar => scalar.to_string(),
    }
}

/// What operations say that they should not; of other patches, their object says it.
fn strange_fields(patch: &Patch, options: &WriteOptions) -> (Vec<String>, WriteOptions) {
    let mut options = options.clone();
    let Patch::Json(operations) = patch else { return (Vec::new(), options) };
    let doubled = std::mem::take(&mut options.duplicates);
    let doubled = doubled.iter().map(|path| format!("json patch duplicate field {path:?}"));
    (doubled.chain(patch::json::unknown_fields(operations)).collect(), options)
}

/// Operations with other fields are refused where unknown fields are.
fn refuse_strange(
    strange: &[String],
    made: &dyn Fn() -> String,
    options: &WriteOptions,
) -> Result<(), ApiError> {
    if strange.is_empty() || options.field_validation != FieldValidation::Strict {
        return Ok(());
    }
    let value = Value::String(made());
    let why = format!("strict decoding error: {}", strange.join(", "));
    let problem = crate::error::FieldProblem::invalid("patch", value, why);
    Err(ApiError::invalid("", "", "", &[problem]))
}

fn patched(resource: &Resource, old: &Value, patch: &Patch) -> Result<Value, ApiError> {
    match patch {
        Patch::Json(operations) => patch::json::apply(old, operations),
        Patch::Merge(body) => {
            let mut new = old.clone();
            if !body.is_object() {
                return Err(ApiError::bad_request(
                    "error decoding patch: a merge patch must be a JSON object",
                ));
            }
            json_patch::merge(&mut new, body);
            Ok(new)
        }
        Patch::Strategic(body) => {
            if resource.origin == Origin::Custom {
                return Err(ApiError::unsupported_media_type(
                    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
                ));
            }
            patch::strategic::apply(&resource.schema(), old, body)
        }
        Patch::Apply(_) => Err(ApiError::bad_request("an apply patch is not a change to a value")),
    }
}

fn patched_scale(resource: &Resource, old: &Object, patch: &Patch) -> Result<Value, ApiError> {
    let current = scale::of(resource, old)?;
    let changed = match patch {
        Patch::Strategic(body) => patched(resource, current.value(), &Patch::Merge(body.clone()))?,
        other => patched(resource, current.value(), other)?,
    };
    scale::applied(resource, old.value(), &changed)
}

/// A patch may not rename or move an object, nor change its kind.
pub(super) fn check_identity(address: &Address, new: &Value) -> Result<(), ApiError> {
    let mut body = json!({ "metadata": { "name": meta_str(new, "name") } });
    check_name(address, &mut body)?;
    if meta_str(new, "name").is_empty() {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            address.name
        )));
    }
    if meta_str(new, "namespace") != address.namespace_key() {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}
