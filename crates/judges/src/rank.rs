//! J5, the Mann–Whitney test: are the canary's values larger? For points of time series, looked at once.
//!
//! Looked at eleven times, a p-value of .05 gives a false alarm in one of six healthy releases; whoever
//! wants to look again takes the judges that allow it.

use crate::{
    numeric::{brent, normal_tail, normal_upper_quantile, real, size},
    settings::ErrorRate,
};
use serde::{Deserialize, Serialize};

/// Samples up to which, without ties, the exact distribution is used.
pub const EXACT_UP_TO: usize = 8;
/// The most samples that an arm may have; ranking more for every guess of a shift would take too long.
pub const MAX_SAMPLES: usize = 100_000;

/// The largest value, of either sign.
pub const MAX_VALUE: f64 = 1e300;
/// How exactly shifts are found.
const SHIFT_TOLERANCE: f64 = 1e-4;

/// Finite numbers, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples(Vec<f64>);

/// Why values are no samples.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// There are none.
    #[error("there are no samples")]
    Empty,
    /// There are too many.
    #[error("{found} samples: must be at most {MAX_SAMPLES}")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// One is NaN, infinite or so large that sums of such would be.
    #[error("sample {place} is not a number of at most {MAX_VALUE:e}")]
    NotFinite {
        /// Its place, counting from 1.
        place: usize,
    },
}

impl Samples {
    /// Checks the values.
    pub fn new(values: Vec<f64>) -> Result<Self, SampleError> {
        if values.is_empty() {
            return Err(SampleError::Empty);
        }
        if values.len() > MAX_SAMPLES {
            return Err(SampleError::TooMany { found: values.len() });
        }
        match values.iter().position(|value| value.is_nan() || value.abs() > MAX_VALUE) {
            Some(index) => Err(SampleError::NotFinite { place: index + 1 }),
            None => Ok(Self(values)),
        }
    }

    /// The values, as they were given.
    pub fn values(&self) -> &[f64] {
        &self.0
    }
}

/// What the test says of canary values x and stable values y.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RankTest {
    /// Pairs in which x is larger; ties count half.
    pub u: f64,
    /// The standard deviation of U if there is no difference, with ties accounted for.
    pub sigma: f64,
    /// How many of them U lies above what is expected, with the continuity correction; 0 if all tie.
    pub z: f64,
    /// The chance of a U this large without a difference, by the normal approximation.
    pub p_greater: f64,
    /// The same exactly; absent with ties, or when both arms have more than eight values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_exact: Option<f64>,
    /// The chance of a U this far from what is expected.
    pub p_two_sided: f64,
    /// The chance that a canary value is larger than a stable one: the common-language effect size.
    pub effect: f64,
}

/// Tests whether the canary's values are larger. (Mann and Whitney 1947.)
pub fn mann_whitney(canary: &Samples, stable: &Samples) -> RankTest {
    let ranked = Ranked::of(canary.values(), stable.values(), 0.0);
    let (n, m) = (size(canary.values()), size(stable.values()));
    let (middle, sigma) = (n * m / 2.0, ranked.sigma());
    let u = middle + ranked.excess;
    let z = |corrected: f64| if sigma > 0.0 { corrected / sigma } else { 0.0 };
    let one_sided = z(ranked.excess - 0.5);
    let two_sided = z(ranked.excess.abs() - 0.5);
    RankTest {
        u,
        sigma,
        z: one_sided,
        p_greater: if sigma > 0.0 { normal_tail(one_sided) } else { 1.0 },
        p_exact: exact(canary, stable, &ranked),
        p_two_sided: if sigma > 0.0 { (2.0 * normal_tail(two_sided)).min(1.0) } else { 1.0 },
        effect: u / (n * m),
    }
}

/// By how much the canary's values are larger.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// The least shift that is compatible with the samples.
    pub low: f64,
    /// Hodges and Lehmann's estimate, by the same approximation as the bounds.
    pub estimate: f64,
    /// The largest shift that is compatible with the samples.
    pub high: f64,
}

