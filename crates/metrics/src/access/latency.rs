//! Histograms of latencies with fixed buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets in microseconds: fine between 1 ms and 10 s.
pub const BUCKET_BOUNDS_MICROS: [u64; 22] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 250_000,
    300_000, 400_000, 500_000, 750_000, 1_000_000, 1_500_000, 2_000_000, 2_500_000, 5_000_000,
    7_500_000, 10_000_000,
];
/// The number of buckets, with the one for everything above the last bound.
pub const BUCKETS: usize = BUCKET_BOUNDS_MICROS.len() + 1;

/// A histogram that many threads add to.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_nanos: AtomicU64,
}

impl Histogram {
    pub(super) fn add(&self, latency: Duration, count: u64) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let micros = nanos.div_ceil(1_000);
        let bucket = BUCKET_BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        self.buckets[bucket].fetch_add(count, Ordering::Relaxed);
        self.sum_nanos.fetch_add(nanos.saturating_mul(count), Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Latencies {
        Latencies {
            buckets: std::array::from_fn(|i| self.buckets[i].load(Ordering::Relaxed)),
            sum: Duration::from_nanos(self.sum_nanos.load(Ordering::Relaxed)),
        }
    }
}

/// A histogram as read at one time; each bucket counts only its own latencies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// How many latencies fell into each bucket.
    pub buckets: [u64; BUCKETS],
    /// All latencies added up.
    pub sum: Duration,
}

impl Latencies {
    /// How many latencies were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The average, if any latency was counted.
    pub fn mean(&self) -> Option<Duration> {
        let count = self.count();
        let nanos = self.sum.as_nanos().checked_div(u128::from(count))?;
        u64::try_from(nanos).ok().map(Duration::from_nanos)
    }

    /// The latency below which the share `q` (0 to 1) lies, interpolated within its bucket as
    /// `histogram_quantile` does; none when nothing was counted.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = q * crate::number::float64(count);
        let (mut below, mut lower) = (0.0, 0.0);
        for (bound, inside) in BUCKET_BOUNDS_MICROS.iter().zip(self.buckets) {
            let (upper, inside) = (crate::number::float64(*bound), crate::number::float64(inside));
            if inside > 0.0 && below + inside >= rank {
                let micros = lower + (upper - lower) * (rank - below) / inside;
                return Some(Duration::from_secs_f64(micros / 1e6));
            }
            (below, lower) = (below + inside, upper);
        }
        Some(Duration::from_secs_f64(lower / 1e6))
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *mine += theirs;
        }
        self.sum += other.sum;
    }

    pub(super) fn less(&self, earlier: &Self) -> Self {
        Self {
            buckets: std::array::from_fn(|i| self.buckets[i].saturating_sub(earlier.buckets[i])),
            sum: self.sum.saturating_sub(earlier.sum),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated_within_a_bucket() {
        let histogram = Histogram::default();
        histogram.add(Duration::from_millis(7), 100);
        let read = histogram.read();
        assert_eq!(read.quantile(0.5), Some(Duration::from_micros(7_500)));
        assert_eq!(read.mean(), Some(Duration::from_millis(7)));
    }

    #[test]
    fn latencies_beyond_the_last_bound_read_as_that_bound() {
        let histogram = Histogram::default();
        histogram.add(Duration::from_mins(1), 1);
        assert_eq!(histogram.read().quantile(0.99), Some(Duration::from_secs(10)));
    }

    #[test]
    fn nothing_counted_has_no_quantile() {
        assert_eq!(Latencies::default().quantile(0.5), None);
        assert_eq!(Latencies::default().mean(), None);
    }
}
