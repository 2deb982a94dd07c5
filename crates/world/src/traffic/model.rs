//! Counting modelled requests from one change to the next, without a clock.

use super::{
    fault::{Fault, Struck},
    route::Senders,
    scene::{Backend, Front, Server},
    share::Shares,
    totals::Totals,
};
use crate::{app::Pace, spans};
use jiff::Timestamp;
use metrics::{
    access::{AccessLog, Backend as Counted, Method, Outcome},
    series::SeriesStore,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// What a request meets that no pod answers.
const UNSERVED: u16 = 503;
/// How latencies spread around the usual one: share in percent at or above the factor.
const SPREAD: [(f64, u32); 3] = [(1.0, 5), (10.0, 2), (50.0, 1)];

/// What users do and what they have met so far.
pub(super) struct Model {
    pub(super) habits: Habits,
    pub(super) faults: Vec<Fault>,
    pub(super) fronts: Vec<Front>,
    pub(super) totals: Totals,
    sinks: Sinks,
    /// Up to when everything is counted.
    counted: Timestamp,
    next_scrape: Timestamp,
    owed: BTreeMap<String, f64>,
    split: BTreeMap<String, Shares>,
    seen: BTreeMap<String, u64>,
    /// Since when users come to fronts: once there was an endpoint.
    open: BTreeMap<String, Timestamp>,
}

/// How users and applications behave, as [`TrafficConfig`](super::TrafficConfig) says.
pub(super) struct Habits {
    pub(super) rate: f64,
    pub(super) base_latency: Duration,
    pub(super) arrival: Duration,
    pub(super) senders: Vec<Senders>,
}

/// Who waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Users,
    Nobody,
}

/// Where counts go.
pub(super) struct Sinks {
    pub(super) access: Arc<AccessLog>,
    pub(super) series: Option<Arc<Mutex<SeriesStore>>>,
    pub(super) interval: Duration,
    /// Scrapes older than this are not made up for.
    pub(super) retention: Duration,
}

impl Model {
    /// A model that starts to count at `now`.
    pub(super) fn new(habits: Habits, sinks: Sinks, now: Timestamp) -> Self {
        Self {
            habits,
            next_scrape: spans::after(now, sinks.interval),
            sinks,
            counted: now,
            faults: Vec::new(),
            fronts: Vec::new(),
            totals: Totals::default(),
            owed: BTreeMap::new(),
            split: BTreeMap::new(),
            seen: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    /// Scrapes no more.
    pub(super) fn end_scrapes(&mut self) {
        self.sinks.series = None;
    }

    /// Counts everything up to `now`, with a scrape at each interval on the way if anybody keeps them.
    pub(super) fn advance(&mut self, now: Timestamp) {
        if self.sinks.series.is_some() {
            self.scrape_until(now);
        }
        self.count_to(now);
    }

    fn scrape_until(&mut self, now: Timestamp) {
        let oldest = now.checked_sub(self.sinks.retention).unwrap_or(Timestamp::MIN);
        if self.next_scrape < oldest {
            let missed = spans::between(self.next_scrape, oldest).as_nanos()
                / self.sinks.interval.as_nanos().max(1);
            let skip =
                self.sinks.interval.saturating_mul(u32::try_from(missed).unwrap_or(u32::MAX));
            self.next_scrape = spans::after(self.next_scrape, skip);
        }
        while self.next_scrape <= now {
            self.count_to(self.next_scrape);
            self.scrape(self.next_scrape);
            self.next_scrape = spans::after(self.next_scrape, self.sinks.interval);
        }
    }

    fn scrape(&self, at: Timestamp) {
        let Some(series) = &self.sinks.series else { return };
        let samples = self.sinks.access.scrape(at);
        let refused = series.lock().unwrap_or_else(PoisonError::into_inner).ingest(at, samples);
        if let Some(first) = refused.first() {
            tracing::warn!(%first, count = refused.len(), "samples were refused");
        }
    }

    fn count_to(&mut self, now: Timestamp) {
        let since = self.counted;
        if since >= now {
            return;
        }
        self.counted = now;
        let fronts = std::mem::take(&mut self.fronts);
        for front in &fronts {
            let Some(open) = self.opens(front, since) else { continue };
            let since = since.max(open);
            let span = spans::between(since, now);
            let count = self.due(&front.name, self.habits.rate * span.as_secs_f64());
            self.count_front(front, since, count);
            for Senders { header, rate } in self.habits.senders.clone() {
                let key = format!("{}|{}={}", front.name, header.0, header.1);
                let count = self.due(&key, rate * span.as_secs_f64());
                self.count_front(front.way_of(&header), since, count);
            }
        }
        self.fronts = fronts;
    }

    /// When users come to a front, if it has ever led anywhere.
    fn opens(&mut self, front: &Front, now: Timestamp) -> Option<Timestamp> {
        let serves = |backend: &Backend| backend.weight > 0.0 && !backend.pods.is_empty();
        if front.backends.iter().any(serves) && !self.open.contains_key(&front.name) {
            self.open.insert(front.name.clone(), spans::after(now, self.habits.arrival));
        }
        self.open.get(&front.name).copied()
    }

    /// The whole requests of so many; the fraction is kept for the next ones.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates are finite and not negative"
    )]
    fn due(&mut self, key: &str, requests: f64) -> u64 {
        let owed = self.owed.entry(key.to_owned()).or_default();
        *owed += requests;
        let whole = (*owed + 1e-9).floor().max(0.0);
        *owed -= whole;
        whole as u64
    }

