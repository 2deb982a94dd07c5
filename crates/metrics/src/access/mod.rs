//! The access log: how many requests each backend answered, with which code and how fast.
//!
//! Start with [`AccessLog`]. Recording takes no lock on the way once a [`Recorder`] is held, so that
//! every request can be counted; [`AccessLog::scrape`] words the counts as metrics, and
//! [`AccessLog::window`] answers a page directly.

mod dialects;
mod latency;
mod recorder;
mod snapshot;

pub use latency::{BUCKET_BOUNDS_MICROS, BUCKETS, Latencies};
pub use recorder::{Method, Outcome, Recorder};
pub use snapshot::{Snapshot, Tally, Window};

use crate::labels::Labels;
use crate::series::Sample;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// How many backends are told apart. Beyond that, those that nobody holds a [`Recorder`] of give way;
/// when all are held, requests to further ones are counted under one name.
pub const MAX_BACKENDS: usize = 1_000;
/// The service and route under which the requests beyond [`MAX_BACKENDS`] are counted.
pub const OVERFLOW: &str = "_overflow";
/// How far apart the remembered snapshots are at least.
pub const SNAPSHOT_SPACING: SignedDuration = SignedDuration::from_millis(500);
/// How many snapshots are remembered: five minutes of them.
pub const SNAPSHOTS: usize = 600;

/// Who answered: one version of one service behind one route.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// Namespace of the service.
    pub namespace: String,
    /// Name of the route that led there; empty when the service was addressed directly.
    pub route: String,
    /// Name of the service.
    pub service: String,
    /// Pod template hash of the version; empty when unknown.
    pub pod_template_hash: String,
    /// Name of the workload that owns the version; empty when unknown.
    pub workload: String,
}

/// Counters of every request by backend, code and method, with a histogram of latencies.
#[derive(Debug, Default)]
pub struct AccessLog {
    recorders: RwLock<BTreeMap<Backend, Arc<Recorder>>>,
    history: Mutex<VecDeque<Arc<Snapshot>>>,
}

impl AccessLog {
    /// A log without any requests.
    pub fn new() -> Self {
        Self::default()
    }

    /// The counters of one backend, to be held by whoever records often.
    pub fn recorder(&self, backend: &Backend) -> Arc<Recorder> {
        let known = self.recorders.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(recorder) = known.get(backend) {
            return recorder.clone();
        }
        drop(known);
        let mut known = self.recorders.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_BACKENDS {
            // Versions that nobody serves any more give way; their series end.
            known.retain(|_, recorder| Arc::strong_count(recorder) > 1);
        }
        let full = known.len() >= MAX_BACKENDS;
        let backend = if full { overflow() } else { backend.clone() };
        known
            .entry(backend)
            .or_insert_with_key(|backend| Arc::new(Recorder::new(backend.clone())))
            .clone()
    }

    /// Counts `count` requests with the same outcome.
    pub fn record(&self, backend: &Backend, outcome: Outcome, count: u64) {
        self.recorder(backend).record(outcome, count);
    }

    /// Counts a distribution of latencies at once: each pair is a latency and how many had it.
    pub fn record_distribution(
        &self,
        backend: &Backend,
        code: u16,
        method: Method,
        latencies: impl IntoIterator<Item = (Duration, u64)>,
    ) {
        self.recorder(backend).record_distribution(code, method, latencies);
    }

    /// Every counter under the names of all dialects, and remembers a snapshot for [`Self::window`].
    pub fn scrape(&self, now: Timestamp) -> Vec<Sample> {
        self.remember(now);
        let recorders = self.recorders.read().unwrap_or_else(PoisonError::into_inner);
        let mut samples = Vec::new();
        for recorder in recorders.values() {
            recorder.scrape(&mut samples);
        }
        added_up(samples)
    }

    /// What has been counted since the beginning.
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        let recorders = self.recorders.read().unwrap_or_else(PoisonError::into_inner);
        let tallies = recorders.iter().map(|(backend, r)| (backend.clone(), r.tally()));
        Snapshot { at: now, tallies: tallies.collect() }
    }

    /// Remembers the counts of now, unless that was done within [`SNAPSHOT_SPACING`].
    pub fn remember(&self, now: Timestamp) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let due = |last: &Arc<Snapshot>| now.duration_since(last.at) >= SNAPSHOT_SPACING;
        if history.back().is_none_or(due) {
            history.push_back(Arc::new(self.snapshot(now)));
        }
        while history.len() > SNAPSHOTS {
            history.pop_front();
        }
    }

    /// What has been counted within the last `span`, as far as snapshots were remembered for it.
    pub fn window(&self, now: Timestamp, span: SignedDuration) -> Window {
        self.remember(now);
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let within = history.partition_point(|old| now.duration_since(old.at) >= span);
        let start = history.get(within.saturating_sub(1)).cloned();
        drop(history);
        let present = self.snapshot(now);
        match start {
            Some(start) => present.since(&start),
            None => present.since(&Snapshot { at: now, tallies: BTreeMap::new() }),
        }
    }
}

/// One sample a series: Istio's names tell neither routes nor methods apart.
fn added_up(samples: Vec<Sample>) -> Vec<Sample> {
    let mut places: BTreeMap<Labels, usize> = BTreeMap::new();
    let mut sums: Vec<Sample> = Vec::with_capacity(samples.len());
    for sample in samples {
        let place = *places.entry(sample.labels.clone()).or_insert(sums.len());
        match sums.get_mut(place) {
            Some(sum) => sum.value += sample.value,
            None => sums.push(sample),
        }
    }
    sums
}

