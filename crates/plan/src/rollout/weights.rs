//! Which weight the canary should have now.
//!
//! Start with [`desired`]. Whether it may be brought about is for the traffic module to say.

use super::{
    draft::Draft,
    replicas::pods_for,
    restart, services,
    sets::SetExt,
    subject::Subject,
    targets::{self, InForce, at_desired_counts},
    traffic::View,
};
use k8s_openapi::api::apps::v1::ReplicaSet;

/// How badly traffic must leave the canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// In good order.
    None,
    /// The update was aborted: stable must be well enough.
    Abort,
    /// The canary has no pods, or is about to have none: any stable pod is better.
    CanaryGone,
}

/// A wanted weight and the version it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Desired {
    /// The canary's weight.
    pub(crate) weight: i32,
    /// Hash of the version that gets it.
    pub(crate) canary_hash: String,
    /// How badly traffic must leave it, if it must.
    pub(crate) urgency: Urgency,
}

/// The weight the canary should have; none while a restart takes its only pod.
pub(crate) fn desired(subject: &Subject<'_>, view: &View, draft: &Draft) -> Desired {
    let wanted = of_release(subject, view, draft);
    if restart::empties(subject, &wanted.canary_hash) {
        return Desired { weight: 0, urgency: Urgency::CanaryGone, ..wanted };
    }
    wanted
}

/// The weight that the state of the release asks for.
fn of_release(subject: &Subject<'_>, view: &View, draft: &Draft) -> Desired {
    let in_force = view.weight.as_ref().copied().unwrap_or(0);
    let new = subject.new_set();
    let want = |weight: i32, urgency: Urgency| Desired {
        weight,
        canary_hash: new.map_or_else(String::new, |set| set.hash().to_owned()),
        urgency,
    };
    if let Some(previous) = returning_from(subject) {
        let weight = weight_on_return(subject, in_force);
        return Desired { weight, canary_hash: previous, urgency: Urgency::None };
    }
    if subject.is_fully_promoted() {
        return want(0, Urgency::None);
    }
    if let Some(overtaken) = overtaken(subject).filter(|_| in_force > 0) {
        let able = subject.stable_set().map_or(0, |set| weight_for(subject, set.available()));
        let weight = (subject.max_weight() - able).clamp(0, in_force);
        return Desired { weight, canary_hash: overtaken.to_owned(), urgency: Urgency::None };
    }
    if draft.pause.is_aborted(&subject.status) {
        if new.is_none_or(|set| set.available() == 0) {
            return want(0, Urgency::CanaryGone);
        }
        let weight = if subject.is_dynamic() { weight_on_return(subject, in_force) } else { 0 };
        return want(weight, Urgency::Abort);
    }
    if new.is_none_or(|set| set.available() == 0) {
        return want(0, Urgency::CanaryGone);
    }
    if subject.status.promote_full {
        return want(weight_on_full_promotion(subject, in_force), Urgency::None);
    }
    want(weight_of_steps(subject, in_force), Urgency::None)
}

/// The version that had the canary's traffic when the rollout turned back to a stable version that is not
/// at full size.
pub(crate) fn returning_from(subject: &Subject<'_>) -> Option<String> {
    let new = subject.new_set()?;
    let before = subject.status.canary.weights.as_ref()?.canary.pod_template_hash.clone()?;
    let returning = subject.is_fully_promoted() && subject.is_dynamic();
    (returning && before != new.hash() && new.available() < subject.replicas()).then_some(before)
}

/// The version that still has the canary's traffic although another one is wanted now, if pods of it are there.
pub(crate) fn overtaken<'a>(subject: &'a Subject<'_>) -> Option<&'a str> {
    let service = subject.canary()?.canary_service.as_deref()?;
    let hash = services::selected(subject, service)?;
    let set = subject.set_of(hash).filter(|set| set.available() > 0)?;
    let known = |set: Option<&ReplicaSet>| set.is_some_and(|set| set.hash() == hash);
    (!known(subject.new_set()) && !known(subject.stable_set())).then_some(set.hash())
}

/// The weight that so many pods can take.
fn weight_for(subject: &Subject<'_>, pods: i32) -> i32 {
    let (replicas, max) = (i64::from(subject.replicas()), i64::from(subject.max_weight()));
    let weight = if replicas == 0 { max } else { max * i64::from(pods) / replicas };
    i32::try_from(weight).unwrap_or(i32::MAX)
}

/// Down the steps as stable becomes able to take more.
fn weight_on_return(subject: &Subject<'_>, in_force: i32) -> i32 {
    let (Some(stable), Some(_)) = (subject.stable_set(), subject.new_set()) else {
        return 0;
    };
    let max = subject.max_weight();
    if !subject.is_dynamic() || subject.replicas() == 0 {
        return 0;
    }
    let able = weight_for(subject, stable.available());
    let next = targets::weight_on_the_way(subject);
    if next <= 0 {
        return (max - able).max(0).min(in_force);
    }
    if able < max - next { in_force } else { next.min(in_force) }
}

/// As much as the canary can take; all of it once it has full size.
fn weight_on_full_promotion(subject: &Subject<'_>, in_force: i32) -> i32 {
    let (replicas, max) = (subject.replicas(), subject.max_weight());
    let Some(new) = subject.new_set() else { return 0 };
    if new.available() >= replicas || subject.threshold().is_met(new.count(), replicas) {
        return max;
    }
    if subject.is_dynamic() && replicas > 0 {
        weight_for(subject, new.available()).max(in_force)
    } else {
        in_force
    }
}

/// The present step's weight once the pods are there, and the one before until then; where that one was
/// skipped, no more of it than the pods can take. A step that goes down is followed at once: traffic leaves
/// before pods do.
fn weight_of_steps(subject: &Subject<'_>, in_force: i32) -> i32 {
    let current = targets::current_set_weight(subject);
    let needed = pods_for(subject.replicas(), subject.share(current));
    let able = subject.new_set().is_some_and(|set| set.available() >= needed);
    if at_desired_counts(subject, InForce::default()) || (in_force > current && able) {
        return current;
    }
    let previous = targets::previous_set_weight(subject).min(current);
    if targets::explicit_scale(subject).is_some() {
        return previous;
    }
    let takes = subject.new_set().map_or(0, |set| weight_for(subject, set.available()));
    previous.min(takes.max(in_force))
}
