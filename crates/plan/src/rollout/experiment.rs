//! The experiment of a step: making it, judging it, ending and keeping it.
//!
//! Start with [`reconcile`]. An inconclusive experiment pauses the rollout, a failed or erroneous one
//! aborts it; one that no step asks for any more is ended.

use super::{
    draft::Draft,
    experiment_spec::{self, Built},
    sets,
    subject::Subject,
    waits::Wait,
};
use crate::experiment::subject::{phase, target};
use api::argo::{
    AnalysisPhase, Experiment, ExperimentStatus, RolloutExperimentStep, TemplateStatusCode, keys,
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// Finished experiments kept when the spec does not say.
const DEFAULT_HISTORY: i32 = 5;

fn name(experiment: &Experiment) -> &str {
    experiment.metadata.name.as_deref().unwrap_or_default()
}

/// The experiment that the present step asks for.
pub(crate) fn step<'a>(subject: &'a Subject<'_>) -> Option<&'a RolloutExperimentStep> {
    subject.current_step()?.experiment.as_deref()
}

/// The experiment of the present step that the status names, if it exists.
pub(crate) fn current<'a>(subject: &'a Subject<'_>) -> Option<&'a Experiment> {
    step(subject)?;
    let wanted = subject.status.canary.current_experiment.as_deref()?;
    let base = experiment_spec::base_name(subject);
    let rest = wanted.strip_prefix(&base)?;
    let of_step = rest.is_empty() || rest.starts_with('-');
    subject
        .observed
        .experiments
        .iter()
        .map(Arc::as_ref)
        .find(|found| of_step && name(found) == wanted)
}

/// Whether the experiment of the present step has succeeded.
pub(crate) fn has_succeeded(subject: &Subject<'_>) -> bool {
    current(subject).is_some_and(|found| phase(found) == AnalysisPhase::Successful)
}

/// Decides what becomes of every experiment.
pub(crate) fn reconcile(subject: &Subject<'_>, draft: &mut Draft) {
    let kept = next(subject, draft);
    let is_other = |found: &&Experiment| Some(name(found)) != kept.as_deref();
    let others: Vec<&Experiment> =
        subject.observed.experiments.iter().map(Arc::as_ref).filter(is_other).collect();
    for found in &others {
        end(found, draft);
    }
    // What an abort or a full promotion ended is kept until that is over, as upstream keeps it.
    if !is_cut_short(subject, draft) {
        for found in beyond_history(subject, &others) {
            draft.delete(target(found), sets::precondition(&found.metadata));
        }
    }
    draft.status.canary.current_experiment = kept;
}

/// The experiment that goes on, by name.
fn next(subject: &Subject<'_>, draft: &mut Draft) -> Option<String> {
    let step = step(subject).filter(|_| !is_moot(subject, draft))?;
    let found = current(subject);
    let halted = !subject.status.pause_conditions.is_empty();
    match found {
        Some(found) if halted => Some(name(found).to_owned()),
        Some(found) if !is_resumed(subject, found) => {
            judge(found, draft);
            Some(name(found).to_owned())
        }
        _ if halted => None,
        _ => start(subject, step, draft),
    }
}

/// Whether no experiment has a say any more.
fn is_moot(subject: &Subject<'_>, draft: &Draft) -> bool {
    subject.is_fully_promoted()
        || is_cut_short(subject, draft)
        || subject.is_fast_rollback()
        || subject.stable_set().is_none()
}

/// Whether somebody or something has ended the steps before their time.
fn is_cut_short(subject: &Subject<'_>, draft: &Draft) -> bool {
    draft.pause.is_aborted(&subject.status) || subject.status.promote_full
}

/// Whether somebody has resumed the rollout after an experiment without a judgement, which is to be made again.
fn is_resumed(subject: &Subject<'_>, found: &Experiment) -> bool {
    subject.status.controller_pause && phase(found) == AnalysisPhase::Inconclusive
}

/// Draws the consequence of a finished experiment.
fn judge(found: &Experiment, draft: &mut Draft) {
    match phase(found) {
        AnalysisPhase::Inconclusive => draft.pause.add(keys::PAUSE_INCONCLUSIVE_EXPERIMENT),
        AnalysisPhase::Error | AnalysisPhase::Failed => {
            let status = found.status.as_ref();
            let message = status.and_then(|status| status.message.as_deref()).unwrap_or_default();
            let separator = if message.is_empty() { "" } else { ": " };
            let mut evidence = parts(found);
            evidence.insert("experiment".to_owned(), name(found).to_owned());
            let why = format!("Experiment analysis phase is error/failed{separator}{message}");
            draft.pause.abort(why, evidence);
        }
        _ => {}
    }
}

fn start(subject: &Subject<'_>, step: &RolloutExperimentStep, draft: &mut Draft) -> Option<String> {
    match experiment_spec::build(subject, step) {
        Ok(Built::There(name)) => Some(name),
        Ok(Built::New(experiment)) => {
            let name = name(&experiment).to_owned();
            let object = serde_json::to_value(&experiment).ok()?;
            draft.write(vocab::Write::Create { object });
            draft.note_write(subject, "ExperimentCreated", format!("Created Experiment '{name}'"));
            Some(name)
        }
        Err(problem) => {
            let path = format!("spec.strategy.canary.steps[{}].experiment", subject.step_index());
            draft.wait(Wait::InvalidSpec { path, problem });
            None
        }
    }
}

/// Ends an experiment that has no say any more.
fn end(found: &Experiment, draft: &mut Draft) {
    if !found.spec.terminate && !phase(found).completed() {
        let body = json!({"spec": {"terminate": true}});
        draft.patch(target(found), sets::precondition(&found.metadata), body);
    }
}

/// Finished experiments without a ReplicaSet and those beyond the limits, oldest first to go. What is under way
/// is ended first: its pods may still have traffic.
fn beyond_history<'a>(subject: &Subject<'_>, others: &[&'a Experiment]) -> Vec<&'a Experiment> {
    let spec = subject.rollout.spec.analysis.as_ref();
    let limit = |limit: Option<i32>| limit.unwrap_or(DEFAULT_HISTORY);
    let mut successful = limit(spec.and_then(|spec| spec.successful_run_history_limit));
    let mut unsuccessful = limit(spec.and_then(|spec| spec.unsuccessful_run_history_limit));
    let mut newest_first: Vec<&Experiment> = others.to_vec();
    newest_first.sort_by_key(|found| {
        std::cmp::Reverse((sets::created(&found.metadata), name(found).to_owned()))
    });
    newest_first.retain(|found| {
        let hash = sets::label(&found.metadata, keys::POD_TEMPLATE_HASH);
        let set = hash.and_then(|hash| subject.set_of(hash));
        let room = match phase(found) {
            phase if found.metadata.deletion_timestamp.is_some() || !phase.completed() => {
                return false;
            }
            _ if set.is_none_or(|set| set.metadata.deletion_timestamp.is_some()) => return true,
            AnalysisPhase::Successful => &mut successful,
            _ => &mut unsuccessful,
        };
        *room -= 1;
        *room < 0
    });
    newest_first
}

/// Says which experiment is waited for.
pub(crate) fn explain(subject: &Subject<'_>, draft: &mut Draft) {
    let Some(found) = current(subject).filter(|found| !phase(found).completed()) else { return };
    draft.wait(Wait::Experiment {
        experiment: name(found).to_owned(),
        phase: phase(found).to_string(),
        parts: parts(found),
    });
}

/// Where each template and analysis stands, without the counts: the rollout's status is not to be written as
/// often as something is counted.
fn parts(found: &Experiment) -> BTreeMap<String, String> {
    let none = ExperimentStatus::default();
    let status = found.status.as_ref().unwrap_or(&none);
    let templates = status.template_statuses.iter().map(|template| {
        let code = template.status.map_or("", TemplateStatusCode::as_str);
        (format!("template/{}", template.name), code.to_owned())
    });
    let analyses = status
        .analysis_runs
        .iter()
        .map(|run| (format!("analysis/{}", run.name), run.phase.to_string()));
    templates.chain(analyses).collect()
}
