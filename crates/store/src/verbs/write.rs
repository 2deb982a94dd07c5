//! The way every write goes: decode, prepare, default, validate, own, keep.
//!
//! Start at [`Store::finish`]. Create, update and patch only differ in how the draft comes about.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Written;
use super::read::show;
use crate::builtin;
use crate::error::{ApiError, FieldProblem};
use crate::managed_fields::{self, Writer};
use crate::object::{Object, finalizers, is_deleting, meta_str, metadata_mut};
use crate::options::{DryRun, WriteOptions};
use crate::resource::{Origin, Resource, Subresource};
use crate::schema;
use crate::store::{Store, time_text};

/// A write on its way.
pub(crate) struct Draft<'a> {
    pub(crate) resource: Arc<Resource>,
    pub(crate) subresource: Subresource,
    /// The object as it is, in the version of the request; `None` for a create.
    pub(crate) old: Option<Arc<Object>>,
    pub(crate) new: Value,
    pub(crate) options: &'a WriteOptions,
    pub(crate) ownership: Ownership,
    pub(crate) now: Timestamp,
}

/// Who owns what after the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// The writer owns what it changed.
    Changed,
    /// The draft's `managedFields` are settled already (an apply).
    Settled,
    /// Nobody owns what was changed: the writer was asked who manages it, and did not say.
    Dropped,
}

impl Store {
    /// Carries a draft through all checks and keeps it, unless it is a dry run or changes nothing.
    pub(crate) fn finish(&mut self, mut draft: Draft<'_>) -> Result<Written, ApiError> {
        let schema = draft.resource.schema();
        let warnings =
            schema::decode::decode(&draft.resource, &schema, &mut draft.new, draft.options)?;
        let outcome = self.carry_through(draft, &schema);
        outcome
            .map(|mut written| {
                written.warnings.splice(0..0, warnings.clone());
                written
            })
            .map_err(|error| error.with_warnings(warnings))
    }

    fn carry_through(
        &mut self,
        mut draft: Draft<'_>,
        schema: &schema::Schema,
    ) -> Result<Written, ApiError> {
        let has_version = !matches!(meta_str(&draft.new, "resourceVersion"), "" | "0");
        match draft.old.clone() {
            None => self.prepare_new(&mut draft),
            Some(old) => prepare_changed(&draft.resource, draft.subresource, &old, &mut draft.new)?,
        }
        schema::default::apply(schema, &mut draft.new);
        let old = draft.old.clone();
        let old = old.as_deref().map(Object::value);
        if draft.resource.origin == Origin::BuiltIn {
            builtin::defaults::apply(&draft.resource, &mut draft.new);
        }
        // Before the server adds what is its own: nobody manages that.
        if draft.ownership != Ownership::Settled {
            let mut new = draft.new.take();
            managed_fields::update(schema, old, &mut new, &Writer::of(&draft));
            draft.new = new;
        }
        self.admit(&mut draft, old)?;
        validate(&draft, schema, old)?;
        bump_generation(&draft.resource, old, &mut draft.new);
        let warnings = match draft.resource.origin {
            Origin::BuiltIn => builtin::warnings::of(&draft.resource, old, &draft.new),
            Origin::Custom => Vec::new(),
        };
        if old.is_none() {
            if has_version {
                let why = "resourceVersion should not be set on objects to be created";
                return Err(ApiError::unnamed(why));
            }
            self.check_absent(&draft.resource, &draft.new)?;
        }
        Ok(self.settle(draft, warnings))
    }

    /// What the server decides: names, admission, addresses, and what a definition's controller would.
    fn admit(&mut self, draft: &mut Draft<'_>, old: Option<&Value>) -> Result<(), ApiError> {
        if old.is_none() {
            self.check_room(&draft.resource, &draft.new)?;
            let resource = Arc::clone(&draft.resource);
            self.name_it(&resource, &mut draft.new);
        }
        if draft.resource.origin == Origin::Custom {
            return Ok(());
        }
        builtin::strategy::apply(&draft.resource, draft.subresource, old, &mut draft.new);
        builtin::allocate::apply(self, &draft.resource, old, &mut draft.new)?;
        if draft.resource.plural == "customresourcedefinitions" {
            let now = draft.now;
            crate::definition::settle(self, &mut draft.new, now);
        }
        Ok(())
    }

    fn prepare_new(&mut self, draft: &mut Draft<'_>) {
        let resource = &draft.resource;
        let drops_status = resource.subresources.status && resource.plural != "nodes";
        if counts(resource) {
            metadata_mut(&mut draft.new).remove("generation");
        }
        if let Some(map) = draft.new.as_object_mut().filter(|_| drops_status) {
            map.remove("status");
        }
        let uid = self.generator.uid();
        let metadata = metadata_mut(&mut draft.new);
        for key in
            ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"]
        {
            metadata.remove(key);
        }
        metadata.insert("uid".into(), json!(uid));
        metadata.insert("creationTimestamp".into(), json!(time_text(draft.now)));
    }