    fn count_front(&mut self, front: &Front, since: Timestamp, count: u64) {
        let parts: Vec<_> = front
            .backends
            .iter()
            .map(|backend| (backend.service.clone(), backend.weight))
            .collect();
        let given = self.split.entry(front.name.clone()).or_default().divide(count, &parts);
        let left = count - given.iter().sum::<u64>();
        if left > 0 {
            self.count_unserved(front, &Backend::default(), since, left);
        }
        for (backend, count) in front.backends.iter().zip(given) {
            match count {
                0 => {}
                _ if backend.pods.is_empty() => self.count_unserved(front, backend, since, count),
                _ => self.count_backend((front, backend), count, Whose::Users),
            }
        }
        for backend in &front.copies {
            self.count_copies(front, backend, count);
        }
    }

    /// Copies are counted where requests are scraped, and are nothing that users met.
    fn count_copies(&mut self, front: &Front, backend: &Backend, requests: u64) {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let share = requests as f64 * backend.weight;
        let count = self.due(&format!("{}|copies|{}", front.name, backend.service), share);
        self.totals.mirrored += count;
        if backend.pods.is_empty() {
            self.record_unserved(front, backend, count);
        } else {
            self.count_backend((front, backend), count, Whose::Nobody);
        }
    }

    fn count_backend(&mut self, (front, backend): (&Front, &Backend), count: u64, whose: Whose) {
        let parts: Vec<_> = backend.pods.iter().map(|pod| (pod.uid.clone(), 1.0)).collect();
        let key = format!("{}|{}/{}", front.name, backend.namespace, backend.service);
        let given = self.split.entry(key).or_default().divide(count, &parts);
        for (pod, count) in backend.pods.iter().zip(given) {
            let failed = self.count_pod((front, backend), pod, count);
            if whose == Whose::Users {
                self.totals.met(backend, pod, count, failed);
            }
        }
    }

    fn count_unserved(&mut self, front: &Front, backend: &Backend, since: Timestamp, count: u64) {
        self.totals.unserved(backend, since, count);
        self.record_unserved(front, backend, count);
    }

