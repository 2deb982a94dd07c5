//! A template's ReplicaSet: making it, growing it, and taking its pods down when nobody needs them.

use super::{
    draft::{Draft, Patched},
    subject::{Subject, service_name, set_name},
};
use crate::rollout::{Wait, failure, hash, seconds_text, sets::SetExt};
use api::argo::{TemplateSpec, TemplateStatus, TemplateStatusCode, keys};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{
        apps::v1::{ReplicaSet, ReplicaSetSpec},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vocab::{EventType, ObjectRef};

/// When to look again at a route that still leads to pods that are to go.
const ROUTE_AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// How many hashes are tried before a template keeps one that another ReplicaSet has too.
const MOST_ATTEMPTS: i32 = 100;

/// Whether a ReplicaSet is made or gets another size in this plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resized {
    /// It does.
    Yes,
    /// It stays as it is.
    No,
}

/// Makes a template's ReplicaSet without pods, unless there is nothing left to try.
pub(super) fn create(
    subject: &Subject<'_>,
    template: &TemplateSpec,
    status: &mut TemplateStatus,
    draft: &mut Draft,
) -> Resized {
    if subject.is_terminating() || status.status.is_some_and(TemplateStatusCode::completed) {
        return Resized::No;
    }
    let name = set_name(subject.experiment, template);
    let target = ObjectRef::new("apps/v1", "ReplicaSet", subject.namespace(), &name);
    if let Some(why) = subject.observed.refused.get(&target) {
        let message = failure::set_not_created(&target, why);
        draft.event(subject, EventType::Normal, keys::SET_CREATE_ERROR, message);
    }
    if let Some(why) = obstacle(subject, &target) {
        status.status = Some(TemplateStatusCode::Error);
        status.message =
            Some(format!("Failed to create ReplicaSet for template '{}': {why}", template.name));
        return Resized::No;
    }
    let hash = free_hash(subject, template, status);
    let Ok(object) = serde_json::to_value(new_set(subject, template, name, hash)) else {
        return Resized::No;
    };
    draft.create(object);
    Resized::Yes
}

/// Why a ReplicaSet of this name cannot be made.
fn obstacle(subject: &Subject<'_>, target: &ObjectRef) -> Option<String> {
    let name = &target.name;
    if subject.observed.replica_sets.iter().any(|set| set.name() == name) {
        return Some(format!("replicasets.apps \"{name}\" already exists"));
    }
    subject.observed.refused.get(target).cloned()
}

/// The template's hash; another one if the pods would pass for those of another ReplicaSet.
fn free_hash(
    subject: &Subject<'_>,
    template: &TemplateSpec,
    status: &mut TemplateStatus,
) -> String {
    let plain = without_hash(&template.template);
    let taken = |hash: &String| {
        let own = subject.observed.replica_sets.iter().any(|set| set.hash() == hash);
        own || subject.observed.hashes.contains(hash)
    };
    // Those before it that are alike are made in the same plan.
    let before = subject.experiment.spec.templates.iter();
    let before = before.take_while(|other| other.name != template.name);
    let alike = before.filter(|other| without_hash(&other.template) == plain).count();
    let alike = i32::try_from(alike).ok().filter(|alike| *alike > 0);
    let mut collisions = status.collision_count.or(alike);
    loop {
        let hash = hash::template_hash(&plain, collisions);
        if !taken(&hash) || collisions >= Some(MOST_ATTEMPTS) {
            status.collision_count = collisions;
            return hash;
        }
        collisions = Some(collisions.unwrap_or(0) + 1);
    }
}

/// A pod template without the hash that it may have brought along from another ReplicaSet.
fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    if let Some(labels) = template.metadata.as_mut().and_then(|found| found.labels.as_mut()) {
        labels.remove(keys::POD_TEMPLATE_HASH);
    }
    template
}

