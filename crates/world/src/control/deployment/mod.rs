//! Deployment: one ReplicaSet per pod template, and an orderly walk from the old to the new one.
//!
//! [`decide`] takes one step of that walk; what it wrote leads to the next look.

mod progress;
mod rolling;
mod scaling;
mod sets;
#[cfg(test)]
mod tests;

use crate::{
    effect::{Decision, Effect, Grace, Part},
    objects::{
        annotation, controlled_by, controller_of, created_at, has_ended, is_controlled_by,
        labels_of, name_of, reference, selects, uid_of,
    },
};
use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Pod,
};
use serde_json::json;

/// The annotation that numbers a Deployment's templates.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
/// The annotation that keeps the numbers a reused ReplicaSet had before.
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// The annotation by which a ReplicaSet remembers how many pods the Deployment wanted.
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// The annotation by which a ReplicaSet remembers how many pods there could be at most.
const MAX: &str = "deployment.kubernetes.io/max-replicas";
/// The label that tells the pods of one template from those of another.
pub(crate) const TEMPLATE_HASH: &str = "pod-template-hash";

/// Everything that is looked at for one Deployment.
struct Look<'a> {
    deployment: &'a Deployment,
    /// Owned sets, oldest first.
    sets: Vec<&'a ReplicaSet>,
    /// The set of the present template.
    new: Option<&'a ReplicaSet>,
    now: Timestamp,
}

/// Decides for one Deployment, given the ReplicaSets and pods of its namespace.
pub(crate) fn decide(
    deployment: &Deployment,
    sets: &[&ReplicaSet],
    pods: &[&Pod],
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    if deployment.metadata.deletion_timestamp.is_some() {
        return decision;
    }
    adopt(deployment, sets, &mut decision);
    if !decision.effects.is_empty() {
        return decision;
    }
    let look = Look::new(deployment, sets, now);
    step(&look, pods, &mut decision);
    if decision.effects.is_empty() {
        clean_up(&look, &mut decision);
    }
    progress::report(&look, &mut decision);
    decision
}

impl<'a> Look<'a> {
    fn new(deployment: &'a Deployment, sets: &[&'a ReplicaSet], now: Timestamp) -> Self {
        let uid = uid_of(&deployment.metadata);
        let mut owned: Vec<&ReplicaSet> =
            sets.iter().copied().filter(|set| is_controlled_by(&set.metadata, uid)).collect();
        owned.sort_by_key(|set| (created_at(&set.metadata), set.metadata.name.clone()));
        let new = owned.iter().copied().find(|set| sets::has_template_of(set, deployment));
        Self { deployment, sets: owned, new, now }
    }

    fn old(&self) -> impl Iterator<Item = &'a ReplicaSet> {
        let new = self.new.map(|set| uid_of(&set.metadata));
        self.sets.iter().copied().filter(move |set| Some(uid_of(&set.metadata)) != new)
    }

    fn wanted(&self) -> i32 {
        self.deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
    }

    fn is_paused(&self) -> bool {
        self.deployment.spec.as_ref().is_some_and(|spec| spec.paused == Some(true))
    }

    fn recreates(&self) -> bool {
        let strategy = self.deployment.spec.as_ref().and_then(|spec| spec.strategy.as_ref());
        strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate")
    }

    /// Sets the size of a ReplicaSet and what it remembers of the Deployment, and says so.
    fn resize(&self, set: &ReplicaSet, replicas: i32, decision: &mut Decision) {
        let from = wanted_of(set);
        let remembered = sets::remembered(self);
        let known =
            remembered.iter().all(|(key, value)| annotation(&set.metadata, key) == Some(value));
        if from == replicas && known {
            return;
        }
        let body = json!({
            "metadata": {"uid": set.metadata.uid, "annotations": remembered},
            "spec": {"replicas": replicas},
        });
        decision.push(Effect::Patch { target: reference(set), part: Part::Main, body });
        if from != replicas {
            let word = if replicas > from { "up" } else { "down" };
            let name = name_of(&set.metadata);
            let message = format!("Scaled {word} replica set {name} from {from} to {replicas}");
            decision.tell(self.deployment, "ScalingReplicaSet", message);
        }
    }
}

