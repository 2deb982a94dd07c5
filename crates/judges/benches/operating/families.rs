//! Worlds in which the canary is no worse than the stable version.

use crate::nature::{Nature, real};
use judges::counts::{Arm, Interval, IntervalId};

/// What one world does in one interval, given what it remembers.
pub struct Family<I = Interval> {
    /// Its name in the report.
    pub name: &'static str,
    /// How many intervals are looked at.
    pub looks: u64,
    /// One interval.
    pub interval: fn(&mut World, u64) -> I,
}

/// Chance, and the base rate as it stands.
pub struct World {
    /// Chance.
    pub nature: Nature,
    /// The share of bad requests of both arms.
    pub rate: f64,
}

impl World {
    /// A new one.
    pub fn new(seed: u64) -> Self {
        Self { nature: Nature::new(seed), rate: 0.01 }
    }

    /// Both arms with the same rate.
    pub fn fair(&mut self, id: u64, canary: u64, stable: u64) -> Interval {
        self.unfair(id, (canary, self.rate), (stable, self.rate))
    }

    /// Requests and rate of each arm.
    pub fn unfair(&mut self, id: u64, canary: (u64, f64), stable: (u64, f64)) -> Interval {
        let bad =
            (self.nature.binomial(canary.0, canary.1), self.nature.binomial(stable.0, stable.1));
        interval(id, (bad.0, canary.0), (bad.1, stable.0))
    }

    /// Each arm bursts by itself.
    fn bursty(&mut self, id: u64, canary: u64, stable: u64) -> Interval {
        self.correlated(id, (canary, stable), 0.02)
    }

    /// Each arm bursts by itself, with a correlation of requests within an interval.
    fn correlated(&mut self, id: u64, (canary, stable): (u64, u64), correlation: f64) -> Interval {
        let rates = (self.nature.beta(0.01, correlation), self.nature.beta(0.01, correlation));
        self.unfair(id, (canary, rates.0), (stable, rates.1))
    }

    /// The base rate wanders between 0.1 % and 10 %.
    pub fn drift(&mut self) {
        self.rate = self.nature.wander(self.rate, 0.2, (0.001, 0.1));
    }

    /// The base rate comes and goes with the day; returns how much more traffic there is than at night.
    pub fn pass_the_day(&mut self, id: u64) -> u64 {
        let sun = libm::sin(std::f64::consts::TAU * real(id) / 144.0);
        self.rate = 0.01 * (1.0 + 0.9 * sun);
        if sun > 0.5 { 8 } else { 1 }
    }

    /// The base rate is none in four intervals of five.
    pub fn be_mostly_well(&mut self) {
        self.rate = if self.nature.uniform() < 0.8 { 0.0 } else { 0.05 };
    }

    /// The base rate doubles with each step of a rollout; returns the canary's share of a thousand requests.
    pub fn step(&mut self, id: u64) -> u64 {
        let step = usize::try_from(id / 100).unwrap_or(3).min(3);
        self.rate = [0.005, 0.01, 0.02, 0.04][step];
        [50, 200, 500, 800][step]
    }

    /// A fifth of all requests is bad for a while, now and then.
    pub fn storm(&mut self, id: u64) {
        self.rate = if id % 50 < 5 { 0.2 } else { 0.01 };
    }

    /// Users whose requests fail try again, up to three times, and fail again half of the time.
    pub fn with_retries(&mut self, users: u64) -> (u64, u64) {
        let failed = self.nature.binomial(users, self.rate);
        let (mut bad, mut total, mut trying) = (failed, users, failed);
        for _ in 0..RETRIES {
            total += trying;
            trying = self.nature.binomial(trying, FAILS_AGAIN);
            bad += trying;
        }
        (bad, total)
    }
}

const RETRIES: u64 = 3;
const FAILS_AGAIN: f64 = 0.5;

/// The design effect of those retries: the mean square of failures per failing user by their mean.
pub const RETRY_DESIGN_EFFECT: f64 = (0.5 + 4.0 * 0.25 + 9.0 * 0.125 + 16.0 * 0.125)
    / (0.5 + 2.0 * 0.25 + 3.0 * 0.125 + 4.0 * 0.125);

