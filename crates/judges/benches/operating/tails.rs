//! Worlds of latencies, for the judge of quantiles.

use crate::nature::Nature;
use judges::{
    counts::IntervalId,
    evidence::Verdict,
    judge::Judge,
    latency::Slow,
    quantile::{
        Quantile,
        judge::{QuantileInterval, QuantileJudge, QuantileState},
    },
    rate::Settings,
};

/// The name of the world in reports.
pub const NAME: &str = "latencies and split change";
/// Looks in the whole world.
pub const LOOKS: u64 = 100;
/// Looks at each of its four steps.
const STEP: u64 = 25;
/// Edges of the histogram, in seconds.
const EDGES: [f64; 8] = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4];
/// Seeds of runs are this far apart.
const STRIDE: u64 = 1_000_003;

/// The canary's share grows as in a rollout, and at each step all latencies double for both versions; the
/// canary takes `times` as long as the stable version.
pub fn interval(nature: &mut Nature, id: u64, times: f64) -> QuantileInterval {
    let step = usize::try_from(id / STEP).unwrap_or(3).min(3);
    let (canary, mean) = ([50, 200, 500, 800][step], [0.05, 0.1, 0.2, 0.4][step]);
    let stable = slow(nature, 1000 - canary, mean);
    let canary = slow(nature, canary, times * mean);
    QuantileInterval { id: IntervalId(id), edges: EDGES.to_vec(), canary, stable }
}

/// Requests that take exponentially distributed times.
fn slow(nature: &mut Nature, requests: u64, mean: f64) -> Slow {
    let (mut slower, mut before) = (requests, 1.0);
    let up_to = EDGES.map(|edge| {
        let share = libm::exp(-edge / mean);
        slower = nature.binomial(slower, share / before);
        before = share;
        requests - slower
    });
    Slow::from_buckets(&up_to, requests).expect("a simulation counts right")
}

/// A judge of one quantile.
pub fn judge(p: f64) -> QuantileJudge {
    let quantile = Quantile::new(p).expect("between 0 and 1");
    QuantileJudge::new(quantile, Settings::default()).expect("the usual settings are right")
}

/// In how many of `runs` the judge of a quantile says `verdict`, ever.
pub fn count(p: f64, times: f64, runs: u64, verdict: Verdict) -> u64 {
    let judge = judge(p);
    let ever = |run: &u64| {
        let mut nature = Nature::new(run * STRIDE);
        let mut state = QuantileState::default();
        (0..LOOKS).any(|id| {
            judge.feed(&mut state, &interval(&mut nature, id, times));
            judge.evidence(&state).verdict == verdict
        })
    };
    (0..runs).filter(ever).count() as u64
}
