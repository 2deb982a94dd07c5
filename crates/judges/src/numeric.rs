//! The few numeric functions that the judges need.
//!
//! All elementary functions are `libm`'s, so that the same input gives the same bytes on every machine.

pub(crate) use libm::{exp, lgamma, log as ln, log1p as ln_1p, pow};

use libm::erfc;
use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// Above this, Stirling's series is exact to the last bits.
const STIRLING_FROM: f64 = 10.0;
/// Halvings after which an interval of doubles is as small as it gets.
const HALVINGS: usize = 200;
/// Terms after which series and fractions are given up as converged.
const TERMS: usize = 10_000;
const EPSILON: f64 = 1e-16;

/// A count as a number; counts beyond 2⁵³ lose their last digits.
#[expect(
    clippy::cast_precision_loss,
    reason = "a count that large is no less large without its last digit"
)]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

/// The length of a slice as a number.
pub(crate) fn size<T>(items: &[T]) -> f64 {
    real(items.len() as u64)
}

/// ln of the sum of e^x, without overflow. Minus infinity for none.
pub(crate) fn ln_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + ln(values.iter().map(|value| exp(value - largest)).sum())
}

/// ln of the mean of e^x, without overflow. Minus infinity for none.
pub(crate) fn ln_mean_exp(values: &[f64]) -> f64 {
    if values.is_empty() { f64::NEG_INFINITY } else { ln_sum_exp(values) - ln(size(values)) }
}

/// ln B(a, b) for positive a and b.
///
/// The difference of three `lgamma` loses every digit when the arguments are large; here the large
/// parts are cancelled on paper first.
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    let sum = small + large;
    if large < STIRLING_FROM {
        return lgamma(small) + lgamma(large) - lgamma(sum);
    }
    let share = small / sum;
    let correction = stirling_rest(large) - stirling_rest(sum);
    let common = (large - 0.5) * ln_1p(-share);
    if small < STIRLING_FROM {
        return lgamma(small) + correction + small - small * ln(sum) + common;
    }
    let half_ln_tau = 0.5 * ln(TAU);
    stirling_rest(small) + correction + half_ln_tau + (small - 0.5) * ln(share) - 0.5 * ln(sum)
        + common
}

/// What Stirling's formula for ln Γ(x) leaves, for x ≥ 10.
fn stirling_rest(x: f64) -> f64 {
    let square = 1.0 / (x * x);
    let series = 1.0 / 1260.0
        - square * (1.0 / 1680.0 - square * (1.0 / 1188.0 - square * 691.0 / 360_360.0));
    (1.0 / 12.0 - square * (1.0 / 360.0 - square * series)) / x
}

/// ln of the regularised upper incomplete gamma function Q(a, x), for positive a and x.
pub(crate) fn ln_gamma_q(a: f64, x: f64) -> f64 {
    let front = a * ln(x) - x - lgamma(a);
    if x < a + 1.0 {
        return ln_1p(-exp(front) * lower_series(a, x));
    }
    front - ln(upper_fraction(a, x))
}

/// Γ(a) P(a, x) / (x^a e^−x).
fn lower_series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut at) = (1.0 / a, 1.0 / a, a);
    for _ in 0..TERMS {
        at += 1.0;
        term *= x / at;
        sum += term;
        if term < sum * EPSILON {
            break;
        }
    }
    sum
}

/// The continued fraction by which x^a e^−x is divided to get Γ(a) Q(a, x); Lentz's method.
fn upper_fraction(a: f64, x: f64) -> f64 {
    let mut whole = x + 1.0 - a;
    let (mut value, mut above, mut below) = (whole, whole, 0.0);
    for step in 1..TERMS as u64 {
        let numerator = -real(step) * (real(step) - a);
        whole += 2.0;
        below = 1.0 / (numerator * below + whole);
        above = whole + numerator / above;
        let factor = above * below;
        value *= factor;
        if (factor - 1.0).abs() < EPSILON {
            break;
        }
    }
    value
}

/// The probability that a standard normal variable is above `z`, exact in the tail.
pub(crate) fn normal_tail(z: f64) -> f64 {
    0.5 * erfc(z * FRAC_1_SQRT_2)
}

/// The point above which a standard normal variable is with probability `tail`, 0 < `tail` < 1.
pub(crate) fn normal_upper_quantile(tail: f64) -> f64 {
    bisect(|z| normal_tail(z) - tail, -40.0, 40.0)
}

/// Riemann's ζ(s) for s > 1, by Euler and Maclaurin.
pub(crate) fn zeta(s: f64) -> f64 {
    const HEAD: u64 = 20;
    let end = real(HEAD);
    let head: f64 = (1..HEAD).map(|k| pow(real(k), -s)).sum();
    let last = pow(end, -s);
    let (first, third) = (s / end, s * (s + 1.0) * (s + 2.0) / (end * end * end));
    let fifth = third * (s + 3.0) * (s + 4.0) / (end * end);
    head + last * (end / (s - 1.0) + 0.5 + first / 12.0 - third / 720.0 + fifth / 30_240.0)
}

/// The point between `low` and `high` where `f` changes its sign.
///
/// Where it does not change, the end towards which it would.
pub(crate) fn bisect(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let rises = f(low) < f(high);
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if (f(middle) < 0.0) == rises {
            low = middle;
        } else {
            high = middle;
        }
    }
    low + (high - low) / 2.0
}

