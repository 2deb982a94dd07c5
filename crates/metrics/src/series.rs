//! Samples in memory, bounded by age, by number and by series.
//!
//! Start with [`SeriesStore::ingest`], which takes one scrape. A series that is missing from a scrape
//! ends at once with a staleness marker, as in Prometheus.

use crate::labels::{Labels, METRIC_NAME};
use crate::number;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How long samples are kept when nothing else is asked for.
pub const DEFAULT_RETENTION: SignedDuration = SignedDuration::from_hours(1);
/// How many samples one series keeps when nothing else is asked for.
pub const DEFAULT_SAMPLES_PER_SERIES: usize = 4_000;
/// How many series are kept when nothing else is asked for.
pub const DEFAULT_SERIES: usize = 50_000;

/// One value of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The series, with its name under `__name__`.
    pub labels: Labels,
    /// The value.
    pub value: f64,
}

/// One value at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Milliseconds since 1970.
    pub at: i64,
    /// The value.
    pub value: f64,
}

/// What a [`SeriesStore`] may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Series in all.
    pub series: usize,
    /// Samples of one series; the oldest give way.
    pub samples_per_series: usize,
    /// Age of the oldest sample, counted back from the newest.
    pub retention: SignedDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            series: DEFAULT_SERIES,
            samples_per_series: DEFAULT_SAMPLES_PER_SERIES,
            retention: DEFAULT_RETENTION,
        }
    }
}

/// Why a sample was not taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AppendError {
    /// A newer sample is already there.
    #[error("sample of {0} was older than the newest one")]
    OutOfOrder(Labels),
    /// Another value is already there for the same time.
    #[error("sample of {0} differed from the one at the same time")]
    Contradicted(Labels),
    /// The store is full.
    #[error("series {labels} was refused: {limit} series are kept already")]
    TooManySeries {
        /// The series that was refused.
        labels: Labels,
        /// The limit in force.
        limit: usize,
    },
}

/// The samples of one series, oldest first.
pub(crate) type Ring = VecDeque<Point>;

type Id = usize;

#[derive(Clone, Debug)]
struct Series {
    labels: Labels,
    ring: Ring,
    /// The scrape that had it last.
    scrape: u64,
}

/// Every series kept, by name and labels.
#[derive(Clone, Debug, Default)]
pub struct SeriesStore {
    limits: Limits,
    names: BTreeMap<Arc<str>, BTreeMap<Labels, Id>>,
    series: BTreeMap<Id, Series>,
    next: Id,
    /// Series by where in memory the labels of a scraped sample are. A source that scrapes the same
    /// labels again and again is spared comparing them; the labels are held so that they stay there.
    places: BTreeMap<usize, (Labels, Id)>,
    strings: BTreeSet<Arc<str>>,
    scraped: Vec<Id>,
    scrape: u64,
}

impl SeriesStore {
    /// An empty store with these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Adds a sample; the same value at the same time is taken once.
    pub fn append(
        &mut self,
        labels: &Labels,
        at: Timestamp,
        value: f64,
    ) -> Result<(), AppendError> {
        let id = self.admitted(labels)?;
        self.push(id, Point { at: at.as_millisecond(), value })
    }

    /// Takes one scrape: appends each sample and ends the series that the last scrape had and this
    /// one has not. The samples that were refused are returned with the reason; the others are in.
    pub fn ingest(
        &mut self,
        at: Timestamp,
        samples: impl IntoIterator<Item = Sample>,
    ) -> Vec<AppendError> {
        let millis = at.as_millisecond();
        self.scrape += 1;
        let mut refused = Vec::new();
        let mut present = Vec::with_capacity(self.scraped.len());
        for Sample { labels, value } in samples {
            match self.placed(&labels) {
                Ok(id) => {
                    refused.extend(self.push(id, Point { at: millis, value }).err());
                    self.mark(id);
                    present.push(id);
                }
                Err(error) => refused.push(error),
            }
        }
        let before = std::mem::replace(&mut self.scraped, present);
        for id in before {
            if self.series.get(&id).is_some_and(|series| series.scrape != self.scrape) {
                refused.extend(self.push(id, stale(millis)).err());
            }
        }
        refused
    }

    /// Ends a series with a staleness marker: from `at` on it has no value.
    pub fn end(&mut self, labels: &Labels, at: Timestamp) -> Result<(), AppendError> {
        let id = self.admitted(labels)?;
        self.push(id, stale(at.as_millisecond()))
    }

    /// Forgets the series whose newest sample is older than the retention.
    pub fn prune(&mut self, now: Timestamp) {
        let oldest = now.as_millisecond().saturating_sub(span_millis(self.limits.retention));
        self.series.retain(|_, series| series.ring.back().is_some_and(|point| point.at >= oldest));
        for ids in self.names.values_mut() {
            ids.retain(|_, id| self.series.contains_key(id));
        }
        self.names.retain(|_, ids| !ids.is_empty());
        self.places.retain(|_, (_, id)| self.series.contains_key(id));
        self.strings.retain(|text| Arc::strong_count(text) > 1);
    }

    /// How many series are kept.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// The series of one name, or all of them, in the order of their labels.
    pub(crate) fn series(&self, name: Option<&str>) -> Vec<(&Labels, &Ring)> {
        let of = |id: &Id| self.series.get(id).map(|series| (&series.labels, &series.ring));
        if let Some(name) = name {
            return self
                .names
                .get(name)
                .into_iter()
                .flatten()
                .filter_map(|(_, id)| of(id))
                .collect();
        }
        let mut all: Vec<_> = self.series.values().map(|s| (&s.labels, &s.ring)).collect();
        all.sort_by(|a, b| a.0.cmp(b.0));
        all
    }

