//! Which version each service selects, and switching it.

use super::{
    draft::Draft,
    reads::reads,
    replicas::pods_for,
    sets::{self, SetExt},
    subject::Subject,
    traffic::View,
    waits::Wait,
    weights,
};
use api::argo::keys;
use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Service};
use serde_json::json;
use vocab::{ObjectRef, Write};

/// The service of this name, if it exists.
pub(crate) fn find<'a>(subject: &'a Subject<'_>, name: &str) -> Option<&'a Service> {
    subject.observed.services.get(name)?.as_ref()
}

/// The hash a service selects, if it selects one.
pub(crate) fn selected<'a>(subject: &'a Subject<'_>, name: &str) -> Option<&'a str> {
    let selector = find(subject, name)?.spec.as_ref()?.selector.as_ref()?;
    selector.get(keys::POD_TEMPLATE_HASH).map(String::as_str).filter(|hash| !hash.is_empty())
}

/// The service of a canary that selects `hash`.
pub(crate) fn selecting<'a>(subject: &'a Subject<'_>, hash: &str) -> Option<&'a str> {
    let canary = subject.canary()?;
    let named = [&canary.canary_service, &canary.stable_service];
    let mut named = named.into_iter().filter_map(|name| name.as_deref());
    named.find(|name| selected(subject, name) == Some(hash))
}

/// The hash a service selects once the plan so far is carried out.
pub(crate) fn selected_after<'a>(
    subject: &'a Subject<'_>,
    name: &str,
    writes: &'a [Write],
) -> Option<&'a str> {
    let switched = |write: &'a Write| match write {
        Write::Patch { target, body, .. } if target.kind == "Service" && target.name == name => {
            body["spec"]["selector"].get(keys::POD_TEMPLATE_HASH)?.as_str()
        }
        _ => None,
    };
    writes.iter().rev().find_map(switched).or_else(|| selected(subject, name))
}

/// Ready endpoints of `hash` behind a service.
pub(crate) fn visible(subject: &Subject<'_>, name: &str, hash: &str) -> i32 {
    subject.observed.endpoints.get(name).and_then(|hashes| hashes.get(hash)).copied().unwrap_or(0)
}

/// Whether a service has pods of `hash` behind it, or is about to.
pub(crate) fn leads_to(subject: &Subject<'_>, name: &str, hash: &str) -> bool {
    selected(subject, name) == Some(hash) || visible(subject, name, hash) > 0
}

/// Whether a service has pods of another version than `hash` behind it, or is about to.
pub(crate) fn leads_elsewhere(subject: &Subject<'_>, name: &str, hash: &str) -> bool {
    let mut behind = subject.observed.endpoints.get(name).into_iter().flatten();
    selected(subject, name).is_some_and(|selected| selected != hash)
        || behind.any(|(other, ready)| other != hash && *ready > 0)
}

/// Makes a service select `hash`; tells people.
pub(crate) fn switch(subject: &Subject<'_>, name: &str, hash: &str, draft: &mut Draft) {
    let Some(service) = find(subject, name) else { return };
    let before = selected(subject, name).unwrap_or_default();
    let managed = sets::annotation(&service.metadata, keys::MANAGED_BY_ROLLOUTS).is_some();
    if before == hash && managed {
        return;
    }
    let mut body = json!({"spec": {"selector": {keys::POD_TEMPLATE_HASH: hash}}});
    if !managed {
        body["metadata"] = json!({"annotations": {keys::MANAGED_BY_ROLLOUTS: subject.name()}});
    }
    let target = ObjectRef::new("v1", "Service", subject.namespace(), name);
    if draft.patch(target, sets::precondition(&service.metadata), body) {
        draft.note_write(
            subject,
            "SwitchService",
            format!("Switched selector for service '{name}' from '{before}' to '{hash}'"),
        );
    }
}

/// Whether a service is marked as managed by the rollout.
pub(crate) fn is_managed(subject: &Subject<'_>, name: &str) -> bool {
    let marked = find(subject, name)
        .and_then(|service| sets::annotation(&service.metadata, keys::MANAGED_BY_ROLLOUTS));
    marked == Some(subject.name())
}

