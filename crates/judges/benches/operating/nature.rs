//! Chance, by seed: requests that fail, and how they fail together.

use chance::Chance;
use libm::{cos, exp, log, pow};

/// A generator whose whole state is its seed.
pub struct Nature(Chance);

impl Nature {
    /// The same seed, the same world.
    pub fn new(seed: u64) -> Self {
        Self(Chance::of(seed))
    }

    /// Between 0 and 1, never 0.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn uniform(&mut self) -> f64 {
        ((self.0.bits() >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    }

    /// Of mean 0 and variance 1.
    pub fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.uniform(), self.uniform());
        (-2.0 * log(radius)).sqrt() * cos(std::f64::consts::TAU * angle)
    }

    /// How many of `n` happen that each happen with probability `p`.
    pub fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if p <= 0.0 {
            return 0;
        }
        if p > 0.05 {
            return (0..n).filter(|_| self.uniform() < p).count() as u64;
        }
        let (mut count, mut at, per_log) = (0, 0.0, 1.0 / libm::log1p(-p));
        loop {
            at += libm::floor(log(self.uniform()) * per_log) + 1.0;
            if at > real(n) {
                return count;
            }
            count += 1;
        }
    }

    /// A share of mean `mean` that varies so that events of one draw have the correlation `icc`.
    pub fn beta(&mut self, mean: f64, icc: f64) -> f64 {
        let strength = 1.0 / icc - 1.0;
        let (a, b) = (self.gamma(mean * strength), self.gamma((1.0 - mean) * strength));
        if a + b > 0.0 { a / (a + b) } else { 0.0 }
    }

    /// Marsaglia and Tsang's method.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = pow(self.uniform(), 1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = pow((1.0 + c * x).max(0.0), 3.0);
            if v > 0.0 && log(self.uniform()) < 0.5 * x * x + d - d * v + d * log(v) {
                return d * v;
            }
        }
    }

    /// One step of a walk of ln `value` that stays between two bounds.
    pub fn wander(&mut self, value: f64, step: f64, bounds: (f64, f64)) -> f64 {
        (value * exp(step * self.normal())).clamp(bounds.0, bounds.1)
    }
}

/// A count as a number.
#[expect(clippy::cast_precision_loss, reason = "counts of a simulation are small")]
pub fn real(count: u64) -> f64 {
    count as f64
}

/// The rate that is not exceeded with 99 % confidence, after `hits` in `runs` (Clopper and Pearson).
pub fn upper_bound(hits: u64, runs: u64) -> f64 {
    let at_most = |p: f64| {
        let mut term = real(runs) * libm::log1p(-p);
        let mut sum = exp(term);
        for k in 1..=hits {
            term += log(real(runs - k + 1) / real(k)) + log(p) - libm::log1p(-p);
            sum += exp(term);
        }
        sum
    };
    let (mut low, mut high) = (real(hits) / real(runs), 1.0 - 1e-12);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if at_most(middle) > 0.01 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}
