//! J1, the rate judge: errors, slow requests, restarts, log lines; anything counted and rare.
//!
//! Given that a bad event happened in an interval, it was the canary's with the odds of the exposures
//! times the ratio of the rates. Each bet claims one ratio φ and is paid by the likelihood of φ against
//! the tolerated ratio, so neither the base rate, which may change at will, nor the split of the traffic
//! matters. Counts may be Poisson or sums of independent requests. (Netflix' counting test, Lindon and
//! Malek 2022, in a form that does not need the split to be fixed.)
//!
//! Above a rate of about one in ten the test is valid and slow: take [`crate::proportion`].
//! Requests that fail in bursts break its promise: set a design effect, or take [`crate::sign`].

use crate::{
    confidence,
    counts::{Interval, Total},
    evidence::{Basis, Evidence, Range, Verdict},
    judge::{Fed, Judge, Ledger},
    numeric::{ln, ln_1p, real},
    process::EProcess,
    ratio,
    settings::{Budget, DesignEffect, ErrorRate, PassRatio, SettingError, Tolerance},
};
use serde::{Deserialize, Serialize};

/// How much worse than tolerated the bets of the fail side claim the canary to be.
pub const WORSE: [f64; 8] = [1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0];
/// How much better than the pass ratio the bets of the pass side claim the canary to be.
pub const BETTER: [f64; 6] = [0.1, 0.25, 0.5, 0.667, 0.8, 0.9];
/// The number of requests at which bounds on a single rate are tightest.
const BEST_AT: f64 = 1000.0;

/// What the rate judge is told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The chance that a canary that is not worse than tolerated is ever failed.
    pub alpha: ErrorRate,
    /// The chance that a canary that is worse by the pass ratio is ever passed.
    pub beta: ErrorRate,
    /// How many times worse the canary may be.
    pub tolerance: Tolerance,
    /// What must be ruled out to pass.
    pub pass_ratio: PassRatio,
    /// How much more counts vary than those of independent requests.
    pub design_effect: DesignEffect,
    /// The share of bad requests that is allowed, for when there is nothing to compare.
    pub budget: Option<Budget>,
    /// Requests of the canary before which it is not passed.
    pub min_requests: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alpha: ErrorRate::USUAL,
            beta: ErrorRate::USUAL,
            tolerance: Tolerance::NONE,
            pass_ratio: PassRatio::usual(Tolerance::NONE),
            design_effect: DesignEffect::NONE,
            budget: None,
            min_requests: 1,
        }
    }
}

/// J1.
#[derive(Clone, Debug, PartialEq)]
pub struct RateJudge {
    settings: Settings,
}

/// What the rate judge remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RateState {
    /// What was counted.
    pub ledger: Ledger,
    /// Bets that the canary is worse than tolerated.
    pub fail: EProcess<8>,
    /// Bets that the canary is better than the pass ratio.
    pub pass: EProcess<6>,
    /// The log-likelihood of the pass ratio less that of the tolerance: both sides on one scale.
    pub link: f64,
}

impl RateJudge {
    /// A judge; fails if the pass ratio is below the tolerance.
    pub fn new(settings: Settings) -> Result<Self, SettingError> {
        let (tolerance, pass_ratio) = (settings.tolerance.get(), settings.pass_ratio.get());
        if pass_ratio < tolerance {
            let range = "from 1 to 1000, and not below the tolerance";
            return Err(SettingError { setting: "pass ratio", value: pass_ratio, range });
        }
        Ok(Self { settings })
    }

