//! Patch: the four media types, each turned into a replace or, for apply, into a create or replace.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

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
        let loose = WriteOptions {
            field_validation: FieldValidation::Warn,
            duplicates: Vec::new(),
            ..options.clone()
        };
        let untyped = |why: &str| {
            let version = resource.api_version();
            let slashed = if resource.group.is_empty() { format!("/{version}") } else { version };
            ApiError::unnamed(format!(
                "failed to create typed patch object ({spelled}; {slashed}, Kind={}): {why}",
                resource.kind
            ))
        };
        if let Some(why) = mistyped(&resource, &schema, &body) {
            return Err(untyped(&why));
        }
        let unknown = schema::decode::decode(&resource, &schema, &mut body, &loose)?;
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

/// Where kubectl keeps what it applied before servers could.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

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

fn sorted(value: &Value) -> Value {
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
