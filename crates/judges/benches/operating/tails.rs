//! The worlds of [`families`](crate::families) as histograms of latencies, for the judge of quantiles.
//!
//! The world's rate is the share of requests slower than [`SLOW`]; slower than any other edge are so many as
//! of exponentially distributed times.

use crate::families::{Family, World};
use judges::{
    counts::IntervalId,
    evidence::Evidence,
    judge::{Fed, Judge},
    latency::Slow,
    quantile::{
        Quantile,
        judge::{QuantileInterval, QuantileJudge, QuantileState},
    },
    rate::{RateJudge, Settings},
};

/// Edges of the histogram, in seconds.
const EDGES: [f64; 8] = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4];
/// The edge that as many requests are slower than as the world's rate says: while that is 1 %, the p99.
pub const SLOW: f64 = 0.8;
/// The mean latency at each step of a rollout, in seconds.
const MEANS: [f64; 4] = [0.05, 0.1, 0.2, 0.4];

/// Requests of each version; the canary's second number is how many times as many of them are slower than any
/// edge, as far as that can be.
pub fn unfair(world: &mut World, id: u64, canary: (u64, f64), stable: u64) -> QuantileInterval {
    let canary = slow(world, canary.0, canary.1);
    interval(id, canary, slow(world, stable, 1.0))
}

fn interval(id: u64, canary: Slow, stable: Slow) -> QuantileInterval {
    QuantileInterval { id: IntervalId(id), edges: EDGES.to_vec(), canary, stable }
}

fn fair(world: &mut World, id: u64, canary: u64, stable: u64) -> QuantileInterval {
    unfair(world, id, (canary, 1.0), stable)
}

fn slow(world: &mut World, requests: u64, times: f64) -> Slow {
    let (mut slower, mut before) = (requests, 1.0);
    let up_to = EDGES.map(|edge| {
        let share = (times * libm::pow(world.rate, edge / SLOW)).min(1.0);
        slower = if before > 0.0 { world.nature.binomial(slower, share / before) } else { 0 };
        before = share;
        requests - slower
    });
    Slow::from_buckets(&up_to, requests).expect("a simulation counts right")
}

/// Requests that are slower than all edges, as those are that time out; all others are faster than any.
fn timed_out((bad, total): (u64, u64)) -> Slow {
    Slow::from_buckets(&EDGES.map(|_| total - bad), total).expect("a simulation counts right")
}

/// The canary's share grows as in a rollout, and at each step all latencies double for both versions; `times` as
/// many of the canary's requests are slower than any edge.
pub fn double(world: &mut World, id: u64, times: f64) -> QuantileInterval {
    let step = usize::try_from(id / 25).unwrap_or(3).min(3);
    world.rate = libm::exp(-SLOW / MEANS[step]);
    let canary = [50, 200, 500, 800][step];
    unfair(world, id, (canary, times), 1000 - canary)
}

/// A judge of one quantile that leaves out the bounds, which decide nothing and take most of its time.
pub struct Unbounded {
    judge: QuantileJudge,
    rate: RateJudge,
}

impl Judge for Unbounded {
    type Interval = QuantileInterval;
    type State = QuantileState;

    fn feed(&self, state: &mut QuantileState, interval: &QuantileInterval) -> Fed {
        self.judge.feed(state, interval)
    }

    fn evidence(&self, state: &QuantileState) -> Evidence {
        self.rate.evidence(&state.rate)
    }
}

/// A judge of one quantile without bounds.
pub fn unbounded(p: f64, settings: Settings) -> Unbounded {
    let rate = RateJudge::new(settings).expect("the settings are right");
    Unbounded { judge: judge_with(p, settings), rate }
}

/// A judge of one quantile as it comes.
pub fn judge(p: f64) -> QuantileJudge {
    judge_with(p, Settings::default())
}

/// A judge of one quantile.
pub fn judge_with(p: f64, settings: Settings) -> QuantileJudge {
    let quantile = Quantile::new(p).expect("between 0 and 1");
    QuantileJudge::new(quantile, settings).expect("the settings are right")
}

/// A p99 of 0.8 s, a tenth of the traffic.
pub const CONSTANT: Family<QuantileInterval> =
    Family { name: "constant", looks: 500, interval: |world, id| fair(world, id, 50, 450) };

/// Between a request in a thousand and one in ten is slower than 0.8 s.
pub const DRIFTING: Family<QuantileInterval> = Family {
    name: "drifting",
    looks: 500,
    interval: |world, id| {
        world.drift();
        fair(world, id, 50, 450)
    },
};

/// Latencies and traffic come and go with the day.
pub const DIURNAL: Family<QuantileInterval> = Family {
    name: "diurnal",
    looks: 288,
    interval: |world, id| {
        let traffic = world.pass_the_day(id);
        fair(world, id, 20 * traffic, 180 * traffic)
    },
};

/// A canary with a hundredth of the traffic.
pub const UNEQUAL_SMALL: Family<QuantileInterval> = Family {
    name: "unequal split 1:99",
    looks: 500,
    interval: |world, id| fair(world, id, 10, 990),
};

/// A canary with nearly all of it.
pub const UNEQUAL_LARGE: Family<QuantileInterval> = Family {
    name: "unequal split 95:5",
    looks: 500,
    interval: |world, id| fair(world, id, 950, 50),
};

/// Four intervals in five have nobody beyond the first edge.
pub const ZERO_INFLATED: Family<QuantileInterval> = Family {
    name: "zero-inflated",
    looks: 500,
    interval: |world, id| {
        world.be_mostly_well();
        fair(world, id, 50, 450)
    },
};

/// The canary's share grows as in a rollout, and all latencies double with each step for both.
pub const WEIGHT_CHANGES: Family<QuantileInterval> =
    Family { name: "weight changes", looks: 100, interval: |world, id| double(world, id, 1.0) };

/// Now and then a fifth of all requests times out for a while, and everybody tries again.
pub const RETRY_STORM: Family<QuantileInterval> = Family {
    name: "retry storm",
    looks: 300,
    interval: |world, id| {
        world.storm(id);
        let (canary, stable) = (world.with_retries(50), world.with_retries(450));
        interval(id, timed_out(canary), timed_out(stable))
    },
};

/// Worse exactly as tolerated: one and a half times as many slow requests.
pub const AT_TOLERANCE: Family<QuantileInterval> = Family {
    name: "at the tolerance of 1.5",
    looks: 500,
    interval: |world, id| unfair(world, id, (50, 1.5), 450),
};

/// Worse exactly by the pass ratio of two.
pub const AT_PASS_RATIO: Family<QuantileInterval> = Family {
    name: "at the pass ratio of 2",
    looks: 500,
    interval: |world, id| unfair(world, id, (50, 2.0), 450),
};
