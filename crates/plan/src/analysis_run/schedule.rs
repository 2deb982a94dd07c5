//! When a metric is measured next.

use analysis::{counting::effective_count, duration};
use api::argo::{AnalysisPhase, Metric, MetricResult};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Time until a measurement that could not be taken is tried again.
pub(super) const ERROR_RETRY: Duration = Duration::from_secs(10);

/// Shortest time between two measurements of a metric; times in a status have no fractions.
pub(super) const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// What a metric waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// For nothing: all of it was measured.
    Nothing,
    /// For a new measurement at that time.
    Measure(Timestamp),
    /// For going on with an unfinished measurement at that time.
    Resume(Timestamp),
    /// For a Job that is under way, which is looked at whenever anything changes.
    Watch,
}

impl Next {
    /// The time, if there is one.
    pub(super) fn at(self) -> Option<Timestamp> {
        match self {
            Self::Nothing | Self::Watch => None,
            Self::Measure(at) | Self::Resume(at) => Some(at),
        }
    }

    /// Whether something is to be done for the metric now.
    pub(super) fn is_due(self, now: Timestamp) -> bool {
        self == Self::Watch || self.at().is_some_and(|at| at <= now)
    }
}

/// Tells what a metric waits for, given when its run began.
pub(super) fn next(metric: &Metric, result: Option<&MetricResult>, run_began: Timestamp) -> Next {
    let Some((result, last)) =
        result.and_then(|result| Some((result, result.measurements.last()?)))
    else {
        let settled = result.is_some_and(|result| result.phase.completed());
        let delayed = after(run_began, wait(metric.initial_delay.as_deref()));
        return if settled { Next::Nothing } else { Next::Measure(delayed) };
    };
    if result.phase.completed() {
        return Next::Nothing;
    }
    let Some(finished) = &last.finished_at else {
        return Next::Resume(last.resume_at.as_ref().map_or(run_began, |at| at.0));
    };
    let taken = effective_count(metric).is_some_and(|count| result.count >= count);
    let interval = match (last.phase, metric.interval.as_deref()) {
        (AnalysisPhase::Error, _) | (_, None) => ERROR_RETRY,
        (_, interval) => wait(interval).max(MIN_INTERVAL),
    };
    if taken { Next::Nothing } else { Next::Measure(after(finished.0, interval)) }
}

/// A time that much later; beyond the end of time, the end of time.
pub(super) fn after(time: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// Durations were checked with the spec; one that is none waits for nothing.
fn wait(text: Option<&str>) -> Duration {
    text.and_then(|text| duration::parse(text).ok()).unwrap_or_default()
}
