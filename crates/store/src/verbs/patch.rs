//! Patch: the four media types, each turned into a replace or, for apply, into a create or replace.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Written;
use super::create::check_kind;
use super::read::show;
use super::update::check_name;
use super::write::{Draft, Ownership};
use crate::error::ApiError;
use crate::managed_fields::{self, Writer};
use crate::object::{Object, meta_str};
use crate::options::{FieldValidation, Patch, WriteOptions};
use crate::patch;
use crate::resource::{Address, Origin, Resource, Subresource};
use crate::scale;
use crate::schema;
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
                let unread = new.clone();
                let strange = match &other {
                    Patch::Json(operations) => patch::json::unknown_fields(operations),
                    _ => Vec::new(),
                };
                refuse_strange(&strange, &unread, options)?;
                check_kind(&resource, &mut new).map_err(|error| unreadable(&error, &unread))?;
                check_identity(address, &new)?;
                let uid = meta_str(&new, "uid");
                if address.subresource != Subresource::Scale && !uid.is_empty() && uid != old.uid()
                {
                    return Err(other_uid(&resource, &address.name, uid));
                }
                let (subresource, ownership) = (address.subresource, Ownership::Changed);
                let old = Some(old);
                let custom = resource.origin == Origin::Custom;
                let draft = Draft { resource, subresource, old, new, options, ownership, now };
                let written = self.replace(draft).map(|mut written| {
                    written.warnings.splice(0..0, strange);
                    written
                });
                written.map_err(|error| match error.code {
                    400 if !custom => unreadable(&error, &unread),
                    _ => error,
                })
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the verb's own arguments plus the resource found for them"
    )]
    fn apply(
        &mut self,
        resource: Arc<Resource>,
        address: &Address,
        mut body: Value,
        options: &WriteOptions,
        now: Timestamp,
    ) -> Result<Written, ApiError> {
        if options.field_manager.is_empty() {
            let problem =
                crate::error::FieldProblem::required("fieldManager", "is required for apply patch");
            return Err(ApiError::invalid("meta.k8s.io", "PatchOptions", "", &[problem]));
        }
        if address.subresource == Subresource::Scale {
            return Err(ApiError::unsupported_media_type(
                "apply patches are not supported on the scale subresource",
            ));
        }
        check_applied_kind(&resource, &body)?;
        let spelled = format!("{}/{}", meta_str(&body, "namespace"), meta_str(&body, "name"));
        if meta_str(&body, "namespace").is_empty() && resource.is_namespaced() {
            crate::object::metadata_mut(&mut body)
                .insert("namespace".into(), json!(address.namespace_key()));
        }
        if body["metadata"].get("managedFields").is_some_and(|fields| !fields.is_null()) {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        let old = self.found(&resource.storage(), address.namespace_key(), &address.name).cloned();
        let old = old.map(|old| show(old, &resource));
        if old.is_none() {
            if address.subresource == Subresource::Status {
                return Err(ApiError::not_found(&resource.group_resource(), &address.name));
            }
            check_new(&resource, address, &mut body)?;
        }
        let schema = resource.schema();
        let loose = WriteOptions {
            field_validation: FieldValidation::Warn,
            duplicates: Vec::new(),
            ..options.clone()
        };
        let unknown = schema::decode::decode(&resource, &schema, &mut body, &loose)?;
        let untyped = |why: &str| {
            let version = resource.api_version();
            let slashed = if resource.group.is_empty() { format!("/{version}") } else { version };
            ApiError::unnamed(format!(
                "failed to create typed patch object ({spelled}; {slashed}, Kind={}): {why}",
                resource.kind
            ))
        };
        if let Some(field) = unknown.first().and_then(|text| text.split('"').nth(1)) {
            return Err(untyped(&format!(".{field}: field not declared in schema")));
        }
        if let Some(why) = doubled(&schema, &body, "") {
            return Err(untyped(&why));
        }
        let writer = Writer {
            manager: &options.field_manager,
            api_version: resource.api_version(),
            subresource: address.subresource,
            has_status: resource.subresources.status,
            origin: resource.origin,
            now,
        };
        let live = old.as_deref().map(Object::value);
        let new = managed_fields::apply::apply(&schema, live, &body, &writer, options.force)?;
        check_identity(address, &new)?;
        let (subresource, ownership) = (address.subresource, Ownership::Settled);
        let quiet = WriteOptions { duplicates: Vec::new(), ..options.clone() };
        let draft = Draft { resource, subresource, old, new, options: &quiet, ownership, now };
        self.finish(draft)
    }
}