fn overflow() -> Backend {
    Backend { route: OVERFLOW.to_owned(), service: OVERFLOW.to_owned(), ..Backend::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(service: &str) -> Backend {
        Backend {
            namespace: "shop".to_owned(),
            route: "web".to_owned(),
            service: service.to_owned(),
            pod_template_hash: "abc".to_owned(),
            workload: "web".to_owned(),
        }
    }

    fn outcome(code: u16, millis: u64) -> Outcome {
        Outcome { code, method: Method::Get, latency: Duration::from_millis(millis) }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn value(samples: &[Sample], text: &str) -> Option<f64> {
        samples.iter().find(|s| s.labels.to_string() == text).map(|s| s.value)
    }

    #[test]
    fn the_same_count_appears_under_three_names() {
        let log = AccessLog::new();
        log.record(&backend("canary"), outcome(200, 3), 7);
        let samples = log.scrape(at(0));
        let names = [
            r#"ringfence_gateway_requests_total{code="200", method="GET", namespace="shop", pod_template_hash="abc", route="web", service="canary", workload="web"}"#,
            r#"istio_requests_total{destination_service="canary.shop.svc.cluster.local", destination_service_name="canary", destination_service_namespace="shop", destination_workload="web", destination_workload_namespace="shop", pod_template_hash="abc", reporter="source", request_protocol="http", response_code="200"}"#,
            r#"nginx_ingress_controller_requests{canary="", exported_namespace="shop", exported_service="canary", ingress="web", method="GET", namespace="shop", pod_template_hash="abc", service="canary", status="200"}"#,
        ];
        for name in names {
            let name = name.replace(r#"canary="", "#, "");
            assert_eq!(value(&samples, &name), Some(7.0), "{name}");
        }
    }

    #[test]
    fn what_comes_by_another_route_or_method_is_added_to_the_same_series() {
        let log = AccessLog::new();
        let direct = Backend { route: String::new(), ..backend("canary") };
        log.record(&backend("canary"), outcome(200, 3), 7);
        log.record(&direct, outcome(200, 3), 2);
        log.record(&direct, Outcome { method: Method::Post, ..outcome(200, 3) }, 1);
        let samples = log.scrape(at(0));
        let of = |name: &str| {
            let found = samples.iter().filter(|sample| sample.labels.metric_name() == name);
            found.map(|sample| sample.value).collect::<Vec<_>>()
        };
        assert_eq!(of("istio_requests_total"), [10.0]);
        assert_eq!(of("istio_request_duration_milliseconds_count"), [10.0]);
        let shown = of("ringfence_gateway_requests_total").iter().sum::<f64>();
        assert!((shown - 10.0).abs() < f64::EPSILON, "{shown}");
    }

    #[test]
    fn a_latency_falls_into_every_bucket_at_or_above_it() {
        let log = AccessLog::new();
        let spread = [(Duration::from_millis(3), 2), (Duration::from_secs(20), 1)];
        log.record_distribution(&backend("a"), 200, Method::Get, spread);
        let samples = log.scrape(at(0));
        let bucket = |le: &str| {
            let name = "ringfence_gateway_request_duration_seconds_bucket";
            let found =
                samples.iter().find(|s| s.labels.metric_name() == name && s.labels.get("le") == le);
            found.map(|s| s.value)
        };
        assert_eq!(bucket("0.0025"), Some(0.0));
        assert_eq!(bucket("0.005"), Some(2.0));
        assert_eq!(bucket("10"), Some(2.0));
        assert_eq!(bucket("+Inf"), Some(3.0));
    }

    #[test]
    fn a_window_counts_only_what_is_recent() {
        let log = AccessLog::new();
        log.record(&backend("a"), outcome(200, 3), 100);
        log.remember(at(0));
        log.record(&backend("a"), outcome(500, 3), 5);
        log.record(&backend("a"), outcome(200, 3), 15);
        let window = log.window(at(10), SignedDuration::from_secs(10));
        let tally = &window.tallies[&backend("a")];
        assert_eq!((tally.requests(), tally.server_errors()), (20, 5));
        assert_eq!(window.span, SignedDuration::from_secs(10));
    }

    #[test]
    fn backends_beyond_the_limit_share_one_name() {
        let log = AccessLog::new();
        let held: Vec<_> =
            (0..MAX_BACKENDS + 2).map(|n| log.recorder(&backend(&n.to_string()))).collect();
        for recorder in &held {
            recorder.record(outcome(200, 1), 1);
        }
        let tally = &log.snapshot(at(0)).tallies[&overflow()];
        assert_eq!(tally.requests(), 2);
    }

    #[test]
    fn backends_that_nobody_holds_give_way_at_the_limit() {
        let log = AccessLog::new();
        let held = log.recorder(&backend("held"));
        held.record(outcome(200, 1), 1);
        for n in 0..MAX_BACKENDS + 5 {
            log.record(&backend(&n.to_string()), outcome(200, 1), 1);
        }
        let tallies = log.snapshot(at(0)).tallies;
        assert!(tallies.contains_key(&backend("held")) && !tallies.contains_key(&overflow()));
    }
}