    /// What it was told.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn verdict(&self, state: &RateState) -> (Verdict, Option<Basis>) {
        let Settings { alpha, beta, min_requests, .. } = self.settings;
        let requests = state.ledger.canary.total.saturating_add(state.ledger.alone.total);
        let enough = requests >= min_requests.max(1);
        if state.fail.max_ln_e() >= alpha.ln_threshold() {
            return (Verdict::Fail, Some(Basis::Comparison));
        }
        if enough && state.pass.max_ln_e() >= beta.ln_threshold() {
            return (Verdict::Pass, Some(Basis::Comparison));
        }
        match self.against_budget(&state.ledger) {
            Verdict::Pass if !enough => (Verdict::Continue, None),
            Verdict::Continue => (Verdict::Continue, None),
            verdict => (verdict, Some(Basis::Budget)),
        }
    }

    /// The canary's own rate, where there is nothing to compare it with: no stable traffic at all, or
    /// not one bad event on either side.
    fn against_budget(&self, ledger: &Ledger) -> Verdict {
        let Some(budget) = self.settings.budget else { return Verdict::Continue };
        let clean = ledger.canary.bad == 0 && ledger.stable.bad == 0;
        if ledger.stable.total > 0 && !clean {
            return Verdict::Continue;
        }
        let total = whole_canary(ledger);
        let above = confidence::bernoulli(total, self.settings.alpha, BEST_AT).low;
        let below = confidence::bernoulli(total, self.settings.beta, BEST_AT).high;
        if ledger.stable.total == 0 && above.is_some_and(|low| low > budget.get()) {
            return Verdict::Fail;
        }
        if below.is_some_and(|high| high <= budget.get()) {
            Verdict::Pass
        } else {
            Verdict::Continue
        }
    }

    fn rate_range(&self, ledger: &Ledger) -> Option<Range> {
        self.settings.budget?;
        confidence::bernoulli(whole_canary(ledger), self.settings.alpha, BEST_AT).known()
    }

    /// The log-likelihood of each ratio that was bet on, against that of the tolerance.
    fn likelihoods(&self, state: &RateState) -> Vec<ratio::Point> {
        let (tolerance, pass_ratio) =
            (self.settings.tolerance.get(), self.settings.pass_ratio.get());
        let worse = WORSE.iter().zip(state.fail.bets()).map(|(g, bet)| (tolerance * g, *bet));
        let better = BETTER.iter().zip(state.pass.bets());
        let better = better.map(|(g, bet)| (pass_ratio * g, state.link + bet));
        let bases = [(tolerance, 0.0), (pass_ratio, state.link)];
        let all = worse.chain(better).chain(bases);
        all.map(|(ratio, ln_likelihood)| ratio::Point { ln_ratio: ln(ratio), ln_likelihood })
            .collect()
    }
}

impl Judge for RateJudge {
    type Interval = Interval;
    type State = RateState;

    fn feed(&self, state: &mut RateState, interval: &Interval) -> Fed {
        let fed = state.ledger.enter(interval);
        if fed == Fed::Counted {
            let Settings { tolerance, pass_ratio, design_effect, .. } = self.settings;
            let (tolerance, pass_ratio) = (tolerance.get(), pass_ratio.get());
            let events = Events::from(interval);
            let step = |from, to| ln_likelihood(events, from, to) / design_effect.get();
            state.fail.add(WORSE.map(|g| step(tolerance, tolerance * g)));
            state.pass.add(BETTER.map(|g| step(pass_ratio, pass_ratio * g)));
            state.link += step(tolerance, pass_ratio);
        }
        fed
    }

    fn evidence(&self, state: &RateState) -> Evidence {
        let (verdict, basis) = self.verdict(state);
        let (fail, pass) = (state.fail.worth(), state.pass.worth());
        Evidence {
            basis,
            ratio_range: ratio::range(self.likelihoods(state), self.settings.alpha).known(),
            canary_rate_range: self.rate_range(&state.ledger),
            ..Evidence::of(verdict, &state.ledger, fail, Some(pass))
        }
    }
}

/// Bad events and exposure of both arms in one interval. Events may outnumber exposure.
#[derive(Clone, Copy)]
pub(crate) struct Events {
    pub(crate) canary: f64,
    pub(crate) stable: f64,
    /// In any unit; both are above 0.
    pub(crate) canary_exposure: f64,
    pub(crate) stable_exposure: f64,
}

