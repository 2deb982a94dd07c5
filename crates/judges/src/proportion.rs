//! J2, the proportion judge: bad requests that are not rare, above about one in twenty.
//!
//! Before each interval the two shares are estimated from the past alone, and the bet is their
//! likelihood against a common share. By the inequality of the arithmetic and geometric mean it is an
//! e-variable whatever the common share is, so the base rate may drift. (Turner, Ly and Grünwald, safe
//! tests of 2×2 tables.) The hypothesis is "not worse than stable": there is no tolerance here.
//!
//! The pass side is the rate judge's, which stays valid at high rates and is slow there.

use crate::{
    counts::{Arm, Interval, Total},
    evidence::{Evidence, Verdict},
    judge::{Fed, Judge, Ledger},
    numeric::{ln, real},
    process::EProcess,
    rate::{self, BETTER, Events},
    settings::{DesignEffect, ErrorRate, PassRatio, Tolerance},
};
use serde::{Deserialize, Serialize};

/// Bad and good requests that every arm is thought to have had before the first.
const PRIOR: f64 = 0.18;

/// What the proportion judge is told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The chance that a canary that is not worse is ever failed.
    pub alpha: ErrorRate,
    /// The chance that a canary that is worse by the pass ratio is ever passed.
    pub beta: ErrorRate,
    /// What must be ruled out to pass.
    pub pass_ratio: PassRatio,
    /// How much more counts vary than those of independent requests.
    pub design_effect: DesignEffect,
    /// Requests of the canary before which it is not passed.
    pub min_requests: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alpha: ErrorRate::USUAL,
            beta: ErrorRate::USUAL,
            pass_ratio: PassRatio::usual(Tolerance::NONE),
            design_effect: DesignEffect::NONE,
            min_requests: 1,
        }
    }
}

/// J2.
#[derive(Clone, Debug, PartialEq)]
pub struct ProportionJudge {
    settings: Settings,
}

/// What the proportion judge remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProportionState {
    /// What was counted; the estimates are made of it.
    pub ledger: Ledger,
    /// The bet that the canary is worse.
    pub fail: EProcess<1>,
    /// Bets that the canary is better than the pass ratio.
    pub pass: EProcess<6>,
}

impl ProportionJudge {
    /// A judge.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn verdict(&self, state: &ProportionState) -> Verdict {
        let Settings { alpha, beta, min_requests, .. } = self.settings;
        let enough = state.ledger.canary.total >= min_requests.max(1);
        if state.fail.max_ln_e() >= alpha.ln_threshold() {
            Verdict::Fail
        } else if enough && state.pass.max_ln_e() >= beta.ln_threshold() {
            Verdict::Pass
        } else {
            Verdict::Continue
        }
    }
}

impl Judge for ProportionJudge {
    type Interval = Interval;
    type State = ProportionState;

    fn feed(&self, state: &mut ProportionState, interval: &Interval) -> Fed {
        let (canary, stable) = (Share::of(state.ledger.canary), Share::of(state.ledger.stable));
        let fed = state.ledger.enter(interval);
        if fed == Fed::Counted {
            let design_effect = self.settings.design_effect.get();
            let pass_ratio = self.settings.pass_ratio.get();
            state.fail.add([bet(interval, canary, stable) / design_effect]);
            let events = Events::from(interval);
            let step = |g| rate::ln_likelihood(events, pass_ratio, pass_ratio * g);
            state.pass.add(BETTER.map(|g| step(g) / design_effect));
        }
        fed
    }

    fn evidence(&self, state: &ProportionState) -> Evidence {
        let (fail, pass) = (state.fail.worth(), state.pass.worth());
        Evidence::of(self.verdict(state), &state.ledger, fail, Some(pass))
    }
}

/// An estimated share of bad requests, never 0 and never 1, and its complement with all its digits.
#[derive(Clone, Copy)]
struct Share {
    bad: f64,
    good: f64,
}

impl Share {
    fn of(seen: Total) -> Self {
        let all = real(seen.total) + 2.0 * PRIOR;
        Self {
            bad: (real(seen.bad) + PRIOR) / all,
            good: (real(seen.total.saturating_sub(seen.bad)) + PRIOR) / all,
        }
    }

    /// What both arms have in common if each is as estimated.
    fn common(interval: &Interval, canary: Self, stable: Self) -> Self {
        let (n_c, n_b) = (real(interval.canary.total()), real(interval.stable.total()));
        let mean = |c: f64, b: f64| (n_c * c + n_b * b) / (n_c + n_b);
        Self { bad: mean(canary.bad, stable.bad), good: mean(canary.good, stable.good) }
    }

    fn ln_likelihood(self, common: Self, arm: Arm) -> f64 {
        real(arm.bad()) * ln(self.bad / common.bad) + real(arm.good()) * ln(self.good / common.good)
    }
}

/// What one interval adds to the bet's logarithm: nothing while the canary seems no worse.
fn bet(interval: &Interval, canary: Share, stable: Share) -> f64 {
    if canary.bad <= stable.bad {
        return 0.0;
    }
    let common = Share::common(interval, canary, stable);
    canary.ln_likelihood(common, interval.canary) + stable.ln_likelihood(common, interval.stable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::IntervalId;

    #[test]
    fn the_fail_side_agrees_with_the_vector() {
        let rows = [(2, 200, 1, 200), (4, 210, 2, 190), (5, 190, 1, 210), (6, 400, 0, 1600)];
        let judge = ProportionJudge::new(Settings::default());
        let mut state = ProportionState::default();
        for ((row, expected), id) in
            rows.into_iter().zip([0.0, 0.249_971, 1.302_763, 5.506_881]).zip(0..)
        {
            let arm = |bad, total| Arm::new(bad, total).unwrap();
            let (canary, stable) = (arm(row.0, row.1), arm(row.2, row.3));
            judge.feed(&mut state, &Interval { id: IntervalId(id), canary, stable });
            let got = judge.evidence(&state).ln_e_fail;
            assert!((got - expected).abs() < 1e-6, "{got} is not {expected}");
        }
        assert_eq!(judge.evidence(&state).verdict, Verdict::Fail);
    }
}
