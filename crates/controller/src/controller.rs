//! Putting a controller together and taking it down.

use crate::{
    authority::Authority,
    cache::{
        Cache, Kind,
        watch::{Scope, Watches},
    },
    calls::Callers,
    cluster_reader::ClusterReader,
    config::ControllerConfig,
    endpoints::{Serving, serve_health, serve_metrics},
    engine::{Engine, Senses},
    events::{Teller, recording},
    http_caller::HttpCaller,
    job::Worker,
    lease::{LeaderElection, LeaseConfig, LeaseKeeper, release},
    metrics::Metrics,
    pace::Throttle,
    writer::Writer,
};
use clock::Clock;
use futures::future::join;
use kube::Client;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch as signal},
    task::JoinHandle,
};

/// How much news may wait for the loop before watches are held back.
const NEWS_MAX: usize = 1024;
/// How many questions about health may wait.
const PINGS_MAX: usize = 16;
/// How long running work may take to end when the controller is shut down.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(20);

/// The way in: see [`Controller::start`].
#[derive(Debug)]
pub struct Controller;

/// A controller could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartFailed {
    /// An address to listen on could not be had.
    #[error("cannot listen on {address} for {purpose}")]
    ListenFailed {
        /// The address asked for.
        address: SocketAddr,
        /// `metrics` or `health`.
        purpose: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A controller that runs. Dropping the handle stops it as [`ControllerHandle::abort`] does.
#[derive(Debug)]
pub struct ControllerHandle {
    client: HandleClient,
    authority: Authority,
    config: ControllerConfig,
    metrics: Arc<Metrics>,
    stop: Option<oneshot::Sender<()>>,
    engine: Option<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
    metrics_addr: Option<SocketAddr>,
    health_addr: Option<SocketAddr>,
}

/// The client has no `Debug` of its own.
struct HandleClient(Client);

impl std::fmt::Debug for HandleClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Controller {
    /// Starts a controller on `client`; metric providers are asked through `http`.
    ///
    /// # Errors
    /// [`StartFailed`] when an address to listen on cannot be had.
    pub async fn start(
        client: Client,
        clock: Clock,
        http: Arc<dyn HttpCaller>,
        config: ControllerConfig,
    ) -> Result<ControllerHandle, StartFailed> {
        let metrics = Arc::clone(config.meter.metrics());
        let (ping, pings) = mpsc::channel(PINGS_MAX);
        let metrics_server = match config.metrics_listen {
            Some(at) => {
                Some(listening(at, "metrics", serve_metrics(at, Arc::clone(&metrics)).await)?)
            }
            None => None,
        };
        let health_server = match config.health_listen {
            Some(at) => Some(listening(at, "health", serve_health(at, ping).await)?),
            None => None,
        };
        let authority = Authority::none(clock);
        let (worker, teller) = worker(&client, clock, (&authority, &metrics), &config);
        let (leads_told, leads) = signal::channel(false);
        let (news_told, news) = mpsc::channel(NEWS_MAX);
        let (stop, stopped) = oneshot::channel();
        let watches = watches(&client, &config, news_told, &metrics);
        let cache = Cache::without(config.left_out());
        let mut others: Vec<_> =
            cache.always().map(|kind| tokio::spawn(watches.watch(kind))).collect();
        others.extend(lead(&client, clock, (&authority, leads_told), &config));
        let servers = [metrics_server.as_ref(), health_server.as_ref()].map(address);
        others.extend(
            [metrics_server, health_server].into_iter().flatten().map(|server| server.task),
        );
        let cluster: Arc<dyn HttpCaller> = Arc::new(ClusterReader::new(client.clone()));
        let callers = Callers { network: http, cluster };
        let engine = Engine::new(authority.clone(), worker, callers, (&config, cache, watches));
        let senses = Senses { news, pings, leads, stop: stopped };
        Ok(ControllerHandle {
            client: HandleClient(client),
            authority,
            config,
            metrics,
            stop: Some(stop),
            // Once the engine has ended nobody is left to note events, and what was noted is still told.
            engine: Some(tokio::spawn(async {
                join(engine.run(senses), teller.run()).await;
            })),
            others,
            metrics_addr: servers[0],
            health_addr: servers[1],
        })
    }
}

impl ControllerHandle {
    /// Whether this process leads now; a controller without leader election always does.
    pub fn is_leader(&self) -> bool {
        self.authority.is_leader()
    }

    /// Where `/metrics` is served.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// Where `/healthz` and `/readyz` are served.
    pub fn health_addr(&self) -> Option<SocketAddr> {
        self.health_addr
    }

    /// What `/metrics` would answer now.
    pub fn metrics_text(&self) -> String {
        self.metrics.render()
    }

    /// Lets running work end, stops everything and lets go of the lease.
    pub async fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(mut engine) = self.engine.take()
            && tokio::time::timeout(SHUTDOWN_PATIENCE, &mut engine).await.is_err()
        {
            tracing::warn!("running work did not end in time and was cut off");
            engine.abort();
        }
        self.halt();
        if let LeaderElection::Lease(lease) = &self.config.leader_election {
            let name = self.config.lease_name();
            release(self.client.0.clone(), lease, &name, &self.config.identity).await;
        }
    }

    /// Stops everything at once, as a lost machine would: nothing more is written, no lease released.
    pub fn abort(mut self) {
        self.halt();
    }

    fn halt(&mut self) {
        self.authority.stop();
        for task in self.engine.take().iter().chain(&self.others) {
            task.abort();
        }
    }
}

