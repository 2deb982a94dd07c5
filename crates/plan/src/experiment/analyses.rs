//! The analyses of an experiment: begun once all templates are available, followed, ended with it.

use super::{
    draft::{Draft, event_type},
    runs::{self, Built},
    subject::Subject,
};
use crate::{
    broken::absence,
    rollout::{Wait, sets},
};
use api::argo::{
    AnalysisPhase, AnalysisRun, ExperimentAnalysisRunStatus, ExperimentAnalysisTemplateRef,
};
use serde_json::json;
use std::collections::BTreeMap;
use vocab::{EventType, ObjectRef};

/// Begins, follows or ends the run of an analysis, and says how it stands.
pub(super) fn reconcile(
    subject: &Subject<'_>,
    analysis: &ExperimentAnalysisTemplateRef,
    draft: &mut Draft,
) {
    let before = subject.analysis_status(&analysis.name);
    let Some(after) = next(subject, analysis, before, draft) else { return };
    tell(subject, before, &after, draft);
    if !after.phase.completed() {
        draft.wait(Wait::Analysis {
            run: after.analysis_run.clone(),
            phase: after.phase.to_string(),
            metrics: BTreeMap::new(),
        });
    }
    let statuses = &mut draft.status.analysis_runs;
    match statuses.iter_mut().find(|found| found.name == after.name) {
        Some(found) => *found = after,
        None => statuses.push(after),
    }
}

/// How an analysis stands from now on; `None` while there is nothing to say.
fn next(
    subject: &Subject<'_>,
    analysis: &ExperimentAnalysisTemplateRef,
    before: Option<&ExperimentAnalysisRunStatus>,
    draft: &mut Draft,
) -> Option<ExperimentAnalysisRunStatus> {
    match before {
        Some(before) if before.phase.completed() => Some(before.clone()),
        Some(before) if !before.analysis_run.is_empty() => {
            Some(follow(subject, analysis, before, draft))
        }
        _ if subject.is_terminating() => None,
        _ if subject.status.available_at.is_none() => missing_template(subject, analysis),
        _ => Some(begin(subject, analysis, draft)),
    }
}

/// A template that is not there is an error before any time is spent on waiting for pods.
fn missing_template(
    subject: &Subject<'_>,
    analysis: &ExperimentAnalysisTemplateRef,
) -> Option<ExperimentAnalysisRunStatus> {
    let name = &analysis.template_name;
    let (kind, is_there) = if analysis.cluster_scope == Some(true) {
        let found = subject.observed.cluster_templates.get(name);
        ("ClusterAnalysisTemplate", found.is_some_and(Option::is_some))
    } else {
        let found = subject.observed.templates.get(name);
        ("AnalysisTemplate", found.is_some_and(Option::is_some))
    };
    let resource = kind.to_lowercase();
    let message = format!(
        "{kind} verification failed for analysis '{}': {resource}.argoproj.io \"{name}\" {}",
        analysis.name,
        absence(&subject.observed.broken, (kind, name))
    );
    (!is_there).then(|| failed(analysis, message))
}

fn failed(
    analysis: &ExperimentAnalysisTemplateRef,
    message: String,
) -> ExperimentAnalysisRunStatus {
    ExperimentAnalysisRunStatus {
        name: analysis.name.clone(),
        analysis_run: String::new(),
        phase: AnalysisPhase::Error,
        message: Some(message),
    }
}

fn begin(
    subject: &Subject<'_>,
    analysis: &ExperimentAnalysisTemplateRef,
    draft: &mut Draft,
) -> ExperimentAnalysisRunStatus {
    let not_made = |why: &str| {
        let name = &analysis.name;
        failed(analysis, format!("Failed to create AnalysisRun for analysis '{name}': {why}"))
    };
    let run = match runs::build(subject, analysis) {
        Ok(Built::There(run)) => run,
        Ok(Built::New(run)) => {
            let object = serde_json::to_value(&run).unwrap_or_default();
            if let Some(why) = subject.observed.refused.get(&ObjectRef::of(&object)) {
                return not_made(why);
            }
            draft.create(object);
            run
        }
        Err(why) => return not_made(&why),
    };
    ExperimentAnalysisRunStatus {
        name: analysis.name.clone(),
        analysis_run: run.metadata.name.unwrap_or_default(),
        phase: AnalysisPhase::Pending,
        message: None,
    }
}

/// Takes over what has become of a run, and ends one that nobody waits for any more.
fn follow(
    subject: &Subject<'_>,
    analysis: &ExperimentAnalysisTemplateRef,
    before: &ExperimentAnalysisRunStatus,
    draft: &mut Draft,
) -> ExperimentAnalysisRunStatus {
    let name = before.analysis_run.clone();
    let Some(run) = subject.run(&name) else {
        let message = format!("analysisruns.argoproj.io \"{name}\" not found");
        let status = failed(analysis, message);
        return ExperimentAnalysisRunStatus { analysis_run: name, ..status };
    };
    let phase = run.status.as_ref().map_or(before.phase, |status| status.phase);
    if subject.is_terminating() && !phase.completed() && !run.spec.terminate {
        end(subject, analysis, run, draft);
    }
    let message = run.status.as_ref().and_then(|status| status.message.clone());
    ExperimentAnalysisRunStatus {
        name: analysis.name.clone(),
        analysis_run: name,
        phase,
        message: message.filter(|message| !message.is_empty()),
    }
}

fn end(
    subject: &Subject<'_>,
    analysis: &ExperimentAnalysisTemplateRef,
    run: &AnalysisRun,
    draft: &mut Draft,
) {
    let name = run.metadata.name.clone().unwrap_or_default();
    let target = ObjectRef::new(api::argo::API_VERSION, "AnalysisRun", subject.namespace(), &name);
    draft.patch(target, sets::precondition(&run.metadata), json!({"spec": {"terminate": true}}));
    let message = format!("Terminating {} ({name})", analysis.name);
    draft.event(subject, EventType::Normal, "AnalysisRunTerminating", message);
}

/// Tells of a change of phase, to those who watch the rollout above too.
fn tell(
    subject: &Subject<'_>,
    before: Option<&ExperimentAnalysisRunStatus>,
    after: &ExperimentAnalysisRunStatus,
    draft: &mut Draft,
) {
    let known = |status: &&ExperimentAnalysisRunStatus| !status.analysis_run.is_empty();
    let from = before.filter(known).map(|before| before.phase);
    let before = before.filter(|before| known(before) || before.phase.completed());
    if before.is_some_and(|before| before.phase == after.phase) {
        return;
    }
    let from = from.map_or("", AnalysisPhase::as_str);
    let (name, phase) = (&after.name, after.phase);
    let mut message = format!("AnalysisRun '{name}' transitioned from {from} -> {phase}");
    if let Some(why) = &after.message {
        message = format!("{message}: {why}");
    }
    let reason = format!("AnalysisRun{phase}");
    draft.event(subject, event_type(phase), &reason, message.clone());
    if let Some(rollout) = super::owning_rollout(subject.experiment) {
        let rollout =
            ObjectRef::new(api::argo::API_VERSION, "Rollout", subject.namespace(), rollout);
        draft.event_about(rollout, event_type(phase), &reason, message);
    }
}