/// The shift of location and its confidence interval, by inverting the normal approximation with
/// continuity correction, as R's `wilcox.test` and Kayenta do.
///
/// The test's value is a falling staircase in the shift. The places where it passes the quantiles are
/// found by Brent's method to within 1e-4, as there; on a flat step the estimate is any place of it.
pub fn shift(canary: &Samples, stable: &Samples, alpha: ErrorRate) -> Shift {
    let (x, y) = (canary.values(), stable.values());
    let largest = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let smallest = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let (low, high) = (smallest(x) - largest(y), largest(x) - smallest(y));
    let root = |quantile: f64| {
        let above = |shift| Ranked::of(x, y, shift).statistic() - quantile;
        if above(low) <= 0.0 {
            low
        } else if above(high) >= 0.0 {
            high
        } else {
            brent(above, low, high, SHIFT_TOLERANCE)
        }
    };
    let quantile = normal_upper_quantile(alpha.get() / 2.0);
    Shift { low: root(quantile), estimate: root(0.0), high: root(-quantile) }
}

/// Both arms ranked together.
struct Ranked {
    n: f64,
    m: f64,
    /// U less its expectation.
    excess: f64,
    /// The sum of t³ − t over groups of t ties.
    ties: f64,
}

impl Ranked {
    /// Ranks `x` less a shift together with `y`; ties share the mean of their ranks.
    fn of(x: &[f64], y: &[f64], shift: f64) -> Self {
        let (n, m) = (size(x), size(y));
        let shifted = x.iter().map(|value| (value - shift, true));
        let mut pooled: Vec<(f64, bool)> =
            shifted.chain(y.iter().map(|value| (*value, false))).collect();
        pooled.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (mut ranks, mut ties, mut before) = (0.0, 0.0, 0.0);
        for group in pooled.chunk_by(|one, other| (one.0 - other.0).abs() == 0.0) {
            let group_size = size(group);
            let ours = real(group.iter().filter(|(_, is_canary)| *is_canary).count() as u64);
            ranks += ours * (before + f64::midpoint(group_size, 1.0));
            ties += group_size * group_size * group_size - group_size;
            before += group_size;
        }
        Self { n, m, excess: ranks - n * (n + 1.0) / 2.0 - n * m / 2.0, ties }
    }

    fn sigma(&self) -> f64 {
        let (n, m) = (self.n, self.m);
        let all = n + m;
        (n * m / 12.0 * ((all + 1.0) - self.ties / (all * (all - 1.0)))).max(0.0).sqrt()
    }

    /// The excess in standard deviations, corrected for continuity towards 0; 0 if all values tie.
    fn statistic(&self) -> f64 {
        let sigma = self.sigma();
        let sign = if self.excess == 0.0 { 0.0 } else { self.excess.signum() };
        if sigma > 0.0 { (self.excess - 0.5 * sign) / sigma } else { 0.0 }
    }
}

/// The exact chance of a U this large, where that is usual.
fn exact(canary: &Samples, stable: &Samples, ranked: &Ranked) -> Option<f64> {
    let (n, m) = (canary.values().len(), stable.values().len());
    if ranked.ties > 0.0 || n.min(m) > EXACT_UP_TO {
        return None;
    }
    exact_tail(n, m, ranked.n * ranked.m / 2.0 + ranked.excess)
}