impl From<&Interval> for Events {
    fn from(Interval { canary, stable, .. }: &Interval) -> Self {
        Self {
            canary: real(canary.bad()),
            stable: real(stable.bad()),
            canary_exposure: real(canary.total()),
            stable_exposure: real(stable.total()),
        }
    }
}

/// The log-likelihood of the ratio `to` against the ratio `from`, both positive, where both arms have
/// traffic.
///
/// With `ρ = r·n_c / (r·n_c + n_b)` for each of them this is
/// `k_c·ln(ρ_to/ρ_from) + k_b·ln((1−ρ_to)/(1−ρ_from))`,
/// written so that nothing cancels when one arm is tiny.
pub(crate) fn ln_likelihood(events: Events, from: f64, to: f64) -> f64 {
    let (n_c, n_b) = (events.canary_exposure, events.stable_exposure);
    let growth = ln_1p((to - from) * n_c / (from * n_c + n_b));
    events.canary * ln(to / from) - (events.canary + events.stable) * growth
}

/// All that is known of the canary alone.
fn whole_canary(ledger: &Ledger) -> Total {
    Total {
        bad: ledger.canary.bad.saturating_add(ledger.alone.bad),
        total: ledger.canary.total.saturating_add(ledger.alone.total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::{Arm, IntervalId};

    type Row = (u64, u64, u64, u64);
    /// Canary bad and total, stable bad and total.
    const V1: [Row; 5] = [
        (1, 100, 8, 900),
        (0, 100, 10, 900),
        (2, 100, 9, 900),
        (3, 100, 11, 900),
        (1, 100, 7, 900),
    ];
    const V2: [Row; 4] = [(2, 200, 1, 200), (4, 210, 2, 190), (5, 190, 1, 210), (6, 400, 0, 1600)];

    fn interval(id: usize, row: Row) -> Interval {
        let arm = |bad, total| Arm::new(bad, total).unwrap();
        Interval { id: IntervalId(id as u64), canary: arm(row.0, row.1), stable: arm(row.2, row.3) }
    }

    fn judge(tolerance: f64, pass_ratio: f64) -> RateJudge {
        let tolerance = Tolerance::new(tolerance).unwrap();
        let pass_ratio = PassRatio::new(pass_ratio).unwrap();
        RateJudge::new(Settings { tolerance, pass_ratio, ..Settings::default() }).unwrap()
    }

    fn walk(judge: &RateJudge, rows: &[Row]) -> Vec<Evidence> {
        let mut state = RateState::default();
        let fed = rows.iter().enumerate().map(|(id, row)| {
            judge.feed(&mut state, &interval(id, *row));
            judge.evidence(&state)
        });
        fed.collect()
    }

    fn check(got: impl IntoIterator<Item = f64>, expected: &[f64]) {
        let got: Vec<f64> = got.into_iter().collect();
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-6, "{got} is not {expected}");
        }
    }

    #[test]
    fn one_bet_and_all_bets_agree_with_the_hand_calculation() {
        let row = (5, 100, 5, 900);
        check([ln_likelihood(Events::from(&interval(0, row)), 1.0, 2.0)], &[2.512_634]);
        check([walk(&judge(1.0, 1.5), &[row])[0].ln_e_fail], &[3.809_653]);
    }

    #[test]
    fn the_fail_side_agrees_with_the_vectors() {
        let ln_e = |tolerance, rows: &[Row]| {
            walk(&judge(tolerance, 2.0), rows).into_iter().map(|evidence| evidence.ln_e_fail)
        };
        check(ln_e(1.0, &V1), &[-0.536_924, -1.080_517, -0.892_538, -0.475_519, -0.489_503]);
        check(ln_e(1.5, &V1), &[-0.773_527, -1.351_565, -1.319_831, -1.162_333, -1.245_791]);
        check(ln_e(1.0, &V2), &[-0.081_551, -0.076_176, 0.953_667, 6.228_518]);
    }

    #[test]
    fn the_pass_side_agrees_with_the_vector() {
        let evidence = walk(&judge(1.0, 1.5), &V1);
        let ln_e = evidence.into_iter().filter_map(|evidence| evidence.ln_e_pass);
        check(ln_e, &[-0.160_623, 0.492_472, -0.122_241, -0.649_178, -0.663_945]);
    }

    #[test]
    fn a_verdict_stays_and_comes_with_its_facts() {
        let evidence = walk(&judge(1.0, 2.0), &V2)[3];
        assert_eq!((evidence.verdict, evidence.basis), (Verdict::Fail, Some(Basis::Comparison)));
        assert_eq!((evidence.canary.bad, evidence.canary.total), (17, 1000));
        check([evidence.p_value], &[libm::exp(-6.228_518)]);
        let range = evidence.ratio_range.unwrap();
        let ratio = evidence.ratio.unwrap();
        assert!(range.low.unwrap() > 1.0 && range.low.unwrap() < ratio, "{range:?} {ratio}");

        let calm: Vec<Row> = V2.into_iter().chain([(0, 300, 9, 300); 3]).collect();
        let last = walk(&judge(1.0, 2.0), &calm)[6];
        assert!(last.ln_e_fail < 3.0);
        assert_eq!(last.verdict, Verdict::Fail);
    }

    #[test]
    fn evidence_is_said_in_one_line() {
        let said = walk(&judge(1.0, 2.0), &V2)[3].to_string();
        let expected = "canary 17 of 1000 (1.700 %), stable 4 of 2200 (0.182 %): 9.35 times, above 1.43; \
            p = 1.97e-3, intervals: 4";
        assert_eq!(said, expected);
        let nothing = walk(&judge(1.0, 2.0), &[(0, 0, 1, 9)])[0].to_string();
        assert_eq!(nothing, "nothing to compare; intervals with an empty arm: 1");
    }

    #[test]
    fn an_empty_arm_changes_nothing_but_the_count() {
        let rows = [V2[0], (0, 0, 4, 900), (3, 50, 0, 0), V2[1]];
        let evidence = walk(&judge(1.0, 2.0), &rows);
        check(
            evidence.iter().map(|e| e.ln_e_fail),
            &[-0.081_551, -0.081_551, -0.081_551, -0.076_176],
        );
        assert_eq!((evidence[3].intervals, evidence[3].empty_intervals), (2, 2));
        assert_eq!(evidence[3].canary.total, 410);
    }

    #[test]
    fn no_bad_event_on_either_side_passes_only_by_a_budget() {
        let judge = |budget: Option<f64>| {
            let budget = budget.map(|budget| Budget::new(budget).unwrap());
            RateJudge::new(Settings { budget, ..Settings::default() }).unwrap()
        };
        let verdict = |budget, row| {
            let last = walk(&judge(budget), &[row])[0];
            (last.verdict, last.basis)
        };
        let nothing = (Verdict::Continue, None);
        assert_eq!(verdict(None, (0, 1000, 0, 9000)), nothing);
        assert_eq!(verdict(Some(0.005), (0, 1000, 0, 9000)), (Verdict::Pass, Some(Basis::Budget)));
        assert_eq!(verdict(Some(0.004), (0, 1000, 0, 9000)), nothing);
        assert_eq!(verdict(Some(0.005), (0, 0, 0, 9000)), nothing);
        assert_eq!(verdict(Some(0.005), (30, 1000, 0, 0)), (Verdict::Fail, Some(Basis::Budget)));
    }

    #[test]
    fn nothing_passes_without_data() {
        let state = RateState::default();
        let evidence = judge(1.0, 2.0).evidence(&state);
        assert_eq!(evidence.verdict, Verdict::Continue);
        check([evidence.p_value], &[1.0]);
    }

    #[test]
    fn a_pass_ratio_below_the_tolerance_is_refused() {
        let settings = Settings {
            tolerance: Tolerance::new(3.0).unwrap(),
            pass_ratio: PassRatio::new(2.0).unwrap(),
            ..Settings::default()
        };
        let error = RateJudge::new(settings).unwrap_err();
        assert_eq!(
            error.to_string(),
            "pass ratio is 2: must be from 1 to 1000, and not below the tolerance"
        );
    }
}
