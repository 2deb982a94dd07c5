//! Taking a plan further that writes nothing but a status.
//!
//! A step that is done, the pause that begins after it, and steps that the pods at hand make up already
//! were a status each: the same object written two or three times within milliseconds. Nothing in the
//! cluster changes between them, so what would be planned next is known, and one status tells it all.
//!
//! **Invariant.** What has anything else to write is never drawn in, nor a second step but one that asks
//! for pods alone: the next look decides about it on what is there then.

use super::{Observed, status};
use api::argo::{Rollout, RolloutStatus};
use vocab::Plan;

/// How many statuses one may stand for.
const STATUSES_MAX: usize = 16;

/// Takes `first` as far as statuses alone lead, where `plan` says what comes next.
pub(super) fn onward(observed: &Observed, first: Plan, plan: impl Fn(&Observed) -> Plan) -> Plan {
    let mut whole = first;
    let mut ahead = None;
    for _ in 1..STATUSES_MAX {
        let Some(after) = status_alone(observed, &whole) else { break };
        let ahead = ahead.get_or_insert_with(|| observed.clone());
        ahead.rollout.status = Some(after);
        let next = plan(ahead);
        if !next.writes.is_empty() || leaps(observed, status_alone(ahead, &next).as_ref()) {
            break;
        }
        let is_last = next.status.is_none();
        whole = joined(observed, whole, (&*ahead, next));
        if is_last {
            break;
        }
    }
    whole
}

/// The status after a plan that writes nothing else.
fn status_alone(observed: &Observed, plan: &Plan) -> Option<RolloutStatus> {
    let written = plan.status.as_ref().filter(|_| plan.writes.is_empty())?;
    Some(status::after(&observed.rollout, written))
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

/// Two plans, the second of which was made on what the first leaves behind.
fn joined(observed: &Observed, first: Plan, (ahead, next): (&Observed, Plan)) -> Plan {
    let Plan { status: written, events, reasons, wake, .. } = next;
    let status = match written {
        Some(written) => {
            status::patch_to(&observed.rollout, &status::after(&ahead.rollout, &written))
        }
        None => first.status,
    };
    let events = first.events.into_iter().chain(events).collect();
    Plan { writes: Vec::new(), status, events, reasons, wake }
}
