//! What judges are fed: counted events of the two arms, interval by interval.

use serde::{Deserialize, Serialize};

/// The largest count of one interval.
pub const MAX_COUNT: u64 = 1_000_000_000_000;

/// Requests of one version in one interval, and how many of them were bad.
///
/// For restarts and the like, `total` is exposure in any unit that both arms share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Counted", into = "Counted")]
pub struct Arm {
    bad: u64,
    total: u64,
}

impl Arm {
    /// An arm with `bad` of `total`; fails when more are bad than there are, or at absurd counts.
    pub fn new(bad: u64, total: u64) -> Result<Self, CountError> {
        if total > MAX_COUNT {
            return Err(CountError::TooMany { total });
        }
        if bad > total {
            return Err(CountError::MoreBadThanTotal { bad, total });
        }
        Ok(Self { bad, total })
    }

    /// How many were bad.
    pub fn bad(self) -> u64 {
        self.bad
    }

    /// How many there were.
    pub fn total(self) -> u64 {
        self.total
    }

    /// How many were not bad.
    pub fn good(self) -> u64 {
        self.total - self.bad
    }
}

/// An [`Arm`] as written, not yet known to make sense.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Counted {
    bad: u64,
    total: u64,
}

impl TryFrom<Counted> for Arm {
    type Error = CountError;

    fn try_from(counted: Counted) -> Result<Self, CountError> {
        Self::new(counted.bad, counted.total)
    }
}

impl From<Arm> for Counted {
    fn from(arm: Arm) -> Self {
        Self { bad: arm.bad, total: arm.total }
    }
}

/// Which interval: a number that grows, such as its start in seconds or its place in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntervalId(pub u64);

/// One interval of both versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Which one; an interval that is not newer than the last one is not counted again.
    pub id: IntervalId,
    /// The new version.
    pub canary: Arm,
    /// The version it is compared with.
    pub stable: Arm,
}

/// The sum of many arms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// How many were bad.
    pub bad: u64,
    /// How many there were.
    pub total: u64,
}

impl Total {
    /// Adds one interval's arm. Stays at the largest number there is rather than overflow.
    pub fn add(&mut self, arm: Arm) {
        self.bad = self.bad.saturating_add(arm.bad);
        self.total = self.total.saturating_add(arm.total);
    }
}

/// Why counts were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// There cannot be more bad ones than there are.
    #[error("{bad} bad of {total}: bad must be at most the total")]
    MoreBadThanTotal {
        /// How many were bad.
        bad: u64,
        /// How many there were.
        total: u64,
    },
    /// More requests cannot be faster than an edge than than a later one.
    #[error("a count of {value} after a larger one: counts up to an edge must not fall")]
    Falling {
        /// The count that is too small.
        value: u64,
    },
    /// A count that no interval has.
    #[error("a total of {total}: must be at most {MAX_COUNT}")]
    TooMany {
        /// How many there were said to be.
        total: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_counts_are_errors() {
        assert_eq!(Arm::new(2, 1), Err(CountError::MoreBadThanTotal { bad: 2, total: 1 }));
        assert_eq!(Arm::new(0, MAX_COUNT + 1), Err(CountError::TooMany { total: MAX_COUNT + 1 }));
        assert!(serde_json::from_str::<Arm>(r#"{"bad":2,"total":1}"#).is_err());
    }
}
