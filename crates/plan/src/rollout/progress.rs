//! Whether the rollout advances, is complete, is stuck: its conditions, in upstream's words.
//!
//! Start with [`set_conditions`].

use super::{
    analysis,
    analysis_run::Part,
    conditions,
    conditions::{FALSE, TRUE},
    draft::Draft,
    sets::{SetExt, total_available},
    subject::Subject,
};
use api::argo::{CanaryStep, RolloutCondition, RolloutStatus, keys};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::ReplicaSet;
use vocab::EventType;

/// How long after its deadline a rollout is looked at.
const DEADLINE_SLACK: SignedDuration = SignedDuration::from_secs(1);

/// Aborts an update that is stuck, if the spec asks for it.
pub(crate) fn abort_when_stuck(subject: &Subject<'_>, draft: &mut Draft) {
    let exempt = !subject.rollout.spec.progress_deadline_abort
        || draft.pause.is_aborted(&subject.status)
        || is_completed(&draft.status)
        || has_progressed(subject, &draft.status)
        || is_exempt(subject);
    if !exempt && is_timed_out(subject, &subject.status) {
        let counts = |set: &ReplicaSet| {
            [("available", set.available()), ("wanted", set.wanted())]
                .map(|(key, count)| (key.to_owned(), count.to_string()))
                .into()
        };
        let evidence = subject.new_set().map(counts).unwrap_or_default();
        draft.pause.abort(timeout_message(subject), evidence);
    }
}

fn timeout_message(subject: &Subject<'_>) -> String {
    match subject.new_set() {
        Some(set) => format!("ReplicaSet \"{}\" has timed out progressing.", set.name()),
        None => format!("Rollout \"{}\" has timed out progressing.", subject.name()),
    }
}

/// Sets every condition of the status to be.
pub(crate) fn set_conditions(subject: &Subject<'_>, draft: &mut Draft) {
    let became_unhealthy = set_healthy(subject, draft);
    if draft.pause.is_aborted(&subject.status) {
        set_aborted(subject, draft);
    } else {
        set_progressing(subject, became_unhealthy, draft);
    }
    set_available(subject, draft);
    set_replica_failure(subject, draft);
    set_completed(subject, draft);
}

fn put(
    subject: &Subject<'_>,
    draft: &mut Draft,
    name: &str,
    status: &str,
    text: (&str, &str),
) -> bool {
    let condition = conditions::condition(name, status, (text.0, text.1.to_owned()), subject.now);
    conditions::set(&mut draft.status, condition)
}

/// Whether the rollout was healthy and is so no more.
fn set_healthy(subject: &Subject<'_>, draft: &mut Draft) -> bool {
    let paused = !draft.status.pause_conditions.is_empty() || subject.rollout.spec.paused;
    if !paused && is_healthy(subject, &draft.status) {
        put(
            subject,
            draft,
            keys::CONDITION_HEALTHY,
            TRUE,
            (conditions::HEALTHY, "Rollout is healthy"),
        );
        return false;
    }
    subject.condition(keys::CONDITION_HEALTHY).is_some()
        && put(
            subject,
            draft,
            keys::CONDITION_HEALTHY,
            FALSE,
            (conditions::HEALTHY, "Rollout is not healthy"),
        )
}

fn set_aborted(subject: &Subject<'_>, draft: &mut Draft) {
    let mut message = format!("Rollout aborted update to revision {}", subject.revision());
    if let Some(why) = draft.pause.abort_message() {
        message = format!("{message}: {why}");
    }
    let text = (conditions::ABORTED, message.as_str());
    if put(subject, draft, keys::CONDITION_PROGRESSING, FALSE, text) {
        let evidence = draft.pause.abort_evidence();
        draft.event(subject, EventType::Warning, (conditions::ABORTED, message), evidence);
    }
}

fn set_progressing(subject: &Subject<'_>, became_unhealthy: bool, draft: &mut Draft) {
    let name = subject.new_set().map(|set| set.name().to_owned()).unwrap_or_default();
    if is_healthy(subject, &draft.status) {
        let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
        put(
            subject,
            draft,
            keys::CONDITION_PROGRESSING,
            TRUE,
            (conditions::SET_AVAILABLE, &message),
        );
    } else if has_progressed(subject, &draft.status) || became_unhealthy {
        note_progress(subject, &name, became_unhealthy, draft);
    } else if !is_exempt(subject) {
        watch_deadline(subject, draft);
    }
}