/// What an apply that makes an object may say of it: no uid, and any version.
fn check_new(resource: &Resource, address: &Address, body: &mut Value) -> Result<(), ApiError> {
    let uid = meta_str(body, "uid").to_owned();
    crate::object::metadata_mut(body).remove("resourceVersion");
    if uid.is_empty() { Ok(()) } else { Err(other_uid(resource, &address.name, &uid)) }
}

fn other_uid(resource: &Resource, name: &str, uid: &str) -> ApiError {
    let bad =
        || crate::error::FieldProblem::invalid("metadata.uid", json!(uid), "field is immutable");
    ApiError::invalid(&resource.group, &resource.kind, name, &[bad(), bad()])
}

/// The first list that names a member twice.
fn doubled(schema: &schema::Schema, value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .find_map(|(key, value)| doubled(schema.field(key)?, value, &format!("{path}.{key}"))),
        Value::Array(list) => {
            let inner = schema.items.as_deref()?;
            if let schema::ListKind::Map(keys) = &schema.list {
                let names = |item: &Value| -> Vec<String> {
                    keys.iter().map(|key| format!("{key}={}", item[key])).collect()
                };
                for (index, item) in list.iter().enumerate() {
                    if list[..index].iter().any(|other| names(other) == names(item)) {
                        let names = names(item).join(",");
                        return Some(format!("{path}: duplicate entries for key [{names}]"));
                    }
                }
            }
            list.iter().find_map(|item| doubled(inner, item, path))
        }
        _ => None,
    }
}

/// What a patch made cannot be read as an object: the fault is the patch's.
fn unreadable(error: &ApiError, made: &Value) -> ApiError {
    let why = error.message.split_once(" cannot be handled as a ");
    let why = why.and_then(|(_, rest)| rest.split_once(": ")).map_or("", |(_, why)| why);
    let value = Value::String(made.to_string());
    let problem = crate::error::FieldProblem::invalid("patch", value, why);
    ApiError::invalid("", "", "", &[problem])
}

/// Operations with other fields are refused where unknown fields are.
fn refuse_strange(
    strange: &[String],
    made: &Value,
    options: &WriteOptions,
) -> Result<(), ApiError> {
    if strange.is_empty() || options.field_validation != FieldValidation::Strict {
        return Ok(());
    }
    let value = Value::String(made.to_string());
    let why = format!("strict decoding error: {}", strange.join(", "));
    let problem = crate::error::FieldProblem::invalid("patch", value, why);
    Err(ApiError::invalid("", "", "", &[problem]))
}

/// An applied object says what it is.
fn check_applied_kind(resource: &Resource, body: &Value) -> Result<(), ApiError> {
    let (version, kind) = (&body["apiVersion"], &body["kind"]);
    if *version == resource.api_version() && *kind == resource.kind {
        return Ok(());
    }
    let version = version.as_str().unwrap_or_default();
    let slashed = if version.contains('/') { version.to_owned() } else { format!("/{version}") };
    let kind = kind.as_str().unwrap_or_default();
    Err(ApiError::bad_request(format!("invalid object type: {slashed}, Kind={kind}")))
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
fn check_identity(address: &Address, new: &Value) -> Result<(), ApiError> {
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