    fn settle(&mut self, draft: Draft<'_>, warnings: Vec<String>) -> Written {
        let Draft { resource, old, new, options, now, .. } = draft;
        let created = old.is_none();
        if let Some(old) = old.filter(|old| *old.value() == new) {
            return Written { object: old, created, warnings };
        }
        if options.dry_run == DryRun::All {
            let version = meta_str(&new, "resourceVersion").parse().unwrap_or_default();
            let object = Arc::new(Object::new(new, version));
            return Written { object, created, warnings };
        }
        let key = resource.storage();
        let gone = !created && is_finished(&new);
        let kept = self.keep_or_discard(&resource, new, now, gone);
        if key.resource == "customresourcedefinitions" && !gone {
            crate::definition::changed(self, &kept);
        }
        Written { object: show(kept, &resource), created, warnings }
    }

    fn keep_or_discard(
        &mut self,
        resource: &Resource,
        new: Value,
        now: Timestamp,
        gone: bool,
    ) -> Arc<Object> {
        let key = resource.storage();
        let stored = builtin::convert::to_storage(new, resource);
        if gone {
            let version = self.resource_version();
            let last = self.discard(&key, &Arc::new(Object::new(stored, version)), now);
            if key.resource == "customresourcedefinitions" {
                crate::definition::discarded(self, &last, now);
            }
            return last;
        }
        self.keep(&key, stored, now)
    }
}

fn validate(
    draft: &Draft<'_>,
    schema: &schema::Schema,
    old: Option<&Value>,
) -> Result<(), ApiError> {
    let (resource, new) = (&draft.resource, &draft.new);
    let mut problems = builtin::metadata::validate(resource, old, new);
    match resource.origin {
        Origin::BuiltIn => problems.extend(builtin::validation::validate(resource, old, new)),
        Origin::Custom => {
            let (subresource, scale) = (draft.subresource, resource.subresources.scale.as_ref());
            let judged = schema::custom::Judged { subresource, scale, old, new };
            schema::custom::validate(schema, &judged, &mut problems);
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    // Events are judged as those of the core group, by whichever path they come.
    let group = if resource.plural == "events" { "" } else { &resource.group };
    Err(ApiError::invalid(group, &resource.kind, meta_str(new, "name"), &problems))
}

/// Whether nothing holds a deleted object back any more.
pub(crate) fn is_finished(object: &Value) -> bool {
    is_deleting(object)
        && finalizers(object).next().is_none()
        && object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
        && !(object["kind"] == "Namespace" && has_namespace_finalizers(object))
}

fn has_namespace_finalizers(object: &Value) -> bool {
    !crate::object::items(&object["spec"]["finalizers"]).is_empty()
}

/// Fields of `metadata` that only the server writes.
const SERVER_METADATA: [&str; 5] =
    ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"];

fn prepare_changed(
    resource: &Resource,
    subresource: Subresource,
    old: &Object,
    new: &mut Value,
) -> Result<(), ApiError> {
    check_versions(resource, old, new)?;
    let before = old.value();
    keep_alive(resource, before, new)?;
    if subresource == Subresource::Finalize {
        keep_all_but_finalizers(before, new);
    } else if subresource == Subresource::Status {
        keep_all_but_status(resource, before, new);
    } else if resource.subresources.status {
        copy(before, new, "status");
    }
    if new["metadata"].get("managedFields").is_none() {
        let fields = before["metadata"]["managedFields"].clone();
        if !fields.is_null() {
            metadata_mut(new).insert("managedFields".into(), fields);
        }
    }
    let metadata = metadata_mut(new);
    metadata.remove("selfLink");
    for key in SERVER_METADATA {
        match before["metadata"].get(key) {
            Some(value) => metadata.insert(key.into(), value.clone()),
            None => metadata.remove(key),
        };
    }
    metadata.insert("resourceVersion".into(), json!(old.resource_version().to_string()));
    Ok(())
}

/// Nobody deletes by an update.
fn keep_alive(resource: &Resource, before: &Value, new: &Value) -> Result<(), ApiError> {
    let time = &new["metadata"]["deletionTimestamp"];
    if time.is_null() || is_deleting(before) {
        return Ok(());
    }
    let path = "metadata.deletionTimestamp";
    let problem = || FieldProblem::invalid(path, time.clone(), "field is immutable");
    let name = meta_str(before, "name");
    // Upstream finds it twice.
    Err(ApiError::invalid(&resource.group, &resource.kind, name, &[problem(), problem()]))
}

fn check_versions(resource: &Resource, old: &Object, new: &Value) -> Result<(), ApiError> {
    let (name, kind) = (old.name(), resource.group_resource());
    let uid = meta_str(new, "uid");
    if !uid.is_empty() && uid != old.uid() {
        let (plural, namespace) = (&resource.plural, old.namespace());
        let place = format!("/registry/{plural}/{namespace}/{name}").replace("//", "/");
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {place}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            old.uid()
        );
        return Err(ApiError::conflict(&kind, name, &why));
    }
    let version = meta_str(new, "resourceVersion");
    if !version.is_empty() && version.parse::<u64>().is_err() {
        let why = format!("strconv.ParseUint: parsing {version:?}: invalid syntax");
        return Err(ApiError::unnamed(why));
    }
    if !version.is_empty() && version != "0" && version != old.resource_version().to_string() {
        return Err(ApiError::modified(&kind, name));
    }
    Ok(())
}

/// The metadata that a status write changes too.
fn status_metadata(resource: &Resource) -> &'static [&'static str] {
    match (resource.origin, resource.plural.as_str()) {
        (Origin::Custom, _) | (_, "customresourcedefinitions") => &[],
        (_, "deployments") => &["annotations"],
        _ => &["annotations", "labels"],
    }
}

