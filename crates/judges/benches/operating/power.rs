//! How many canary requests it takes.

use crate::{families::World, tails};
use judges::{
    evidence::Verdict,
    judge::Judge,
    rate::{RateJudge, RateState, Settings},
    settings::ErrorRate,
};

/// Requests of both arms in one interval.
const REQUESTS: u64 = 1000;
/// Intervals after which a run is given up.
const PATIENCE: u64 = 4000;

/// Which judge a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// That of bad requests.
    Rate,
    /// That of the quantile which as many requests are slower than as are bad for the other; the canary has
    /// more of them at every edge.
    Quantile,
}

/// One line of the table: what is the case, and what was found by the reference simulation.
#[derive(Clone, Copy)]
pub struct Row {
    /// Who judges.
    pub by: By,
    /// The stable version's share of bad requests.
    pub rate: f64,
    /// How many times worse the canary is.
    pub ratio: f64,
    /// The canary's share of the traffic, in per cent.
    pub share: u64,
    /// The error rate.
    pub alpha: f64,
    /// What is waited for.
    pub verdict: Verdict,
    /// The median of the canary's requests until then.
    pub expected: u64,
}

const fn fail(rate: f64, ratio: f64, share: u64, expected: (u64, u64)) -> [Row; 2] {
    let verdict = Verdict::Fail;
    [
        Row { by: By::Rate, rate, ratio, share, alpha: 0.05, verdict, expected: expected.0 },
        Row { by: By::Rate, rate, ratio, share, alpha: 0.01, verdict, expected: expected.1 },
    ]
}

/// Until a fail, at 5 % and 1 %.
pub const TO_FAIL: [[Row; 2]; 10] = [
    fail(0.001, 2.0, 5, (8950, 13_650)),
    fail(0.001, 5.0, 5, (1000, 1450)),
    fail(0.001, 10.0, 5, (350, 450)),
    fail(0.005, 2.0, 10, (2400, 3400)),
    fail(0.01, 2.0, 5, (1100, 1600)),
    fail(0.01, 2.0, 10, (1300, 1700)),
    fail(0.01, 2.0, 50, (2500, 4000)),
    fail(0.01, 5.0, 10, (200, 200)),
    fail(0.01, 1.5, 50, (8000, 11_000)),
    fail(0.05, 2.0, 10, (300, 400)),
];

const fn pass(rate: f64, share: u64, expected: u64) -> Row {
    Row { by: By::Rate, rate, ratio: 1.0, share, alpha: 0.05, verdict: Verdict::Pass, expected }
}

/// Until a pass, with a pass ratio of 2 and a canary that is as good as the stable version.
pub const TO_PASS: [Row; 3] = [pass(0.01, 10, 1400), pass(0.01, 50, 3500), pass(0.001, 10, 12_400)];

impl Row {
    /// The same for the judge of quantiles: of one edge it needs as much, and one interval to find it. It needs less
    /// where it begins with an edge that more requests are slower than, since the rare ones have yet to come.
    pub fn by_quantile(&self) -> Self {
        Self { by: By::Quantile, expected: self.expected + self.step(), ..*self }
    }

    /// The canary's requests in one interval.
    pub fn step(&self) -> u64 {
        REQUESTS * self.share / 100
    }

    /// Whether a median is that of the table: within 15 %, or within the interval in which it fell.
    pub fn agrees(&self, median: u64) -> bool {
        let distance = median.abs_diff(self.expected);
        let is_early = self.by == By::Quantile && median < self.expected;
        is_early || distance * 100 <= self.expected * 15 || distance <= self.step()
    }

    /// The median of the canary's requests until the verdict, over `runs` runs.
    pub fn median(&self, runs: u64) -> u64 {
        let mut needed: Vec<u64> = (0..runs).map(|run| self.needed(run)).collect();
        needed.sort_unstable();
        needed[needed.len() / 2]
    }

    fn needed(&self, run: u64) -> u64 {
        let rate = ErrorRate::new(self.alpha).expect("in its range");
        let settings = Settings { alpha: rate, beta: rate, ..Settings::default() };
        let mut world = World::new(run.wrapping_mul(0x9e37_79b9) ^ 0x5eed);
        let (canary, stable) = (self.step(), REQUESTS - self.step());
        match self.by {
            By::Rate => {
                let judge = RateJudge::new(settings).expect("the usual settings are right");
                let arms = ((canary, self.rate * self.ratio), (stable, self.rate));
                self.walk(&judge, |id| world.unfair(id, arms.0, arms.1), |state| state)
            }
            By::Quantile => {
                let judge = tails::judge_with(1.0 - self.rate, settings);
                world.rate = self.rate;
                let interval = |id| tails::unfair(&mut world, id, (canary, self.ratio), stable);
                self.walk(&judge, interval, |state| &state.rate)
            }
        }
    }

    /// The canary's requests until the verdict, or until patience ends.
    fn walk<J: Judge>(
        &self,
        judge: &J,
        mut interval: impl FnMut(u64) -> J::Interval,
        rate: impl Fn(&J::State) -> &RateState,
    ) -> u64 {
        let threshold = ErrorRate::new(self.alpha).expect("in its range").ln_threshold();
        let mut state = J::State::default();
        for id in 0..PATIENCE {
            judge.feed(&mut state, &interval(id));
            let reached = match self.verdict {
                Verdict::Pass => rate(&state).pass.max_ln_e(),
                _ => rate(&state).fail.max_ln_e(),
            };
            if reached >= threshold {
                return (id + 1) * self.step();
            }
        }
        PATIENCE * self.step()
    }
}
