//! The first status of a version, written right behind the ReplicaSet that is made for it.
//!
//! What the next look would find once that is there is known before: a ReplicaSet without pods. So nobody
//! has to wait for a watch, and for everybody else's ReplicaSets, to read that a change was seen.
//!
//! **Invariant.** Only a status is foreseen. What has to be written besides is decided on what is there.

use super::{Observed, onward, outcome::Outcome};
use jiff::Timestamp;
use k8s_openapi::{api::apps::v1::ReplicaSet, apimachinery::pkg::apis::meta::v1::Time};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use vocab::{ObjectRef, PatchType, Subresource, Write};

/// Adds to `first`, if all it writes is a ReplicaSet and its number, the status that follows.
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
    if !next.writes.is_empty() {
        return first;
    }
    let Outcome { writes, mut events, .. } = first;
    events.extend(next.events);
    Outcome { writes, events, is_settled: false, ..next }
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