/// A write to a namespace's finalizers leaves everything else as it is.
fn keep_all_but_finalizers(before: &Value, new: &mut Value) {
    let finalizers = new["spec"]["finalizers"].take();
    let managed = new["metadata"].get("managedFields").cloned();
    *new = before.clone();
    crate::path::set(new, "spec.finalizers", finalizers);
    if let Some(managed) = managed {
        metadata_mut(new).insert("managedFields".into(), managed);
    }
}

/// A status write leaves everything else as it is, save who manages which field.
fn keep_all_but_status(resource: &Resource, before: &Value, new: &mut Value) {
    let status = new.get_mut("status").map(Value::take);
    let managed = new["metadata"].get("managedFields").cloned();
    let metadata = new["metadata"].take();
    *new = before.clone();
    for key in status_metadata(resource) {
        match metadata.get(*key) {
            Some(value) => metadata_mut(new).insert((*key).into(), value.clone()),
            None => metadata_mut(new).remove(*key),
        };
    }
    if let Some(map) = new.as_object_mut() {
        match status {
            Some(status) => map.insert("status".into(), status),
            None => map.remove("status"),
        };
    }
    if let Some(managed) = managed {
        metadata_mut(new).insert("managedFields".into(), managed);
    }
}

fn copy(from: &Value, to: &mut Value, key: &str) {
    let Some(map) = to.as_object_mut() else { return };
    match from.get(key) {
        Some(value) => map.insert(key.to_owned(), value.clone()),
        None => map.remove(key),
    };
}

/// Built-in kinds whose generation counts changes.
const COUNTED: [&str; 12] = [
    "pods",
    "deployments",
    "replicasets",
    "statefulsets",
    "daemonsets",
    "jobs",
    "cronjobs",
    "ingresses",
    "ingressclasses",
    "networkpolicies",
    "poddisruptionbudgets",
    "customresourcedefinitions",
];

/// Whether a kind's generation counts the changes of what is wanted.
fn counts(resource: &Resource) -> bool {
    match resource.origin {
        Origin::Custom => true,
        Origin::BuiltIn => {
            COUNTED.contains(&resource.plural.as_str())
                || matches!(
                    resource.plural.as_str(),
                    "replicationcontrollers" | "endpointslices" | "priorityclasses"
                )
        }
    }
}

fn bump_generation(resource: &Resource, old: Option<&Value>, new: &mut Value) {
    if !counts(resource) {
        return;
    }
    let generation = match old {
        None => 1,
        Some(old) => {
            let before = old["metadata"]["generation"].as_i64().unwrap_or(1);
            before + i64::from(differs(resource, old, new))
        }
    };
    metadata_mut(new).insert("generation".into(), json!(generation));
}

/// Whether anything but metadata and status changed.
fn differs(resource: &Resource, old: &Value, new: &Value) -> bool {
    let ignored = |key: &str| {
        key == "metadata" || key == "apiVersion" || key == "status" && resource.subresources.status
    };
    let fields = |value: &Value| -> Vec<String> {
        let map = value.as_object();
        map.into_iter().flat_map(|map| map.keys()).filter(|key| !ignored(key)).cloned().collect()
    };
    // A deployment's annotations are part of what is wanted, as its controller copies them.
    let annotated = resource.origin == Origin::BuiltIn && resource.plural == "deployments";
    let annotations = |value: &Value| value["metadata"]["annotations"].clone();
    fields(old).iter().chain(&fields(new)).any(|key| old.get(key) != new.get(key))
        || annotated && annotations(old) != annotations(new)
}