/// The size a ReplicaSet is asked to have.
fn wanted_of(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

/// How many pods of a ReplicaSet are available.
fn available_of(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
}

fn adopt(deployment: &Deployment, sets: &[&ReplicaSet], decision: &mut Decision) {
    let Some(spec) = &deployment.spec else { return };
    let orphans = sets.iter().filter(|set| {
        controller_of(&set.metadata).is_none() && set.metadata.deletion_timestamp.is_none()
    });
    for set in orphans.filter(|set| selects(&spec.selector, labels_of(&set.metadata))) {
        let owners = json!([controlled_by(deployment)]);
        let body = json!({"metadata": {"uid": set.metadata.uid, "ownerReferences": owners}});
        decision.push(Effect::Patch { target: reference(*set), part: Part::Main, body });
    }
}

fn step(look: &Look<'_>, pods: &[&Pod], decision: &mut Decision) {
    if look.is_paused() {
        sets::renumber(look, decision);
        return scaling::scale(look, decision);
    }
    sets::renumber(look, decision);
    if !decision.effects.is_empty() {
        return;
    }
    if scaling::was_scaled(look) {
        return scaling::scale(look, decision);
    }
    if look.recreates() {
        return recreate(look, pods, decision);
    }
    match look.new {
        None => sets::create(look, rolling::first_size(look), decision),
        Some(new) => rolling::roll(look, new, decision),
    }
}

fn recreate(look: &Look<'_>, pods: &[&Pod], decision: &mut Decision) {
    for set in look.old().filter(|set| wanted_of(set) > 0) {
        look.resize(set, 0, decision);
    }
    let left = |pod: &&&Pod| {
        let mut old = look.old();
        !has_ended(pod) && old.any(|set| is_controlled_by(&pod.metadata, uid_of(&set.metadata)))
    };
    if !decision.effects.is_empty() || pods.iter().any(|pod| left(&pod)) {
        return;
    }
    match look.new {
        None => sets::create(look, look.wanted(), decision),
        Some(new) => look.resize(new, look.wanted(), decision),
    }
}

/// Deletes the oldest empty sets beyond the history limit, once the Deployment is complete.
fn clean_up(look: &Look<'_>, decision: &mut Decision) {
    let limit = look.deployment.spec.as_ref().and_then(|spec| spec.revision_history_limit);
    let limit = usize::try_from(limit.unwrap_or(i32::MAX)).unwrap_or(0);
    let observed = look.deployment.status.clone().unwrap_or_default();
    if !look.is_paused() && !progress::is_complete(look.deployment, &observed) {
        return;
    }
    let mut idle: Vec<&ReplicaSet> = look.old().filter(|set| is_idle(set)).collect();
    idle.sort_by_key(|set| sets::revision_of(&set.metadata));
    let surplus = look.old().count().saturating_sub(limit);
    for set in idle.into_iter().take(surplus) {
        let uid = set.metadata.uid.clone();
        decision.push(Effect::Delete { target: reference(set), uid, grace: Grace::Asked });
    }
}

fn is_idle(set: &ReplicaSet) -> bool {
    let none = set.status.as_ref().is_none_or(|status| status.replicas == 0);
    let seen = set.status.as_ref().and_then(|status| status.observed_generation);
    none && wanted_of(set) == 0
        && seen >= set.metadata.generation
        && set.metadata.deletion_timestamp.is_none()
}

/// A short name for a pod template, the same for equal templates.
pub(crate) fn template_hash(template: &k8s_openapi::api::core::v1::PodTemplateSpec) -> String {
    sets::hash(template)
}
