//! Counting measurements, and what the counts make of a metric.
//!
//! Start with [`record`] and [`metric_phase`]. Errors do not count towards `count`; only errors in a
//! row decide.

use api::argo::{AnalysisPhase, Measurement, Metric, MetricResult};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Errors in a row that a metric survives unless it says otherwise.
pub const DEFAULT_CONSECUTIVE_ERROR_LIMIT: i32 = 4;
/// Measurements kept for each metric unless a retention rule says otherwise.
pub const DEFAULT_MEASUREMENTS_KEPT: usize = 10;

/// Whether a run goes on or is being ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Measurements go on.
    No,
    /// No measurement begins any more.
    Terminating,
}

/// The limits of a metric as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Failures allowed; negative when failures do not decide.
    pub failure: i32,
    /// Inconclusive measurements allowed.
    pub inconclusive: i32,
    /// Errors in a row allowed.
    pub consecutive_error: i32,
    /// Successes in a row that settle the metric; 0 when they do not.
    pub consecutive_success: i32,
    /// Measurements to take; `None` without end.
    pub count: Option<i32>,
}

impl Limits {
    /// Reads a metric's limits, with the defaults of those it leaves out.
    pub fn of(metric: &Metric) -> Self {
        let number = |field: &Option<IntOrString>| field.as_ref().map_or(0, to_int);
        let error_limit = metric.consecutive_error_limit.as_ref();
        Self {
            failure: number(&metric.failure_limit),
            inconclusive: number(&metric.inconclusive_limit),
            consecutive_error: error_limit.map_or(DEFAULT_CONSECUTIVE_ERROR_LIMIT, to_int),
            consecutive_success: number(&metric.consecutive_success_limit),
            count: effective_count(metric),
        }
    }
}

/// How many measurements a metric takes: one without interval, without end with an interval alone.
pub fn effective_count(metric: &Metric) -> Option<i32> {
    match metric.count.as_ref().map_or(0, to_int) {
        0 => metric.interval.as_deref().unwrap_or_default().is_empty().then_some(1),
        count => Some(count),
    }
}

/// Adds a finished or unfinished measurement and counts it if it is finished.
pub fn record(result: &mut MetricResult, measurement: Measurement) {
    count(result, measurement.phase);
    result.measurements.push(measurement);
}

fn count(result: &mut MetricResult, phase: AnalysisPhase) {
    match phase {
        AnalysisPhase::Successful => {
            result.successful += 1;
            result.consecutive_success += 1;
        }
        AnalysisPhase::Failed => result.failed += 1,
        AnalysisPhase::Inconclusive => result.inconclusive += 1,
        AnalysisPhase::Error => {
            result.error += 1;
            result.consecutive_error += 1;
        }
        _ => return,
    }
    if phase != AnalysisPhase::Error {
        result.count += 1;
        result.consecutive_error = 0;
    }
    if phase != AnalysisPhase::Successful {
        result.consecutive_success = 0;
    }
}

/// A limit that was passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// What the metric becomes.
    pub phase: AnalysisPhase,
    /// Such as `failed (2) > failureLimit (1)`.
    pub message: String,
}

/// The limit a metric has passed, if any; errors outweigh inconclusive, and that failures. Measurements
/// that all say nothing are one too.
pub fn breach(limits: Limits, result: &MetricResult) -> Option<Breach> {
    let breach = |phase, message| Some(Breach { phase, message });
    if result.consecutive_error > limits.consecutive_error {
        let (errors, limit) = (result.consecutive_error, limits.consecutive_error);
        return breach(
            AnalysisPhase::Error,
            format!("consecutiveErrors ({errors}) > consecutiveErrorLimit ({limit})"),
        );
    }
    if result.inconclusive > limits.inconclusive {
        let (count, limit) = (result.inconclusive, limits.inconclusive);
        return breach(
            AnalysisPhase::Inconclusive,
            format!("inconclusive ({count}) > inconclusiveLimit ({limit})"),
        );
    }
    if limits.failure >= 0 && result.failed > limits.failure {
        let (count, limit) = (result.failed, limits.failure);
        return breach(AnalysisPhase::Failed, format!("failed ({count}) > failureLimit ({limit})"));
    }
    if says_nothing(limits, result) {
        let count = result.inconclusive;
        let message = format!("no measurement being conclusive: inconclusive ({count}) of {count}");
        return breach(AnalysisPhase::Inconclusive, message);
    }
    None
}

