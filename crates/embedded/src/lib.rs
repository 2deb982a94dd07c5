//! The embedded cluster, put together: API server, world, gateway, numbers and controller in one process.
//!
//! Start with [`Embedded::start`], which runs it in real time on real sockets. Rehearsals put the same
//! parts together on virtual time and without sockets, with modelled traffic in place of the gateway.
//!
//! **Invariant.** Nothing listens beyond loopback, and nothing outlives the handle.

mod manifest;
mod numbers;

pub use manifest::{ApplyError, apply, apply_object, read};
pub use numbers::{Availability, Numbers};

use api::crds;
use apiserver::{ServeHandle, Server, ServerConfig, Tls};
use clock::Clock;
use controller::{Controller, ControllerConfig, ControllerHandle, HttpCaller};
use gateway::{Gateway, GatewayConfig, GatewayHandle};
use kube::{Api, Client, api::PostParams};
use metrics::access::AccessLog;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};
use world::{World, WorldConfig, WorldHandle};

/// How often the counters are copied into the history that queries see.
const SCRAPE_EVERY: Duration = Duration::from_secs(1);

/// What may be chosen about an embedded cluster.
#[derive(Clone, Debug, Default)]
pub struct EmbeddedConfig {
    /// Port of the API server; 0 picks a free one.
    pub port: u16,
    /// Where objects are kept; memory when absent.
    pub data: Option<PathBuf>,
    /// Token that clients must present, if any.
    pub token: Option<String>,
    /// Plain HTTP or TLS.
    pub transport: Transport,
    /// Whether a controller runs.
    pub controller: WithController,
}

/// How the API server is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// HTTP.
    #[default]
    Plain,
    /// HTTPS with a certificate of our own.
    Tls,
}

/// Whether a controller runs beside the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithController {
    /// It does not.
    #[default]
    No,
    /// It does.
    Yes,
}

/// Why an embedded cluster did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken.
    #[error("port {port} of 127.0.0.1 cannot be listened on; choose another, or 0 for a free one")]
    PortTaken {
        /// The port.
        port: u16,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The API server could not be made.
    #[error("the API server did not start")]
    Server(#[from] apiserver::ServerError),
    /// No certificate could be made.
    #[error("no certificate could be made")]
    Certificate(#[from] apiserver::TlsError),
    /// The definitions could not be installed.
    #[error("the Argo Rollouts kinds could not be installed")]
    Definitions(#[source] kube::Error),
    /// The world did not start.
    #[error("the world did not start")]
    World(#[from] world::StartError),
    /// The gateway did not start.
    #[error("the gateway did not start")]
    Gateway(#[from] gateway::StartError),
    /// The controller did not start.
    #[error("the controller did not start")]
    Controller(#[from] controller::StartFailed),
}

/// A running embedded cluster; everything in it ends when it is dropped.
pub struct Embedded {
    /// The one clock of everything in it.
    pub clock: Clock,
    /// A client in the same process.
    pub client: Client,
    /// The numbers of the gateway.
    pub numbers: Numbers,
    /// Where the API server listens.
    pub api: SocketAddr,
    /// Where the gateway listens.
    pub gateway: SocketAddr,
    /// Where the Prometheus query API listens.
    pub prometheus: SocketAddr,
    /// A kubeconfig for the API server.
    pub kubeconfig: String,
    controller: Option<ControllerHandle>,
    _parts: (Arc<Server>, ServeHandle, WorldHandle, GatewayHandle, JoinSet<()>),
}

impl Embedded {
    /// Starts everything; what `http` can reach is outside of the cluster.
    ///
    /// # Errors
    /// [`StartError`] for the first part that does not start; those before it are stopped.
    pub async fn start(
        config: EmbeddedConfig,
        http: Arc<dyn HttpCaller>,
    ) -> Result<Self, StartError> {
        let clock = Clock::system();
        let listener = listen(config.port).await?;
        let server = server(&config, clock)?;
        let client = server.client();
        install(&client).await?;
        let world = World::start(client.clone(), clock, WorldConfig::default()).await?;
        server.set_pod_logs(world.pod_logs());
        let access = Arc::new(AccessLog::new());
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let gateway_config = GatewayConfig { access: access.clone(), ..GatewayConfig::new(at) };
        let gateway = Gateway::start(client.clone(), clock, gateway_config).await?;
        let numbers = Numbers::new(access, clock);
        let mut tasks = JoinSet::new();
        let prometheus = serve_numbers(&mut tasks, &numbers).await?;
        let controller = match config.controller {
            WithController::No => None,
            WithController::Yes => {
                Some(start_controller(&client, clock, numbers.caller(http)).await?)
            }
        };
        let tls = match config.transport {
            Transport::Plain => None,
            Transport::Tls => {
                Some(Tls::self_signed(&["127.0.0.1".to_owned(), "localhost".to_owned()])?)
            }
        };
        let port = config.port;
        let listening = server
            .serve(listener, tls.as_ref())
            .map_err(|source| StartError::PortTaken { port, source })?;
        let kubeconfig = server.kubeconfig(listening.addr(), tls.as_ref());
        Ok(Self {
            clock,
            client,
            numbers,
            api: listening.addr(),
            gateway: gateway.addr(),
            prometheus,
            kubeconfig,
            controller,
            _parts: (server, listening, world, gateway, tasks),
        })
    }

    /// Lets the controller finish what it is at and give back its lease.
    pub async fn shutdown(mut self) {
        if let Some(controller) = self.controller.take() {
            controller.shutdown().await;
        }
    }
}

/// Installs the Argo Rollouts kinds; those that are there already stay as they are.
///
/// # Errors
/// What the API server said.
pub async fn install(client: &Client) -> Result<(), StartError> {
    let api = Api::all(client.clone());
    for definition in crds() {
        match api.create(&PostParams::default(), &definition).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(StartError::Definitions(error)),
        }
    }
    Ok(())
}

async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|source| StartError::PortTaken { port, source })
}

fn server(config: &EmbeddedConfig, clock: Clock) -> Result<Arc<Server>, StartError> {
    let seed = u64::try_from(clock.now().as_nanosecond().rem_euclid(i128::from(u64::MAX)))
        .unwrap_or_default();
    let settings = ServerConfig {
        token: config.token.clone(),
        data: config.data.clone(),
        ..ServerConfig::new(clock, seed)
    };
    Ok(Server::new(settings)?)
}

async fn serve_numbers(
    tasks: &mut JoinSet<()>,
    numbers: &Numbers,
) -> Result<SocketAddr, StartError> {
    let listener = listen(0).await?;
    let address =
        listener.local_addr().map_err(|source| StartError::PortTaken { port: 0, source })?;
    let router = numbers.router();
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the Prometheus query API ended");
        }
    });
    let numbers = numbers.clone();
    tasks.spawn(async move {
        loop {
            numbers.scrape();
            tokio::time::sleep(SCRAPE_EVERY).await;
        }
    });
    Ok(address)
}

async fn start_controller(
    client: &Client,
    clock: Clock,
    http: Arc<dyn HttpCaller>,
) -> Result<ControllerHandle, StartError> {
    let config = ControllerConfig { workers: 4, ..ControllerConfig::alone() };
    Ok(Controller::start(client.clone(), clock, http, config).await?)
}