/// The exact chance that U of `n` and `m` values is at least `u`; none if there are too many to count.
pub fn exact_tail(n: usize, m: usize, u: f64) -> Option<f64> {
    const MAX_PAIRS: usize = 20_000;
    let pairs = n.checked_mul(m).filter(|pairs| *pairs <= MAX_PAIRS)?;
    // ways[k]: orders of the values in which U is k. They are the coefficients of a Gaussian binomial,
    // which is built factor by factor: times (1 − q^(m+i)), divided by (1 − q^i).
    let mut ways = vec![0.0; pairs + 1];
    ways[0] = 1.0;
    for i in 1..=n {
        for k in (m + i..=pairs).rev() {
            ways[k] -= ways[k - m - i];
        }
        for k in i..=pairs {
            ways[k] += ways[k - i];
        }
    }
    let all: f64 = ways.iter().sum();
    let large = ways.iter().zip(0..).filter(|(_, k)| real(*k) >= u).map(|(ways, _)| ways);
    Some((large.sum::<f64>() / all).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: (&[f64], &[f64]) = (&[1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7], &[0.5, 1.5, 2.5, 3.5, 4.5]);
    const B: (&[f64], &[f64]) =
        (&[1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 4.0, 5.0], &[1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0]);
    const C: (&[f64], &[f64]) = (
        &[20.1, 21.4, 19.8, 22.6, 20.9, 23.3, 21.7, 22.0, 20.4, 21.1],
        &[10.2, 11.5, 9.7, 10.9, 12.1, 8.8, 10.4, 11.0, 9.9, 10.6],
    );
    const D: (&[f64], &[f64]) = (
        &[0.0, 0.0, 0.0, 0.0, 1.5, 0.0, 2.1, 0.0, 3.3, 0.0, 1.8, 0.0],
        &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.4, 0.0, 0.0, 0.0, 0.0, 0.0],
    );

    fn samples((x, y): (&[f64], &[f64])) -> (Samples, Samples) {
        (Samples::new(x.to_vec()).unwrap(), Samples::new(y.to_vec()).unwrap())
    }

    fn close(got: f64, expected: f64, tolerance: f64) {
        assert!((got - expected).abs() <= tolerance, "{got} is not {expected}");
    }

    /// U, σ, z, one-sided p, two-sided p, effect.
    fn check(data: (&[f64], &[f64]), expected: [f64; 6]) {
        let (x, y) = samples(data);
        let test = mann_whitney(&x, &y);
        let got = [test.u, test.sigma, test.z, test.p_greater, test.p_two_sided, test.effect];
        for (got, expected) in got.into_iter().zip(expected) {
            close(got, expected, 1e-6);
        }
    }

    #[test]
    fn the_test_agrees_with_the_vectors() {
        check(A, [25.0, 6.157_651, 1.136_797, 0.127_811_55, 0.255_623_11, 0.714_286]);
        check(B, [43.0, 9.280_805, 1.131_367, 0.128_950_24, 0.257_900_47, 0.671_875]);
        check(C, [100.0, 13.228_757, 3.741_848, 0.000_091_34, 0.000_182_67, 1.0]);
        check(D, [92.0, 12.300_583, 1.585_291, 0.056_450_15, 0.112_900_30, 0.638_889]);
    }

    #[test]
    fn the_exact_chance_agrees_with_the_vectors() {
        let exact = |data| {
            let (x, y) = samples(data);
            mann_whitney(&x, &y).p_exact
        };
        close(exact(A).unwrap(), 0.133_838_38, 1e-8);
        assert_eq!((exact(B), exact(C), exact(D)), (None, None, None));
        close(exact_tail(10, 10, 100.0).unwrap(), 0.000_005_41, 1e-8);
        close(exact_tail(1, 1, 0.0).unwrap(), 1.0, 0.0);
    }

    fn check_shift(data: (&[f64], &[f64]), low: f64, estimate: f64, high: f64) {
        let (x, y) = samples(data);
        let got = shift(&x, &y, ErrorRate::new(0.02).unwrap());
        close(got.low, low, 2e-4);
        close(got.estimate, estimate, 2e-4);
        close(got.high, high, 2e-4);
    }

    #[test]
    fn the_shift_agrees_with_the_vectors() {
        check_shift(A, -2.3, 1.9, 6.1);
        check_shift(B, -1.0, 1.0, 3.0);
        check_shift(C, 9.5, 10.7855, 12.1);
        check_shift(D, 0.0, 0.0, 1.8);
    }

    #[test]
    fn what_is_no_sample_is_refused() {
        assert_eq!(Samples::new(Vec::new()), Err(SampleError::Empty));
        assert_eq!(Samples::new(vec![1.0, f64::NAN]), Err(SampleError::NotFinite { place: 2 }));
        let found = MAX_SAMPLES + 1;
        assert_eq!(Samples::new(vec![0.0; found]), Err(SampleError::TooMany { found }));
    }

    #[test]
    fn samples_that_are_all_the_same_show_nothing() {
        let (x, y) = samples((&[2.0, 2.0], &[2.0]));
        let test = mann_whitney(&x, &y);
        assert_eq!((test.z, test.p_greater, test.p_two_sided), (0.0, 1.0, 1.0));
        assert_eq!(shift(&x, &y, ErrorRate::USUAL), Shift { low: 0.0, estimate: 0.0, high: 0.0 });
    }
}
