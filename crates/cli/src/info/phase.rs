//! The phase that clients show: the controller's own, unless it has not seen the latest change.

use api::argo::{ObservedGeneration, Rollout};

/// Phase and message.
pub(crate) fn of(rollout: &Rollout) -> (String, String) {
    let status = rollout.status.clone().unwrap_or_default();
    let progressing = |message: &str| ("Progressing".to_owned(), message.to_owned());
    let noted = status.observed_generation.as_ref().map(ObservedGeneration::as_str);
    if !is_observed(rollout.metadata.generation, noted) {
        return progressing("waiting for rollout spec update to be observed");
    }
    if is_unpausing(rollout) {
        return progressing("waiting for rollout to unpause");
    }
    let workload = rollout
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get("rollout.argoproj.io/workload-generation"));
    let noted = status.workload_observed_generation.as_ref().map(ObservedGeneration::as_str);
    if rollout.spec.workload_ref.is_some() && workload.map(String::as_str) != noted {
        return progressing(
            "waiting for rollout spec update to be observed for the reference workload",
        );
    }
    let phase = status.phase.map(|phase| phase.to_string()).unwrap_or_default();
    (phase, status.message.unwrap_or_default())
}

/// A number that is not ours, or from the future, counts as observed; nothing at all does not.
fn is_observed(generation: Option<i64>, observed: Option<&str>) -> bool {
    match observed {
        None => false,
        Some(text) => {
            text.parse::<i64>().map_or(true, |observed| observed >= generation.unwrap_or(0))
        }
    }
}

/// Somebody cleared the pause and the controller has not taken it up yet.
fn is_unpausing(rollout: &Rollout) -> bool {
    rollout
        .status
        .as_ref()
        .is_some_and(|status| status.controller_pause && status.pause_conditions.is_empty())
}
