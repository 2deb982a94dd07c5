//! What is wrong with the analysis that a rollout asks for.

use crate::document::{Document, Problem};
use analysis::{arguments, field_ref, rules, template, validate};
use api::argo::{AnalysisTemplate, Argument, ClusterAnalysisTemplate, Rollout, RolloutAnalysis};
use jiff::Timestamp;
use plan::rollout::{self, Observed};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Everything wrong with the templates that a rollout uses together.
pub(super) fn problems(
    document: &Document,
    rollout: &Rollout,
    library: (&[AnalysisTemplate], &[ClusterAnalysisTemplate]),
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut told = BTreeSet::new();
    for (path, analysis) in rollout::analyses(rollout) {
        for message in of_analysis(document, analysis, library) {
            problems.push(document.problem(&path, message));
            told.insert(path.clone());
        }
    }
    let observed = Observed {
        rollout: Arc::new(rollout.clone()),
        templates: named(library.0, |it| it.metadata.name.clone()),
        cluster_templates: named(library.1, |it| it.metadata.name.clone()),
        ..Observed::default()
    };
    let others = rollout::analysis_problems(&observed, Timestamp::UNIX_EPOCH).into_iter();
    let others = others.filter(|(path, _)| !told.contains(path));
    problems.extend(others.map(|(path, message)| document.problem(&path, message)));
    problems
}

fn of_analysis(
    document: &Document,
    analysis: &RolloutAnalysis,
    (templates, cluster_templates): (&[AnalysisTemplate], &[ClusterAnalysisTemplate]),
) -> Vec<String> {
    let fields = field_ref::Subject {
        stable_hash: "stable",
        latest_hash: "latest",
        rollout: &document.value,
    };
    let args = match field_ref::rollout_arguments(&analysis.args, fields) {
        Ok(args) => args,
        Err(error) => return vec![error.to_string()],
    };
    let found = template::problems((templates, cluster_templates), &args, analysis);
    let mut messages: Vec<String> = found.iter().map(ToString::to_string).collect();
    if messages.is_empty() {
        messages.extend(of_metrics(&args, analysis, (templates, cluster_templates)));
    }
    messages
}

/// What is wrong with the metrics once the rollout's arguments are in them.
fn of_metrics(
    args: &[Argument],
    analysis: &RolloutAnalysis,
    (templates, cluster_templates): (&[AnalysisTemplate], &[ClusterAnalysisTemplate]),
) -> Vec<String> {
    let merged = template::merge(&analysis.templates, templates, cluster_templates);
    let spec = match merged.and_then(|merged| template::run_spec(merged, args, analysis)) {
        Ok(spec) => spec,
        Err(error) => return vec![error.to_string()],
    };
    let shown = arguments::without_secrets(&spec.args);
    let resolve = |metric| arguments::resolve_metric(metric, &shown);
    let metrics = match spec.metrics.iter().map(resolve).collect::<Result<Vec<_>, _>>() {
        Ok(metrics) => metrics,
        Err(error) => return vec![error.to_string()],
    };
    let named = |problem: &validate::Problem| {
        let index = problem.path.trim_matches(|c: char| !c.is_ascii_digit()).parse::<usize>();
        match index.ok().and_then(|index| metrics.get(index)) {
            Some(metric) => format!("metric {}: {}", metric.name, problem.message),
            None => problem.to_string(),
        }
    };
    let mut messages: Vec<String> = validate::metrics(&metrics).iter().map(named).collect();
    messages.extend(rules::dry_run_metrics(&spec.dry_run, &metrics).err().map(|it| it.to_string()));
    let kept = rules::kept_measurements(&spec.measurement_retention, &metrics);
    messages.extend(kept.err().map(|it| it.to_string()));
    messages
}

fn named<T: Clone>(
    objects: &[T],
    name: impl Fn(&T) -> Option<String>,
) -> BTreeMap<String, Option<T>> {
    objects.iter().filter_map(|object| Some((name(object)?, Some(object.clone())))).collect()
}
