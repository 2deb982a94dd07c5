//! The stage of a rehearsal: API server, world, modelled traffic, numbers and controller on virtual time.

use crate::{taken_back::TakenBack, timeline::Timeline};
use api::argo::{AnalysisRun, Rollout};
use apiserver::{Server, ServerConfig};
use clock::Clock;
use controller::{Controller, ControllerConfig, ControllerHandle, HttpCaller};
use embedded::Numbers;
use futures::{StreamExt, future::BoxFuture};
use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Event};
use kube::{
    Api, Client, Resource,
    runtime::{WatchStreamExt, watcher},
};
use metrics::access::AccessLog;
use serde::de::DeserializeOwned;
use std::{fmt::Debug, sync::Arc, time::Duration};
use tokio::{sync::Notify, task::JoinSet};
use vocab::{Call, Reply, ReplyError};
use world::{
    Recording, ServePods, World, WorldConfig, WorldHandle,
    traffic::{TrafficConfig, TrafficHandle, TrafficModel},
};

/// The namespace rehearsals play in.
pub(crate) const NAMESPACE: &str = "default";
/// When every rehearsal begins, so that two runs print the same.
const EPOCH: &str = "2026-01-05T09:00:00Z";
/// How long containers take to start, so that nothing looks instant that is not.
const START_DELAY: Duration = Duration::from_secs(3);

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
    /// Told whenever something that can be expected may have changed.
    pub(crate) stirred: Arc<Notify>,
    controller: Option<ControllerHandle>,
    lives: u32,
    _server: Arc<Server>,
    _world: WorldHandle,
    tasks: JoinSet<()>,
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
            start_delay: START_DELAY,
            ..WorldConfig::default()
        };
        let world = World::start(client.clone(), clock, config).await?;
        let access = Arc::new(AccessLog::new());
        let numbers = Numbers::new(access.clone(), clock);
        let users =
            TrafficConfig { rate: 0.0, series: Some(numbers.series()), ..TrafficConfig::default() };
        let traffic = TrafficModel::start(client.clone(), clock, access, users);
        let mut stage = Self {
            clock,
            client,
            numbers,
            traffic,
            timeline: Timeline::starting_at(clock.now()),
            taken_back: TakenBack::default(),
            stirred: Arc::default(),
            controller: None,
            lives: 0,
            _server: server,
            _world: world,
            tasks: JoinSet::new(),
        };
        stage.listen();
        stage.start_controller().await?;
        Ok(stage)
    }

    /// Begins to follow what happens.
    fn listen(&mut self) {
        let client = &self.client;
        let (timeline, taken_back) = (self.timeline.clone(), self.taken_back.clone());
        let tasks = &mut self.tasks;
        tasks.spawn(follow(client.clone(), self.stirred.clone(), move |event: Event| {
            timeline.observe(&event);
        }));
        tasks.spawn(follow(client.clone(), self.stirred.clone(), move |rollout: Rollout| {
            taken_back.observe(&rollout);
        }));
        tasks.spawn(follow(client.clone(), self.stirred.clone(), drop::<ReplicaSet>));
        tasks.spawn(follow(client.clone(), self.stirred.clone(), drop::<AnalysisRun>));
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
        let numbers = self.numbers.caller(Arc::new(NoNetwork));
        let http = Arc::new(UpToDate { traffic: self.traffic.clone(), numbers });
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

async fn follow<K>(client: Client, stirred: Arc<Notify>, mut tell: impl FnMut(K))
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + 'static,
{
    let mut objects = Box::pin(
        watcher(Api::<K>::all(client), watcher::Config::default())
            .default_backoff()
            .applied_objects(),
    );
    while let Some(object) = objects.next().await {
        if let Ok(object) = object {
            tell(object);
            stirred.notify_one();
        }
    }
}

/// Counts modelled requests up to now before a query looks at them.
struct UpToDate {
    traffic: TrafficHandle,
    numbers: Arc<dyn HttpCaller>,
}

impl HttpCaller for UpToDate {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, ReplyError>> {
        self.traffic.settle();
        self.numbers.call(call)
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