impl Drop for ControllerHandle {
    fn drop(&mut self) {
        self.halt();
    }
}

fn listening(
    address: SocketAddr,
    purpose: &'static str,
    outcome: std::io::Result<Serving>,
) -> Result<Serving, StartFailed> {
    outcome.map_err(|source| StartFailed::ListenFailed { address, purpose, source })
}

fn address(server: Option<&Serving>) -> Option<SocketAddr> {
    server.map(|server| server.address)
}

fn worker(
    client: &Client,
    clock: Clock,
    (authority, metrics): (&Authority, &Arc<Metrics>),
    config: &ControllerConfig,
) -> (Worker, Teller) {
    let throttle = Throttle::new(clock, config.pace);
    let writer = Writer::new(client.clone(), authority.clone(), throttle);
    let (recorder, teller) =
        recording(writer.clone(), authority.clone(), clock, Arc::clone(metrics), config.events);
    let instance_id = config.instance_id.clone();
    let (metrics, planner) = (Arc::clone(metrics), Arc::clone(&config.planner));
    let (surroundings, quarrels) = (Arc::new(config.surroundings.clone()), Arc::default());
    let worker = Worker {
        writer,
        recorder,
        clock,
        metrics,
        instance_id,
        generation_form: config.generation_form,
        planner,
        surroundings,
        quarrels,
    };
    (worker, teller)
}

fn watches(
    client: &Client,
    config: &ControllerConfig,
    sender: mpsc::Sender<(Kind, crate::cache::News)>,
    metrics: &Arc<Metrics>,
) -> Watches {
    let scope = |kind: Kind| {
        let scope = Scope { namespace: config.namespace.clone(), labels: selector(kind, config) };
        (kind, scope)
    };
    let scopes = Kind::ALL.into_iter().map(scope).collect();
    Watches { client: client.clone(), scopes, sender, metrics: Arc::clone(metrics) }
}

fn selector(kind: Kind, config: &ControllerConfig) -> Option<String> {
    if kind.is_of_instance() {
        return Some(config.instance_selector());
    }
    kind.label().map(str::to_owned)
}

fn lead(
    client: &Client,
    clock: Clock,
    (authority, told): (&Authority, signal::Sender<bool>),
    config: &ControllerConfig,
) -> Option<JoinHandle<()>> {
    let lease: LeaseConfig = match &config.leader_election {
        LeaderElection::Off => {
            authority.grant_forever();
            told.send_replace(true);
            return None;
        }
        LeaderElection::Lease(lease) => lease.clone(),
    };
    let names = (config.lease_name(), config.identity.clone());
    let told = (authority.clone(), told);
    let keeper = LeaseKeeper::new(client.clone(), clock, names, lease, told);
    Some(tokio::spawn(keeper.run()))
}
