//! Taking a plan further that writes nothing but a status.
//!
//! A step that is done, the pause that begins after it, and steps that the pods at hand make up already
//! were a status each: the same object written two or three times within milliseconds. Nothing in the
//! cluster changes between them, so what would be planned next is known, and one status tells it all.
//!
//! **Invariant.** What has anything else to write is never drawn in, nor a second step but one that asks
//! for pods alone: the next look decides about it on what is there then.

use super::{Observed, outcome::Outcome};
use api::argo::{Rollout, RolloutStatus};
use std::sync::Arc;
use vocab::EventType;

/// How many statuses one may stand for.
const STATUSES_MAX: usize = 16;

/// Takes `first` as far as statuses alone lead, where `look` says what comes next.
pub(super) fn onward(
    observed: &Observed,
    first: Outcome,
    look: impl Fn(&Observed) -> Outcome,
) -> Outcome {
    let mut whole = first;
    let Some(mut reached) = whole.status_alone().cloned() else {
        whole.is_settled = whole.writes.is_empty();
        return whole;
    };
    let mut ahead = observed.clone();
    for _ in 1..STATUSES_MAX {
        Arc::make_mut(&mut ahead.rollout).status = Some(reached);
        let mut next = look(&ahead);
        if !next.writes.is_empty() {
            return foretold(whole, next);
        }
        if leaps(observed, next.status.as_ref()) {
            break;
        }
        let after = next.status.clone();
        next.is_settled = after.is_none();
        next.status = next.status.or(whole.status);
        whole.events.append(&mut next.events);
        whole = Outcome { events: whole.events, ..next };
        match after.filter(|after| observed.rollout.status.as_ref() != Some(after)) {
            Some(after) => reached = after,
            None => break,
        }
    }
    whole
}

/// An outcome whose status says already what the next one waits for, so that this is not written by itself;
/// but not what the next one warns of, which it does until the status says so.
fn foretold(mut whole: Outcome, next: Outcome) -> Outcome {
    if next.events.iter().any(|event| event.event_type == EventType::Warning) {
        return whole;
    }
    if let Some((reached, after)) = whole.status.as_mut().zip(next.status) {
        reached.reasons = after.reasons;
    }
    Outcome { reasons: next.reasons, ..whole }
}

/// Whether a status leaves more than one step behind, others than weights that pods alone make up.
fn leaps(observed: &Observed, after: Option<&RolloutStatus>) -> bool {
    let index = |status: Option<&RolloutStatus>| status?.current_step_index;
    let from = index(observed.rollout.status.as_ref());
    let Some((from, to)) = from.zip(index(after)) else { return false };
    !(from + 1..to).all(|step| is_weight_by_pods(&observed.rollout, step))
}

/// Whether a step asks for nothing but a number of pods, so that it may be done together with the one
/// before it: several weights may come to the same number.
pub(crate) fn is_weight_by_pods(rollout: &Rollout, step: i32) -> bool {
    let Some(canary) = &rollout.spec.strategy.canary else { return false };
    let step = usize::try_from(step).ok().and_then(|index| canary.steps.get(index));
    canary.traffic_routing.is_none() && step.is_some_and(|step| step.set_weight.is_some())
}
