//! How many pods the versions of a canary shall have now, and whether they have them.

use super::{
    replicas::{self, CanarySize, Stable, StableSize, Targets},
    sets::{SetExt, total_available, total_wanted},
    subject::{AbortDelay, Subject},
    weights,
};
use api::argo::{SetCanaryScale, TrafficWeights};

/// The split in force, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InForce {
    /// The canary's weight.
    pub(crate) canary: Option<i32>,
    /// Stable's weight.
    pub(crate) stable: Option<i32>,
}

impl InForce {
    /// The greater shares of the split in force and the one that this plan brings about.
    pub(crate) fn or_steered(self, weights: Option<&TrafficWeights>) -> Self {
        let greater = |one: Option<i32>, other: Option<i32>| one.max(other);
        Self {
            canary: greater(self.canary, weights.map(|weights| weights.canary.weight)),
            stable: greater(self.stable, weights.map(|weights| weights.stable.weight)),
        }
    }
}

/// Whether the canary counts as aborted in this question.
fn is_aborted(subject: &Subject<'_>) -> bool {
    subject.status.abort
}

/// Pods for the new and the stable version of a canary.
pub(crate) fn canary_targets(subject: &Subject<'_>, in_force: InForce) -> Targets {
    if subject.is_routed() { routed_targets(subject, in_force) } else { basic_targets(subject) }
}

fn basic_targets(subject: &Subject<'_>) -> Targets {
    let stable = match (subject.stable_set(), subject.distinct_stable()) {
        (None, _) => Stable::Absent,
        (Some(_), None) => Stable::SameAsNew,
        (Some(_), Some(set)) => Stable::Distinct(set.count()),
    };
    let weight = scale_weight(subject);
    let older = total_wanted(subject.other_sets());
    let new = subject.new_set().map(SetExt::count);
    replicas::basic(subject.size(), subject.share(weight), new, stable, older)
}

fn routed_targets(subject: &Subject<'_>, in_force: InForce) -> Targets {
    let canary = if is_past_steps(subject) {
        CanarySize::Weight(subject.max_weight())
    } else {
        canary_size(subject, in_force)
    };
    let stable = if subject.is_dynamic() && !leaves_another_canary(subject, in_force) {
        StableSize::Follows {
            in_force: in_force.canary,
            stable_in_force: in_force.stable,
            aborted: is_aborted(subject),
        }
    } else {
        StableSize::Full
    };
    let least = subject.canary().and_then(|canary| canary.min_pods_per_replica_set).unwrap_or(0);
    replicas::traffic_routed(subject.replicas(), subject.max_weight(), least, canary, stable)
}

/// Whether the new version shall have full size whatever the steps say.
fn is_past_steps(subject: &Subject<'_>) -> bool {
    subject.status.promote_full || subject.stable_hash().is_empty() || subject.is_fully_promoted()
}

fn canary_size(subject: &Subject<'_>, in_force: InForce) -> CanarySize {
    let explicit = explicit_scale(subject);
    if let Some(pods) = explicit.and_then(|scale| scale.replicas) {
        return CanarySize::Pods(pods);
    }
    if let Some(weight) = explicit.and_then(|scale| scale.weight) {
        return CanarySize::Weight(weight);
    }
    let weight = weight_on_the_way(subject);
    if is_aborted(subject) {
        // On the way back it only ever shrinks, however many pods stable lacks for a moment.
        return CanarySize::Weight(in_force.canary.map_or(weight, |most| weight.min(most)));
    }
    let pods = subject.new_set().map_or(0, SetExt::wanted);
    if weight == 0 && pods > 0 && follows_weight_again(subject) {
        // The next weight needs a pod; until then whoever tests the canary keeps one.
        return CanarySize::Pods(1);
    }
    CanarySize::Weight(weight)
}

