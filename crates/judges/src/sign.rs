//! J4, the sign judge: for requests that fail in bursts, where counts cannot be believed.
//!
//! Only who was worse in each interval counts, so nothing that happens within an interval, however
//! correlated, can break it. The hypothesis is that the canary is not more often worse than better.
//! It asks for arms of about the same size; with [`Arms::Thinned`] the larger arm is cut down, in
//! thought, to the size of the smaller one, without which a canary with more traffic than the stable
//! version seems worse when errors are rare. It never passes a canary: in a small arm most intervals
//! have no error at all, which looks better than it is.

use crate::{
    counts::{Arm, Interval},
    evidence::{Evidence, Verdict},
    judge::{Fed, Judge, Ledger},
    numeric::{exp, ln, ln_1p, ln_beta, real},
    process::EProcess,
    settings::{ErrorRate, Tolerance},
};
use serde::{Deserialize, Serialize};

/// The shares of the capital that are bet on the canary being worse.
pub const STAKES: [f64; 4] = [0.1, 0.25, 0.5, 0.75];
/// With more bad requests than this, an arm is not thinned: the error is less than the noise.
const THIN_UP_TO: u64 = 500;

/// How arms of different size are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Arms {
    /// By their rates.
    #[default]
    AsTheyAre,
    /// The larger arm as a random part of it as large as the smaller arm, averaged over all such parts.
    Thinned,
}

/// What the sign judge is told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The chance that a canary that is not more often worse is ever failed.
    pub alpha: ErrorRate,
    /// How many times worse the canary may be in an interval; not used with thinned arms.
    pub tolerance: Tolerance,
    /// How arms of different size are compared.
    pub arms: Arms,
}

impl Default for Settings {
    fn default() -> Self {
        Self { alpha: ErrorRate::USUAL, tolerance: Tolerance::NONE, arms: Arms::default() }
    }
}

/// J4.
#[derive(Clone, Debug, PartialEq)]
pub struct SignJudge {
    settings: Settings,
}

/// What the sign judge remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignState {
    /// What was counted.
    pub ledger: Ledger,
    /// The capital of each stake.
    pub fail: EProcess<4>,
}

impl SignJudge {
    /// A judge.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// How much worse the canary was, from −1 to 1.
    fn sign(&self, interval: &Interval) -> f64 {
        match self.settings.arms {
            Arms::AsTheyAre => plain(interval, self.settings.tolerance.get()),
            Arms::Thinned => thinned(interval),
        }
    }
}

impl Judge for SignJudge {
    type Interval = Interval;
    type State = SignState;

    fn feed(&self, state: &mut SignState, interval: &Interval) -> Fed {
        let fed = state.ledger.enter(interval);
        if fed == Fed::Counted {
            let sign = self.sign(interval);
            state.fail.add(STAKES.map(|stake| ln_1p(stake * sign)));
        }
        fed
    }

    fn evidence(&self, state: &SignState) -> Evidence {
        let fail = state.fail.worth();
        let fails = fail.max_ln_e >= self.settings.alpha.ln_threshold();
        let verdict = if fails { Verdict::Fail } else { Verdict::Continue };
        Evidence::of(verdict, &state.ledger, fail, None)
    }
}

/// 1 if the canary's rate is above the tolerated one, −1 if it is below, 0 if it is the same.
fn plain(interval: &Interval, tolerance: f64) -> f64 {
    let canary = real(interval.canary.bad()) * real(interval.stable.total());
    let stable = real(interval.stable.bad()) * real(interval.canary.total());
    direction(canary, tolerance * stable)
}

fn direction(canary: f64, stable: f64) -> f64 {
    if canary > stable {
        1.0
    } else if canary < stable {
        -1.0
    } else {
        0.0
    }
}

/// The mean of the sign over all parts of the larger arm that are as large as the smaller one.
///
/// If requests can be swapped between the arms, or the arms are alike in whatever makes them burst,
/// it is as often above 0 as below, whatever their sizes.
fn thinned(interval: &Interval) -> f64 {
    let (canary, stable) = (interval.canary, interval.stable);
    if canary.bad().max(stable.bad()) > THIN_UP_TO {
        return plain(interval, 1.0);
    }
    if canary.total() <= stable.total() {
        mean_direction(stable, canary)
    } else {
        -mean_direction(canary, stable)
    }
}

/// How often the smaller arm has more bad ones than a part of the larger one, less how often fewer.
fn mean_direction(larger: Arm, smaller: Arm) -> f64 {
    let most = larger.bad().min(smaller.total());
    let least = smaller.total().saturating_sub(larger.good());
    let chances = (least..=most).map(|bad| {
        exp(ln_chance(larger, smaller.total(), bad)) * direction(real(smaller.bad()), real(bad))
    });
    chances.sum::<f64>().clamp(-1.0, 1.0)
}

/// ln of the hypergeometric chance that `drawn` of the arm's requests have `bad` bad ones among them.
fn ln_chance(arm: Arm, drawn: u64, bad: u64) -> f64 {
    ln_choose(arm.bad(), bad) + ln_choose(arm.good(), drawn - bad) - ln_choose(arm.total(), drawn)
}

fn ln_choose(n: u64, k: u64) -> f64 {
    let (n, k) = (real(n), real(k));
    -ln(n + 1.0) - ln_beta(n - k + 1.0, k + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::IntervalId;

    fn interval(id: u64, canary: (u64, u64), stable: (u64, u64)) -> Interval {
        let arm = |(bad, total)| Arm::new(bad, total).unwrap();
        Interval { id: IntervalId(id), canary: arm(canary), stable: arm(stable) }
    }

    #[test]
    fn the_capital_agrees_with_the_vector() {
        let signs = [1, 1, 0, 1, 1, 1, -1, 1, 1, 1];
        let expected = [
            0.336_472, 0.703_716, 0.703_716, 1.100_153, 1.523_167, 1.969_526, 1.068_018, 1.466_229,
            1.888_56, 2.332_265,
        ];
        for arms in [Arms::AsTheyAre, Arms::Thinned] {
            let judge = SignJudge::new(Settings { arms, ..Settings::default() });
            let mut state = SignState::default();
            for ((sign, expected), id) in signs.iter().zip(expected).zip(0..) {
                let canary = u64::try_from(5 + sign).unwrap();
                judge.feed(&mut state, &interval(id, (canary, 100), (5, 100)));
                let got = judge.evidence(&state).ln_e_fail;
                assert!((got - expected).abs() < 1e-6, "{got} is not {expected}");
            }
        }
    }

    #[test]
    fn a_larger_canary_is_not_worse_by_its_size() {
        let judge = SignJudge::new(Settings { arms: Arms::Thinned, ..Settings::default() });
        // One bad request in a hundred on each side; the stable version has a tenth of the traffic.
        assert!(judge.sign(&interval(0, (9, 900), (1, 100))).abs() < 0.1);
        // Equal counts of nearly equal arms are hardly a difference.
        assert!(judge.sign(&interval(0, (3, 100), (3, 110))).abs() < 0.3);
        assert!((plain(&interval(0, (3, 100), (3, 110)), 1.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn huge_arms_are_compared_by_their_rates() {
        let judge = SignJudge::new(Settings { arms: Arms::Thinned, ..Settings::default() });
        let trillion = 1_000_000_000_000;
        assert!(
            (judge.sign(&interval(0, (trillion, trillion), (1, trillion))) - 1.0).abs() < 1e-12
        );
        assert!((judge.sign(&interval(0, (500, trillion), (1, 5))) + 1.0).abs() < 1e-8);
    }
}