    fn push(&mut self, id: Id, point: Point) -> Result<(), AppendError> {
        let oldest = point.at.saturating_sub(span_millis(self.limits.retention));
        let most = self.limits.samples_per_series.max(1);
        let Some(Series { labels, ring, .. }) = self.series.get_mut(&id) else { return Ok(()) };
        if let Some(newest) = ring.back() {
            if newest.at > point.at {
                return Err(AppendError::OutOfOrder(labels.clone()));
            }
            if newest.at == point.at {
                let same = newest.value.to_bits() == point.value.to_bits();
                return if same { Ok(()) } else { Err(AppendError::Contradicted(labels.clone())) };
            }
        }
        ring.push_back(point);
        while ring.len() > most || ring.front().is_some_and(|first| first.at < oldest) {
            ring.pop_front();
        }
        Ok(())
    }

    fn mark(&mut self, id: Id) {
        if let Some(series) = self.series.get_mut(&id) {
            series.scrape = self.scrape;
        }
    }

    fn placed(&mut self, labels: &Labels) -> Result<Id, AppendError> {
        let place = labels.place();
        if let Some((_, id)) = self.places.get(&place) {
            return Ok(*id);
        }
        let id = self.admitted(labels)?;
        if self.places.len() > self.limits.series {
            self.places.clear();
        }
        self.places.insert(place, (labels.clone(), id));
        Ok(id)
    }

    fn admitted(&mut self, labels: &Labels) -> Result<Id, AppendError> {
        let name = labels.metric_name();
        if let Some(id) = self.names.get(name).and_then(|ids| ids.get(labels)) {
            return Ok(*id);
        }
        let limit = self.limits.series;
        if self.series.len() >= limit {
            return Err(AppendError::TooManySeries { labels: labels.clone(), limit });
        }
        let labels = self.interned(labels);
        let name = self.intern(&Arc::from(labels.get(METRIC_NAME)));
        let id = self.next;
        self.next += 1;
        self.names.entry(name).or_default().insert(labels.clone(), id);
        self.series.insert(id, Series { labels, ring: Ring::new(), scrape: 0 });
        Ok(id)
    }

    fn interned(&mut self, labels: &Labels) -> Labels {
        let pairs: Vec<_> = labels.shared_pairs().to_vec();
        Labels::new(pairs.iter().map(|(n, v)| (self.intern(n), self.intern(v))))
    }

    fn intern(&mut self, text: &Arc<str>) -> Arc<str> {
        if let Some(known) = self.strings.get(&**text) {
            return known.clone();
        }
        self.strings.insert(text.clone());
        text.clone()
    }
}

fn stale(at: i64) -> Point {
    Point { at, value: f64::from_bits(number::STALE_BITS) }
}

fn span_millis(span: SignedDuration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn named(name: &str) -> Labels {
        Labels::new([(METRIC_NAME, name)])
    }

    fn values(store: &SeriesStore, name: &str) -> Vec<f64> {
        store.series(Some(name)).iter().flat_map(|(_, r)| r.iter().map(|p| p.value)).collect()
    }

    #[test]
    fn old_samples_give_way_by_age_and_by_number() {
        let limits =
            Limits { series: 10, samples_per_series: 3, retention: SignedDuration::from_secs(10) };
        let mut store = SeriesStore::new(limits);
        for second in [0, 1, 2, 3] {
            store.append(&named("a"), at(second), 1.0).unwrap();
        }
        assert_eq!(values(&store, "a").len(), 3);
        store.append(&named("a"), at(12), 2.0).unwrap();
        assert_eq!(values(&store, "a"), [1.0, 1.0, 2.0]);
    }

    #[test]
    fn a_full_store_refuses_new_series_and_keeps_the_old() {
        let mut store = SeriesStore::new(Limits { series: 1, ..Limits::default() });
        store.append(&named("a"), at(0), 1.0).unwrap();
        let refused = store.append(&named("b"), at(0), 1.0);
        assert!(matches!(refused, Err(AppendError::TooManySeries { limit: 1, .. })));
        store.append(&named("a"), at(1), 1.0).unwrap();
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn time_only_goes_forward_within_a_series() {
        let mut store = SeriesStore::default();
        store.append(&named("a"), at(5), 1.0).unwrap();
        assert!(matches!(store.append(&named("a"), at(4), 1.0), Err(AppendError::OutOfOrder(_))));
        assert!(matches!(store.append(&named("a"), at(5), 2.0), Err(AppendError::Contradicted(_))));
        assert_eq!(store.append(&named("a"), at(5), 1.0), Ok(()));
    }

    #[test]
    fn a_series_missing_from_a_scrape_ends() {
        let mut store = SeriesStore::default();
        let sample = |name: &str| Sample { labels: named(name), value: 1.0 };
        store.ingest(at(0), [sample("a"), sample("b")]);
        store.ingest(at(1), [sample("b")]);
        assert!(number::is_stale(values(&store, "a")[1]));
        assert_eq!(values(&store, "b"), [1.0, 1.0]);
    }

    #[test]
    fn pruning_forgets_what_ended_long_ago() {
        let mut store = SeriesStore::default();
        store.append(&named("a"), at(0), 1.0).unwrap();
        store.append(&named("b"), at(7000), 1.0).unwrap();
        store.prune(at(7000));
        assert_eq!((store.len(), values(&store, "b").len()), (1, 1));
    }
}
