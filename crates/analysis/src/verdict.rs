//! From metrics to the run: its phase, its message and its summary.
//!
//! Start with [`roll_up`]. The worst metric decides; a dry-run metric never does.

use crate::assess::finding;
use crate::counting::{Breach, Ending, Limits, breach, metric_phase};
use api::argo::{AnalysisPhase, AnalysisRunStatus, Metric, MetricResult, RunSummary};
use std::collections::BTreeSet;

/// What the run is after its metrics were looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Phase of the run.
    pub phase: AnalysisPhase,
    /// Why, in upstream's words; empty for nothing to say.
    pub message: String,
    /// Metrics that were settled just now, in their order.
    pub settled: Vec<String>,
}

/// The phases from best to worst.
const ORDER: [AnalysisPhase; 6] = [
    AnalysisPhase::Successful,
    AnalysisPhase::Running,
    AnalysisPhase::Pending,
    AnalysisPhase::Inconclusive,
    AnalysisPhase::Error,
    AnalysisPhase::Failed,
];

/// Whether `new` is worse than `current`.
pub fn is_worse(current: AnalysisPhase, new: AnalysisPhase) -> bool {
    let rank = |phase| ORDER.iter().position(|it| *it == phase).unwrap_or(0);
    rank(new) > rank(current)
}

/// The worse of two phases.
pub fn worst(left: AnalysisPhase, right: AnalysisPhase) -> AnalysisPhase {
    if is_worse(left, right) { right } else { left }
}

/// Whether a run is being ended: on request, or because a metric that counts was lost.
pub fn ending(requested: Ending, results: &[MetricResult]) -> Ending {
    let lost = |result: &MetricResult| {
        !result.dry_run
            && matches!(
                result.phase,
                AnalysisPhase::Failed | AnalysisPhase::Error | AnalysisPhase::Inconclusive
            )
    };
    if requested == Ending::Terminating || results.iter().any(lost) {
        Ending::Terminating
    } else {
        Ending::No
    }
}

/// Settles each metric and from them the run; writes metric phases, messages and summaries.
///
/// `requested` is the run's `spec.terminate`; `metrics` have their arguments.
pub fn roll_up(
    metrics: &[Metric],
    dry_run: &BTreeSet<String>,
    requested: Ending,
    status: &mut AnalysisRunStatus,
) -> Verdict {
    let ending = ending(requested, &status.metric_results);
    let mut tally = Tally::default();
    if requested == Ending::Terminating {
        "Run Terminated".clone_into(&mut tally.message);
    }
    for metric in metrics {
        let is_dry = dry_run.contains(&metric.name);
        tally.summary(is_dry).count += 1;
        let Some(result) = status.metric_results.iter_mut().find(|it| it.name == metric.name)
        else {
            tally.unfinished = true;
            continue;
        };
        settle(metric, result, ending, &mut tally.settled);
        tally.add(metric, result, is_dry);
    }
    status.run_summary = tally.run_summary.clone();
    status.dry_run_summary = Some(tally.dry_run_summary.clone());
    tally.verdict(ending)
}

/// Moves a metric to its phase; tells of it when that phase is final.
fn settle(metric: &Metric, result: &mut MetricResult, ending: Ending, settled: &mut Vec<String>) {
    let phase = metric_phase(metric, result, ending);
    if phase == result.phase {
        return;
    }
    result.phase = phase;
    result.message = result.measurements.last().and_then(|last| last.message.clone());
    if !phase.completed() {
        return;
    }
    settled.push(metric.name.clone());
    if result.message.is_none()
        && matches!(phase, AnalysisPhase::Failed | AnalysisPhase::Inconclusive)
    {
        result.message = last_of(result, phase).map(|value| finding(metric, value, phase));
    }
}

/// The value of the latest measurement of a phase.
fn last_of(result: &MetricResult, phase: AnalysisPhase) -> Option<&str> {
    let found = result.measurements.iter().rev().find(|it| it.phase == phase)?;
    found.value.as_deref()
}

#[derive(Default)]
struct Tally {
    worst: Option<AnalysisPhase>,
    message: String,
    unfinished: bool,
    settled: Vec<String>,
    run_summary: RunSummary,
    dry_run_summary: RunSummary,
}

impl Tally {
    fn summary(&mut self, is_dry: bool) -> &mut RunSummary {
        if is_dry { &mut self.dry_run_summary } else { &mut self.run_summary }
    }

    fn add(&mut self, metric: &Metric, result: &mut MetricResult, is_dry: bool) {
        if !result.phase.completed() {
            self.unfinished = true;
            return;
        }
        let breach = breach(Limits::of(metric), result);
        if is_dry {
            self.worst.get_or_insert(AnalysisPhase::Successful);
            if let Some(breach) = &breach {
                result.message =
                    Some(format!("Metric assessed {} due to {}", result.phase, breach.message));
            }
        } else {
            self.judge(result, breach.as_ref());
        }
        let phase = breach.map_or(result.phase, |breach| breach.phase);
        let summary = self.summary(is_dry);
        match phase {
            AnalysisPhase::Error => summary.error += 1,
            AnalysisPhase::Failed => summary.failed += 1,
            AnalysisPhase::Inconclusive => summary.inconclusive += 1,
            _ => summary.successful += 1,
        }
    }

