//! Pauses: beginning, ending, and saying so.

use super::{conditions, draft::Draft, subject::Subject, waits::Wait};
use api::argo::{AnalysisPhase, PauseCondition, RolloutCondition, RolloutPause, keys};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Notes in the conditions that somebody paused, resumed or retried, before anything else is decided, so
/// that the progress deadline counts from there.
pub(crate) fn note(subject: &mut Subject<'_>) {
    if !subject.rollout.is_taken_in() {
        return;
    }
    let paused = !subject.status.pause_conditions.is_empty() || subject.rollout.spec.paused;
    let reason = subject.condition(keys::CONDITION_PROGRESSING).map(|found| found.reason.clone());
    let aborted = reason.as_deref() == Some(conditions::ABORTED);
    let completed = !subject.stable_hash().is_empty() && subject.is_fully_promoted();
    let shown = subject
        .condition(keys::CONDITION_PAUSED)
        .is_some_and(|found| found.status == conditions::TRUE);
    let now = subject.now;
    let mut progressing = |reason: &str, message: &str| {
        let text = (reason, message.to_owned());
        let condition =
            conditions::condition(keys::CONDITION_PROGRESSING, conditions::UNKNOWN, text, now);
        conditions::set(&mut subject.status, condition);
    };
    if paused != (reason.as_deref() == Some(conditions::PAUSED)) && !aborted && !completed {
        match (paused, reason.as_deref()) {
            (true, _) => progressing(conditions::PAUSED, "Rollout is paused"),
            (false, Some(conditions::PAUSED)) => {
                progressing(conditions::RESUMED, "Rollout is resumed");
            }
            (false, _) => {}
        }
    }
    if aborted && !subject.status.abort {
        let text = (conditions::RETRY, "Retrying Rollout after abort".to_owned());
        let condition =
            conditions::condition(keys::CONDITION_PROGRESSING, conditions::UNKNOWN, text, now);
        conditions::set(&mut subject.status, condition);
    }
    if paused != shown && !aborted {
        let status = if paused { conditions::TRUE } else { conditions::FALSE };
        conditions::set(&mut subject.status, paused_condition(status, now));
    }
}

/// Begins the pause of the present step.
pub(crate) fn reconcile_step(subject: &Subject<'_>, draft: &mut Draft) {
    let pause = subject.current_step().and_then(|step| step.pause.as_ref());
    if pause.is_none() || subject.rollout.spec.paused || subject.status.promote_full {
        return;
    }
    if subject.pause(keys::PAUSE_CANARY_STEP).is_none() && !subject.status.controller_pause {
        draft.pause.add(keys::PAUSE_CANARY_STEP);
    }
}

/// Whether a pause step is over: somebody resumed it, or its time has passed.
pub(crate) fn is_step_over(subject: &Subject<'_>, pause: &RolloutPause) -> bool {
    match subject.pause(keys::PAUSE_CANARY_STEP) {
        None => subject.status.controller_pause,
        Some(started) => end(started, pause).is_some_and(|end| end <= subject.now),
    }
}

/// When a pause that began at `started` ends by itself.
pub(crate) fn end(started: Timestamp, pause: &RolloutPause) -> Option<Timestamp> {
    let seconds = pause.seconds().ok().flatten()?;
    started.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// Puts the pauses and the abort into the status to be.
pub(crate) fn apply(subject: &Subject<'_>, draft: &mut Draft) {
    let aborted = draft.pause.is_aborted(&subject.status);
    draft.status.abort = aborted;
    draft.status.aborted_at =
        aborted.then(|| subject.status.aborted_at.clone().unwrap_or(Time(subject.now)));
    if aborted || draft.pause.is_cleared() {
        draft.status.pause_conditions = Vec::new();
        draft.status.controller_pause = false;
        return;
    }
    let mut pauses = subject.status.pause_conditions.clone();
    let known: Vec<String> = pauses.iter().map(|pause| pause.reason.clone()).collect();
    pauses.retain(|pause| !draft.pause.removes(&pause.reason));
    for pause in &mut pauses {
        // Begun by a clock that went ahead: it must not last until this one has caught up.
        pause.start_time.0 = pause.start_time.0.min(subject.now);
    }
    let mut controller_pause = subject.status.controller_pause;
    for reason in
        draft.pause.added().iter().filter(|reason| !known.iter().any(|known| known == *reason))
    {
        pauses.push(PauseCondition { reason: (*reason).to_owned(), start_time: Time(subject.now) });
        controller_pause = true;
    }
    let is_kept = draft.pause.is_left() || is_promoted_before_resumed(subject);
    draft.status.controller_pause = controller_pause && (!pauses.is_empty() || is_kept);
    draft.status.pause_conditions = pauses;
}

/// Whether a pause may have been ended while `spec.paused` still stands: a promotion writes one after the other.
/// Seen in between nothing goes on yet, and what was ended must not begin anew. What was inconclusive does.
fn is_promoted_before_resumed(subject: &Subject<'_>) -> bool {
    let (canary, blue_green) = (&subject.status.canary, &subject.status.blue_green);
    let judged = [
        &canary.current_step_analysis_run_status,
        &canary.current_background_analysis_run_status,
        &blue_green.pre_promotion_analysis_run_status,
        &blue_green.post_promotion_analysis_run_status,
    ];
    let is_inconclusive =
        judged.into_iter().flatten().any(|run| run.status == AnalysisPhase::Inconclusive);
    let pauses = subject.blue_green().is_some()
        || subject.current_step().is_some_and(|step| step.pause.is_some());
    subject.rollout.spec.paused && pauses && !is_inconclusive
}

/// Shows at once that a pause is over; that one has begun is shown once it was written down.
pub(crate) fn lift(subject: &Subject<'_>, draft: &mut Draft) {
    let is_shown = conditions::get(&draft.status, keys::CONDITION_PAUSED)
        .is_some_and(|found| found.status == conditions::TRUE);
    let is_over = !subject.rollout.spec.paused && draft.status.pause_conditions.is_empty();
    if is_shown && is_over && !draft.pause.is_aborted(&subject.status) {
        conditions::set(&mut draft.status, paused_condition(conditions::FALSE, subject.now));
    }
}

fn paused_condition(status: &str, now: Timestamp) -> RolloutCondition {
    let text = (conditions::PAUSED, "Rollout is paused".to_owned());
    conditions::condition(keys::CONDITION_PAUSED, status, text, now)
}

/// Says what the pauses wait for, and when to look again.
pub(crate) fn explain(subject: &Subject<'_>, draft: &mut Draft) {
    if subject.rollout.spec.paused {
        draft.wait(Wait::UserPause);
    }
    for pause in draft.status.pause_conditions.clone() {
        let until = timed_end(subject, &pause);
        if let Some(until) = until.filter(|until| *until > subject.now) {
            draft.wake_at(until);
        }
        draft.wait(Wait::Pause { reason: pause.reason, until });
    }
}

fn timed_end(subject: &Subject<'_>, pause: &PauseCondition) -> Option<Timestamp> {
    let started = pause.start_time.0;
    match pause.reason.as_str() {
        keys::PAUSE_CANARY_STEP => end(started, subject.current_step()?.pause.as_ref()?),
        keys::PAUSE_BLUE_GREEN => {
            let blue_green = subject.blue_green()?;
            let timed = blue_green.auto_promotion_enabled != Some(false)
                && blue_green.auto_promotion_seconds > 0;
            let delay = SignedDuration::from_secs(i64::from(blue_green.auto_promotion_seconds));
            timed.then(|| started.checked_add(delay).ok()).flatten()
        }
        _ => None,
    }
}
