//! Ready, Reconciling and Stalled, which tools ask for that know nothing of rollouts: `kubectl wait`, Flux,
//! Helm (kstatus, <https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md>).
//!
//! They say what the phase says. The latter two are there only while they are true. Where generations are text,
//! which kstatus cannot read, a degraded rollout has none of them: upstream's clients count its conditions.

use super::conditions;
use api::argo::{GenerationForm, RolloutCondition, RolloutPhase, RolloutStatus, keys};
use jiff::Timestamp;

/// Sets the three from the phase and the message of the status to be.
pub(crate) fn set(after: &mut RolloutStatus, (form, now): (GenerationForm, Timestamp)) {
    let phase = after.phase.unwrap_or(RolloutPhase::Progressing);
    let ready = phase == RolloutPhase::Healthy;
    let stalled = phase == RolloutPhase::Degraded;
    let is_told = !stalled || form == GenerationForm::Number;
    let told = |name: &str, status: &str| {
        let message = after.message.clone().unwrap_or_default();
        conditions::condition(name, status, (&phase.to_string(), message), now)
    };
    let readiness = if ready { conditions::TRUE } else { conditions::FALSE };
    let wanted = [
        is_told.then(|| told(keys::CONDITION_READY, readiness)),
        (!ready && !stalled).then(|| told(keys::CONDITION_RECONCILING, conditions::TRUE)),
        (stalled && is_told).then(|| told(keys::CONDITION_STALLED, conditions::TRUE)),
    ];
    let names = [keys::CONDITION_READY, keys::CONDITION_RECONCILING, keys::CONDITION_STALLED];
    for (name, wanted) in names.into_iter().zip(wanted) {
        put(after, name, wanted);
    }
}

/// Puts a condition where the one of its type was, so that the order of the others stays.
fn put(after: &mut RolloutStatus, name: &str, wanted: Option<RolloutCondition>) {
    let all = &mut after.conditions;
    let place = all.iter().position(|found| found.type_ == name);
    match (place.and_then(|place| all.get_mut(place)), wanted) {
        (Some(found), Some(wanted)) => renew(found, wanted),
        (None, Some(wanted)) => all.push(wanted),
        (_, None) => conditions::remove(after, name),
    }
}

/// Other than upstream's conditions these have the message that is true now.
fn renew(found: &mut RolloutCondition, wanted: RolloutCondition) {
    let says = |it: &RolloutCondition| [&it.status, &it.reason, &it.message].map(String::clone);
    if says(found) != says(&wanted) {
        *found = conditions::in_place_of(Some(found), wanted);
    }
}