/// The limit that a metric has passed or kept, in words, such as `failed (0) <= failureLimit (1)`.
pub fn limit_in_words(limits: Limits, result: &MetricResult) -> String {
    let (successes, failures) = (result.consecutive_success, result.failed);
    let is_reached = limits.consecutive_success > 0 && successes >= limits.consecutive_success;
    if let Some(breach) = breach(limits, result) {
        breach.message
    } else if is_reached {
        let limit = limits.consecutive_success;
        format!("consecutiveSuccess ({successes}) >= consecutiveSuccessLimit ({limit})")
    } else if limits.failure < 0 {
        format!("failed ({failures}), failureLimit is disabled")
    } else {
        format!("failed ({failures}) <= failureLimit ({})", limits.failure)
    }
}

/// Whether all measurements were taken and none of them said anything: what was never measured has not
/// passed, whatever `inconclusiveLimit` allows.
fn says_nothing(limits: Limits, result: &MetricResult) -> bool {
    limits.consecutive_success == 0
        && limits.count.is_some_and(|count| result.count >= count)
        && result.inconclusive > 0
        && result.successful == 0
        && result.failed == 0
}

/// What a metric is after its latest measurement.
pub fn metric_phase(metric: &Metric, result: &MetricResult, ending: Ending) -> AnalysisPhase {
    if result.phase.completed() {
        return result.phase;
    }
    let Some(last) = result.measurements.last() else {
        return ended_or(ending, AnalysisPhase::Pending);
    };
    if !last.phase.completed() {
        return AnalysisPhase::Running;
    }
    let limits = Limits::of(metric);
    if let Some(breach) = breach(limits, result) {
        return breach.phase;
    }
    if limits.consecutive_success > 0 && result.consecutive_success >= limits.consecutive_success {
        return AnalysisPhase::Successful;
    }
    match limits.count {
        Some(count) if result.count >= count => at_count(limits),
        _ => ended_or(ending, AnalysisPhase::Running),
    }
}

/// What all measurements without a passed limit amount to.
fn at_count(limits: Limits) -> AnalysisPhase {
    match (limits.failure >= 0, limits.consecutive_success > 0) {
        (true, true) => AnalysisPhase::Inconclusive,
        (false, true) => AnalysisPhase::Failed,
        (_, false) => AnalysisPhase::Successful,
    }
}

/// A metric that is stopped before it was settled has done nothing wrong.
fn ended_or(ending: Ending, phase: AnalysisPhase) -> AnalysisPhase {
    match ending {
        Ending::Terminating => AnalysisPhase::Successful,
        Ending::No => phase,
    }
}

