//! A judge walking through a world, looking after every interval.

use crate::families::{Family, World};
use judges::{counts::Interval, settings::Tolerance};
use judges::{
    evidence::Verdict,
    judge::Judge,
    rate::{RateJudge, Settings},
};

/// Seeds of runs are this far apart.
const STRIDE: u64 = 1_000_003;

/// In how many of `runs` a judge says `verdict`, ever.
pub fn count<J: Judge<Interval = Interval>>(
    judge: &J,
    family: &Family,
    runs: u64,
    verdict: Verdict,
) -> u64 {
    let ever = |run: &u64| {
        let mut world = World::new(run * STRIDE);
        let mut state = J::State::default();
        (0..family.looks).any(|id| {
            judge.feed(&mut state, &(family.interval)(&mut world, id));
            judge.evidence(&state).verdict == verdict
        })
    };
    (0..runs).filter(ever).count() as u64
}

/// The same for a judge whose state is written and read after every interval, and which is fed every
/// interval once more after it.
pub fn count_with_restarts(family: &Family, runs: u64) -> u64 {
    let judge = usual();
    let ever = |run: &u64| {
        let mut world = World::new(run * STRIDE);
        let mut stored = serde_json::to_string(&<RateJudge as Judge>::State::default()).unwrap();
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

/// In how many of `runs` a ratio is ever outside of the bounds that the usual rate judge gives.
pub fn count_outside(family: &Family, runs: u64, ratio: f64) -> u64 {
    let judge = usual();
    let ever = |run: &u64| {
        let mut world = World::new(run * STRIDE);
        let mut state = <RateJudge as Judge>::State::default();
        (0..family.looks).any(|id| {
            judge.feed(&mut state, &(family.interval)(&mut world, id));
            judge.evidence(&state).ratio_range.is_some_and(|range| {
                range.low.is_some_and(|low| low > ratio)
                    || range.high.is_some_and(|high| high < ratio)
            })
        })
    };
    (0..runs).filter(ever).count() as u64
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
