//! A judge walking through a world, looking after every interval.

use crate::families::{Family, World};
use judges::{
    evidence::{Evidence, Range, Verdict},
    judge::Judge,
    rate::{RateJudge, Settings},
    settings::Tolerance,
};

/// Seeds of runs are this far apart.
const STRIDE: u64 = 1_000_003;

/// In how many of `runs` a judge says `verdict`, ever.
pub fn count<J: Judge>(
    judge: &J,
    family: &Family<J::Interval>,
    runs: u64,
    verdict: Verdict,
) -> u64 {
    count_ever(judge, family, runs, |evidence| evidence.verdict == verdict)
}

/// In how many of `runs` what a judge says is ever such as `is_hit` asks for.
fn count_ever<J: Judge>(
    judge: &J,
    family: &Family<J::Interval>,
    runs: u64,
    is_hit: impl Fn(&Evidence) -> bool,
) -> u64 {
    let ever = |run: &u64| {
        let mut world = World::new(run * STRIDE);
        let mut state = J::State::default();
        (0..family.looks).any(|id| {
            judge.feed(&mut state, &(family.interval)(&mut world, id));
            is_hit(&judge.evidence(&state))
        })
    };
    (0..runs).filter(ever).count() as u64
}

/// The same for a judge whose state is written and read after every interval, and which is fed every
/// interval once more after it.
pub fn count_with_restarts<J: Judge>(judge: &J, family: &Family<J::Interval>, runs: u64) -> u64 {
    let ever = |run: &u64| {
        let mut world = World::new(run * STRIDE);
        let mut stored = serde_json::to_string(&J::State::default()).unwrap();
        (0..family.looks).any(|id| {
            let interval = (family.interval)(&mut world, id);
            for _ in 0..2 {
                let mut state = serde_json::from_str(&stored).unwrap();
                judge.feed(&mut state, &interval);
                stored = serde_json::to_string(&state).unwrap();
            }
            let state = serde_json::from_str(&stored).unwrap();
            judge.evidence(&state).verdict == Verdict::Fail
        })
    };
    (0..runs).filter(ever).count() as u64
}

/// In how many of `runs` a ratio is ever outside of the bounds that a judge gives.
pub fn count_outside<J: Judge>(
    judge: &J,
    family: &Family<J::Interval>,
    runs: u64,
    ratio: f64,
) -> u64 {
    count_ever(judge, family, runs, |evidence| {
        evidence.ratio_range.is_some_and(|range| {
            range.low.is_some_and(|low| low > ratio) || range.high.is_some_and(|high| high < ratio)
        })
    })
}

/// In how many of `runs` the bounds of either version's quantile ever begin or end at the edge at which both
/// have it, or exclude that.
pub fn count_outside_of_quantiles<J: Judge>(
    judge: &J,
    family: &Family<J::Interval>,
    runs: u64,
    quantile: f64,
) -> u64 {
    count_ever(judge, family, runs, |evidence| {
        let is_outside = |range: Range| {
            range.low.is_some_and(|low| low >= quantile)
                || range.high.is_some_and(|high| high <= quantile)
        };
        evidence.quantiles.is_some_and(|both| is_outside(both.canary) || is_outside(both.stable))
    })
}

/// The rate judge as it comes.
pub fn usual() -> RateJudge {
    RateJudge::new(Settings::default()).expect("the usual settings are right")
}

/// The rate judge with a tolerance of one and a half.
pub fn tolerant() -> RateJudge {
    let tolerance = Tolerance::new(1.5).expect("in its range");
    RateJudge::new(Settings { tolerance, ..Settings::default() }).expect("below the pass ratio")
}