/// The number of an int-or-string; text that is no number is 0, as in Go.
pub(crate) fn to_int(value: &IntOrString) -> i32 {
    match value {
        IntOrString::Int(number) => *number,
        IntOrString::String(text) => text.parse().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AnalysisPhase::{Error, Failed, Inconclusive, Pending, Running, Successful};
    use serde_json::{Value, json};

    fn metric(fields: &Value) -> Metric {
        let mut whole = json!({"name": "m", "provider": {}});
        whole.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    fn after(phases: &[AnalysisPhase]) -> MetricResult {
        let mut result = MetricResult { phase: Running, ..MetricResult::default() };
        for phase in phases {
            record(&mut result, Measurement { phase: *phase, ..Measurement::default() });
        }
        result
    }

    #[track_caller]
    fn check(fields: &Value, phases: &[AnalysisPhase], expected: AnalysisPhase) {
        assert_eq!(metric_phase(&metric(fields), &after(phases), Ending::No), expected);
    }

    #[test]
    fn counters_follow_each_measurement() {
        let result = after(&[
            Successful,
            Successful,
            Error,
            Error,
            Failed,
            Inconclusive,
            Successful,
            Running,
        ]);
        let counts =
            [result.count, result.successful, result.failed, result.inconclusive, result.error];
        assert_eq!(counts, [5, 3, 1, 1, 2]);
        assert_eq!((result.consecutive_error, result.consecutive_success), (0, 1));
        assert_eq!(result.measurements.len(), 8);
    }

    #[test]
    fn one_measurement_settles_a_metric_without_interval() {
        check(&json!({}), &[], Pending);
        check(&json!({}), &[Running], Running);
        check(&json!({}), &[Successful], Successful);
        check(&json!({}), &[Failed], Failed);
        check(&json!({}), &[Inconclusive], Inconclusive);
        check(&json!({}), &[Error], Running);
        check(&json!({}), &[Error, Error, Error, Error], Running);
        check(&json!({}), &[Error, Error, Error, Error, Error], Error);
    }

    #[test]
    fn an_interval_without_count_runs_until_a_limit_is_passed() {
        let endless = json!({"interval": "10s", "failureLimit": 1});
        check(&endless, &[Successful; 20], Running);
        check(&endless, &[Failed, Successful], Running);
        check(&endless, &[Failed, Successful, Failed], Failed);
    }

    #[test]
    fn limits_are_passed_only_beyond_their_number() {
        let limited =
            json!({"interval": "1s", "count": "5", "failureLimit": "1", "inconclusiveLimit": 2});
        check(&limited, &[Failed, Successful, Successful, Successful], Running);
        check(&limited, &[Failed, Successful, Successful, Successful, Successful], Successful);
        check(&limited, &[Failed, Failed], Failed);
        check(&limited, &[Inconclusive, Inconclusive], Running);
        check(&limited, &[Inconclusive, Inconclusive, Inconclusive], Inconclusive);
        let lenient = json!({"interval": "1s", "count": 3, "inconclusiveLimit": 3});
        check(&lenient, &[Inconclusive, Inconclusive], Running);
        check(&lenient, &[Inconclusive, Inconclusive, Inconclusive], Inconclusive);
        check(&lenient, &[Inconclusive, Error, Inconclusive, Inconclusive], Inconclusive);
        check(&lenient, &[Inconclusive, Successful, Inconclusive], Successful);
        check(&json!({"consecutiveErrorLimit": 0}), &[Error], Error);
        check(
            &json!({"interval": "1s", "consecutiveErrorLimit": 1}),
            &[Error, Successful, Error],
            Running,
        );
    }

    #[test]
    fn successes_in_a_row_settle_a_metric() {
        let both =
            json!({"interval": "1s", "count": 4, "failureLimit": 2, "consecutiveSuccessLimit": 2});
        check(&both, &[Successful, Successful], Successful);
        check(&both, &[Successful, Failed, Successful, Failed], Inconclusive);
        check(&both, &[Failed, Failed, Failed], Failed);
        let only =
            json!({"interval": "1s", "count": 3, "failureLimit": -1, "consecutiveSuccessLimit": 2});
        check(&only, &[Failed, Failed], Running);
        check(&only, &[Failed, Failed, Successful], Failed);
        check(&only, &[Failed, Successful, Successful], Successful);
        check(&only, &[Successful, Error, Successful], Running);
    }

    #[test]
    fn a_stopped_metric_is_successful_unless_it_was_settled() {
        let endless = metric(&json!({"interval": "10s"}));
        assert_eq!(metric_phase(&endless, &after(&[]), Ending::Terminating), Successful);
        assert_eq!(metric_phase(&endless, &after(&[Successful]), Ending::Terminating), Successful);
        assert_eq!(metric_phase(&endless, &after(&[Running]), Ending::Terminating), Running);
        assert_eq!(metric_phase(&endless, &after(&[Failed]), Ending::Terminating), Failed);
    }

    #[test]
    fn a_breach_names_count_and_limit() {
        let limits = Limits::of(&metric(&json!({"failureLimit": 1})));
        let message =
            |phases: &[AnalysisPhase]| breach(limits, &after(phases)).map(|it| it.message);
        assert_eq!(message(&[Failed, Failed]).as_deref(), Some("failed (2) > failureLimit (1)"));
        assert_eq!(
            message(&[Failed, Failed, Inconclusive]).as_deref(),
            Some("inconclusive (1) > inconclusiveLimit (0)")
        );
        assert_eq!(
            message(&[Error; 5]).as_deref(),
            Some("consecutiveErrors (5) > consecutiveErrorLimit (4)")
        );
        assert_eq!(message(&[Failed]), None);
        let limits = Limits::of(&metric(&json!({"count": 2, "inconclusiveLimit": 2})));
        let found = breach(limits, &after(&[Inconclusive, Inconclusive])).unwrap();
        assert_eq!(found.message, "no measurement being conclusive: inconclusive (2) of 2");
    }
}
