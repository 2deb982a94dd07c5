//! Delete, of one object or of many.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::read::show;
use super::write::is_finished;
use super::{Deleted, List};
use crate::error::ApiError;
use crate::object::{Object, is_deleting, metadata_mut, strings};
use crate::options::{DeleteOptions, DryRun, ListOptions, Preconditions, Propagation};
use crate::resource::{Address, GroupResource, Resource, Scope};
use crate::store::{Store, time_text};

/// The finalizer of an object whose dependents go first.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an object whose dependents stay.
pub(crate) const ORPHAN: &str = "orphan";
/// Namespaces nobody may delete.
const PROTECTED_NAMESPACES: [&str; 3] = ["default", "kube-public", "kube-system"];
/// How long a pod may take to stop when it does not say.
const DEFAULT_GRACE_SECONDS: i64 = 30;

impl Store {
    /// Deletes an object, or marks it when its grace period or finalizers hold it back.
    pub fn delete(
        &mut self,
        address: &Address,
        options: &DeleteOptions,
        now: Timestamp,
    ) -> Result<Deleted, ApiError> {
        let resource = self.catalogue.get(&address.resource)?;
        let object = self.stored_at(&resource, address)?;
        self.delete_stored(&resource, &object, options, now)
    }

    /// Deletes everything a list would return; the answer is that list.
    pub fn delete_collection(
        &mut self,
        scope: &Scope,
        list: &ListOptions,
        options: &DeleteOptions,
        now: Timestamp,
    ) -> Result<List, ApiError> {
        let resource = self.catalogue.get(&scope.resource)?;
        let listed = self.list(scope, list)?;
        let objects: Vec<_> = self.selected(scope, &list.selectors).collect();
        for object in objects {
            match self.delete_stored(&resource, &object, options, now) {
                Err(error) if error.code != 404 => return Err(error),
                _ => {}
            }
        }
        Ok(listed)
    }

    pub(crate) fn delete_stored(
        &mut self,
        resource: &Resource,
        object: &Arc<Object>,
        options: &DeleteOptions,
        now: Timestamp,
    ) -> Result<Deleted, ApiError> {
        check_preconditions(resource, object, &options.preconditions)?;
        let key = resource.storage();
        if key == GroupResource::new("", "namespaces")
            && PROTECTED_NAMESPACES.contains(&object.name())
        {
            let why = "this namespace may not be deleted";
            return Err(ApiError::forbidden(&key, object.name(), why));
        }
        let marked = marked(resource, object.value(), options, now);
        if options.dry_run == DryRun::All {
            if is_finished(&marked) {
                return Ok(Deleted::Gone(show(Arc::clone(object), resource)));
            }
            let marked = Arc::new(Object::new(marked, object.resource_version()));
            return Ok(Deleted::Marked(show(marked, resource)));
        }
        if is_finished(&marked) {
            // Only what waited, or could have, is marked before it goes.
            let waits = is_deleting(object.value()) || resource.plural == "pods";
            let last = if waits { marked } else { object.value().clone() };
            let last = Arc::new(Object::new(last, object.resource_version()));
            let last = self.discard(&key, &last, now);
            if key.resource == "customresourcedefinitions" {
                crate::definition::discarded(self, &last, now);
            }
            return Ok(Deleted::Gone(show(last, resource)));
        }
        if marked == *object.value() {
            return Ok(Deleted::Marked(show(Arc::clone(object), resource)));
        }
        let kept = self.keep(&key, marked, now);
        Ok(Deleted::Marked(show(kept, resource)))
    }
}

fn check_preconditions(
    resource: &Resource,
    object: &Object,
    preconditions: &Preconditions,
) -> Result<(), ApiError> {
    let version = object.resource_version().to_string();
    let pairs = [
        ("UID", preconditions.uid.as_deref(), object.uid()),
        ("ResourceVersion", preconditions.resource_version.as_deref(), version.as_str()),
    ];
    for (word, wanted, actual) in pairs {
        let Some(wanted) = wanted.filter(|wanted| *wanted != actual) else { continue };
        let after = match word {
            "UID" => ". The object might have been deleted and then recreated",
            _ => ". The object might have been modified",
        };
        let why = format!(
            "the {word} in the precondition ({wanted}) does not match the {word} in record ({actual}){after}"
        );
        let kind = GroupResource::new(&resource.group, &resource.kind);
        return Err(ApiError::conflict(&kind, object.name(), &why));
    }
    Ok(())
}

/// The object as the delete leaves it: with a deletion time, grace period and finalizers.
fn marked(resource: &Resource, old: &Value, options: &DeleteOptions, now: Timestamp) -> Value {
    let mut value = old.clone();
    set_propagation(&mut value, options.propagation);
    let grace = grace_seconds(resource, old, options);
    let metadata = metadata_mut(&mut value);
    let first = !is_deleting(old);
    let before = old["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
    if first || grace < before {
        let at = now.checked_add(SignedDuration::from_secs(grace)).unwrap_or(now);
        metadata.insert("deletionTimestamp".into(), json!(time_text(at)));
        metadata.insert("deletionGracePeriodSeconds".into(), json!(grace));
    }
    if first {
        if let Some(generation) = metadata.get("generation").and_then(Value::as_i64) {
            metadata.insert("generation".into(), json!(generation + 1));
        }
        if resource.plural == "namespaces" && resource.group.is_empty() {
            crate::path::set(&mut value, "status.phase", json!("Terminating"));
        }
    }
    value
}

/// Only pods have a grace period, and only once they are on a node and not finished.
fn grace_seconds(resource: &Resource, pod: &Value, options: &DeleteOptions) -> i64 {
    if resource.plural != "pods" || !resource.group.is_empty() {
        return 0;
    }
    let bound = pod["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty());
    let finished = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if !bound || finished {
        return 0;
    }
    let own = pod["spec"]["terminationGracePeriodSeconds"].as_i64();
    options.grace_period_seconds.or(own).unwrap_or(DEFAULT_GRACE_SECONDS).max(0)
}

fn set_propagation(value: &mut Value, propagation: Option<Propagation>) {
    let Some(propagation) = propagation else { return };
    let kept: Vec<String> = strings(&value["metadata"]["finalizers"])
        .filter(|finalizer| ![FOREGROUND, ORPHAN].contains(finalizer))
        .map(str::to_owned)
        .collect();
    let added = match propagation {
        Propagation::Background => None,
        Propagation::Foreground => Some(FOREGROUND.to_owned()),
        Propagation::Orphan => Some(ORPHAN.to_owned()),
    };
    let all: Vec<String> = kept.into_iter().chain(added).collect();
    let metadata = metadata_mut(value);
    if all.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), json!(all));
    }
}