fn interval(id: u64, canary: (u64, u64), stable: (u64, u64)) -> Interval {
    let arm = |(bad, total)| Arm::new(bad, total).expect("a simulation counts right");
    Interval { id: IntervalId(id), canary: arm(canary), stable: arm(stable) }
}

/// One per cent, a tenth of the traffic.
pub const CONSTANT: Family =
    Family { name: "constant", looks: 500, interval: |world, id| world.fair(id, 50, 450) };

/// The base rate wanders between 0.1 % and 10 %.
pub const DRIFTING: Family = Family {
    name: "drifting",
    looks: 500,
    interval: |world, id| {
        world.drift();
        world.fair(id, 50, 450)
    },
};

/// Rate and traffic come and go with the day.
pub const DIURNAL: Family = Family {
    name: "diurnal",
    looks: 288,
    interval: |world, id| {
        let traffic = world.pass_the_day(id);
        world.fair(id, 20 * traffic, 180 * traffic)
    },
};

/// Requests of an interval fail together; arms of one size.
pub const BURSTY: Family =
    Family { name: "bursty", looks: 500, interval: |world, id| world.bursty(id, 500, 500) };

/// The same with a tenth of the traffic.
pub const BURSTY_SMALL: Family =
    Family { name: "bursty 10:90", looks: 500, interval: |world, id| world.bursty(id, 100, 900) };

/// The same with most of the traffic, late in a rollout.
pub const BURSTY_LARGE: Family =
    Family { name: "bursty 90:10", looks: 500, interval: |world, id| world.bursty(id, 900, 100) };

/// Bursts that are too small, just large enough and surely large enough to break judges of counts.
pub const CORRELATED: [Family; 3] = [
    Family {
        name: "correlation .001",
        looks: 60,
        interval: |world, id| world.correlated(id, (100, 900), 0.001),
    },
    Family {
        name: "correlation .005",
        looks: 60,
        interval: |world, id| world.correlated(id, (100, 900), 0.005),
    },
    Family {
        name: "correlation .02",
        looks: 60,
        interval: |world, id| world.correlated(id, (100, 900), 0.02),
    },
];

/// A canary with a hundredth of the traffic.
pub const UNEQUAL_SMALL: Family = Family {
    name: "unequal split 1:99",
    looks: 500,
    interval: |world, id| world.fair(id, 10, 990),
};

/// A canary with nearly all of it.
pub const UNEQUAL_LARGE: Family = Family {
    name: "unequal split 95:5",
    looks: 500,
    interval: |world, id| world.fair(id, 950, 50),
};

/// Four intervals in five have no errors at all.
pub const ZERO_INFLATED: Family = Family {
    name: "zero-inflated",
    looks: 500,
    interval: |world, id| {
        world.be_mostly_well();
        world.fair(id, 50, 450)
    },
};

/// The canary's share grows as in a rollout, and errors double with each step for both.
pub const WEIGHT_CHANGES: Family = Family {
    name: "weight changes",
    looks: 400,
    interval: |world, id| {
        let canary = world.step(id);
        world.fair(id, canary, 1000 - canary)
    },
};

/// Now and then a fifth of all requests fails for a while, and everybody tries again.
pub const RETRY_STORM: Family = Family {
    name: "retry storm",
    looks: 300,
    interval: |world, id| {
        world.storm(id);
        let (canary, stable) = (world.with_retries(50), world.with_retries(450));
        interval(id, canary, stable)
    },
};

/// High rates, for the proportion judge.
pub const HIGH_RATE: Family = Family {
    name: "high rate",
    looks: 300,
    interval: |world, id| {
        world.rate = 0.3;
        world.fair(id, 100, 100)
    },
};

/// Worse exactly as tolerated: one and a half times.
pub const AT_TOLERANCE: Family = Family {
    name: "at the tolerance of 1.5",
    looks: 500,
    interval: |world, id| world.unfair(id, (50, 0.015), (450, 0.01)),
};

/// Worse exactly by the pass ratio of two.
pub const AT_PASS_RATIO: Family = Family {
    name: "at the pass ratio of 2",
    looks: 500,
    interval: |world, id| world.unfair(id, (50, 0.02), (450, 0.01)),
};
