//! What people are told: events with evidence, and what a run waits for.

use super::{patch::reference, schedule::Next};
use analysis::{
    assess::{deciding_condition, finding},
    counting::{Limits, effective_count, limit_in_words},
};
use api::argo::{AnalysisPhase, AnalysisRun, AnalysisRunStatus, Measurement, Metric, MetricResult};
use std::collections::BTreeMap;
use vocab::{Event, EventType, Reason};

/// The fields in which providers have what is asked.
const QUERIES: [&str; 4] = ["query", "queries", "metricDataQueries", "url"];

/// What a verdict rests on beside its value.
const GROUNDS: [&str; 4] = ["condition", "limit", "query", "window"];

/// Tells that a metric was settled, once what its verdict rests on is noted.
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

/// The facts that a metric's phase rests on; some of them were noted in its result when it was settled.
fn evidence(metric: &Metric, result: &MetricResult) -> BTreeMap<String, String> {
    let phase = result.phase;
    let decisive = decisive(result);
    let value = decisive.and_then(|it| it.value.clone());
    let lost = matches!(phase, AnalysisPhase::Failed | AnalysisPhase::Inconclusive);
    let found = value.as_deref().filter(|_| lost).map(|value| finding(metric, value, phase));
    let facts = [
        ("metric", Some(metric.name.clone())),
        ("phase", Some(phase.to_string())),
        ("value", value),
        ("finding", found),
        ("error", decisive.and_then(|it| it.message.clone())),
    ];
    let facts = facts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let noted =
        |key: &&str| Some(((*key).to_owned(), result.metadata.get(&noted_as(key))?.clone()));
    facts.chain(GROUNDS.iter().filter_map(noted)).collect()
}

/// The key, in the metadata of a metric's result, of something that its verdict rests on.
pub(super) fn noted_as(ground: &str) -> String {
    format!("ringfence.dev/{ground}")
}

/// What a verdict rests on beside its value, as far as there is such. A provider that judges by itself says
/// that in its own words.
pub(super) fn rests_on(metric: &Metric, result: &MetricResult) -> Vec<(&'static str, String)> {
    let told = |key: &str| decisive(result).and_then(|it| it.metadata.get(key)).cloned();
    let condition = Some(deciding_condition(metric, result.phase)).filter(|it| !it.is_empty());
    let limit = || Some(limit_in_words(Limits::of(metric), result));
    let texts = [
        told("condition").or(condition),
        told("limit").or_else(limit),
        compared(result).or_else(|| query(metric)),
        told("window").or_else(|| window(metric, result)),
    ];
    GROUNDS.into_iter().zip(texts).filter_map(|(key, text)| Some((key, text?))).collect()
}

/// The measurement that decided a metric.
fn decisive(result: &MetricResult) -> Option<&Measurement> {
    let decided = result.measurements.iter().rev().find(|it| it.phase == result.phase);
    decided.or(result.measurements.last())
}

/// What was asked of the versions that were compared, if any were.
fn compared(result: &MetricResult) -> Option<String> {
    let asked = |key: &str| key.starts_with("canary.") || key.starts_with("stable.");
    let queries = result.metadata.iter().filter(|(key, _)| asked(key));
    let queries: Vec<String> = queries.map(|(key, query)| format!("{key}: {query}")).collect();
    (!queries.is_empty()).then(|| queries.join("; "))
}

/// What a provider was asked, as far as its settings say so in one of the usual fields.
fn query(metric: &Metric) -> Option<String> {
    let providers = serde_json::to_value(&metric.provider).ok()?;
    let configs = providers.as_object()?.values();
    let mut fields = configs.flat_map(|config| QUERIES.iter().map(move |key| &config[*key]));
    let asked = fields.find(|field| !field.is_null() && **field != "")?;
    let text = asked.as_str().map_or_else(|| asked.to_string(), str::to_owned);
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// When it was asked; how far back each question looks is in the query, or said by its range.
fn window(metric: &Metric, result: &MetricResult) -> Option<String> {
    let at = |it: &Measurement| it.finished_at.as_ref().map(|at| at.0);
    let mut times = result.measurements.iter().filter_map(at);
    let first = times.next()?;
    let asked = match times.next_back() {
        Some(last) => {
            format!("{} measurements from {first} to {last}", result.measurements.len())
        }
        None => format!("one measurement at {first}"),
    };
    let range = metric.provider.prometheus.as_ref().and_then(|it| it.range_query.as_ref());
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    Some(match range {
        Some(range) => format!("{asked}, of {} to {}", text(&range.start), text(&range.end)),
        None => asked,
    })
}

fn event_type(phase: AnalysisPhase) -> EventType {
    match phase {
        AnalysisPhase::Error | AnalysisPhase::Failed => EventType::Warning,
        _ => EventType::Normal,
    }
}
