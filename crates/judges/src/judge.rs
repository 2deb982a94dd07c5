//! What all judges share: feeding, exactly once, and asking.

use crate::{
    counts::{Interval, IntervalId, Total},
    evidence::Evidence,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A judge. It has settings and no memory: what it has seen is in a state that the caller keeps.
pub trait Judge {
    /// What one interval is.
    type Interval;
    /// What is remembered: small, and the same bytes for the same intervals.
    type State: Clone + Default + PartialEq + Serialize + DeserializeOwned;

    /// Counts one interval, unless it was counted before.
    fn feed(&self, state: &mut Self::State, interval: &Self::Interval) -> Fed;

    /// Where things stand.
    fn evidence(&self, state: &Self::State) -> Evidence;
}

/// What became of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// It was compared.
    Counted,
    /// An arm had no traffic, so it says nothing about how they compare.
    Empty,
    /// It is not newer than the last one, so it was counted before; nothing changed.
    Known,
}

/// Which intervals were counted, and what they add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// The newest interval that was counted.
    pub last: Option<IntervalId>,
    /// How many had traffic in both arms.
    pub intervals: u64,
    /// How many had none in one of them.
    pub empty: u64,
    /// The canary in compared intervals.
    pub canary: Total,
    /// The stable version in compared intervals.
    pub stable: Total,
    /// The canary while stable had no traffic.
    pub alone: Total,
}

impl Ledger {
    /// Enters one interval, once.
    pub fn enter(&mut self, interval: &Interval) -> Fed {
        if self.last.is_some_and(|last| interval.id <= last) {
            return Fed::Known;
        }
        self.last = Some(interval.id);
        if interval.stable.total() == 0 {
            self.alone.add(interval.canary);
        }
        if interval.canary.total() == 0 || interval.stable.total() == 0 {
            self.empty = self.empty.saturating_add(1);
            return Fed::Empty;
        }
        self.intervals = self.intervals.saturating_add(1);
        self.canary.add(interval.canary);
        self.stable.add(interval.stable);
        Fed::Counted
    }
}
