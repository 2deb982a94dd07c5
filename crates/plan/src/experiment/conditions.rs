//! The conditions in an experiment's status, in upstream's words.
//!
//! A condition is replaced only if its status or reason changes; the time of its last transition stays
//! when the status does.

use super::{draft::Draft, subject::Subject};
use api::argo::{AnalysisPhase, ExperimentCondition, ExperimentStatus, TemplateStatus, keys};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use vocab::EventType;

const TRUE: &str = "True";
const FALSE: &str = "False";

/// Sets the conditions of a valid experiment.
pub(super) fn set(subject: &Subject<'_>, draft: &mut Draft) {
    remove(&mut draft.status, keys::CONDITION_INVALID_SPEC);
    let name = subject.name();
    let running = subject.status.available_at.is_some() && !subject.has_run_its_time();
    if draft.status.phase == Some(AnalysisPhase::Successful) {
        let message = format!("Experiment \"{name}\" has successfully ran and completed.");
        put(subject, draft, (FALSE, "ExperimentCompleted"), message);
    } else if has_progressed(&subject.status, &draft.status) {
        let message = format!("Experiment \"{name}\" is progressing.");
        // Renewed even for the same reason, so that people see when something moved last.
        let before = get(&draft.status, keys::CONDITION_PROGRESSING).cloned();
        remove(&mut draft.status, keys::CONDITION_PROGRESSING);
        put(subject, draft, (TRUE, "ReplicaSetUpdated"), message);
        if let Some(before) = before.filter(|before| before.status == TRUE)
            && let Some(made) = draft.status.conditions.last_mut()
        {
            made.last_transition_time = before.last_transition_time;
        }
    } else if running {
        let message = format!("Experiment \"{name}\" is running.");
        put(subject, draft, (TRUE, "NewReplicaSetAvailable"), message);
    }
}

/// Says that the specification cannot be carried out, and tells people when that is news.
pub(super) fn set_invalid(subject: &Subject<'_>, problem: &str, draft: &mut Draft) {
    let known = get(&draft.status, keys::CONDITION_INVALID_SPEC);
    if known.is_some_and(|known| known.message == problem) {
        return;
    }
    remove(&mut draft.status, keys::CONDITION_INVALID_SPEC);
    let text = ("InvalidSpec", problem.to_owned());
    draft.status.conditions.push(condition(subject, keys::CONDITION_INVALID_SPEC, TRUE, text));
    draft.event(subject, EventType::Warning, "InvalidSpec", problem.to_owned());
}

fn condition(
    subject: &Subject<'_>,
    name: &str,
    status: &str,
    (reason, message): (&str, String),
) -> ExperimentCondition {
    ExperimentCondition {
        type_: name.to_owned(),
        status: status.to_owned(),
        last_update_time: Time(subject.now),
        last_transition_time: Time(subject.now),
        reason: reason.to_owned(),
        message,
    }
}

fn put(subject: &Subject<'_>, draft: &mut Draft, (status, reason): (&str, &str), message: String) {
    let mut made = condition(subject, keys::CONDITION_PROGRESSING, status, (reason, message));
    if let Some(found) = get(&draft.status, keys::CONDITION_PROGRESSING) {
        if found.status == status && found.reason == reason {
            return;
        }
        if found.status == status {
            made.last_transition_time = found.last_transition_time.clone();
        }
    }
    remove(&mut draft.status, keys::CONDITION_PROGRESSING);
    draft.status.conditions.push(made);
}

fn get<'a>(status: &'a ExperimentStatus, name: &str) -> Option<&'a ExperimentCondition> {
    status.conditions.iter().find(|condition| condition.type_ == name)
}

fn remove(status: &mut ExperimentStatus, name: &str) {
    status.conditions.retain(|condition| condition.type_ != name);
}

/// Whether pods came, went or became ready since the last status.
fn has_progressed(before: &ExperimentStatus, after: &ExperimentStatus) -> bool {
    let counts = |found: &TemplateStatus| {
        let TemplateStatus {
            replicas, updated_replicas, ready_replicas, available_replicas, ..
        } = found;
        [*replicas, *updated_replicas, *ready_replicas, *available_replicas]
    };
    let find = |name: &str| after.template_statuses.iter().find(|found| found.name == name);
    let moved =
        |old: &TemplateStatus| find(&old.name).is_some_and(|new| counts(new) != counts(old));
    before.template_statuses.len() < after.template_statuses.len()
        || before.template_statuses.iter().any(moved)
}
