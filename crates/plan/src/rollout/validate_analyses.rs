//! What is wrong with the analyses that a specification asks for, in the words users know.
//!
//! Start with [`check`].

use super::{
    analysis_run::{self, Hashes},
    reads, release,
    subject::Subject,
    validate::Problem,
};
use crate::{analysis_run::can_measure, broken::no_run};
use analysis::{
    arguments::resolve_metric,
    counting::effective_count,
    field_ref,
    template::{self, Referrer},
    validate::provider_names,
};
use api::argo::{
    AnalysisRunArgument, AnalysisRunSpec, AnalysisTemplate, CanaryStep, ClusterAnalysisTemplate,
    Metric, RolloutAnalysis,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

/// Adds what is wrong with the templates of every analysis, and with what they share.
pub(super) fn check(subject: &Subject<'_>, problems: &mut Vec<Problem>) {
    for (path, analysis) in reads::analyses(subject.rollout) {
        let missing = missing(subject, &path, analysis);
        if missing.is_empty() {
            check_whole(subject, &path, analysis, problems);
        }
        for problem in missing {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    let of_budget = release::problems(subject).into_iter();
    problems.extend(of_budget.map(|(path, value, detail)| Problem::invalid(path, &value, &detail)));
}

/// Adds arguments of a step that name metadata which no object has.
pub(super) fn check_arguments((index, step): (usize, &CanaryStep), problems: &mut Vec<Problem>) {
    let of_experiment = step.experiment.iter().flat_map(|experiment| &experiment.analyses);
    let args: Vec<&AnalysisRunArgument> = of_experiment
        .flat_map(|analysis| &analysis.args)
        .chain(step.analysis.iter().flat_map(|analysis| &analysis.args))
        .collect();
    let path = |arg: &&AnalysisRunArgument| {
        Some(arg.value_from.as_ref()?.field_ref.as_ref()?.field_path.clone())
    };
    let is_odd = |path: String| path.starts_with("metadata") && !field_ref::is_metadata(&path);
    if args.iter().filter_map(path).any(is_odd) {
        let detail =
            "Analyses arguments must refer to valid object metadata supported by downwardAPI";
        let path = format!("spec.strategy.steps[{index}].analyses");
        problems.push(Problem::invalid(path, &json!(args), detail));
    }
}

/// The templates that are not there, each where it is referred to.
fn missing(subject: &Subject<'_>, path: &str, analysis: &RolloutAnalysis) -> Vec<Problem> {
    let templates: Vec<&AnalysisTemplate> = subject.observed.templates.values().flatten().collect();
    let cluster: Vec<&ClusterAnalysisTemplate> =
        subject.observed.cluster_templates.values().flatten().collect();
    let problem = |missing: template::Missing| {
        let path = match missing.by {
            Referrer::Analysis => path,
            Referrer::Template => "spec.templates",
        };
        let name = missing.name.clone();
        let detail = no_run(&subject.observed.broken, &missing.into());
        Problem::invalid(path, &json!(name), &detail)
    };
    let found = template::missing(&analysis.templates, &templates, &cluster);
    found.into_iter().map(problem).collect()
}

fn check_whole(
    subject: &Subject<'_>,
    path: &str,
    analysis: &RolloutAnalysis,
    problems: &mut Vec<Problem>,
) {
    let names: Vec<&str> =
        analysis.templates.iter().map(|template| template.template_name.as_str()).collect();
    match analysis_run::foreseen(subject, analysis, Hashes::UNKNOWN) {
        Err(detail) => {
            let value = json!(format!("templateNames: [{}]", names.join(" ")));
            problems.push(Problem::invalid(path, &value, &detail));
        }
        Ok(spec) => {
            check_providers(subject, (path, &names), &spec.metrics, problems);
            if path != "spec.strategy.canary.analysis.templates" {
                check_ends(subject, (path, &names), &spec, problems);
            }
        }
    }
}

/// A metric that nobody can measure would only abort the release later.
fn check_providers(
    subject: &Subject<'_>,
    (path, names): (&str, &[&str]),
    metrics: &[Metric],
    problems: &mut Vec<Problem>,
) {
    for metric in metrics {
        for provider in provider_names(&metric.provider) {
            if !can_measure(&provider) {
                let template = template_of(subject, names, metric);
                let detail = format!(
                    "AnalysisTemplate {template} has metric {} whose provider {provider} is not supported yet",
                    metric.name
                );
                problems.push(Problem::invalid(path, &json!(template), &detail));
            }
        }
    }
}

/// The template a resolved metric stems from; one the analysis names goes before one that those include.
fn template_of<'a>(subject: &'a Subject<'_>, names: &[&'a str], metric: &Metric) -> &'a str {
    let observed = subject.observed;
    let own = observed.templates.values().flatten().map(|found| (&found.metadata, &found.spec));
    let cluster =
        observed.cluster_templates.values().flatten().map(|found| (&found.metadata, &found.spec));
    let wanted = provider_names(&metric.provider);
    let has =
        |other: &Metric| other.name == metric.name && provider_names(&other.provider) == wanted;
    own.chain(cluster)
        .filter(|(_, spec)| spec.metrics.iter().any(has))
        .filter_map(|(metadata, _)| metadata.name.as_deref())
        .max_by_key(|name| names.contains(name))
        .unwrap_or_else(|| names.first().copied().unwrap_or_default())
}

/// An analysis that something waits for must come to an end.
fn check_ends(
    subject: &Subject<'_>,
    (path, names): (&str, &[&str]),
    spec: &AnalysisRunSpec,
    problems: &mut Vec<Problem>,
) {
    for metric in &spec.metrics {
        // One whose arguments are not known yet is judged when they are.
        let Ok(resolved) = resolve_metric(metric, &spec.args) else { continue };
        if effective_count(&resolved).is_some() {
            continue;
        }
        let count = resolved.count.map_or_else(|| "<nil>".to_owned(), |count| int_text(&count));
        let template = template_of(subject, names, metric);
        let detail = format!(
            "AnalysisTemplate {template} has metric {} which runs indefinitely. Invalid value for count: {count}",
            metric.name
        );
        problems.push(Problem::invalid(path, &json!(template), &detail));
    }
}

fn int_text(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(text) => text.clone(),
    }
}
