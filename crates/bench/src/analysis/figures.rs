//! What measurements cost one controller, and how two of them compare.

use super::{Work, service::Seen};
use crate::scale::{Spread, figures::ratio};
use serde::Serialize;
use std::{collections::BTreeMap, fmt, time::Duration};

/// What one controller needed for one load.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// How many runs there were.
    pub runs: usize,
    /// From starting the program until every run was measured once, in seconds.
    pub first_round_seconds: f64,
    /// How long was counted, in seconds.
    pub seconds: f64,
    /// Measurements that were made.
    pub measurements: usize,
    /// Measurements in parts of those that the interval asks for; a controller that is late makes fewer.
    pub kept_up: f64,
    /// Between two measurements of a run.
    pub between_ms: Spread,
    /// Processor time by measurement, in milliseconds.
    pub cpu_ms: f64,
    /// Requests to the API server by measurement.
    pub requests: f64,
    /// All requests, by verb and resource.
    pub by_kind: BTreeMap<String, usize>,
    /// Resident memory afterwards, in megabytes.
    pub resident_mb: f64,
    /// The most memory that was ever resident, in megabytes.
    pub peak_mb: f64,
}

impl Figures {
    /// The figures of what was seen; the times are of the first round, of counting and of the processor,
    /// the memory is what was held at the end and at most.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub(super) fn of(
        work: &Work,
        (first_round, during, processor): (Duration, Duration, Duration),
        seen: &Seen,
        by_kind: BTreeMap<String, usize>,
        (resident_mb, peak_mb): (f64, f64),
    ) -> Self {
        let measurements = seen.values().map(Vec::len).sum::<usize>();
        let each = (measurements as f64).max(1.0);
        let wanted = work.runs as f64 * during.as_secs_f64() / work.interval.as_secs_f64();
        let between: Vec<Duration> =
            seen.values().flat_map(|times| times.windows(2).map(|two| two[1] - two[0])).collect();
        Self {
            runs: work.runs,
            first_round_seconds: first_round.as_secs_f64(),
            seconds: during.as_secs_f64(),
            measurements,
            kept_up: measurements as f64 / wanted,
            between_ms: Spread::of(&between),
            cpu_ms: processor.as_secs_f64() * 1000.0 / each,
            requests: by_kind.values().sum::<usize>() as f64 / each,
            by_kind,
            resident_mb,
            peak_mb,
        }
    }
}

/// Ours in parts of the peer's; what the peer did not need at all compares with nothing.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ratios {
    /// Processor time of a measurement.
    pub cpu: Option<f64>,
    /// Requests of a measurement.
    pub requests: Option<f64>,
    /// The longest hundredth's time between two measurements.
    pub between_p99: Option<f64>,
    /// The most memory that was resident.
    pub peak_memory: Option<f64>,
}

impl Ratios {
    /// Compares two controllers.
    pub fn of(ours: &Figures, peer: &Figures) -> Self {
        let part = |figure: fn(&Figures) -> f64| ratio(Some(figure(ours)), Some(figure(peer)));
        Self {
            cpu: part(|figures| figures.cpu_ms),
            requests: part(|figures| figures.requests),
            between_p99: part(|figures| figures.between_ms.p99),
            peak_memory: part(|figures| figures.peak_mb),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { p50, p99, .. } = self.between_ms;
        writeln!(
            f,
            "{} runs, all measured {:.1} s after the start",
            self.runs, self.first_round_seconds
        )?;
        writeln!(
            f,
            "  {} measurements in {:.0} s, {:.0} % of those due; {p50:.0} ms between two of a run, p99 {p99:.0} ms",
            self.measurements,
            self.seconds,
            self.kept_up * 100.0
        )?;
        writeln!(
            f,
            "  each measurement {:.3} ms of processor and {:.2} requests; {:.0} MB, at most {:.0} MB",
            self.cpu_ms, self.requests, self.resident_mb, self.peak_mb
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[test]
    fn costs_are_those_of_one_measurement() {
        let work = Work {
            runs: 2,
            interval: Duration::from_secs(10),
            during: Duration::from_secs(20),
            flags: Vec::new(),
            logs: None,
        };
        let began = Instant::now();
        let times = |seconds: [u64; 2]| seconds.map(|it| began + Duration::from_secs(it)).to_vec();
        let seen: Seen =
            [("a".to_owned(), times([1, 11])), ("b".to_owned(), times([2, 14]))].into();
        let by_kind = [("patch analysisruns/status".to_owned(), 8)].into();
        let took = (Duration::from_secs(1), Duration::from_secs(20), Duration::from_millis(40));
        let figures = Figures::of(&work, took, &seen, by_kind, (10.0, 20.0));
        assert_eq!((figures.measurements, figures.kept_up), (4, 1.0));
        assert_eq!(
            (figures.cpu_ms, figures.requests, figures.between_ms.p99),
            (10.0, 2.0, 12_000.0)
        );
        let none = Figures::of(&work, took, &Seen::new(), BTreeMap::new(), (0.0, 0.0));
        assert_eq!(Ratios::of(&figures, &figures).cpu, Some(1.0));
        assert_eq!(Ratios::of(&figures, &none).requests, None);
    }
}