    fn record_unserved(&self, front: &Front, backend: &Backend, count: u64) {
        let outcome = Outcome { code: UNSERVED, method: Method::Get, latency: Duration::ZERO };
        self.sinks.access.record(&counted(front, backend, None), outcome, count);
    }

    /// Counts what a pod answers and tells how much of it failed.
    fn count_pod(&mut self, (front, backend): (&Front, &Backend), pod: &Server, count: u64) -> u64 {
        let start = self.seen.get(&pod.uid).copied().unwrap_or(0);
        self.seen.insert(pod.uid.clone(), start + count);
        let (errors, latency) = self.effects(pod);
        let seed = pod
            .uid
            .bytes()
            .fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let failed = Pace::new(errors, seed).among(start, count);
        let name = counted(front, backend, Some(pod));
        let good = count - failed;
        self.sinks.access.record_distribution(
            &name,
            200,
            Method::Get,
            self.latencies(latency, start, good),
        );
        self.sinks.access.record_distribution(
            &name,
            500,
            Method::Get,
            self.latencies(latency, start, failed),
        );
        failed
    }

    /// The error rate in percent and the added latency that users of a pod meet.
    fn effects(&self, pod: &Server) -> (f64, Duration) {
        let behaviour = pod.behaviour.clone().unwrap_or_default();
        let (mut errors, mut latency) = (behaviour.error_rate, behaviour.latency);
        let struck = Struck { image: &pod.image, hash: &pod.hash, role: pod.role };
        for fault in self.faults.iter().filter(|fault| fault.strikes(&struck)) {
            errors = fault.errors.map_or(errors, |share| share * 100.0);
            latency += fault.latency.unwrap_or_default();
        }
        (errors, latency)
    }

    fn latencies(&self, added: Duration, start: u64, count: u64) -> Vec<(Duration, u64)> {
        let mut left = count;
        let mut above = 0;
        let mut spread = Vec::with_capacity(SPREAD.len() + 1);
        for (percent, factor) in SPREAD {
            let here = Pace::new(percent, 0).among(start, count).saturating_sub(above).min(left);
            above += here;
            left -= here;
            spread.push((self.habits.base_latency * factor + added, here));
        }
        spread.push((self.habits.base_latency / 2 + added, left));
        spread.retain(|(_, count)| *count > 0);
        spread
    }
}

