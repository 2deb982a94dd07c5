//! Server-side apply: what a manager wants is read by its types, merged, and becomes a create or replace.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Written;
use super::patch::{check_identity, other_uid, sorted};
use super::read::show;
use super::write::{Draft, Ownership};
use crate::error::ApiError;
use crate::managed_fields::{self, Writer};
use crate::object::{Object, meta_str};
use crate::options::{FieldValidation, WriteOptions};
use crate::resource::{Address, Origin, Resource, Subresource};
use crate::schema;
use crate::store::Store;

/// Where kubectl keeps what it applied before servers could.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl Store {
    #[expect(
        clippy::too_many_arguments,
        reason = "the verb's own arguments plus the resource found for them"
    )]
    pub(crate) fn apply(
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
            body = applied_scale(&resource, address, &body)?;
        }
        check_applied_kind(&resource, &body)?;
        let spelled = format!("{}/{}", meta_str(&body, "namespace"), meta_str(&body, "name"));
        let config = body.clone();
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
            if address.subresource != Subresource::Main {
                return Err(ApiError::not_found(&resource.group_resource(), &address.name));
            }
            check_new(&resource, address, &mut body)?;
        }
        let schema = resource.schema();
        read_typed(&resource, &schema, &mut body, options).map_err(|error| match error {
            Unread::Refused(error) => error,
            Unread::Untyped(why) => untyped(&resource, &spelled, &why),
        })?;
        let writer = Writer {
            manager: &options.field_manager,
            api_version: resource.api_version(),
            subresource: address.subresource,
            has_status: resource.subresources.status,
            origin: resource.origin,
            now,
            zero: json!({}),
            claims: true,
        };
        let live = old.as_deref().map(Object::value);
        let mut new = managed_fields::apply::apply(&schema, live, &body, &writer, options.force)?;
        let uid = meta_str(&body, "uid");
        if old.as_deref().is_some_and(|old| !uid.is_empty() && uid != old.uid()) {
            return Err(other_uid(&resource, &address.name, uid));
        }
        if options.field_manager == "kubectl" {
            carry_last_applied(live, &config, &mut new);
        }
        check_identity(address, &new)?;
        let (subresource, ownership) = (address.subresource, Ownership::Settled);
        let quiet = WriteOptions { duplicates: Vec::new(), ..options.clone() };
        let draft = Draft { resource, subresource, old, new, options: &quiet, ownership, now };
        self.replace(draft)
    }
}

/// Why an applied object could not be read.
enum Unread {
    Refused(ApiError),
    /// It does not fit its schema.
    Untyped(String),
}

/// Reads an applied object by its schema: nothing of another type, nothing unknown, no member twice.
fn read_typed(
    resource: &Resource,
    schema: &schema::Schema,
    body: &mut Value,
    options: &WriteOptions,
) -> Result<(), Unread> {
    if let Some(why) = mistyped(resource, schema, body) {
        return Err(Unread::Untyped(why));
    }
    let loose = WriteOptions {
        field_validation: FieldValidation::Warn,
        duplicates: Vec::new(),
        ..options.clone()
    };
    let unknown =
        schema::decode::decode(resource, schema, body, &loose).map_err(Unread::Refused)?;
    if let Some(field) = unknown.first().and_then(|text| text.split('"').nth(1)) {
        return Err(Unread::Untyped(format!(".{field}: field not declared in schema")));
    }
    doubled(schema, body, "").map_or(Ok(()), |why| Err(Unread::Untyped(why)))
}

fn untyped(resource: &Resource, spelled: &str, why: &str) -> ApiError {
    let version = resource.api_version();
    let slashed = if resource.group.is_empty() { format!("/{version}") } else { version };
    ApiError::unnamed(format!(
        "failed to create typed patch object ({spelled}; {slashed}, Kind={}): {why}",
        resource.kind
    ))
}

/// What an apply that makes an object may say of it: no uid, and any version.
fn check_new(resource: &Resource, address: &Address, body: &mut Value) -> Result<(), ApiError> {
    let uid = meta_str(body, "uid").to_owned();
    crate::object::metadata_mut(body).remove("resourceVersion");
    if uid.is_empty() { Ok(()) } else { Err(other_uid(resource, &address.name, &uid)) }
}

/// Keeps that up to date, so that a user may go back to applying on the client's side.
fn carry_last_applied(live: Option<&Value>, config: &Value, new: &mut Value) {
    let before = live.map(|live| &live["metadata"]["annotations"][LAST_APPLIED]);
    if before.and_then(Value::as_str).is_none_or(str::is_empty) {
        return;
    }
    let mut config = sorted(config);
    let annotations = config.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    if let Some(annotations) = annotations {
        annotations.remove(LAST_APPLIED);
    }
    let annotations = crate::object::metadata_mut(new).entry("annotations");
    let annotations = crate::object::map_mut(annotations.or_insert_with(|| json!({})));
    annotations.insert(LAST_APPLIED.to_owned(), json!(format!("{config}\n")));
}

/// What an applied scale says of the object it is of.
fn applied_scale(resource: &Resource, address: &Address, body: &Value) -> Result<Value, ApiError> {
    let paths = resource.subresources.scale.as_ref().ok_or_else(ApiError::no_such_resource)?;
    if body["kind"] != "Scale" || body["apiVersion"] != "autoscaling/v1" {
        let (version, kind) = (&body["apiVersion"], body["kind"].as_str().unwrap_or_default());
        let version = version.as_str().unwrap_or_default();
        return Err(ApiError::bad_request(format!("invalid object type: {version}, Kind={kind}")));
    }
    let mut whole = json!({
        "apiVersion": resource.api_version(), "kind": resource.kind,
        "metadata": { "name": address.name },
    });
    if let Some(replicas) = body["spec"].get("replicas") {
        crate::path::set(&mut whole, &paths.spec_replicas, replicas.clone());
    }
    Ok(whole)
}

/// The first value of another type than its schema's, in the words of who applies.
fn mistyped(resource: &Resource, schema: &schema::Schema, body: &Value) -> Option<String> {
    if resource.origin == Origin::Custom {
        return None;
    }
    wrong_type(schema, body, "")
}

fn wrong_type(schema: &schema::Schema, value: &Value, path: &str) -> Option<String> {
    use schema::Shape;
    let expected = match (schema.shape, value) {
        (_, Value::Null) | (Shape::Any | Shape::IntOrString, _) => None,
        (Shape::Object, Value::Object(map)) => {
            return map.iter().find_map(|(key, value)| {
                wrong_type(schema.field(key)?, value, &format!("{path}.{key}"))
            });
        }
        (Shape::Array, Value::Array(list)) => {
            let items = schema.items.as_deref()?;
            return list.iter().find_map(|item| wrong_type(items, item, path));
        }
        _ if schema.name.ends_with(".Quantity") => None,
        (Shape::String, found) => (!found.is_string()).then_some("string"),
        (Shape::Boolean, found) => (!found.is_boolean()).then_some("boolean"),
        (Shape::Integer | Shape::Number, found) => {
            (!found.is_number()).then_some("numeric (int or float)")
        }
        (Shape::Object, _) => Some("map"),
        (Shape::Array, _) => Some("list"),
    };
    let expected = expected?;
    Some(format!("{path}: expected {expected}, got &value.valueUnstructured{{Value:{value}}}"))
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
