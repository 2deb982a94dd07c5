//! How long updates take: when the present one began, how long people held it, how it ended.

use super::{conditions, draft::Draft, sets::SetExt, subject::Subject};
use api::argo::{RolloutDurationStatus, RolloutStatus, keys};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

const PROMOTED: &str = "Promoted";
const FAST_PROMOTED: &str = "FastPromoted";
const ABORTED: &str = "Aborted";
const SUPERSEDED: &str = "Superseded";
const ROLLED_BACK: &str = "RolledBack";
const FAST_ROLLED_BACK: &str = "FastRolledBack";

/// Brings the times in the status to be up to date.
pub(crate) fn set(subject: &Subject<'_>, draft: &mut Draft) {
    let now = Time(subject.now);
    let mut duration = subject.status.duration.clone();
    let reached = is_reached(subject, &draft.status);
    if let Some(running) = duration.as_mut().filter(|duration| is_running(duration)) {
        end(subject, draft, running, reached);
    }
    let ended = duration.as_ref().is_none_or(|duration| duration.finished_at.is_some());
    if ended && !reached && begins(subject, draft) {
        duration = Some(RolloutDurationStatus {
            rollout_started_at: Some(now),
            completion_status: foreseen(subject).map(str::to_owned),
            ..RolloutDurationStatus::default()
        });
    }
    if let Some(running) = duration.as_mut().filter(|duration| is_running(duration)) {
        count_pause(subject, &draft.status, running);
    }
    draft.status.duration = duration;
}

/// The times of an update in whose place another one has begun, ended when that began; none while one and
/// the same goes on, and none of an update that had ended before.
pub fn superseded(
    before: &RolloutDurationStatus,
    after: &RolloutDurationStatus,
) -> Option<RolloutDurationStatus> {
    let began = after.rollout_started_at.clone()?;
    if !is_running(before) || before.rollout_started_at.as_ref() == Some(&began) {
        return None;
    }
    let mut ended = before.clone();
    close_pause(began.0, &mut ended);
    ended.completion_status = Some(SUPERSEDED.to_owned());
    ended.finished_at = Some(began);
    Some(ended)
}

fn is_running(duration: &RolloutDurationStatus) -> bool {
    duration.rollout_started_at.is_some() && duration.finished_at.is_none()
}

/// Whether the wanted version is stable and has all its pods.
fn is_reached(subject: &Subject<'_>, after: &RolloutStatus) -> bool {
    let available = subject.new_set().map_or(0, SetExt::available);
    after.stable_rs == after.current_pod_hash && available >= subject.replicas()
}

fn is_new_version(subject: &Subject<'_>) -> bool {
    let changed = match subject.blue_green() {
        Some(_) => subject.template_changed(),
        None => subject.template_or_steps_changed(),
    };
    subject.status.current_pod_hash.is_none() || changed
}

/// Whether an update begins now: another version is wanted, or an aborted one is tried again.
fn begins(subject: &Subject<'_>, draft: &Draft) -> bool {
    let stored = subject.rollout.status.as_ref();
    let progressing =
        stored.and_then(|status| conditions::get(status, keys::CONDITION_PROGRESSING));
    let was_aborted = progressing.is_some_and(|found| found.reason == conditions::ABORTED);
    is_new_version(subject) || (was_aborted && !draft.status.abort)
}

/// How an update that begins now will be told to have ended, where that is known beforehand.
///
/// Upstream makes pods the right number before it takes notice of another version, so that it begins to
/// count, finds a version of the past wanted in the middle of that, and notes a rollback. One from rest
/// whose pods need no such thing counts as a promotion.
fn foreseen(subject: &Subject<'_>) -> Option<&'static str> {
    let goes_back = subject.distinct_stable().is_some() && subject.is_rollback();
    let sized_first = goes_back && subject.template_changed() && subject.has_stale_size();
    sized_first.then(|| rollback(subject))
}

fn rollback(subject: &Subject<'_>) -> &'static str {
    if subject.is_fast_rollback() { FAST_ROLLED_BACK } else { ROLLED_BACK }
}

fn end(subject: &Subject<'_>, draft: &Draft, duration: &mut RolloutDurationStatus, reached: bool) {
    let mut outcome = None;
    if is_new_version(subject) {
        if subject.is_rollback() {
            duration.completion_status = Some(rollback(subject).to_owned());
        } else {
            outcome = Some(SUPERSEDED);
        }
    }
    let promoted = draft.status.stable_rs != subject.status.stable_rs;
    if promoted && duration.completion_status.is_none() {
        let word = if subject.status.promote_full { FAST_PROMOTED } else { PROMOTED };
        duration.completion_status = Some(word.to_owned());
    }
    if reached {
        outcome = outcome.or(Some(PROMOTED));
    } else if draft.status.abort {
        outcome = outcome.or(Some(ABORTED));
    }
    let Some(outcome) = outcome else { return };
    close_pause(subject.now, duration);
    duration.completion_status.get_or_insert_with(|| outcome.to_owned());
    duration.finished_at = Some(Time(subject.now));
}

fn count_pause(subject: &Subject<'_>, after: &RolloutStatus, duration: &mut RolloutDurationStatus) {
    let manual = subject.rollout.spec.paused
        || after.pause_conditions.iter().any(|pause| needs_somebody(subject, &pause.reason));
    if manual {
        duration.manual_pause_started_at.get_or_insert(Time(subject.now));
    } else {
        close_pause(subject.now, duration);
    }
}

fn close_pause(now: Timestamp, duration: &mut RolloutDurationStatus) {
    let Some(started) = duration.manual_pause_started_at.take() else { return };
    let seconds = now.duration_since(started.0).as_secs();
    *duration.total_manual_pause_duration_seconds.get_or_insert(0) += seconds;
}

/// Whether a pause ends only when somebody ends it.
fn needs_somebody(subject: &Subject<'_>, reason: &str) -> bool {
    match reason {
        keys::PAUSE_CANARY_STEP => {
            let pause = subject.current_step().and_then(|step| step.pause.as_ref());
            pause.is_some_and(|pause| pause.duration.is_none())
        }
        keys::PAUSE_BLUE_GREEN => subject
            .blue_green()
            .is_some_and(|blue_green| blue_green.auto_promotion_enabled == Some(false)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn times(times: Value) -> RolloutDurationStatus {
        serde_json::from_value(times).unwrap()
    }

    #[test]
    fn an_update_in_whose_place_another_begins_ends_then_and_there() {
        let first = times(json!({"rolloutStartedAt": "2026-01-01T00:00:00Z",
            "manualPauseStartedAt": "2026-01-01T00:00:40Z", "totalManualPauseDurationSeconds": 5}));
        let second = times(json!({"rolloutStartedAt": "2026-01-01T00:01:00Z"}));
        let expected = times(json!({"rolloutStartedAt": "2026-01-01T00:00:00Z",
            "finishedAt": "2026-01-01T00:01:00Z", "completionStatus": "Superseded",
            "totalManualPauseDurationSeconds": 25}));
        assert_eq!(superseded(&first, &second), Some(expected.clone()));
        assert_eq!(superseded(&first, &first), None, "it goes on");
        assert_eq!(superseded(&expected, &second), None, "it had ended");
    }
}
