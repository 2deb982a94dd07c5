//! The stage of a rehearsal: modelled traffic, numbers and controllers on some [`Ground`].

use crate::{
    conditions::{Conditions, Trace},
    ground::Ground,
    recorder::Recorder,
    resources::every_kind,
    seat::Seat,
    taken_back::TakenBack,
    timeline::Timeline,
};
use api::argo::Rollout;
use clock::Clock;
use controller::HttpCaller;
use embedded::Numbers;
use faults::Gate;
use futures::{StreamExt, future::BoxFuture};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api, Client, Resource,
    runtime::{WatchStreamExt, watcher},
};
use metrics::access::AccessLog;
use serde::de::DeserializeOwned;
use std::{fmt::Debug, sync::Arc};
use tokio::{sync::Notify, task::JoinSet};
use vocab::{Call, Reply, ReplyError};
use world::traffic::{TrafficConfig, TrafficHandle, TrafficModel};

/// The namespace rehearsals play in.
pub(crate) const NAMESPACE: &str = "default";

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
    pub(crate) recorder: Recorder,
    /// Told whenever something that can be expected may have changed.
    pub(crate) stirred: Arc<Notify>,
    seats: Vec<Arc<Seat>>,
    ground: Ground,
    tasks: JoinSet<()>,
}

impl Stage {
    pub(crate) async fn set_up(
        ground: Ground,
        seed: u64,
        conditions: &Conditions,
    ) -> Result<Self, SetUpFailed> {
        let (clock, client) = (ground.clock, ground.client.clone());
        let access = Arc::new(AccessLog::new());
        let numbers = Numbers::new(access.clone(), clock);
        let users = TrafficConfig {
            rate: 0.0,
            series: Some(numbers.series()),
            arrival: ground.arrival,
            ..TrafficConfig::default()
        };
        let routes = data_plane(&ground, conditions, seed);
        let traffic = TrafficModel::start(routes, clock, access, users);
        let mut stage = Self {
            clock,
            client,
            numbers,
            traffic,
            timeline: Timeline::starting_at(clock.now()),
            taken_back: TakenBack::default(),
            recorder: ground.recorder.clone(),
            stirred: Arc::default(),
            seats: Vec::new(),
            ground,
            tasks: JoinSet::new(),
        };
        stage.listen();
        stage.set_seats(conditions, seed);
        stage.start_controllers().await?;
        for companion in &conditions.companions {
            stage.tasks.spawn(companion(stage.client.clone(), clock));
        }
        Ok(stage)
    }

    /// Makes a place for each controller.
    fn set_seats(&mut self, conditions: &Conditions, seed: u64) {
        let numbers = self.numbers.caller(Arc::new(NoNetwork));
        let http: Arc<dyn HttpCaller> =
            Arc::new(UpToDate { traffic: self.traffic.clone(), numbers });
        let http = match &conditions.interpreter {
            Some(interpreter) => interpreter(http),
            None => http,
        };
        for (number, borne) in conditions.seats.iter().enumerate() {
            let gate = borne.gate(self.clock, seed);
            let cluster = (self.ground.router.clone(), self.clock);
            let seat = Seat::new(cluster, Arc::clone(&http), gate, (conditions, number));
            let seat = Arc::new(seat);
            self.tasks.spawn(Arc::clone(&seat).attend(conditions.absence));
            self.seats.push(seat);
        }
        if let Some(after) = conditions.heals_after {
            let seats = self.seats.clone();
            self.tasks.spawn(async move {
                tokio::time::sleep(after).await;
                for seat in &seats {
                    seat.heal();
                }
            });
        }
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
        let unheard = (!self.ground.tells_of_changes()).then(every_kind);
        for kind in unheard.into_iter().flatten() {
            tasks.spawn(self.recorder.clone().follow(client.clone(), kind));
        }
        tasks.spawn(self.recorder.clone().record(self.clock, self.stirred.clone()));
    }

    /// Starts a controller at each place where none runs.
    pub(crate) async fn start_controllers(&self) -> Result<(), SetUpFailed> {
        for seat in &self.seats {
            seat.start().await?;
        }
        Ok(())
    }

    /// Ends every controller at once, as lost machines would.
    pub(crate) fn kill_controllers(&self) {
        self.seats.iter().for_each(|seat| seat.kill());
    }

    /// What the controllers have asked for so far.
    pub(crate) fn trace(&self, script_ended: Timestamp) -> Trace {
        let passed = self.seats.iter().flat_map(|seat| seat.passed()).collect();
        Trace { passed, script_ended }
    }
}

/// What the data plane sees its routes through.
fn data_plane(ground: &Ground, conditions: &Conditions, seed: u64) -> Client {
    if conditions.data_plane.is_empty() {
        return ground.client.clone();
    }
    let gate = Gate::open(ground.clock, seed);
    conditions.data_plane.iter().for_each(|disorder| gate.disturb(disorder.clone()));
    gate.client(ground.router.clone(), "data-plane")
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