/// Lets go of services that the rollout named before its specification changed: one that went on selecting
/// a version would lead nowhere once that version is gone.
pub(crate) fn release(subject: &Subject<'_>, draft: &mut Draft) {
    let named = reads(subject.rollout).services;
    for (name, service) in &subject.observed.services {
        let Some(service) = service else { continue };
        if named.contains(name) || !is_managed(subject, name) {
            continue;
        }
        let body = json!({
            "metadata": {"annotations": {keys::MANAGED_BY_ROLLOUTS: null}},
            "spec": {"selector": {keys::POD_TEMPLATE_HASH: null}},
        });
        let target = ObjectRef::new("v1", "Service", subject.namespace(), name);
        draft.patch(target, sets::precondition(&service.metadata), body);
    }
}

/// Points the stable and the canary service where they belong.
pub(crate) fn reconcile_canary(subject: &Subject<'_>, view: Option<&View>, draft: &mut Draft) {
    let Some(canary) = subject.canary() else { return };
    let stable_service = canary.stable_service.as_deref().unwrap_or_default();
    let canary_service = canary.canary_service.as_deref().unwrap_or_default();
    if let Some(stable) = subject.stable_set() {
        point(subject, stable_service, stable, 1, draft);
    }
    if draft.pause.is_aborted(&subject.status) {
        return retreat(subject, view, canary_service, draft);
    }
    if weights::returning_from(subject).is_some() {
        return;
    }
    let Some(new) = subject.new_set() else { return };
    match needed_behind_canary(subject, view, canary_service, new) {
        Ok(needed) => point(subject, canary_service, new, needed, draft),
        Err(because) => draft.wait(not_yet(subject, canary_service, new, because)),
    }
}

/// Points the canary service back to stable once neither weight nor managed route leads to it.
fn retreat(subject: &Subject<'_>, view: Option<&View>, service: &str, draft: &mut Draft) {
    let Some(stable) = subject.stable_set() else { return };
    match view {
        Some(view) if !view.is_in_force(0) || !view.managed.is_empty() => {}
        _ => point(subject, service, stable, 1, draft),
    }
}

/// How many pods the new version needs before the service that carries the canary's traffic moves to it.
fn needed_behind_canary(
    subject: &Subject<'_>,
    view: Option<&View>,
    service: &str,
    new: &ReplicaSet,
) -> Result<i32, &'static str> {
    let Some(view) =
        view.filter(|_| selected(subject, service).is_some_and(|hash| hash != new.hash()))
    else {
        return Ok(1);
    };
    match view.weight {
        Ok(weight) => Ok(pods_for(subject.replicas(), subject.share(weight)).max(1)),
        Err(_) => Err("the split in force is unknown"),
    }
}

/// Switches a service to `set` if enough of its pods are available: all of them when the service is taken
/// over, `needed` afterwards.
fn point(subject: &Subject<'_>, name: &str, set: &ReplicaSet, needed: i32, draft: &mut Draft) {
    let Some(service) = find(subject, name) else { return };
    if selected(subject, name) == Some(set.hash()) {
        return;
    }
    let managed = sets::annotation(&service.metadata, keys::MANAGED_BY_ROLLOUTS).is_some();
    let whole = set.wanted() > 0 && set.available() >= set.wanted();
    if !managed && !whole {
        return draft.wait(not_yet(subject, name, set, "not all of its pods are available"));
    }
    if set.available() < needed {
        return draft.wait(not_yet(subject, name, set, "too few of its pods are available"));
    }
    switch(subject, name, set.hash(), draft);
}

fn not_yet(subject: &Subject<'_>, name: &str, set: &ReplicaSet, because: &str) -> Wait {
    Wait::Service {
        service: name.to_owned(),
        selects: selected(subject, name).unwrap_or_default().to_owned(),
        wanted: set.hash().to_owned(),
        because: because.to_owned(),
    }
}