    /// Keeps the worst phase and the message of the first metric that had it.
    fn judge(&mut self, result: &MetricResult, breach: Option<&Breach>) {
        if self.worst.is_some_and(|worst| !is_worse(worst, result.phase)) {
            return;
        }
        self.worst = Some(result.phase);
        let last = result.measurements.last().and_then(|last| last.message.as_deref());
        let due_to = breach.map(|breach| breach.message.as_str());
        let message = match (due_to, last) {
            (Some(due_to), Some(last)) => format!("{due_to}: \"Error Message: {last}\""),
            (Some(due_to), None) => due_to.to_owned(),
            // Settled without a limit, as a provider that is not there settles its metric at once.
            (None, Some(last)) if result.phase == AnalysisPhase::Error => last.to_owned(),
            (None, _) => return,
        };
        self.message =
            format!("Metric \"{}\" assessed {} due to {message}", result.name, result.phase);
    }

    fn verdict(self, ending: Ending) -> Verdict {
        let (phase, message) = match (ending, self.worst) {
            (Ending::Terminating, worst) => {
                (worst.unwrap_or(AnalysisPhase::Successful), self.message)
            }
            (Ending::No, Some(worst)) if !self.unfinished => (worst, self.message),
            (Ending::No, _) => (AnalysisPhase::Running, String::new()),
        };
        Verdict { phase, message, settled: self.settled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AnalysisPhase::{Error, Failed, Inconclusive, Pending, Running, Successful};
    use serde_json::{Value, json};

    fn status(results: &Value) -> AnalysisRunStatus {
        serde_json::from_value(json!({"phase": "Running", "metricResults": results})).unwrap()
    }

    fn metrics(status: &AnalysisRunStatus) -> Vec<Metric> {
        let metric = |result: &MetricResult| Metric {
            name: result.name.clone(),
            success_condition: Some("result >= 0.95".to_owned()),
            ..Metric::default()
        };
        status.metric_results.iter().map(metric).collect()
    }

    #[track_caller]
    fn check(
        results: &Value,
        dry_run: &[&str],
        expected: (AnalysisPhase, &str),
    ) -> AnalysisRunStatus {
        let mut status = status(results);
        let dry_run = dry_run.iter().map(|name| (*name).to_owned()).collect();
        let verdict = roll_up(&metrics(&status), &dry_run, Ending::No, &mut status);
        assert_eq!((verdict.phase, verdict.message.as_str()), expected);
        status
    }

    fn failing(name: &str) -> Value {
        json!({"name": name, "phase": "Running", "count": 1, "failed": 1, "measurements": [{"phase": "Failed", "value": "0.84"}]})
    }

    fn succeeding(name: &str) -> Value {
        json!({"name": name, "phase": "Running", "count": 1, "successful": 1, "measurements": [{"phase": "Successful"}]})
    }

    #[test]
    fn phases_are_ordered_from_best_to_worst() {
        for pair in [Successful, Running, Pending, Inconclusive, Error, Failed].windows(2) {
            assert!(is_worse(pair[0], pair[1]) && !is_worse(pair[1], pair[0]));
            assert_eq!(worst(pair[0], pair[1]), pair[1]);
        }
    }

    #[test]
    fn one_unfinished_metric_keeps_the_run_running() {
        check(
            &json!([succeeding("a"), {"name": "b", "phase": "Running", "measurements": [{"phase": "Running"}]}]),
            &[],
            (Running, ""),
        );
        check(&json!([succeeding("a"), succeeding("b")]), &[], (Successful, ""));
        check(
            &json!([{"name": "a", "phase": "Successful"}, {"name": "b", "phase": "Failed"}]),
            &[],
            (Failed, ""),
        );
    }

    #[test]
    fn the_worst_metric_gives_phase_and_message() {
        let expected = "Metric \"b\" assessed Failed due to failed (1) > failureLimit (0)";
        let status = check(&json!([succeeding("a"), failing("b")]), &[], (Failed, expected));
        assert_eq!(status.metric_results[1].message.as_deref(), Some("b 0.84 < 0.95"));
        assert_eq!(
            status.run_summary,
            RunSummary { count: 2, successful: 1, failed: 1, ..RunSummary::default() }
        );
        assert_eq!(status.dry_run_summary, Some(RunSummary::default()));
        let expected = "Metric \"a\" assessed Failed due to failed (1) > failureLimit (0)";
        check(&json!([failing("a"), failing("b")]), &[], (Failed, expected));
    }

    #[test]
    fn a_providers_message_is_quoted() {
        let errors = json!([{"name": "a", "phase": "Running", "error": 5, "consecutiveError": 5,
            "measurements": [{"phase": "Error", "message": "Provider Error"}]}]);
        let expected = "Metric \"a\" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4): \
            \"Error Message: Provider Error\"";
        check(&errors, &[], (Error, expected));
    }

    #[test]
    fn dry_run_metrics_decide_nothing() {
        let status = check(&json!([succeeding("a"), failing("b")]), &["a", "b"], (Successful, ""));
        let expected = RunSummary { count: 2, successful: 1, failed: 1, ..RunSummary::default() };
        assert_eq!(status.dry_run_summary, Some(expected));
        let message = "Metric assessed Failed due to failed (1) > failureLimit (0)";
        assert_eq!(status.metric_results[1].message.as_deref(), Some(message));
        check(&json!([succeeding("a"), failing("b")]), &["b"], (Successful, ""));
    }

    #[test]
    fn a_terminated_run_without_measurement_is_successful() {
        let metric = Metric { name: "a".to_owned(), ..Metric::default() };
        let mut status = AnalysisRunStatus::default();
        let verdict = roll_up(&[metric], &BTreeSet::new(), Ending::Terminating, &mut status);
        assert_eq!((verdict.phase, verdict.message.as_str()), (Successful, "Run Terminated"));
    }
}
