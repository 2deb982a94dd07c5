//! Counts as they stood at one time, and what came on top between two times.

use super::{Backend, Latencies};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

const FIRST_SERVER_ERROR: u16 = 500;

/// The requests of one backend by code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests by status code.
    pub codes: BTreeMap<u16, u64>,
    /// Latencies of all of them.
    pub latencies: Latencies,
}

impl Tally {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.codes.values().sum()
    }

    /// Requests answered with a code of 500 or more.
    pub fn server_errors(&self) -> u64 {
        self.codes.range(FIRST_SERVER_ERROR..).map(|(_, count)| count).sum()
    }

    /// The latency below which the share `q` lies.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        self.latencies.quantile(q)
    }

    /// Adds the counts of another tally.
    pub fn merge(&mut self, other: &Self) {
        for (code, count) in &other.codes {
            *self.codes.entry(*code).or_default() += count;
        }
        self.latencies.add(&other.latencies);
    }

    pub(super) fn add(&mut self, code: u16, latencies: &Latencies) {
        *self.codes.entry(code).or_default() += latencies.count();
        self.latencies.add(latencies);
    }

    fn less(&self, earlier: &Self) -> Self {
        let before = |code: &u16| earlier.codes.get(code).copied().unwrap_or_default();
        let codes = self.codes.iter().map(|(code, n)| (*code, n.saturating_sub(before(code))));
        Self {
            codes: codes.filter(|(_, count)| *count > 0).collect(),
            latencies: self.latencies.less(&earlier.latencies),
        }
    }
}

/// Every count since the beginning, as it stood at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When it was taken.
    pub at: Timestamp,
    /// The counts by backend.
    pub tallies: BTreeMap<Backend, Tally>,
}

/// What was counted within a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// How long the span really was.
    pub span: SignedDuration,
    /// The counts by backend.
    pub tallies: BTreeMap<Backend, Tally>,
}

impl Snapshot {
    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Self) -> Window {
        let nothing = Tally::default();
        let before = |backend| earlier.tallies.get(backend).unwrap_or(&nothing);
        let tallies = self.tallies.iter().map(|(b, tally)| (b.clone(), tally.less(before(b))));
        Window { span: self.at.duration_since(earlier.at), tallies: tallies.collect() }
    }
}

impl Window {
    /// The counts added up by the key that `key` gives each backend.
    pub fn by<K: Ord>(&self, key: impl Fn(&Backend) -> K) -> BTreeMap<K, Tally> {
        let mut sums: BTreeMap<K, Tally> = BTreeMap::new();
        for (backend, tally) in &self.tallies {
            sums.entry(key(backend)).or_default().merge(tally);
        }
        sums
    }
}
