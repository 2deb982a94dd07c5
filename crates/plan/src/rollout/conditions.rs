//! The conditions in a rollout's status, set the way tools expect.
//!
//! A condition is replaced only if its status or reason changes; the time of its last transition stays
//! when the status does.

use api::argo::{RolloutCondition, RolloutStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

pub(crate) const AVAILABLE: &str = "AvailableReason";
pub(crate) const SET_UPDATED: &str = "ReplicaSetUpdated";
pub(crate) const SET_CREATED: &str = "NewReplicaSetCreated";
pub(crate) const SET_FOUND: &str = "FoundNewReplicaSet";
pub(crate) const SET_AVAILABLE: &str = "NewReplicaSetAvailable";
pub(crate) const SET_NOT_AVAILABLE: &str = "ReplicaSetNotAvailable";
pub(crate) const PAUSED: &str = "RolloutPaused";
pub(crate) const RESUMED: &str = "RolloutResumed";
pub(crate) const RETRY: &str = "RolloutRetry";
pub(crate) const ABORTED: &str = "RolloutAborted";
pub(crate) const TIMED_OUT: &str = "ProgressDeadlineExceeded";
pub(crate) const COMPLETED: &str = "RolloutCompleted";
pub(crate) const NOT_COMPLETED: &str = "RolloutNotCompleted";
pub(crate) const HEALTHY: &str = "RolloutHealthy";

pub(crate) const TRUE: &str = "True";
pub(crate) const FALSE: &str = "False";
pub(crate) const UNKNOWN: &str = "Unknown";

/// Makes a condition as of `now`.
pub(crate) fn condition(
    name: &str,
    status: &str,
    (reason, message): (&str, String),
    now: Timestamp,
) -> RolloutCondition {
    RolloutCondition {
        type_: name.to_owned(),
        status: status.to_owned(),
        last_update_time: Time(now),
        last_transition_time: Time(now),
        reason: reason.to_owned(),
        message,
    }
}

/// The condition of this type.
pub(crate) fn get<'a>(status: &'a RolloutStatus, name: &str) -> Option<&'a RolloutCondition> {
    status.conditions.iter().find(|condition| condition.type_ == name)
}

/// Puts `condition` in unless one of the same status and reason is there; tells whether it did.
pub(crate) fn set(status: &mut RolloutStatus, condition: RolloutCondition) -> bool {
    let found = get(status, &condition.type_);
    let says_as_much =
        |it: &RolloutCondition| it.status == condition.status && it.reason == condition.reason;
    if found.is_some_and(says_as_much) {
        return false;
    }
    let condition = in_place_of(found, condition);
    remove(status, &condition.type_);
    status.conditions.push(condition);
    true
}

/// A condition with the last transition of the one in whose place it comes, if its status is the same.
pub(crate) fn in_place_of(
    found: Option<&RolloutCondition>,
    condition: RolloutCondition,
) -> RolloutCondition {
    let since = match found.filter(|found| found.status == condition.status) {
        Some(found) => found.last_transition_time.clone(),
        None => condition.last_transition_time,
    };
    RolloutCondition { last_transition_time: since, ..condition }
}

/// Whether two statuses have the same conditions for the same reasons, whatever their order, words and times.
pub(crate) fn agree(before: &RolloutStatus, after: &RolloutStatus) -> bool {
    let says = |condition: &RolloutCondition| {
        let found = get(before, &condition.type_);
        found.is_some_and(|found| {
            found.status == condition.status && found.reason == condition.reason
        })
    };
    before.conditions.len() == after.conditions.len() && after.conditions.iter().all(says)
}

/// Takes the condition of this type out.
pub(crate) fn remove(status: &mut RolloutStatus, name: &str) {
    status.conditions.retain(|condition| condition.type_ != name);
}
