//! Modelled users for virtual time: how many requests met which version, without sending one.
//!
//! Start with [`TrafficModel::start`]. Between two changes of routes, services, endpoints or pods the
//! split is constant, so counting is a multiplication. Nothing ticks: counts and scrapes are made up
//! for when something changes or somebody asks ([`TrafficHandle::settle`]).
//!
//! Users come in by every HTTPRoute and every Ingress, and by every Service that neither leads to and no Rollout keeps
//! for testing. Each of these ways gets [`TrafficConfig::rate`].

mod fault;
mod ingress;
mod model;
mod route;
mod scene;
mod share;
mod totals;

pub use fault::{Fault, Target};
pub use totals::{Met, Totals, Unserved};

use crate::{
    cluster::Cluster,
    feed::{self, News},
    kinds::FOR_TRAFFIC,
};
use clock::Clock;
use kube::Client;
use metrics::{access::AccessLog, series::SeriesStore};
use model::{Habits, Model, Sinks};
use route::Senders;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};

/// News that may wait to be heard.
const NEWS_WAITING: usize = 1024;

/// Settings of modelled traffic.
#[derive(Clone)]
pub struct TrafficConfig {
    /// Requests per second on each way in.
    pub rate: f64,
    /// Median time that an application takes which is not slow by itself.
    pub base_latency: Duration,
    /// Where scraped samples go; without it only the access log is fed.
    pub series: Option<Arc<Mutex<SeriesStore>>>,
    /// Time between two scrapes.
    pub scrape_interval: Duration,
    /// How far back scrapes are made up for after a quiet time.
    pub retention: Duration,
    /// How long a way in leads somewhere before its first users come: where a cluster takes time, not
    /// all of the endpoints behind it are there at once.
    pub arrival: Duration,
}

impl Default for TrafficConfig {
    fn default() -> Self {
        Self {
            rate: 50.0,
            base_latency: Duration::from_millis(5),
            series: None,
            scrape_interval: Duration::from_secs(15),
            retention: Duration::from_hours(1),
            arrival: Duration::ZERO,
        }
    }
}

/// Modelled users.
#[derive(Debug)]
pub struct TrafficModel;

/// Running traffic; copies steer the same one, and dropping the last ends it.
#[derive(Clone)]
pub struct TrafficHandle {
    clock: Clock,
    model: Arc<Mutex<Model>>,
    _feed: Arc<Feed>,
}

/// The task that hears of changes.
struct Feed(JoinHandle<()>);

impl Drop for Feed {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl TrafficModel {
    /// Starts to watch and to count.
    pub fn start(
        client: Client,
        clock: Clock,
        access: Arc<AccessLog>,
        config: TrafficConfig,
    ) -> TrafficHandle {
        let sinks = Sinks {
            access,
            series: config.series,
            interval: config.scrape_interval.max(Duration::from_millis(1)),
            retention: config.retention,
        };
        let habits = Habits {
            rate: checked(config.rate),
            base_latency: config.base_latency,
            arrival: config.arrival,
            senders: Vec::new(),
        };
        let model = Model::new(habits, sinks, clock.now());
        let model = Arc::new(Mutex::new(model));
        let task = tokio::spawn(follow(client, clock, model.clone()));
        TrafficHandle { clock, model, _feed: Arc::new(Feed(task)) }
    }
}

async fn follow(client: Client, clock: Clock, model: Arc<Mutex<Model>>) {
    let (sender, mut news) = mpsc::channel::<News>(NEWS_WAITING);
    let mut feeds = JoinSet::new();
    for kind in FOR_TRAFFIC {
        feeds.spawn(feed::follow(client.clone(), kind, sender.clone()));
    }
    drop(sender);
    let mut cluster = Cluster::default();
    while let Some(first) = news.recv().await {
        cluster.hear(first);
        while let Ok(next) = news.try_recv() {
            cluster.hear(next);
        }
        cluster.touched();
        let fronts = scene::read(&cluster);
        let mut model = lock(&model);
        model.advance(clock.now());
        model.fronts = fronts;
    }
}

impl TrafficHandle {
    /// Counts everything up to now, so that queries see it.
    pub fn settle(&self) {
        drop(self.settled());
    }

    /// Changes the requests per second of each way in.
    pub fn set_rate(&self, rate: f64) {
        self.settled().habits.rate = checked(rate);
    }

    /// Has users with a header come besides the others, so many a second on each way in.
    pub fn set_senders(&self, name: &str, value: &str, rate: f64) {
        let header = (name.to_owned(), value.to_owned());
        let mut model = self.settled();
        model.habits.senders.retain(|senders| senders.header != header);
        model.habits.senders.push(Senders { header, rate: checked(rate) });
    }

    /// Adds a fault; one for the same target is replaced.
    pub fn set_fault(&self, fault: Fault) {
        let mut model = self.settled();
        model.faults.retain(|old| old.target != fault.target);
        model.faults.push(fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.settled().faults.clear();
    }

    /// Keeps no numbers of what comes from now on, for nobody will ask for them.
    pub fn end_scrapes(&self) {
        lock(&self.model).end_scrapes();
    }

    /// What users have met so far.
    pub fn totals(&self) -> Totals {
        self.settled().totals.clone()
    }

    fn settled(&self) -> MutexGuard<'_, Model> {
        let mut model = lock(&self.model);
        model.advance(self.clock.now());
        model
    }
}

fn lock(model: &Mutex<Model>) -> MutexGuard<'_, Model> {
    model.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A rate that cannot be counted with is none.
fn checked(rate: f64) -> f64 {
    if rate.is_finite() { rate.max(0.0) } else { 0.0 }
}