/// Whether the latest `setCanaryScale` ended a scale of its own.
fn follows_weight_again(subject: &Subject<'_>) -> bool {
    let latest = subject.steps_so_far().find_map(|step| step.set_canary_scale.as_ref());
    subject.is_routed() && latest.is_some_and(|scale| scale.match_traffic_weight)
}

/// Whether users still have to come back from a version that was overtaken by a new one, so that stable
/// must be able to take all of them.
fn leaves_another_canary(subject: &Subject<'_>, in_force: InForce) -> bool {
    in_force.canary.is_some_and(|weight| weight > 0) && weights::overtaken(subject).is_some()
}

/// The weight that sizes a basic canary.
fn scale_weight(subject: &Subject<'_>) -> i32 {
    if is_past_steps(subject) { subject.max_weight() } else { weight_on_the_way(subject) }
}

/// The weight of the steps, or after an abort the next one on the way back.
pub(crate) fn weight_on_the_way(subject: &Subject<'_>) -> i32 {
    match (subject.new_set(), subject.stable_set()) {
        (Some(new), Some(stable)) if is_aborted(subject) && subject.is_dynamic() => {
            let expected = subject.replicas() - stable.available();
            let held = if subject.has_explicit_abort_delay() {
                expected
            } else {
                expected.max(new.available())
            };
            step_below(subject, held)
        }
        _ => current_set_weight(subject),
    }
}

/// The latest step whose weight needs fewer pods than `pods`.
fn step_below(subject: &Subject<'_>, pods: i32) -> i32 {
    let needs_fewer =
        |weight: &i32| replicas::pods_for(subject.replicas(), subject.share(*weight)) < pods;
    subject.steps().iter().rev().filter_map(|step| step.set_weight).find(needs_fewer).unwrap_or(0)
}

/// The weight that the steps have reached; all of it once they are done, none after an abort.
pub(crate) fn current_set_weight(subject: &Subject<'_>) -> i32 {
    if is_aborted(subject) {
        return 0;
    }
    if subject.current_step().is_none() {
        return subject.max_weight();
    }
    subject.steps_so_far().find_map(|step| step.set_weight).unwrap_or(0)
}

/// The weight of the steps before the present one.
pub(crate) fn previous_set_weight(subject: &Subject<'_>) -> i32 {
    let before = usize::try_from(subject.step_index()).unwrap_or(0);
    subject.steps().iter().take(before).rev().find_map(|step| step.set_weight).unwrap_or(0)
}

/// The `setCanaryScale` in force.
pub(crate) fn explicit_scale<'a>(subject: &'a Subject<'_>) -> Option<&'a SetCanaryScale> {
    let kept = subject.abort_delay() == AbortDelay::Forever;
    if !subject.is_routed() || subject.current_step().is_none() || (is_aborted(subject) && !kept) {
        return None;
    }
    let latest = subject.steps_so_far().find_map(|step| step.set_canary_scale.as_ref());
    latest.filter(|scale| !scale.match_traffic_weight)
}

/// Whether the versions have the pods that the present step needs.
pub(crate) fn at_desired_counts(subject: &Subject<'_>, in_force: InForce) -> bool {
    let targets = canary_targets(subject, in_force);
    let new = subject.new_set();
    if !new.is_some_and(|set| subject.threshold().is_met(set.count(), targets.canary)) {
        return false;
    }
    let stable = subject.stable_set();
    let created =
        stable.is_some_and(|set| set.wanted() == targets.stable && set.actual() == targets.stable);
    if !subject.is_dynamic() && !created {
        return false;
    }
    subject.is_routed() || leaving(subject) == 0
}

/// Pods of older versions that have to go before a step of a basic canary counts as done: not those that
/// stay because too few others are available.
pub(crate) fn leaving(subject: &Subject<'_>) -> i32 {
    let least = subject.replicas() - subject.size().max_unavailable;
    let spare = total_available(subject.sets()) - least;
    total_available(subject.other_sets()).min(spare.max(0))
}
