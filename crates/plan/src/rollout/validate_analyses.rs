//! What is wrong with the analyses that a specification asks for, in the words users know.
//!
//! Start with [`check`].

use super::{
    analysis_run::{self, Hashes},
    reads, release,
    subject::Subject,
    validate::Problem,
    validate_selector,
};
use crate::{analysis_run::can_measure, broken::no_run};
use analysis::{
    arguments::{resolve_metric, with_placeholders},
    counting::effective_count,
    field_ref,
    template::{self, Named, Referrer},
    validate::provider_names,
};
use api::argo::{
    AnalysisRunArgument, AnalysisRunSpec, AnalysisTemplate, AnalysisTemplateSpec, Argument,
    CanaryStep, ClusterAnalysisTemplate, Metric, RolloutAnalysis,
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
    let is_odd = |path: String| path.starts_with("metadata") && !is_metadata(&path);
    if args.iter().filter_map(path).any(is_odd) {
        let detail =
            "Analyses arguments must refer to valid object metadata supported by downwardAPI";
        let path = format!("spec.strategy.steps[{index}].analyses");
        problems.push(Problem::invalid(path, &json!(args), detail));
    }
}

fn is_metadata(path: &str) -> bool {
    let has_name = |key: String| validate_selector::of_key(&key).is_empty();
    field_ref::is_metadata(path) && field_ref::subscript_key(path).is_none_or(has_name)
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
    let templates: Vec<&AnalysisTemplate> = subject.observed.templates.values().flatten().collect();
    let cluster: Vec<&ClusterAnalysisTemplate> =
        subject.observed.cluster_templates.values().flatten().collect();
    let templates = template::gathered(&analysis.templates, &templates, &cluster);
    match analysis_run::foreseen(subject, analysis, Hashes::UNKNOWN) {
        Err(detail) => {
            let names: Vec<&str> = templates.iter().map(|(name, _)| *name).collect();
            let value = json!(format!("templateNames: [{}]", names.join(" ")));
            problems.push(Problem::invalid(path, &value, &detail));
        }
        Ok(spec) => {
            check_providers((path, &templates), &spec.metrics, problems);
            if path != "spec.strategy.canary.analysis.templates" {
                check_sources((path, &templates), problems);
                check_ends((path, &templates), &spec, problems);
            }
        }
    }
}

/// Templates, and where they are referred to.
type Referred<'a> = (&'a str, &'a [Named<'a>]);

/// A metric that nobody can measure would only abort the release later.
fn check_providers(
    (path, templates): Referred<'_>,
    metrics: &[Metric],
    problems: &mut Vec<Problem>,
) {
    for metric in metrics {
        for provider in provider_names(&metric.provider) {
            if !can_measure(&provider) {
                let template = template_of(templates, metric);
                let detail = format!(
                    "AnalysisTemplate {template} has metric {} whose provider {provider} is not supported yet",
                    metric.name
                );
                problems.push(Problem::invalid(path, &json!(template), &detail));
            }
        }
    }
}

/// The template that a metric stems from: no two metrics of one analysis have the same name.
fn template_of<'a>(templates: &[Named<'a>], metric: &Metric) -> &'a str {
    let has = |spec: &AnalysisTemplateSpec| spec.metrics.iter().any(|it| it.name == metric.name);
    templates.iter().find(|(_, spec)| has(spec)).map_or("", |(name, _)| name)
}

/// An argument has a value or says where it comes from.
fn check_sources((path, templates): Referred<'_>, problems: &mut Vec<Problem>) {
    for (template, spec) in templates {
        let both = |arg: &&Argument| arg.value.is_some() && arg.value_from.is_some();
        for arg in spec.args.iter().filter(both) {
            let name = &arg.name;
            let detail = format!(
                "AnalysisTemplate {template}: arg '{name}' has both Value and ValueFrom fields"
            );
            problems.push(Problem::invalid(path, &json!(template), &detail));
        }
    }
}

/// An analysis that something waits for has to find all its arguments, and must come to an end.
fn check_ends(
    (path, templates): Referred<'_>,
    spec: &AnalysisRunSpec,
    problems: &mut Vec<Problem>,
) {
    let args = with_placeholders(&spec.args);
    for metric in &spec.metrics {
        let template = template_of(templates, metric);
        let detail = match resolve_metric(metric, &args) {
            Ok(resolved) if effective_count(&resolved).is_some() => continue,
            Ok(resolved) => format!(
                "AnalysisTemplate {template} has metric {} which runs indefinitely. Invalid value for count: {}",
                metric.name,
                resolved.count.map_or_else(|| "<nil>".to_owned(), |count| int_text(&count))
            ),
            Err(error) => format!("AnalysisTemplate {template}: {error}"),
        };
        let problem = Problem::invalid(path, &json!(template), &detail);
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

fn int_text(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(text) => text.clone(),
    }
}