/// Renews the condition so that the deadline counts from now.
fn note_progress(subject: &Subject<'_>, name: &str, became_unhealthy: bool, draft: &mut Draft) {
    let completed = draft.status.stable_rs == draft.status.current_pod_hash;
    let (reason, message) = if completed && became_unhealthy {
        (conditions::SET_NOT_AVAILABLE, "Rollout does not have minimum availability".to_owned())
    } else {
        (conditions::SET_UPDATED, format!("ReplicaSet \"{name}\" is progressing."))
    };
    let condition =
        conditions::condition(keys::CONDITION_PROGRESSING, TRUE, (reason, message), subject.now);
    let found = subject.condition(keys::CONDITION_PROGRESSING);
    let condition = conditions::in_place_of(found, condition);
    conditions::remove(&mut draft.status, keys::CONDITION_PROGRESSING);
    conditions::set(&mut draft.status, condition);
    draft.wake_at(subject.now + subject.progress_deadline() + DEADLINE_SLACK);
}

fn watch_deadline(subject: &Subject<'_>, draft: &mut Draft) {
    if is_timed_out(subject, &draft.status) {
        let message = timeout_message(subject);
        put(subject, draft, keys::CONDITION_PROGRESSING, FALSE, (conditions::TIMED_OUT, &message));
    } else if let Some(found) = conditions::get(&draft.status, keys::CONDITION_PROGRESSING)
        && counts_against_deadline(found)
    {
        draft.wake_at(deadline(subject, found) + DEADLINE_SLACK);
    }
}

/// Until when there has to be progress. Upstream counts the time without a controller, too, and aborts what nobody
/// could move.
fn deadline(subject: &Subject<'_>, progress: &RolloutCondition) -> Timestamp {
    let last = progress.last_update_time.0;
    let from = subject.observed.attended_since.map_or(last, |since| last.max(since));
    from + subject.progress_deadline()
}

fn counts_against_deadline(condition: &RolloutCondition) -> bool {
    ![conditions::ABORTED, conditions::PAUSED].contains(&condition.reason.as_str())
}

fn is_timed_out(subject: &Subject<'_>, status: &RolloutStatus) -> bool {
    let Some(found) = conditions::get(status, keys::CONDITION_PROGRESSING)
        .filter(|found| counts_against_deadline(found))
    else {
        return false;
    };
    found.reason == conditions::TIMED_OUT || deadline(subject, found) < subject.now
}

/// Whether time does not count against the rollout: it is at a step without a known end, paused, judged, or
/// complete but for old pods that are kept for a while.
fn is_exempt(subject: &Subject<'_>) -> bool {
    let endless = |step: &CanaryStep| {
        step.pause.is_some() || step.analysis.is_some() || step.experiment.is_some()
    };
    let step = subject.current_step().is_some_and(endless);
    let paused =
        subject.condition(keys::CONDITION_PAUSED).is_some_and(|found| found.status == TRUE);
    let complete = subject.new_set().is_some_and(|set| set.available() >= set.wanted());
    let keeps_old = subject.other_sets().into_iter().any(SetExt::has_deadline);
    step || paused || is_judged(subject) || (complete && keeps_old)
}

/// Whether an analysis before or after the switch of blue-green is under way.
fn is_judged(subject: &Subject<'_>) -> bool {
    [Part::PrePromotion, Part::PostPromotion].into_iter().any(|part| {
        let run = analysis::recorded(subject, part).and(analysis::current(subject, part));
        run.is_some_and(|run| !analysis::phase(run).completed())
    })
}

