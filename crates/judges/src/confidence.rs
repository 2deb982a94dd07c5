//! Confidence sequences: bounds that hold at every sample size at once.
//!
//! `s` is a sum less its expectation, `v` its variance so far ("intrinsic time"). Each mixture is a
//! supermartingale of (s, v), so that ln of it stays below ln(1/α) for ever with a chance of 1 − α; a
//! bound is the s at which it gets there. (Howard, Ramdas, `McAuliffe` and Sekhon, "Time-uniform
//! Chernoff bounds" 2020 and "…nonparametric, nonasymptotic confidence sequences" 2021; Howard and
//! Ramdas, "Sequential estimation of quantiles" 2022.)

use crate::{
    counts::Total,
    evidence::Range,
    numeric::{bisect, exp, least, lgamma, ln, ln_beta, ln_gamma_q, pow, real, zeta},
    settings::ErrorRate,
};

/// The error rate for which the mixtures are tightest at their best time.
const BEST_ALPHA: f64 = 0.05;
/// The factor of the bound on a whole distribution function.
const BAND_FACTOR: f64 = 0.85;
/// Fewer samples than this bound no distribution function.
pub const BAND_FROM: f64 = 100.0;
/// How fast the stitched bounds spread their error over time.
const STITCH_POWER: f64 = 1.4;
/// The ratio of one epoch of the stitched bounds to the one before.
const STITCH_EPOCH: f64 = 2.0;

/// The width of a normal mixture that is tightest when the variance is `v_opt`.
pub fn best_rho(v_opt: f64, alpha: f64) -> f64 {
    let needed = 2.0 * -ln(alpha);
    v_opt / (needed + ln(1.0 + needed))
}

/// The mixture of normals over both directions, for sums that are about normal: means of many bounded
/// values. Not for tails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormalMixture {
    rho: f64,
}

impl NormalMixture {
    /// Tightest when the variance is `v_opt` > 0.
    pub fn new(v_opt: f64) -> Self {
        Self { rho: best_rho(v_opt, BEST_ALPHA) }
    }

    /// ln of the mixture.
    pub fn ln_e(&self, s: f64, v: f64) -> f64 {
        0.5 * ln(self.rho / (v + self.rho)) + s * s / (2.0 * (v + self.rho))
    }

    /// The sum that is not exceeded, on either side.
    pub fn bound(&self, v: f64, alpha: ErrorRate) -> f64 {
        let spread = ln(1.0 + v / self.rho) + 2.0 * alpha.ln_threshold();
        ((v + self.rho) * spread).sqrt()
    }
}

/// The beta-binomial mixture, for sums of independent values from −`g` to `h` around their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BetaBinomial {
    g: f64,
    h: f64,
    r: f64,
}

impl BetaBinomial {
    /// Tightest when the variance is `v_opt` > 0; `g` and `h` are positive.
    pub fn new(v_opt: f64, g: f64, h: f64) -> Self {
        let r = (best_rho(v_opt, BEST_ALPHA) - g * h).max(1e-3 * g * h);
        Self { g, h, r }
    }

    /// ln of the mixture.
    pub fn ln_e(&self, s: f64, v: f64) -> f64 {
        let Self { g, h, r } = *self;
        let width = g + h;
        let (below, above) = ((v - g * s) / (g * width), (v + h * s) / (h * width));
        let prior = (r / (g * width), r / (h * width));
        v / (g * h) * ln(width) - above * ln(g) - below * ln(h)
            + ln_beta(prior.0 + below, prior.1 + above)
            - ln_beta(prior.0, prior.1)
    }

    /// The sum that is not exceeded upwards.
    pub fn bound(&self, v: f64, alpha: ErrorRate) -> f64 {
        let largest = v / self.g;
        let missing = |s| self.ln_e(s, v) - alpha.ln_threshold();
        if missing(largest) < 0.0 { largest } else { bisect(missing, 0.0, largest) }
    }
}

/// The gamma-Poisson mixture, for sums of counts with jumps of up to `c`: ln of it.
pub fn gamma_poisson_ln_e(s: f64, v: f64, v_opt: f64, c: f64) -> f64 {
    let square = c * c;
    // Only upwards, so twice the error is affordable.
    let rho = best_rho(v_opt, 2.0 * BEST_ALPHA);
    let prior = rho / square;
    let leading = prior * ln(prior) - lgamma(prior) - ln_gamma_q(prior, prior);
    let time = (v + rho) / square;
    let shape = s / c + time;
    leading + lgamma(shape) + ln_gamma_q(shape, time) - shape * ln(time) + v / square
}

