//! The one word for how a rollout stands, and the sentence beside it.
//!
//! Both are upstream's to the letter. When nothing has moved for a while the sentence goes on with what is
//! waited for.

use super::{Observed, conditions, draft::Draft, resolve::Resolved, subject::Subject, waits::Wait};
use api::argo::{AnalysisPhase, Rollout, RolloutPhase, RolloutStatus, keys};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::core::v1::PodTemplateSpec, apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use std::sync::Arc;

/// How long nothing moves before the message says what is waited for.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// Sets phase and message of the status to be.
pub(crate) fn set(subject: &Subject<'_>, draft: &mut Draft) {
    let (phase, mut message) = calculate(subject, &draft.status);
    if let Some(progressing) = conditions::get(&draft.status, keys::CONDITION_PROGRESSING)
        && let Some(wait) = holdup(phase, &progressing.reason, &draft.waits)
    {
        let due = progressing.last_update_time.0 + PATIENCE;
        if due <= subject.now {
            message = format!("{message}: {}", wait.reason().message);
        } else {
            draft.wake_at(due);
        }
    }
    draft.status.phase = Some(phase);
    draft.status.message = Some(message).filter(|message| !message.is_empty());
}

/// What keeps a rollout that should get on: on the way out whatever comes first, on the way back what
/// keeps users from where they were.
fn holdup<'a>(phase: RolloutPhase, reason: &str, waits: &'a [Wait]) -> Option<&'a Wait> {
    match phase {
        RolloutPhase::Progressing => waits.first(),
        RolloutPhase::Degraded if reason == conditions::ABORTED => {
            waits.iter().find(|wait| wait.is_obstacle())
        }
        _ => None,
    }
}

/// Phase and sentence of a rollout whose status has none, out of what else it says: for clients where no
/// controller has been yet.
pub fn calculated_phase(rollout: &Rollout) -> (RolloutPhase, String) {
    let observed = Observed { rollout: Arc::new(rollout.clone()), ..Observed::default() };
    let resolved = Resolved::of(PodTemplateSpec::default(), LabelSelector::default());
    let subject = Subject::of(&observed, &resolved, Timestamp::UNIX_EPOCH);
    calculate(&subject, &subject.status)
}

fn calculate(subject: &Subject<'_>, status: &RolloutStatus) -> (RolloutPhase, String) {
    for condition in &status.conditions {
        if condition.type_ == keys::CONDITION_INVALID_SPEC {
            return (
                RolloutPhase::Degraded,
                format!("{}: {}", keys::CONDITION_INVALID_SPEC, condition.message),
            );
        }
        if [conditions::ABORTED, conditions::TIMED_OUT].contains(&condition.reason.as_str()) {
            return (
                RolloutPhase::Degraded,
                format!("{}: {}", condition.reason, condition.message),
            );
        }
    }
    if subject.rollout.spec.paused {
        return (RolloutPhase::Paused, "manually paused".to_owned());
    }
    if let Some(pause) = status.pause_conditions.first() {
        return (RolloutPhase::Paused, pause.reason.clone());
    }
    match on_the_way(subject, status) {
        Some(message) => (RolloutPhase::Progressing, message.to_owned()),
        None => (RolloutPhase::Healthy, String::new()),
    }
}

fn on_the_way(subject: &Subject<'_>, status: &RolloutStatus) -> Option<&'static str> {
    let restart = &subject.rollout.spec.restart_at;
    if restart.is_some() && *restart != status.restarted_at {
        return Some("rollout is restarting");
    }
    if status.updated_replicas < subject.replicas() {
        return Some("more replicas need to be updated");
    }
    if status.available_replicas < status.updated_replicas {
        return Some("updated replicas are still becoming available");
    }
    let stable = status.stable_rs.is_some() && status.stable_rs == status.current_pod_hash;
    if let Some(blue_green) = subject.blue_green() {
        let active = &status.blue_green.active_selector;
        if active.is_none() || *active != status.current_pod_hash {
            return Some("active service cutover pending");
        }
        let run = status.blue_green.post_promotion_analysis_run_status.as_ref();
        let judged = run.is_some_and(|run| AnalysisPhase::completed(run.status));
        return match (stable, blue_green.post_promotion_analysis.is_some() && !judged) {
            (true, _) => None,
            (false, true) => Some("waiting for analysis to complete"),
            (false, false) => Some("waiting for post-promotion verification to complete"),
        };
    }
    if !subject.is_routed() && status.replicas > status.updated_replicas {
        return Some("old replicas are pending termination");
    }
    (!stable).then_some("waiting for all steps to complete")
}
