//! What is wrong with an experiment's specification, all of it, with field paths and in upstream's words.

use super::subject::progress_deadline_seconds;
use crate::rollout::subject::selects;
pub(super) use crate::rollout::validate::Problem;
use api::argo::{Experiment, TemplateSpec, keys};
use serde_json::json;
use std::collections::BTreeSet;

/// Everything that is wrong with the specification.
pub(super) fn problems(experiment: &Experiment) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = experiment.metadata.name.as_deref().unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (index, template) in experiment.spec.templates.iter().enumerate() {
        let path = format!("spec.templates[{index}]");
        check_template(experiment, (index, template), &path, &mut problems);
        if template.name.is_empty() {
            let detail = format!("Experiment {name} has empty template name at index {index}");
            problems.push(Problem::required(format!("{path}.name"), &detail));
        } else if !seen.insert(&template.name) {
            let repeated = &template.name;
            let detail =
                format!("Experiment {name} has repeated template name '{repeated}' in templates");
            problems.push(Problem::invalid(format!("{path}.name"), &json!(repeated), &detail));
        }
    }
    check_analyses(experiment, name, &mut problems);
    check_times(experiment, &mut problems);
    problems
}

fn check_template(
    experiment: &Experiment,
    (index, template): (usize, &TemplateSpec),
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let selector = &template.selector;
    let empty = selector.match_labels.as_ref().is_none_or(std::collections::BTreeMap::is_empty)
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty);
    if empty {
        let detail = format!(
            "This experiment is selecting all pods at index {index}. A non-empty selector is required."
        );
        problems.push(Problem::required(format!("{path}.selector"), &detail));
    } else if !selects_its_pods(template) {
        let labels = template.template.metadata.as_ref().and_then(|found| found.labels.as_ref());
        let detail = "`selector` does not match template `labels`";
        let path = format!("{path}.template.metadata.labels");
        problems.push(Problem::invalid(path, &json!(labels), detail));
    }
    if template.min_ready_seconds > progress_deadline_seconds(experiment) {
        let detail = format!(
            "MinReadySeconds cannot be longer than ProgressDeadlineSeconds. Check template index {index}"
        );
        let path = format!("{path}.minReadySeconds");
        problems.push(Problem::invalid(path, &json!(template.min_ready_seconds), &detail));
    }
    if let Some(replicas) = template.replicas.filter(|replicas| *replicas < 0) {
        let detail = "must be greater than or equal to 0";
        problems.push(Problem::invalid(format!("{path}.replicas"), &json!(replicas), detail));
    }
}

/// The hash is put into both later.
fn selects_its_pods(template: &TemplateSpec) -> bool {
    let mut selector = template.selector.clone();
    if let Some(labels) = selector.match_labels.as_mut() {
        labels.remove(keys::POD_TEMPLATE_HASH);
    }
    let labels = template.template.metadata.as_ref().and_then(|found| found.labels.as_ref());
    selects(&selector, labels)
}

/// Two analyses of one name would share one status, and the second would never begin.
fn check_analyses(experiment: &Experiment, name: &str, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, analysis) in experiment.spec.analyses.iter().enumerate() {
        let path = format!("spec.analyses[{index}].name");
        if analysis.name.is_empty() {
            let detail = format!("Experiment {name} has empty analysis name at index {index}");
            problems.push(Problem::required(path, &detail));
        } else if !seen.insert(&analysis.name) {
            let repeated = &analysis.name;
            let detail =
                format!("Experiment {name} has repeated analysis name '{repeated}' in analyses");
            problems.push(Problem::invalid(path, &json!(repeated), &detail));
        }
    }
}

fn check_times(experiment: &Experiment, problems: &mut Vec<Problem>) {
    let duration = experiment.spec.duration.as_deref().filter(|text| !text.is_empty());
    if let Some(Err(error)) = duration.map(api::go_duration::parse) {
        let detail = error.to_string();
        problems.push(Problem::invalid("spec.duration", &json!(duration), &detail));
    }
    let fields = [
        ("spec.progressDeadlineSeconds", experiment.spec.progress_deadline_seconds),
        ("spec.scaleDownDelaySeconds", experiment.spec.scale_down_delay_seconds),
    ];
    for (path, value) in fields {
        if let Some(value) = value.filter(|value| *value < 0) {
            let detail = "must be greater than or equal to 0";
            problems.push(Problem::invalid(path, &json!(value), detail));
        }
    }
}