fn new_set(
    subject: &Subject<'_>,
    template: &TemplateSpec,
    name: String,
    hash: String,
) -> ReplicaSet {
    let mut pods = without_hash(&template.template);
    let labels = pods.metadata.get_or_insert_default().labels.get_or_insert_default();
    labels.insert(keys::POD_TEMPLATE_HASH.to_owned(), hash.clone());
    let labels = labels.clone();
    let mut selector = template.selector.clone();
    let wanted = selector.match_labels.get_or_insert_default();
    wanted.insert(keys::POD_TEMPLATE_HASH.to_owned(), hash);
    ReplicaSet {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(subject.namespace().to_owned()),
            labels: Some(labels),
            annotations: Some(annotations(subject, template)),
            owner_references: Some(vec![subject.owner()]),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec {
            replicas: Some(0),
            min_ready_seconds: Some(template.min_ready_seconds),
            selector,
            template: Some(pods),
        }),
        status: None,
    }
}

/// What tells to which template an object belongs.
pub(super) fn annotations(
    subject: &Subject<'_>,
    template: &TemplateSpec,
) -> BTreeMap<String, String> {
    BTreeMap::from([
        (keys::EXPERIMENT_NAME.to_owned(), subject.name().to_owned()),
        (keys::EXPERIMENT_TEMPLATE_NAME.to_owned(), template.name.clone()),
    ])
}

/// Gives a ReplicaSet the size it should have. A template whose pods may not be had is over; pods that may not
/// be taken down are tried again.
pub(super) fn resize(
    subject: &Subject<'_>,
    template: &TemplateSpec,
    (set, wanted): (&ReplicaSet, i32),
    (status, draft): (&mut TemplateStatus, &mut Draft),
) -> Resized {
    if set.wanted() == wanted || set.metadata.deletion_timestamp.is_some() {
        return Resized::No;
    }
    if wanted == 0 && must_stay(subject, template, set, draft) {
        return Resized::No;
    }
    let is_over = status.status.is_some_and(TemplateStatusCode::completed);
    if let Some(why) = subject.observed.refused.get(&set.target()).filter(|_| !is_over) {
        status.status = Some(TemplateStatusCode::Error);
        status.message = Some(format!(
            "Unable to scale ReplicaSet for template '{}' to desired replica count '{wanted}': {why}",
            template.name
        ));
        return Resized::No;
    }
    let mut body = json!({"spec": {"replicas": wanted}});
    // A deadline is of one end only; an experiment that begins again gets another.
    if set.has_deadline() && (wanted > 0 || subject.scale_down_delay().is_zero()) {
        body["metadata"] = json!({"annotations": {keys::SCALE_DOWN_DEADLINE: Value::Null}});
    }
    if draft.patch_set(set, body) == Patched::Before {
        return Resized::No;
    }
    let (name, before) = (set.name(), set.wanted());
    let direction = if before < wanted { "up" } else { "down" };
    let message = format!("Scaled {direction} ReplicaSet {name} from {before} to {wanted}");
    draft.event_of_write(subject, "ScalingReplicaSet", message);
    Resized::Yes
}

/// Whether pods that are to go must wait: for their delay, or for a route to leave them.
fn must_stay(
    subject: &Subject<'_>,
    template: &TemplateSpec,
    set: &ReplicaSet,
    draft: &mut Draft,
) -> bool {
    if let Some(until) = kept_until(subject, set, draft).filter(|until| *until > subject.now) {
        draft.wait(Wait::ScaleDownDelay { replica_set: set.name().to_owned(), until });
        draft.wake_at(until);
        return true;
    }
    let service = subject.service_of(&template.name).and_then(|found| found.metadata.name.clone());
    let service = service.unwrap_or_else(|| service_name(subject.experiment, template));
    let routed = subject.is_routed(&service);
    if routed {
        let through = format!("service {service}");
        draft.wait(Wait::Traffic { replica_set: set.name().to_owned(), through });
        draft.wake_at(subject.now + ROUTE_AGAIN);
    }
    routed
}

/// Until when a ReplicaSet is kept; one without a deadline gets one.
fn kept_until(subject: &Subject<'_>, set: &ReplicaSet, draft: &mut Draft) -> Option<Timestamp> {
    let delay = subject.scale_down_delay();
    if !delay.is_positive() {
        return None;
    }
    // One that nobody can read keeps nothing.
    if set.has_deadline() {
        return set.deadline();
    }
    let until = subject.now + delay;
    let annotations = json!({keys::SCALE_DOWN_DEADLINE: seconds_text(until)});
    draft.patch_set(set, json!({"metadata": {"annotations": annotations}}));
    Some(until)
}
