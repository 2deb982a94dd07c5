//! Is the traffic split as it was configured? And rates, where it surely is.
//!
//! Given a fixed split, each event is the canary's with a known chance. The evidence against that chance
//! is the likelihood of a mixture of others, spread around it like a beta distribution, against its own.
//! Of requests it tells that the router does not do what it was told, which makes every comparison
//! doubtful; of bad requests it is a rate judge for a split that never changes. (Lindon and Malek 2022.)

use crate::{
    evidence::Range,
    numeric::{bisect, ln, ln_1p, ln_beta, real},
    settings::{ErrorRate, SettingError},
};

/// How many imagined events the mixture is as narrow as; usual.
const STRENGTH: f64 = 100.0;

/// The canary's configured share of events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    share: f64,
}

impl Split {
    /// Checks the range.
    pub fn new(share: f64) -> Result<Self, SettingError> {
        if share > 0.0 && share < 1.0 {
            return Ok(Self { share });
        }
        let range = "between 0 and 1, both excluded";
        Err(SettingError { setting: "share", value: share, range })
    }

    /// ln E against the split, after so many events of each version.
    pub fn ln_e(self, canary: u64, stable: u64) -> f64 {
        self.ln_mixture(canary, stable) - ln_chance(self.share, canary, stable)
    }

    /// The shares of the canary that are compatible with the events, at all times at once.
    pub fn share_range(self, canary: u64, stable: u64, alpha: ErrorRate) -> Range {
        let all = real(canary) + real(stable);
        if all == 0.0 {
            return Range::between(0.0, 1.0);
        }
        let (mixture, seen) = (self.ln_mixture(canary, stable), real(canary) / all);
        let excess = |share: f64| mixture - ln_chance(share, canary, stable) - alpha.ln_threshold();
        let low = if canary > 0 { bisect(excess, 0.0, seen) } else { 0.0 };
        let high = if stable > 0 { bisect(excess, seen, 1.0) } else { 1.0 };
        Range::between(low, high)
    }

    /// The ratios of the two rates that are compatible with bad events, if the split is as configured.
    pub fn ratio_range(self, canary: u64, stable: u64, alpha: ErrorRate) -> Range {
        let shares = self.share_range(canary, stable, alpha);
        let odds =
            |share: f64| (share / (1.0 - share)).max(0.0) / (self.share / (1.0 - self.share));
        let finite = |bound: Option<f64>| bound.map(odds).filter(|ratio| ratio.is_finite());
        Range { low: finite(shares.low), high: finite(shares.high) }
    }

    fn ln_mixture(self, canary: u64, stable: u64) -> f64 {
        let (a, b) = (STRENGTH * self.share, STRENGTH * (1.0 - self.share));
        ln_beta(a + real(canary), b + real(stable)) - ln_beta(a, b)
    }
}

/// ln of the chance of these events in their order.
fn ln_chance(share: f64, canary: u64, stable: u64) -> f64 {
    let term = |count: u64, ln_share: f64| if count > 0 { real(count) * ln_share } else { 0.0 };
    term(canary, ln(share)) + term(stable, ln_1p(-share))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(got: f64, expected: f64) {
        assert!(
            (got - expected).abs() <= 1e-6 * expected.abs().max(1.0),
            "{got} is not {expected}"
        );
    }

    #[test]
    fn the_evidence_agrees_with_the_vectors() {
        let split = Split::new(0.1).unwrap();
        let rows = [
            (1, 8, 0.953_705_36),
            (0, 10, 0.986_175_64),
            (2, 9, 0.875_355_61),
            (3, 11, 0.872_626_17),
            (9, 7, 7.490_290_32),
            (9, 6, 611.044_911_68),
        ];
        let (mut canary, mut stable) = (0, 0);
        for (c, s, expected) in rows {
            (canary, stable) = (canary + c, stable + s);
            check(libm::exp(split.ln_e(canary, stable)), expected);
        }
        check(split.ln_e(24, 51), 6.415_170_46);
    }

    #[test]
    fn the_bounds_agree_with_the_vectors() {
        let split = Split::new(0.1).unwrap();
        let shares = split.share_range(24, 51, ErrorRate::USUAL);
        check(shares.low.unwrap(), 0.121_347);
        check(shares.high.unwrap(), 0.578_747);
        let ratios = split.ratio_range(24, 51, ErrorRate::USUAL);
        check(ln(ratios.low.unwrap()), 0.217_493);
        check(ln(ratios.high.unwrap()), 2.514_858);
    }

    #[test]
    fn no_events_bound_nothing_and_huge_ones_do_no_harm() {
        let split = Split::new(0.5).unwrap();
        assert_eq!(split.share_range(0, 0, ErrorRate::USUAL), Range::between(0.0, 1.0));
        assert_eq!(split.ratio_range(0, 0, ErrorRate::USUAL), Range { low: Some(0.0), high: None });
        assert!(split.ln_e(1_000_000_000_000, 1_000_000_000_000) < 0.0);
        assert!(split.ln_e(1_000_000_000_000, 0).is_finite());
        assert!(Split::new(0.0).is_err());
    }
}
