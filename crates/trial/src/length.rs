//! How long a run takes when nothing goes wrong.

use analysis::{arguments, counting::effective_count, duration};
use api::argo::{AnalysisRun, Metric};
use jiff::SignedDuration;

/// Shortest time between two measurements, as the planner has it.
const MIN_INTERVAL: SignedDuration = SignedDuration::from_secs(1);

/// What a metric asks in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Length {
    /// How often it is measured.
    pub(crate) measurements: usize,
    /// From the beginning of the run to its last measurement.
    pub(crate) time: SignedDuration,
}

/// The metrics of a run with their arguments, fit to be shown; one that cannot be resolved is left out.
pub(crate) fn shown_metrics(run: &AnalysisRun) -> Vec<Metric> {
    let args = arguments::without_secrets(&run.spec.args);
    let metrics = run.spec.metrics.iter();
    metrics.filter_map(|metric| arguments::resolve_metric(metric, &args).ok()).collect()
}

/// The length of a metric in a run that is ended after a while; `None` when it has no end.
pub(crate) fn of(metric: &Metric, lasts: Option<SignedDuration>) -> Option<Length> {
    let interval = span(metric.interval.as_deref()).max(MIN_INTERVAL);
    let delay = span(metric.initial_delay.as_deref());
    let counted = effective_count(metric).map(|count| usize::try_from(count).unwrap_or(0).max(1));
    let fitting = lasts.map(|lasts| {
        let left = lasts.saturating_sub(delay).as_secs() / interval.as_secs();
        usize::try_from(left).unwrap_or(0).saturating_add(1)
    });
    let measurements = counted.into_iter().chain(fitting).min()?;
    let waits = i32::try_from(measurements - 1).unwrap_or(i32::MAX);
    let time = interval.checked_mul(waits).unwrap_or(SignedDuration::MAX).saturating_add(delay);
    Some(Length { measurements, time: lasts.map_or(time, |lasts| lasts.min(time)) })
}

fn span(text: Option<&str>) -> SignedDuration {
    let read = text.and_then(|text| duration::parse(text).ok()).unwrap_or_default();
    SignedDuration::try_from(read).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(fields: &Value, lasts: Option<i64>, expected: Option<(usize, i64)>) {
        let mut metric = json!({"name": "m", "provider": {}});
        metric.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let metric = serde_json::from_value(metric).unwrap();
        let got = of(&metric, lasts.map(SignedDuration::from_secs));
        assert_eq!(got.map(|it| (it.measurements, it.time.as_secs())), expected, "{fields}");
    }

    #[test]
    fn a_run_takes_as_long_as_its_measurements_and_no_longer_than_it_may() {
        check(&json!({}), None, Some((1, 0)));
        check(&json!({"count": 3, "interval": "1m"}), None, Some((3, 120)));
        check(&json!({"count": 3, "interval": "1m", "initialDelay": "5m"}), None, Some((3, 420)));
        check(&json!({"interval": "1m"}), None, None);
        check(&json!({"interval": "1m"}), Some(600), Some((11, 600)));
        check(&json!({"count": 3, "interval": "1m"}), Some(60), Some((2, 60)));
    }
}
