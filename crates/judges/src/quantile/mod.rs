//! J3, by quantiles: bounds on latencies that hold at every sample size at once.
//!
//! One quantile is bounded most tightly by [`FixedQuantile`], all of them at once by [`Ecdf`] with a
//! [`Band`]. [`ab_p_value`] asks whether two sets of samples have the same quantile. All of them take the
//! samples for independent draws from one distribution. In a release take [`judge`], which needs far fewer
//! of them than a band and minds neither drift nor a changing split.

pub mod judge;

use crate::{
    confidence::{Band, BetaBinomial},
    evidence::Range,
    numeric::{exp, least, real, size},
    rank::Samples,
    settings::{ErrorRate, SettingError},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// By how much a share must be beyond a bound, so that no rounding is taken for evidence.
const ROUNDING: f64 = 1e-12;

/// Which quantile: between 0 and 1, both excluded.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Quantile(f64);

impl Quantile {
    /// The value that one request in a hundred is above.
    pub const P99: Self = Self(0.99);

    /// Checks the range.
    pub fn new(value: f64) -> Result<Self, SettingError> {
        if value > 0.0 && value < 1.0 {
            return Ok(Self(value));
        }
        let range = "between 0 and 1, both excluded";
        Err(SettingError { setting: "quantile", value, range })
    }

    /// The share of values below it.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Quantile {
    type Error = SettingError;

    fn try_from(value: f64) -> Result<Self, SettingError> {
        Self::new(value)
    }
}

impl From<Quantile> for f64 {
    fn from(quantile: Quantile) -> Self {
        quantile.0
    }
}

/// As people say it, such as `p99.9`.
impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = format!("{:.6}", 100.0 * self.0);
        write!(f, "p{}", percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Bounds on the share of samples below one quantile; tightest at the sample size `t_opt`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FixedQuantile {
    quantile: Quantile,
    alpha: ErrorRate,
    t_opt: f64,
}

impl FixedQuantile {
    /// Each side is wrong with a chance of at most `alpha`, at any time.
    pub fn new(quantile: Quantile, alpha: ErrorRate, t_opt: u64) -> Self {
        Self { quantile, alpha, t_opt: real(t_opt.max(1)) }
    }

    /// By how much the share of samples up to the true quantile may fall short of what it should be.
    pub fn lower_radius(&self, samples: u64) -> f64 {
        let p = self.quantile.0;
        self.radius(1.0 - p, p, samples)
    }

    /// By how much the share of samples below the true quantile may exceed what it should be.
    pub fn upper_radius(&self, samples: u64) -> f64 {
        let p = self.quantile.0;
        self.radius(p, 1.0 - p, samples)
    }

    fn radius(&self, g: f64, h: f64, samples: u64) -> f64 {
        let mixture = BetaBinomial::new(self.t_opt * g * h, g, h);
        let samples = real(samples.max(1));
        mixture.bound(samples * g * h, self.alpha) / samples
    }

    /// The values between which the quantile is, from samples.
    pub fn range(&self, samples: &Samples) -> Range {
        let ecdf = Sorted::of(samples);
        let count = samples.values().len() as u64;
        let (low, high) = (
            self.quantile.0 - self.lower_radius(count),
            self.quantile.0 + self.upper_radius(count),
        );
        Range { low: ecdf.first_reaching(low), high: ecdf.first_above(high) }
    }

    /// The edges between which the quantile is, from a histogram.
    pub fn range_by_edges(&self, ecdf: &Ecdf) -> Range {
        let (low, high) = (
            self.quantile.0 - self.lower_radius(ecdf.total),
            self.quantile.0 + self.upper_radius(ecdf.total),
        );
        let is_below = |(_, share): &(f64, f64)| *share < low - ROUNDING;
        let is_above = |(_, share): &(f64, f64)| *share > high + ROUNDING;
        let below = ecdf.shares().filter(is_below).map(|(edge, _)| edge);
        let above = ecdf.shares().find(is_above).map(|(edge, _)| edge);
        Range { low: below.last(), high: above }
    }
}

/// Samples in order.
struct Sorted(Vec<f64>);

impl Sorted {
    fn of(samples: &Samples) -> Self {
        let mut values = samples.values().to_vec();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    fn len(&self) -> f64 {
        size(&self.0)
    }

    /// The share of values below `x`.
    fn share_below(&self, x: f64) -> f64 {
        real(self.0.partition_point(|value| *value < x) as u64) / self.len()
    }

    /// The share of values up to `x`.
    fn share_up_to(&self, x: f64) -> f64 {
        real(self.0.partition_point(|value| *value <= x) as u64) / self.len()
    }

    /// The smallest value up to which more than a share of all lies; none for a share of 1.
    fn first_above(&self, share: f64) -> Option<f64> {
        let reached = |index: &usize| real(*index as u64 + 1) > share * self.len();
        (share < 1.0).then(|| (0..self.0.len()).find(reached).map(|index| self.0[index])).flatten()
    }

    /// The smallest value up to which at least a share of all lies; none for a share of 0.
    fn first_reaching(&self, share: f64) -> Option<f64> {
        let reached = |index: &usize| real(*index as u64 + 1) >= share * self.len();
        (share > 0.0).then(|| (0..self.0.len()).find(reached).map(|index| self.0[index])).flatten()
    }

    /// The value at a place that counts from 1.
    fn at(&self, place: f64) -> f64 {
        let index = (1..).take_while(|earlier| real(*earlier) < place).take(self.0.len()).count();
        self.0[index.min(self.0.len() - 1)]
    }
}

/// The always-valid p-value of "both have the same quantile" (Howard and Ramdas 2022, theorem 5).
///
/// It may be asked for after every sample; for values that never tie. Tightest at `t_opt` samples.
pub fn ab_p_value(quantile: Quantile, t_opt: u64, a: &Samples, b: &Samples) -> f64 {
    let (a, b) = (Distance::of(quantile, t_opt, a), Distance::of(quantile, t_opt, b));
    let (first, second) = if a.end <= b.end { (a, b) } else { (b, a) };
    let both = |x: f64| first.at(x) + second.at(x);
    // Beyond its own best place one rises and before its own the other falls, by steps at its samples.
    let between = second.sorted.0.iter().filter(|x| **x >= first.end && **x <= second.start);
    let candidates = between.copied().chain([first.end, second.start]);
    exp(-candidates.map(both).fold(f64::INFINITY, f64::min)).min(1.0)
}

/// The evidence against each place being one arm's quantile.
struct Distance {
    quantile: f64,
    mixture: BetaBinomial,
    sorted: Sorted,
    /// The share of samples below the place that fits best.
    best: f64,
    /// Between these samples the best share is possible.
    start: f64,
    end: f64,
}

impl Distance {
    fn of(quantile: Quantile, t_opt: u64, samples: &Samples) -> Self {
        let p = quantile.0;
        let mixture = BetaBinomial::new(real(t_opt.max(1)) * p * (1.0 - p), p, 1.0 - p);
        let sorted = Sorted::of(samples);
        let n = sorted.len();
        let (best, _) = least(|share| ln_e(&mixture, p, share, n), 0.0, 1.0);
        let (start, end) = (sorted.at((best * n).ceil()), sorted.at((best * n).floor() + 1.0));
        Self { quantile: p, mixture, sorted, best, start, end }
    }

    fn at(&self, x: f64) -> f64 {
        let share = if x < self.start {
            self.sorted.share_up_to(x)
        } else if x > self.end {
            self.sorted.share_below(x)
        } else {
            self.best
        };
        ln_e(&self.mixture, self.quantile, share, self.sorted.len())
    }
}

/// ln of the evidence that a place with a share of `n` samples below it is not the quantile.
fn ln_e(mixture: &BetaBinomial, quantile: f64, share: f64, n: f64) -> f64 {
    mixture.ln_e((share - quantile) * n, quantile * (1.0 - quantile) * n)
}

/// An empirical distribution function, known at the edges of a histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Ecdf {
    edges: Vec<f64>,
    up_to: Vec<u64>,
    total: u64,
}

/// Why counts are no histogram.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EcdfError {
    /// There must be one count for each edge, and at least one.
    #[error("{edges} edges and {counts} counts: must be as many, and at least one")]
    Lengths {
        /// How many edges.
        edges: usize,
        /// How many counts.
        counts: usize,
    },
    /// Edges must rise.
    #[error("edge {place} is {value}: edges must be finite and rise")]
    Edge {
        /// Its place, counting from 1.
        place: usize,
        /// What it is.
        value: f64,
    },
    /// Counts up to an edge must not fall, and not be above the total.
    #[error("count {place} is {value}: counts must not fall, nor be above the total")]
    Count {
        /// Its place, counting from 1.
        place: usize,
        /// What it is.
        value: u64,
    },
}

impl Ecdf {
    /// From the number of requests up to each edge and the number of all, as in Prometheus' buckets.
    pub fn new(edges: Vec<f64>, up_to: Vec<u64>, total: u64) -> Result<Self, EcdfError> {
        if edges.len() != up_to.len() || edges.is_empty() {
            return Err(EcdfError::Lengths { edges: edges.len(), counts: up_to.len() });
        }
        let before = [f64::NEG_INFINITY].into_iter().chain(edges.iter().copied());
        let mut pairs = before.zip(&edges).enumerate();
        if let Some((index, (_, value))) =
            pairs.find(|(_, (before, edge))| !edge.is_finite() || *edge <= before)
        {
            return Err(EcdfError::Edge { place: index + 1, value: *value });
        }
        let before = [0].into_iter().chain(up_to.iter().copied());
        let mut pairs = before.zip(&up_to).enumerate();
        if let Some((index, (_, value))) =
            pairs.find(|(_, (before, count))| *count < before || **count > total)
        {
            return Err(EcdfError::Count { place: index + 1, value: *value });
        }
        Ok(Self { edges, up_to, total })
    }

    fn shares(&self) -> impl Iterator<Item = (f64, f64)> {
        let total = real(self.total.max(1));
        self.edges.iter().zip(&self.up_to).map(move |(edge, count)| (*edge, real(*count) / total))
    }

    /// The edges between which a quantile is, for all quantiles and times at once.
    pub fn range(&self, quantile: Quantile, band: &Band) -> Range {
        let radius = band.radius(real(self.total));
        let p = quantile.0;
        let low = self.shares().filter(|(_, share)| share + radius < p).map(|(edge, _)| edge);
        let high = self.shares().find(|(_, share)| share - radius >= p).map(|(edge, _)| edge);
        Range { low: low.last(), high }
    }
}

/// The bounds of the difference of a quantile, canary less stable, from a band of each at half the error.
pub fn difference(quantile: Quantile, bands: &Band, canary: &Ecdf, stable: &Ecdf) -> Range {
    let (canary, stable) = (canary.range(quantile, bands), stable.range(quantile, bands));
    let minus = |a: Option<f64>, b: Option<f64>| Some(a? - b?);
    Range { low: minus(canary.low, stable.high), high: minus(canary.high, stable.low) }
}

/// An edge at which surely more of the canary's requests are slower than of stable's, if there is one;
/// from a band of each at half the error, with the same edges.
pub fn slower_at(bands: &Band, canary: &Ecdf, stable: &Ecdf) -> Option<f64> {
    let reach = bands.radius(real(canary.total)) + bands.radius(real(stable.total));
    let pairs = canary.shares().zip(stable.shares());
    let is_slower = |&((ours, canary), (theirs, stable)): &((f64, f64), (f64, f64))| {
        ours.total_cmp(&theirs).is_eq() && stable - canary > reach
    };
    pairs.into_iter().find(is_slower).map(|((edge, _), _)| edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantile(p: f64) -> Quantile {
        Quantile::new(p).unwrap()
    }

    fn check_ab(p: f64, shift: f64, expected: f64) {
        let thousand = |shift: f64| {
            Samples::new((1..=1000).map(|value| f64::from(value) + shift).collect()).unwrap()
        };
        for (a, b) in [(0.0, shift), (shift, 0.0)] {
            let got = ab_p_value(quantile(p), 100, &thousand(a), &thousand(b));
            assert!((got - expected).abs() <= 1e-6, "{got} is not {expected}");
        }
    }

    #[test]
    fn the_p_value_of_two_arms_agrees_with_the_vectors() {
        check_ab(0.5, 70.0, 0.814_704);
        check_ab(0.5, 85.0, 0.083_805_5);
        check_ab(0.5, 100.0, 0.005_494_7);
        check_ab(0.9, 55.0, 0.034_046_3);
        check_ab(0.5, 0.0, 1.0);
    }

    #[test]
    fn a_fixed_quantile_needs_far_fewer_samples_than_a_band() {
        let alpha = ErrorRate::new(0.025).unwrap();
        let radius =
            |p, samples| FixedQuantile::new(quantile(p), alpha, 5000).lower_radius(samples);
        for (p, samples, expected) in
            [(0.99, 1570, 0.01), (0.99, 5100, 0.005), (0.999, 15_500, 0.001)]
        {
            let got = radius(p, samples);
            assert!(got <= expected && got > 0.99 * expected, "{got} is not {expected}");
        }
        assert!(Band::new(alpha).radius(1570.0) > 0.06);
    }

    #[test]
    fn the_bounds_of_a_quantile_contain_it() {
        let samples = Samples::new((1..=2000).map(f64::from).collect()).unwrap();
        let fixed = FixedQuantile::new(quantile(0.9), ErrorRate::USUAL, 1000);
        let Range { low: Some(low), high: Some(high) } = fixed.range(&samples) else { panic!() };
        assert!(low < 1800.0 && low > 1700.0 && high > 1800.0 && high < 1900.0, "{low} {high}");
        let few = Samples::new(vec![1.0, 2.0]).unwrap();
        assert_eq!(fixed.range(&few).high, None);
    }

    #[test]
    fn a_histogram_bounds_a_quantile_as_its_samples_do() {
        let samples = Samples::new((1..=2000).map(f64::from).collect()).unwrap();
        let fixed = FixedQuantile::new(quantile(0.9), ErrorRate::USUAL, 1000);
        let Range { low: Some(low), high: Some(high) } = fixed.range(&samples) else { panic!() };
        let edges: Vec<f64> = (1..=200).map(|edge| f64::from(edge) * 10.0).collect();
        let ecdf = Ecdf::new(edges, (1..=200).map(|edge| edge * 10).collect(), 2000).unwrap();
        let by_edges = fixed.range_by_edges(&ecdf);
        let (from, to) = (by_edges.low.unwrap(), by_edges.high.unwrap());
        assert!(from <= low && low - from <= 10.0, "{from} {low}");
        assert!(to >= high && to - high <= 10.0, "{to} {high}");
    }

    #[test]
    fn a_quantile_is_called_as_people_call_it() {
        let called = [0.5, 0.99, 0.999, 0.9995].map(|p| quantile(p).to_string());
        assert_eq!(called, ["p50", "p99", "p99.9", "p99.95"]);
    }

    #[test]
    fn histograms_are_compared_at_their_edges() {
        let alpha = ErrorRate::new(0.025).unwrap();
        let band = Band::new(alpha);
        let edges = vec![0.1, 0.2, 0.5, 1.0];
        let stable = Ecdf::new(edges.clone(), vec![5000, 9000, 9900, 10_000], 10_000).unwrap();
        let slower = Ecdf::new(edges, vec![500, 2000, 9000, 10_000], 10_000).unwrap();
        assert_eq!(slower_at(&band, &slower, &stable), Some(0.1));
        assert_eq!(slower_at(&band, &stable, &slower), None);
        assert_eq!(slower_at(&band, &stable, &stable), None);
        assert_eq!(stable.range(quantile(0.5), &band), Range { low: None, high: Some(0.2) });
        let difference = difference(quantile(0.7), &band, &slower, &stable);
        assert_eq!(difference, Range::between(0.0, 0.4));
    }

    #[test]
    fn what_is_no_histogram_is_refused() {
        let error = |edges: &[f64], counts: &[u64], total| {
            Ecdf::new(edges.to_vec(), counts.to_vec(), total).unwrap_err().to_string()
        };
        assert_eq!(error(&[], &[], 0), "0 edges and 0 counts: must be as many, and at least one");
        assert_eq!(error(&[1.0, 1.0], &[1, 2], 3), "edge 2 is 1: edges must be finite and rise");
        let count = "count 2 is 1: counts must not fall, nor be above the total";
        assert_eq!(error(&[1.0, 2.0], &[2, 1], 3), count);
        assert_eq!(error(&[1.0], &[2], 1), count.replace("2 is 1", "1 is 2"));
    }
}
