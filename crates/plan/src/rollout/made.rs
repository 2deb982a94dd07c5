//! The first status of a version, written before the ReplicaSet that is made for it.
//!
//! What the next look would find once that is there is known before: a ReplicaSet without pods. So a status
//! is the first thing that is written for a version, and alone: of a hundred releases that begin at once,
//! each is known to be seen before the first ReplicaSet is made.
//!
//! **Invariant.** Only a status is foreseen. What has to be written besides is decided on what is there.

use super::{
    Observed, conditions, onward, outcome::Outcome, progress, revision, sets, sets::SetExt as _,
};
use api::argo::{RolloutCondition, RolloutStatus, keys};
use jiff::Timestamp;
use k8s_openapi::{api::apps::v1::ReplicaSet, apimachinery::pkg::apis::meta::v1::Time};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use vocab::{Event, ObjectRef, PatchType, Subresource, Write};

/// The status that follows `first`, if all that writes is a ReplicaSet and its number: alone where it speaks
/// of the version for the first time, else behind them.
pub(super) fn with_status(
    observed: &Observed,
    first: Outcome,
    look: impl Fn(&Observed) -> Outcome,
    now: Timestamp,
) -> Outcome {
    let is_new = first.writes.iter().any(|write| write.creates("ReplicaSet"));
    let Some(ahead) = is_new.then(|| after(observed, &first.writes, now)).flatten() else {
        return first;
    };
    let next = onward::onward(&ahead, look(&ahead), look);
    let mut events = first.events;
    events.extend(began(&ahead, &events));
    if !next.writes.is_empty() {
        return Outcome { events, ..first };
    }
    if let Some(status) = next.status.clone().filter(|it| speaks_first(observed, it, &next.events))
    {
        let status = Some(ahead_of_its_set(status));
        return Outcome { status, events: Vec::new(), is_settled: false, ..next };
    }
    events.extend(next.events);
    Outcome { writes: first.writes, events, is_settled: false, ..next }
}

/// Whether nobody can read yet that the controller has seen the version of `status`, and nothing is to be told
/// with it but what [`began`] tells behind the version's number, where it has its place.
fn speaks_first(observed: &Observed, status: &RolloutStatus, events: &[Event]) -> bool {
    let known = observed.rollout.status.as_ref();
    known.is_none_or(|known| known.current_pod_hash != status.current_pod_hash)
        && events.iter().all(|event| event.reason == conditions::NOT_COMPLETED)
}

/// Tells behind the number of a version that its update began, if the status has said so before.
fn began(ahead: &Observed, events: &[Event]) -> Option<Event> {
    let status = ahead.rollout.status.as_ref().filter(|status| is_of_the_new(ahead, status))?;
    let completed = conditions::get(status, keys::CONDITION_COMPLETED)?;
    let progress = conditions::get(status, keys::CONDITION_PROGRESSING)?;
    let is_news = completed.status == conditions::FALSE
        && completed.last_transition_time >= progress.last_update_time;
    let number = events.iter().find(|event| event.reason == revision::UPDATED)?;
    let message = progress::began(sets::revision_of(&ahead.rollout.metadata), status);
    let reason = conditions::NOT_COMPLETED.to_owned();
    is_news.then(|| Event { reason, message, ..number.clone() })
}

/// Whether `status` speaks of the version whose ReplicaSet is the last of the picture.
fn is_of_the_new(ahead: &Observed, status: &RolloutStatus) -> bool {
    let set = ahead.replica_sets.last();
    set.is_some_and(|set| status.current_pod_hash.as_deref() == Some(set.hash()))
}

/// The same status, which does not claim that the ReplicaSet is there.
fn ahead_of_its_set(mut status: RolloutStatus) -> RolloutStatus {
    let is_claim = |found: &&mut RolloutCondition| found.reason == conditions::SET_CREATED;
    for claim in status.conditions.iter_mut().filter(is_claim) {
        claim.message = claim.message.replacen("Created", "Creating", 1);
    }
    status
}

/// The picture once `writes` are made; nothing if they do more than to make ReplicaSets and to annotate the
/// rollout.
fn after(observed: &Observed, writes: &[Write], now: Timestamp) -> Option<Observed> {
    let mut ahead = observed.clone();
    let own = super::reads::rollout_ref(&observed.rollout);
    for write in writes {
        match write {
            Write::Create { object } => ahead.replica_sets.push(Arc::new(made(object, now)?)),
            Write::Patch {
                target,
                subresource: Subresource::Main,
                patch_type: PatchType::Merge,
                body,
                ..
            } => {
                let metadata = &mut Arc::make_mut(&mut ahead.rollout).metadata;
                let annotations = metadata.annotations.get_or_insert_default();
                annotations.extend(annotated((target, &own), body)?);
            }
            _ => return None,
        }
    }
    Some(ahead)
}

/// A ReplicaSet that the API server has just taken in.
fn made(object: &Value, now: Timestamp) -> Option<ReplicaSet> {
    let is_set = object["kind"] == "ReplicaSet";
    let mut set: ReplicaSet =
        is_set.then(|| serde_json::from_value(object.clone()).ok()).flatten()?;
    set.metadata.creation_timestamp = Some(Time(now));
    Some(set)
}

/// What `body` annotates the rollout with, if it does nothing else.
fn annotated(
    (target, own): (&ObjectRef, &ObjectRef),
    body: &Value,
) -> Option<BTreeMap<String, String>> {
    let annotations = body["metadata"]["annotations"].as_object().filter(|_| target == own)?;
    let is_all = |part: &Value| part.as_object().is_some_and(|fields| fields.len() == 1);
    let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    (is_all(body) && is_all(&body["metadata"])).then(|| annotations.iter().map(text).collect())?
}
