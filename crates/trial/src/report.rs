//! What a run came to, for people and for programs.
//!
//! A verdict names the metric, its value, the condition, the limit, the query and the window that the
//! query looked at.

use analysis::counting::{Limits, limit_in_words};
use api::argo::{AnalysisPhase, Metric, MetricResult, PrometheusRangeQueryArgs};
use jiff::Timestamp;
use metrics::promql;
use serde::Serialize;
use std::{collections::BTreeMap, fmt, time::Duration};

/// Key under which Prometheus' query is kept as it was sent.
const QUERY: &str = "ResolvedPrometheusQuery";

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    /// Name of the metric.
    pub metric: String,
    /// Which measurement of the metric, counted from 1, errors included.
    pub number: i32,
    /// When it ended.
    pub at: Timestamp,
    /// What came of it.
    pub phase: AnalysisPhase,
    /// What was measured, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Why the value did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// Why nothing was measured, or nothing could be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, number, at, phase, .. } = self;
        let value = self.value.as_deref().unwrap_or("-");
        write!(f, "{at}  {metric} #{number}  {value}  {phase}")?;
        match self.finding.as_ref().or(self.error.as_ref()) {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

/// What a metric came to, and what that rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Name of the metric.
    pub metric: String,
    /// What it came to.
    pub phase: AnalysisPhase,
    /// Whether it decides nothing.
    pub dry_run: bool,
    /// The value that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The condition that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Why the value did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// The limit that was passed, or kept.
    pub limit: String,
    /// Why nothing was measured, or nothing could be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The time that the query looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// Measurements that were judged.
    pub count: i32,
}

impl Verdict {
    /// Puts together what is known of a settled metric; `evidence` is what its event carries.
    pub(crate) fn new(
        metric: &Metric,
        result: &MetricResult,
        evidence: &BTreeMap<String, String>,
        taken: &[Taken],
    ) -> Self {
        let fact = |name: &str| evidence.get(name).cloned();
        let of_metric = || taken.iter().rev().filter(|taken| taken.metric == metric.name);
        let decisive = of_metric().find(|taken| taken.phase == result.phase);
        let at = decisive.or_else(|| of_metric().next()).map(|taken| taken.at);
        let sent = result.metadata.get(QUERY).map(|query| one_line(query));
        let looked_at = at.zip(sent.as_deref()).map(|(at, query)| window(metric, query, at));
        Self {
            metric: metric.name.clone(),
            phase: result.phase,
            dry_run: result.dry_run,
            value: fact("value"),
            condition: fact("condition"),
            finding: fact("finding"),
            limit: fact("limit").unwrap_or_else(|| limit_in_words(Limits::of(metric), result)),
            error: fact("error"),
            window: looked_at.or_else(|| fact("window")),
            query: sent.or_else(|| fact("query")),
            count: result.count,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dry_run = if self.dry_run { " (dry run, decides nothing)" } else { "" };
        write!(f, "{}: {}{dry_run}", self.metric, self.phase)?;
        if let Some(finding) = &self.finding {
            write!(f, ": {finding}")?;
        }
        let facts = [
            ("value", self.value.as_ref()),
            ("condition", self.condition.as_ref()),
            ("limit", Some(&self.limit)),
            ("error", self.error.as_ref()),
            ("query", self.query.as_ref()),
            ("window", self.window.as_ref()),
        ];
        for (name, fact) in facts {
            if let Some(fact) = fact {
                write!(f, "\n  {name:<9}  {fact}")?;
            }
        }
        Ok(())
    }
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What it came to.
    pub phase: AnalysisPhase,
    /// Why, in the run's own words; empty when there is nothing to say.
    pub message: String,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// What each metric came to, in the order in which they were settled.
    pub metrics: Vec<Verdict>,
    /// Every measurement, oldest first.
    pub measurements: Vec<Taken>,
}

/// The end of a run, without its measurements.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for verdict in &self.metrics {
            writeln!(f, "{verdict}")?;
        }
        let separator = if self.message.is_empty() { "" } else { ": " };
        write!(f, "{}{separator}{}", self.phase, self.message)
    }
}

/// Says how far a metric was from its limits.
fn window(metric: &Metric, query: &str, at: Timestamp) -> String {
    let prometheus = metric.provider.prometheus.as_ref();
    if let Some(range) = prometheus.and_then(|prometheus| prometheus.range_query.as_ref()) {
        let PrometheusRangeQueryArgs { start, end, step } = range;
        let [start, end, step] = [start, end, step].map(|it| it.as_deref().unwrap_or_default());
        return format!("{start} to {end} every {step}, asked at {at}");
    }
    match promql::inspect(query).ok().and_then(|facts| facts.window) {
        Some(window) => format!("{} up to {at}", span(window)),
        None => format!("at {at}"),
    }
}

fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let told = parts.iter().filter(|(count, _)| *count > 0);
    let text = told.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().concat();
    if text.is_empty() { format!("{}ms", duration.as_millis()) } else { text }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
