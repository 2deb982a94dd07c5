//! The stage of a rehearsal: API server, world, modelled traffic, numbers and controller on virtual time.

use crate::timeline::Timeline;
use api::argo::Rollout;
use apiserver::{Server, ServerConfig};
use clock::Clock;
use controller::{Controller, ControllerConfig, ControllerHandle, HttpCaller};
use embedded::Numbers;
use futures::{StreamExt, future::BoxFuture};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, watcher},
};
use metrics::access::AccessLog;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinSet;
use vocab::{Call, Reply, ReplyError};
use world::{
    Recording, ServePods, World, WorldConfig, WorldHandle,
    traffic::{TrafficConfig, TrafficHandle, TrafficModel},
};

/// The namespace rehearsals play in.
pub(crate) const NAMESPACE: &str = "default";
/// When every rehearsal begins, so that two runs print the same.
const EPOCH: &str = "2026-01-05T09:00:00Z";
/// How often a rehearsed Prometheus scrapes.
const SCRAPE_EVERY: Duration = Duration::from_secs(15);

/// Why the stage could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpFailed {
    /// The cluster did not start.
    #[error(transparent)]
    Embedded(#[from] embedded::StartError),
    /// The API server could not be made.
    #[error("the API server did not start")]
    Server(#[from] apiserver::ServerError),
    /// The world did not start.
    #[error("the world did not start")]
    World(#[from] world::StartError),
    /// The controller did not start.
    #[error("the controller did not start")]
    Controller(#[from] controller::StartFailed),
}

/// Everything that plays along.
pub(crate) struct Stage {
    pub(crate) clock: Clock,
    pub(crate) client: Client,
    pub(crate) numbers: Numbers,
    pub(crate) traffic: TrafficHandle,
    pub(crate) timeline: Timeline,
    pub(crate) taken_back: TakenBack,
    controller: Option<ControllerHandle>,
    lives: u32,
    _server: Arc<Server>,
    _world: WorldHandle,
    _tasks: JoinSet<()>,
}

/// Pod template hashes of versions that were taken back; copies share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct TakenBack(Arc<Mutex<BTreeSet<String>>>);

impl TakenBack {
    pub(crate) fn hashes(&self) -> BTreeSet<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn observe(&self, rollout: &Rollout) {
        let Some(status) = rollout.status.as_ref().filter(|status| status.abort) else { return };
        if let Some(hash) =
            status.current_pod_hash.clone().filter(|hash| status.stable_rs.as_ref() != Some(hash))
        {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(hash);
        }
    }
}

impl Stage {
    pub(crate) async fn set_up(seed: u64) -> Result<Self, SetUpFailed> {
        let clock = Clock::starting_at(EPOCH.parse().unwrap_or(Timestamp::UNIX_EPOCH));
        let server = Server::new(ServerConfig::new(clock, seed))?;
        let client = server.client();
        embedded::install(&client).await?;
        let config = WorldConfig {
            serve_pods: ServePods::None,
            recording: Recording::Nothing,
            ..WorldConfig::default()
        };
        let world = World::start(client.clone(), clock, config).await?;
        let access = Arc::new(AccessLog::new());
        let numbers = Numbers::new(access.clone(), clock);
        let traffic = TrafficModel::start(client.clone(), clock, access, TrafficConfig::default());
        let timeline = Timeline::starting_at(clock.now());
        let taken_back = TakenBack::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(scrape(numbers.clone(), traffic.clone()));
        tasks.spawn(record(client.clone(), timeline.clone()));
        tasks.spawn(look_for_aborts(client.clone(), taken_back.clone()));
        let mut stage = Self {
            clock,
            client,
            numbers,
            traffic,
            timeline,
            taken_back,
            controller: None,
            lives: 0,
            _server: server,
            _world: world,
            _tasks: tasks,
        };
        stage.start_controller().await?;
        Ok(stage)
    }

    /// Starts a controller if none runs.
    pub(crate) async fn start_controller(&mut self) -> Result<(), SetUpFailed> {
        if self.controller.is_some() {
            return Ok(());
        }
        self.lives += 1;
        let config = ControllerConfig {
            identity: format!("rehearsal-{}", self.lives),
            ..ControllerConfig::alone()
        };
        let http = self.numbers.caller(Arc::new(NoNetwork));
        self.controller =
            Some(Controller::start(self.client.clone(), self.clock, http, config).await?);
        Ok(())
    }

    /// Ends the controller at once, as a lost machine would.
    pub(crate) fn kill_controller(&mut self) {
        if let Some(controller) = self.controller.take() {
            controller.abort();
        }
    }
}

async fn scrape(numbers: Numbers, traffic: TrafficHandle) {
    loop {
        traffic.settle();
        numbers.scrape();
        tokio::time::sleep(SCRAPE_EVERY).await;
    }
}

async fn record(client: Client, timeline: Timeline) {
    let api: Api<Event> = Api::all(client);
    let mut events =
        Box::pin(watcher(api, watcher::Config::default()).default_backoff().applied_objects());
    while let Some(event) = events.next().await {
        if let Ok(event) = event {
            timeline.observe(&event);
        }
    }
}

async fn look_for_aborts(client: Client, taken_back: TakenBack) {
    let api: Api<Rollout> = Api::all(client);
    let mut rollouts =
        Box::pin(watcher(api, watcher::Config::default()).default_backoff().applied_objects());
    while let Some(rollout) = rollouts.next().await {
        if let Ok(rollout) = rollout {
            taken_back.observe(&rollout);
        }
    }
}

/// A rehearsal reaches nothing outside of itself.
struct NoNetwork;

impl HttpCaller for NoNetwork {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, ReplyError>> {
        let cause = "a rehearsal has no network; only Prometheus queries are answered".to_owned();
        Box::pin(async move { Err(ReplyError::Unreachable { url: call.url, cause }) })
    }
}