/// Whether anything moved since the last status.
fn has_progressed(subject: &Subject<'_>, after: &RolloutStatus) -> bool {
    let before = &subject.status;
    let strategy = if subject.blue_green().is_some() {
        before.blue_green.active_selector != after.blue_green.active_selector
            || before.blue_green.preview_selector != after.blue_green.preview_selector
    } else {
        let both = before.current_step_index.zip(after.current_step_index);
        before.stable_rs != after.stable_rs
            || both.is_some_and(|(before, after)| before != after)
            || before.current_step_hash != after.current_step_hash
    };
    strategy
        || before.updated_replicas != after.updated_replicas
        || after.replicas - after.updated_replicas < before.replicas - before.updated_replicas
        || after.ready_replicas > before.ready_replicas
        || after.available_replicas > before.available_replicas
}

/// Whether all pods wanted are of the wanted version, available and the only ones users reach.
fn is_healthy(subject: &Subject<'_>, after: &RolloutStatus) -> bool {
    let replicas = subject.replicas();
    let current = &after.current_pod_hash;
    let strategy = if let Some(blue_green) = subject.blue_green() {
        let previewed =
            blue_green.preview_service.is_none() || after.blue_green.preview_selector == *current;
        after.blue_green.active_selector == *current && previewed
    } else {
        let stepped = subject.step_count() == 0
            || after.current_step_index.is_none_or(|index| index == subject.step_count());
        stepped && is_completed(after) && after.replicas == replicas
    };
    strategy
        && after.updated_replicas == replicas
        && after.available_replicas == replicas
        && subject.rollout.is_observed()
}

fn is_completed(status: &RolloutStatus) -> bool {
    status.stable_rs.is_some() && status.stable_rs == status.current_pod_hash
}

fn set_available(subject: &Subject<'_>, draft: &mut Draft) {
    let available = if subject.blue_green().is_some() {
        let active = draft.status.blue_green.active_selector.clone().unwrap_or_default();
        let is_new = subject.new_set().is_some_and(|set| set.hash() == active);
        let replicas = subject.replicas();
        let full = |set: &ReplicaSet| {
            set.available() == replicas
                && set.wanted() == replicas
                && set.desired_replicas() == Some(replicas)
        };
        if is_new {
            analysis::is_saturated(subject)
        } else {
            subject.set_of(&active).is_some_and(full)
        }
    } else {
        total_available(subject.sets()) >= subject.replicas()
    };
    let (status, message) = if available {
        (TRUE, "Rollout has minimum availability")
    } else {
        (FALSE, "Rollout does not have minimum availability")
    };
    put(subject, draft, keys::CONDITION_AVAILABLE, status, (conditions::AVAILABLE, message));
}

/// Shows the new ReplicaSet's failure to make pods, or else another one's.
fn set_replica_failure(subject: &Subject<'_>, draft: &mut Draft) {
    let failure = |set: &ReplicaSet| {
        let found = set.status.as_ref()?.conditions.as_ref()?;
        let found =
            found.iter().find(|condition| condition.type_ == keys::CONDITION_REPLICA_FAILURE)?;
        let time = found.last_transition_time.as_ref().map_or(subject.now, |time| time.0);
        let text = (
            found.reason.as_deref().unwrap_or_default(),
            found.message.clone().unwrap_or_default(),
        );
        Some(conditions::condition(keys::CONDITION_REPLICA_FAILURE, &found.status, text, time))
    };
    let found = subject.new_set().and_then(failure).or_else(|| subject.sets().find_map(failure));
    match found {
        Some(condition) => {
            conditions::set(&mut draft.status, condition);
        }
        None => conditions::remove(&mut draft.status, keys::CONDITION_REPLICA_FAILURE),
    }
}

fn set_completed(subject: &Subject<'_>, draft: &mut Draft) {
    let text = (conditions::COMPLETED, conditions::COMPLETED);
    if is_completed(&draft.status) {
        put(subject, draft, keys::CONDITION_COMPLETED, TRUE, text);
    } else if put(subject, draft, keys::CONDITION_COMPLETED, FALSE, text) {
        let message = began(subject.revision(), &draft.status);
        draft.note(subject, conditions::NOT_COMPLETED, message);
    }
}

/// Says that the update to the version of `status` began.
pub(super) fn began(revision: i64, status: &RolloutStatus) -> String {
    let hash = status.current_pod_hash.as_deref().unwrap_or_default();
    format!("Rollout not completed, started update to revision {revision} ({hash})")
}
