//! What people are told: events with evidence, and what a run waits for.

use super::{patch::reference, schedule::Next};
use analysis::{
    assess::{deciding_condition, finding},
    counting::{Limits, breach, effective_count},
};
use api::argo::{AnalysisPhase, AnalysisRun, AnalysisRunStatus, Metric, MetricResult};
use std::collections::BTreeMap;
use vocab::{Event, EventType, Reason};

/// Tells that a metric was settled.
pub(super) fn metric_settled(run: &AnalysisRun, metric: &Metric, result: &MetricResult) -> Event {
    let phase = result.phase;
    Event {
        event_type: event_type(phase),
        regarding: reference(run),
        reason: format!("Metric{phase}"),
        message: format!("Metric '{}' Completed. Result: {phase}", metric.name),
        evidence: evidence(metric, result),
        after: None,
    }
}

/// Tells that a run has ended, with the evidence of the first metric that decided it.
pub(super) fn run_completed(
    run: &AnalysisRun,
    metrics: &[Metric],
    status: &AnalysisRunStatus,
) -> Event {
    let phase = status.phase;
    let deciding =
        status.metric_results.iter().find(|result| !result.dry_run && result.phase == phase);
    let metric =
        deciding.and_then(|result| metrics.iter().find(|metric| metric.name == result.name));
    let mut evidence = match (metric, deciding) {
        (Some(metric), Some(result)) if phase != AnalysisPhase::Successful => {
            evidence(metric, result)
        }
        _ => BTreeMap::from([("phase".to_owned(), phase.to_string())]),
    };
    if let Some(message) = &status.message {
        evidence.insert("message".to_owned(), message.clone());
    }
    Event {
        event_type: event_type(phase),
        regarding: reference(run),
        reason: format!("AnalysisRun{phase}"),
        message: format!("Analysis Completed. Result: {phase}"),
        evidence,
        after: None,
    }
}

/// What an unsettled metric waits for.
pub(super) fn waiting(metric: &Metric, result: Option<&MetricResult>, next: Next) -> Reason {
    let taken = result.map_or(0, |result| result.count);
    let of = effective_count(metric).map_or_else(String::new, |count| format!(" of {count}"));
    let at = next.at().map(|at| at.to_string()).unwrap_or_default();
    let message = format!("metric {} has {taken}{of} measurements", metric.name);
    let evidence = [("metric", metric.name.clone()), ("taken", taken.to_string()), ("next", at)];
    Reason::new("WaitingForMeasurement", message, evidence)
}

/// The facts that a metric's phase rests on.
fn evidence(metric: &Metric, result: &MetricResult) -> BTreeMap<String, String> {
    let phase = result.phase;
    let decisive = result
        .measurements
        .iter()
        .rev()
        .find(|it| it.phase == phase)
        .or(result.measurements.last());
    let value = decisive.and_then(|it| it.value.clone());
    let lost = matches!(phase, AnalysisPhase::Failed | AnalysisPhase::Inconclusive);
    let found = value.as_deref().filter(|_| lost).map(|value| finding(metric, value, phase));
    // A provider that judges by itself says in its own words what it rests on.
    let told = |key: &str| decisive.and_then(|it| it.metadata.get(key)).cloned();
    let condition = Some(deciding_condition(metric, phase)).filter(|it| !it.is_empty());
    let facts = [
        ("metric", Some(metric.name.clone())),
        ("phase", Some(phase.to_string())),
        ("condition", told("condition").or(condition)),
        ("value", value),
        ("finding", found),
        (
            "limit",
            told("limit").or_else(|| breach(Limits::of(metric), result).map(|it| it.message)),
        ),
        ("query", told("condition").map(|_| queries(result))),
        ("window", told("window")),
        ("error", decisive.and_then(|it| it.message.clone())),
    ];
    facts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// What was asked of the versions that were compared.
fn queries(result: &MetricResult) -> String {
    let asked = |key: &str| key.starts_with("canary.") || key.starts_with("stable.");
    let queries = result.metadata.iter().filter(|(key, _)| asked(key));
    queries.map(|(key, query)| format!("{key}: {query}")).collect::<Vec<_>>().join("; ")
}

fn event_type(phase: AnalysisPhase) -> EventType {
    match phase {
        AnalysisPhase::Error | AnalysisPhase::Failed => EventType::Warning,
        _ => EventType::Normal,
    }
}
