//! What an experiment has come to: its phase, out of its templates and its analyses.

use super::{draft::Draft, subject::Subject, subject::has_required_successes};
use api::argo::{AnalysisPhase, ExperimentAnalysisRunStatus, ExperimentStatus, TemplateStatusCode};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// A phase and the sentence beside it.
type Verdict = (AnalysisPhase, Option<String>);

/// Works out the phase; an experiment that is over stays as it ended.
pub(super) fn decide(subject: &Subject<'_>, draft: &mut Draft) {
    let (phase, message) = match subject.status.phase {
        None => (AnalysisPhase::Pending, None),
        Some(AnalysisPhase::Pending | AnalysisPhase::Running) => {
            let templates = of_templates(subject, &draft.status);
            if templates.0 == AnalysisPhase::Running {
                draft.status.available_at.get_or_insert(Time(subject.now));
            }
            weigh(subject, &draft.status, templates)
        }
        Some(_) => return,
    };
    draft.status.phase = Some(phase);
    draft.status.message = message.filter(|message| !message.is_empty());
}

/// Templates that end badly decide; what went well is judged by the analyses.
fn weigh(subject: &Subject<'_>, status: &ExperimentStatus, templates: Verdict) -> Verdict {
    let analyses = of_analyses(subject, status);
    let over = analyses.0.completed();
    if templates.0.completed() {
        let required = subject.experiment.spec.analyses.iter();
        let judged = over || required.into_iter().any(|found| found.required_for_completion);
        let well = templates.0 == AnalysisPhase::Successful;
        return if well && judged { analyses } else { templates };
    }
    let lost = over && analyses.0 != AnalysisPhase::Successful;
    if lost || has_required_successes(subject.experiment, status) { analyses } else { templates }
}

/// The worst of the templates.
fn of_templates(subject: &Subject<'_>, status: &ExperimentStatus) -> Verdict {
    let find = |name: &str| status.template_statuses.iter().find(|found| found.name == name);
    let mut worst = (TemplateStatusCode::Successful, None);
    for template in &subject.experiment.spec.templates {
        let found = find(&template.name);
        let code = found.and_then(|found| found.status).unwrap_or_default();
        if badness_of_template(code) > badness_of_template(worst.0) {
            worst = (code, found.and_then(|found| found.message.clone()));
        }
    }
    let phase = match worst.0 {
        TemplateStatusCode::Successful => AnalysisPhase::Successful,
        TemplateStatusCode::Progressing => AnalysisPhase::Pending,
        TemplateStatusCode::Error => AnalysisPhase::Error,
        TemplateStatusCode::Failed => AnalysisPhase::Failed,
        TemplateStatusCode::Running | TemplateStatusCode::Unknown => AnalysisPhase::Running,
    };
    (phase, worst.1)
}

fn badness_of_template(code: TemplateStatusCode) -> u8 {
    match code {
        TemplateStatusCode::Successful | TemplateStatusCode::Unknown => 0,
        TemplateStatusCode::Running => 1,
        TemplateStatusCode::Progressing => 2,
        TemplateStatusCode::Error => 3,
        TemplateStatusCode::Failed => 4,
    }
}

/// The worst of the analyses; one that has not begun has no say.
fn of_analyses(subject: &Subject<'_>, status: &ExperimentStatus) -> Verdict {
    let begun = |found: &&ExperimentAnalysisRunStatus| {
        !found.analysis_run.is_empty() || found.phase.completed()
    };
    let mut worst = (AnalysisPhase::Successful, None);
    for analysis in &subject.experiment.spec.analyses {
        let mut all = status.analysis_runs.iter().filter(begun);
        let Some(found) = all.find(|found| found.name == analysis.name) else { continue };
        if badness_of_run(found.phase) > badness_of_run(worst.0) {
            worst = (found.phase, found.message.clone());
        }
    }
    match worst.0 {
        AnalysisPhase::Successful if has_required_successes(subject.experiment, status) => {
            (AnalysisPhase::Successful, Some("Required AnalysisRuns completed".to_owned()))
        }
        // An experiment whose analyses have only begun is under way itself.
        AnalysisPhase::Pending | AnalysisPhase::Unknown => (AnalysisPhase::Running, worst.1),
        _ => worst,
    }
}

fn badness_of_run(phase: AnalysisPhase) -> u8 {
    match phase {
        AnalysisPhase::Successful => 0,
        AnalysisPhase::Running | AnalysisPhase::Unknown => 1,
        AnalysisPhase::Pending => 2,
        AnalysisPhase::Inconclusive => 3,
        AnalysisPhase::Error => 4,
        AnalysisPhase::Failed => 5,
    }
}