/// A root between `low` and `high`, where `f` has different signs, by Brent's method; exact zeros of a
/// flat part end the search.
pub(crate) fn brent(f: impl Fn(f64) -> f64, low: f64, high: f64, tolerance: f64) -> f64 {
    let mut search = Brent::between((low, f(low)), (high, f(high)));
    for _ in 0..HALVINGS {
        let Some(step) = search.step(tolerance) else { break };
        let at = search.best.0 + step;
        search.found((at, f(at)));
    }
    search.best.0
}

/// A place, and the value of the function there.
type Place = (f64, f64);

/// What Brent's method remembers.
struct Brent {
    best: Place,
    before: Place,
    /// The end on the other side of the root.
    opposite: Place,
    last_step: f64,
    step_before: f64,
}

impl Brent {
    fn between(low: Place, high: Place) -> Self {
        let width = high.0 - low.0;
        Self { best: high, before: low, opposite: low, last_step: width, step_before: width }
    }

    /// How far to go next; none if this is the root.
    fn step(&mut self, tolerance: f64) -> Option<f64> {
        if self.opposite.1.abs() < self.best.1.abs() {
            self.before = self.best;
            self.best = self.opposite;
            self.opposite = self.before;
        }
        let tolerance = 2.0 * f64::EPSILON * self.best.0.abs() + tolerance / 2.0;
        let half = (self.opposite.0 - self.best.0) / 2.0;
        if half.abs() <= tolerance || self.best.1 == 0.0 {
            return None;
        }
        let previous = std::mem::replace(&mut self.step_before, self.last_step);
        let guess = (previous.abs() >= tolerance && self.before.1.abs() > self.best.1.abs())
            .then(|| self.interpolated(half));
        let is_good = |&(p, q): &Place| {
            p < 1.5 * half * q - (tolerance * q).abs() && p < (0.5 * previous * q).abs()
        };
        if let Some((p, q)) = guess.filter(is_good) {
            self.last_step = p / q;
        } else {
            self.last_step = half;
            self.step_before = half;
        }
        let least = tolerance.copysign(half);
        Some(if self.last_step.abs() > tolerance { self.last_step } else { least })
    }

    /// The step of the secant, or of the inverse parabola, as a fraction with a numerator of at least 0.
    fn interpolated(&self, half: f64) -> Place {
        let s = self.best.1 / self.before.1;
        let (p, q) = if self.before.0.total_cmp(&self.opposite.0).is_eq() {
            (2.0 * half * s, 1.0 - s)
        } else {
            let (q, r) = (self.before.1 / self.opposite.1, self.best.1 / self.opposite.1);
            let across = 2.0 * half * q * (q - r) - (self.best.0 - self.before.0) * (r - 1.0);
            (s * across, (q - 1.0) * (r - 1.0) * (s - 1.0))
        };
        if p > 0.0 { (p, -q) } else { (-p, q) }
    }

    /// Takes a new place in.
    fn found(&mut self, place: Place) {
        self.before = self.best;
        self.best = place;
        if (place.1 > 0.0) == (self.opposite.1 > 0.0) {
            self.opposite = self.before;
            self.last_step = place.0 - self.before.0;
            self.step_before = self.last_step;
        }
    }
}

/// The least value of a function that falls and then rises between `low` and `high`, and where it is.
pub(crate) fn least(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> (f64, f64) {
    for _ in 0..HALVINGS {
        let third = (high - low) / 3.0;
        let (left, right) = (low + third, high - third);
        if f(left) <= f(right) {
            high = right;
        } else {
            low = left;
        }
    }
    let at = low + (high - low) / 2.0;
    (at, f(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(got: f64, expected: f64) {
        assert!(
            (got - expected).abs() <= 1e-9 * expected.abs().max(1.0),
            "{got} is not {expected}"
        );
    }

    #[test]
    fn functions_agree_with_their_tables() {
        check(ln_beta(0.5, 0.5), ln(std::f64::consts::PI));
        check(ln_beta(3.0, 40.0), -ln(40.0 * 41.0 * 42.0 / 2.0));
        check(ln_beta(40.0, 30.0), lgamma(40.0) + lgamma(30.0) - lgamma(70.0));
        check(zeta(2.0), std::f64::consts::PI * std::f64::consts::PI / 6.0);
        check(zeta(1.4), 3.105_547_277_98);
        check(normal_upper_quantile(0.025), 1.959_963_984_540_054);
        check(normal_tail(1.0), 0.158_655_253_931_457);
        check(brent(|x| x * x * x - 2.0, 0.0, 2.0, 1e-12), pow(2.0, 1.0 / 3.0));
        check(ln_gamma_q(1.0, 3.0), -3.0);
        check(ln_gamma_q(3.0, 2.0), ln(5.0) - 2.0);
        check(ln_sum_exp(&[1000.0, 1000.0]), 1000.0 + ln(2.0));
    }

    #[test]
    fn the_beta_function_keeps_its_digits_for_huge_arguments() {
        // B(a, 2) = 1 / (a (a + 1)).
        check(ln_beta(1e12, 2.0), -ln(1e12) - ln(1e12 + 1.0));
        // B(a, 10) = 9! / (a (a+1) … (a+9)).
        check(ln_beta(1e13, 10.0), ln(362_880.0) - 10.0 * ln(1e13));
    }
}