fn counted(front: &Front, backend: &Backend, pod: Option<&Server>) -> Counted {
    Counted {
        namespace: backend.namespace.clone(),
        route: front.route.clone(),
        service: backend.service.clone(),
        pod_template_hash: pod.map(|pod| pod.hash.clone()).unwrap_or_default(),
        workload: pod.map(|pod| pod.workload.clone()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::second;
    use crate::{
        app::Behaviour,
        traffic::{Target, Unserved},
    };

    fn model() -> Model {
        arriving_after(Duration::ZERO)
    }

    fn arriving_after(arrival: Duration) -> Model {
        let sinks = Sinks {
            access: Arc::new(AccessLog::new()),
            series: Some(Arc::new(Mutex::new(SeriesStore::default()))),
            interval: Duration::from_secs(15),
            retention: Duration::from_hours(1),
        };
        let base_latency = Duration::from_millis(5);
        let habits = Habits { rate: 50.0, base_latency, arrival, senders: Vec::new() };
        Model::new(habits, sinks, second(0))
    }

    fn backend(service: &str, weight: f64, image: &str) -> Backend {
        let server = Server {
            uid: format!("uid-{service}"),
            image: image.to_owned(),
            hash: service.to_owned(),
            behaviour: Behaviour::of(image, &BTreeMap::new()),
            ..Server::default()
        };
        Backend { namespace: "default".into(), service: service.into(), weight, pods: vec![server] }
    }

    fn front(backends: Vec<Backend>) -> Vec<Front> {
        let (name, route) = ("web".to_owned(), "web".to_owned());
        vec![Front { name, route, backends, ..Front::default() }]
    }

    fn requests(model: &Model, hash: &str) -> (u64, u64) {
        model.totals.by_version.get(hash).map(|met| (met.requests, met.failed)).unwrap_or_default()
    }

    #[test]
    fn counts_are_exact_for_the_weights_in_force() {
        let mut model = model();
        let blue = "argoproj/rollouts-demo:blue";
        let bad = "argoproj/rollouts-demo:bad-yellow";
        model.fronts = front(vec![backend("stable", 80.0, blue), backend("canary", 20.0, bad)]);
        model.advance(second(100));
        model.fronts = front(vec![backend("stable", 100.0, blue), backend("canary", 0.0, bad)]);
        model.advance(second(200));
        assert_eq!(requests(&model, "stable"), (9000, 0));
        assert_eq!(requests(&model, "canary"), (1000, 150));
        assert_eq!(model.totals.unserved, 0);
    }

    #[test]
    fn copies_are_scraped_and_are_nothing_that_users_met() {
        let mut model = model();
        model.fronts = front(vec![backend("stable", 1.0, "nginx:1")]);
        model.fronts[0].copies = vec![backend("canary", 0.25, "argoproj/rollouts-demo:bad-red")];
        model.advance(second(8));
        assert_eq!((requests(&model, "stable"), requests(&model, "canary")), ((400, 0), (0, 0)));
        assert_eq!((model.totals.mirrored, model.totals.requests), (100, 400));
        let tallies = model.sinks.access.snapshot(second(8)).tallies;
        let of_canary = tallies.iter().filter(|(backend, _)| backend.service == "canary");
        assert_eq!(of_canary.map(|(_, tally)| tally.requests()).sum::<u64>(), 100);
    }

    #[test]
    fn faults_strike_those_they_name() {
        let mut model = model();
        model.fronts = front(vec![backend("a", 1.0, "nginx:1"), backend("b", 1.0, "nginx:2")]);
        model.faults = vec![Fault {
            target: Target::Image("nginx:2".into()),
            errors: Some(0.05),
            latency: None,
        }];
        model.advance(second(80));
        assert_eq!(requests(&model, "a"), (2000, 0));
        assert_eq!(requests(&model, "b"), (2000, 100));
    }

    #[test]
    fn users_who_find_nobody_are_counted_only_once_somebody_was_there() {
        let mut model = model();
        let empty = || Backend { pods: Vec::new(), ..backend("a", 1.0, "nginx") };
        model.fronts = front(vec![empty()]);
        model.advance(second(10));
        assert_eq!(model.totals, Totals::default());
        model.fronts = front(vec![backend("a", 1.0, "nginx")]);
        model.advance(second(20));
        model.fronts = front(vec![empty()]);
        model.advance(second(21));
        assert_eq!((model.totals.requests, model.totals.unserved), (550, 50));
        let first = Unserved { since: second(20), service: "a".into() };
        assert_eq!(model.totals.first_unserved, Some(first));
    }

    #[test]
    fn users_may_come_a_while_after_the_first_endpoint() {
        let mut model = arriving_after(Duration::from_secs(2));
        let empty = Backend { pods: Vec::new(), ..backend("b", 1.0, "nginx") };
        model.fronts = front(vec![backend("a", 1.0, "nginx"), empty]);
        model.advance(second(1));
        model.fronts = front(vec![backend("a", 1.0, "nginx"), backend("b", 1.0, "nginx")]);
        model.advance(second(10));
        assert_eq!((model.totals.requests, model.totals.unserved), (400, 0));
    }

    #[test]
    fn a_quiet_day_is_scraped_only_as_far_back_as_is_kept() {
        let mut model = model();
        model.fronts = front(vec![backend("a", 1.0, "nginx")]);
        model.advance(second(86_400));
        assert_eq!(model.totals.requests, 50 * 86_400);
        assert!(model.next_scrape > second(86_400) && model.next_scrape <= second(86_415));
    }
}