/// The polynomially stitched bound for sums whose jumps are bounded by `c`, from the variance `v_min` on.
pub fn poly_stitching(v: f64, alpha: ErrorRate, v_min: f64, c: f64) -> f64 {
    let v = v.max(v_min);
    let epochs = ln(ln(STITCH_EPOCH * v / v_min));
    let spread = ln(zeta(STITCH_POWER)) - STITCH_POWER * ln(ln(STITCH_EPOCH));
    let ell = STITCH_POWER * epochs + spread + alpha.ln_threshold();
    let (k1, k2) = stitching_constants();
    let jumps = k2 * c * ell;
    (k1 * k1 * v * ell + jumps * jumps).sqrt() + jumps
}

/// The bound on the empirical count at one quantile `p`, for all quantiles at once; tightest at `t_opt`.
pub fn double_stitching(p: f64, t: f64, alpha: ErrorRate, t_opt: f64) -> f64 {
    const DELTA: f64 = 0.5;
    let late = t.max(t_opt);
    let odds = ln(p / (1.0 - p));
    let shifted = odds + 2.0 * DELTA * (t_opt * STITCH_EPOCH / late).sqrt();
    let r = if p >= 0.5 { p } else { (1.0 / (1.0 + exp(-shifted))).min(0.5) };
    let variance = r * (1.0 - r);
    let place = (late / t_opt).sqrt() * odds.abs() / (2.0 * DELTA) + 1.0;
    let zeta_s = zeta(STITCH_POWER);
    let pairs = 2.0 * zeta_s * (2.0 * zeta_s + 1.0) / pow(ln(STITCH_EPOCH), STITCH_POWER);
    let ell = STITCH_POWER * (ln(ln(STITCH_EPOCH * late / t_opt)) + ln(place))
        + ln(pairs)
        + alpha.ln_threshold();
    let (k1, k2) = stitching_constants();
    let jumps = k2 * (1.0 - 2.0 * p) / 3.0 * ell;
    DELTA * (STITCH_EPOCH * late * variance / t_opt).sqrt()
        + (k1 * k1 * variance * late * ell + jumps * jumps).sqrt()
        + jumps
}

fn stitching_constants() -> (f64, f64) {
    let quarter = pow(STITCH_EPOCH, 0.25);
    ((quarter + 1.0 / quarter) / 2.0_f64.sqrt(), f64::midpoint(STITCH_EPOCH.sqrt(), 1.0))
}

/// How far an empirical distribution function may be from the true one, anywhere and at any time, in
/// the manner of Dvoretzky, Kiefer and Wolfowitz; the constant is solved once for an error rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    constant: f64,
}

impl Band {
    /// Finds the constant for an error rate.
    pub fn new(alpha: ErrorRate) -> Self {
        let excess = |constant: f64| ln(band_error(constant)) + alpha.ln_threshold();
        Self { constant: bisect(excess, 2.0, 2000.0) }
    }

    /// The constant.
    pub fn constant(&self) -> f64 {
        self.constant
    }

    /// The distance at `t` samples; 1, which says nothing, below [`BAND_FROM`].
    pub fn radius(&self, t: f64) -> f64 {
        if t < BAND_FROM {
            return 1.0;
        }
        let iterated = ln(1.0 + ln(t / BAND_FROM));
        (BAND_FACTOR * ((iterated + self.constant) / t).sqrt()).min(1.0)
    }
}

/// The error that a constant allows, with the best spacing of epochs.
fn band_error(constant: f64) -> f64 {
    let room = |eta: f64| (eta / 2.0).sqrt() + (2.0 * (eta - 1.0) / constant).sqrt() - BAND_FACTOR;
    let widest = bisect(room, 1.0, 2.0 * BAND_FACTOR * BAND_FACTOR);
    let ln_error = |eta: f64| {
        let slack = BAND_FACTOR - (2.0 * (eta - 1.0) / constant).sqrt();
        let gamma = 2.0 / eta * slack * slack;
        if gamma <= 1.0 || eta <= 1.0 {
            return f64::INFINITY;
        }
        ln(4.0) - gamma * constant + ln(1.0 + 1.0 / ((gamma - 1.0) * ln(eta)))
    };
    exp(least(ln_error, 1.0, widest).1)
}

/// The rates that are compatible with counts, at all times at once; tightest at `t_opt` requests.
pub fn bernoulli(counted: Total, alpha: ErrorRate, t_opt: f64) -> Range {
    if counted.total == 0 {
        return Range { low: None, high: None };
    }
    let (bad, total) = (real(counted.bad), real(counted.total));
    let share = bad / total;
    let excess = |p: f64| {
        let mixture = BetaBinomial::new(p * (1.0 - p) * t_opt, p, 1.0 - p);
        mixture.ln_e((share - p) * total, p * (1.0 - p) * total) - alpha.ln_threshold()
    };
    let inside = |p: f64, at_zero: f64| match p {
        p if p <= 0.0 => at_zero,
        p if p >= 1.0 => -at_zero,
        p => excess(p),
    };
    let low = if share > 0.0 { bisect(|p| inside(p, 1.0), 0.0, share) } else { 0.0 };
    let high = if share < 1.0 { bisect(|p| inside(p, -1.0), share, 1.0) } else { 1.0 };
    Range::between(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(got: f64, expected: f64, tolerance: f64) {
        assert!((got - expected).abs() <= tolerance, "{got} is not {expected}");
    }

    fn alpha(value: f64) -> ErrorRate {
        ErrorRate::new(value).unwrap()
    }

    #[test]
    fn mixtures_agree_with_the_vectors() {
        check(best_rho(100.0, 0.05), 12.600_56, 5e-6);
        let normal = NormalMixture::new(100.0);
        check(normal.ln_e(10.0, 100.0), -0.651_005_2, 1e-6);
        check(normal.bound(100.0, alpha(0.05)), 30.352_09, 5e-6);
        let beta_binomial = BetaBinomial::new(100.0, 0.2, 0.8);
        check(beta_binomial.ln_e(10.0, 100.0), -0.694_101_2, 1e-6);
        check(beta_binomial.bound(100.0, alpha(0.05)), 31.4308, 5e-5);
        check(gamma_poisson_ln_e(10.0, 100.0, 100.0, 2.0), -0.069_912_19, 1e-6);
    }

    #[test]
    fn stitched_bounds_agree_with_the_vectors() {
        check(poly_stitching(100.0, alpha(0.05), 10.0, 3.0), 64.487_55, 5e-6);
        for (p, expected) in [(0.5, 68.628_03), (0.9, 43.721_19), (0.1, 59.965_21)] {
            check(double_stitching(p, 1000.0, alpha(0.05), 100.0), expected, 5e-6);
        }
    }

    #[test]
    fn the_band_agrees_with_the_vectors() {
        check(Band::new(alpha(0.05)).radius(1000.0), 0.082_047_69, 1e-6);
        for (error, constant) in [(0.05, 8.1227), (0.025, 8.6226), (0.01, 9.2835)] {
            check(Band::new(alpha(error)).constant(), constant, 1e-4);
        }
        let radii = [(100.0, 0.2423), (1e3, 0.082_05), (1e4, 0.026_67), (1e5, 0.008_58)];
        for (samples, radius) in radii {
            check(Band::new(alpha(0.05)).radius(samples), radius, 6e-5);
        }
        check(Band::new(alpha(0.05)).radius(99.0), 1.0, 0.0);
    }

    #[test]
    fn rates_agree_with_the_vectors() {
        // Tightest at, bad, total, low, high.
        let rows = [
            (100.0, 700, 1000, 0.651_629, 0.745_949),
            (50.0, 15, 50, 0.129_556, 0.511_896),
            (50.0, 5, 50, 0.013_021, 0.269_264),
            (1000.0, 0, 100, 0.0, 0.103_952),
            (1000.0, 0, 1000, 0.0, 0.004_122),
            (1000.0, 0, 5000, 0.0, 0.000_660),
            (1000.0, 10, 1000, 0.002_917, 0.022_371),
            (1000.0, 100, 10_000, 0.007_046, 0.013_542),
        ];
        for (best_at, bad, total, low, high) in rows {
            let range = bernoulli(Total { bad, total }, alpha(0.05), best_at);
            check(range.low.unwrap(), low, 1e-6);
            check(range.high.unwrap(), high, 1e-6);
        }
        let one_of_fifty = bernoulli(Total { bad: 1, total: 50 }, alpha(0.05), 50.0);
        check(one_of_fifty.high.unwrap(), 0.134_89, 5e-6);
    }

    #[test]
    fn rates_of_all_none_and_nothing_are_bounded_by_what_is_possible() {
        let range = |bad, total| bernoulli(Total { bad, total }, alpha(0.05), 1000.0);
        assert_eq!(range(0, 0), Range { low: None, high: None });
        assert_eq!(range(7, 7).high, Some(1.0));
        assert!(range(7, 7).low.unwrap() > 0.0);
        let huge = range(1_000_000_000, 1_000_000_000_000);
        assert!(huge.low.unwrap() < 0.001 && huge.high.unwrap() > 0.001, "{huge:?}");
    }
}
