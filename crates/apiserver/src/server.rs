//! The server: made from a [`ServerConfig`], used in process or over sockets.

use crate::auth::Auth;
use crate::background;
use crate::client;
use crate::hub::{Hub, Witness};
use crate::journal::{Journal, JournalError};
use crate::kubeconfig::Kubeconfig;
use crate::logs::LogSource;
use crate::router::{self, Context};
use crate::serve::{self, ServeHandle};
use crate::tls::Tls;
use axum::Router;
use clock::Clock;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use store::Store;
use tokio::net::TcpListener;

/// What a server is made of.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where the time of every object comes from.
    pub clock: Clock,
    /// Decides uids and generated names.
    pub seed: u64,
    /// The bearer token that clients must send; `None` lets everybody in.
    pub token: Option<String>,
    /// The directory of the journal; `None` keeps everything in memory.
    pub data: Option<PathBuf>,
}

impl ServerConfig {
    /// A server in memory that lets everybody in.
    pub fn new(clock: Clock, seed: u64) -> Self {
        Self { clock, seed, token: None, data: None }
    }
}

/// Why a server could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The journal could not be read or written.
    #[error("journal in the data directory was not usable")]
    Journal(#[from] JournalError),
}

/// A Kubernetes API server. It lives as long as it, a client of it or a listener of it is held.
pub struct Server {
    context: Context,
    token: Option<String>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// What a server held at one moment; a server that begins with it costs next to nothing.
#[derive(Clone, Debug)]
pub struct Snapshot(Store);

impl Server {
    /// Makes a server and starts its background work. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the data directory cannot be used.
    pub fn new(config: ServerConfig) -> Result<Arc<Self>, ServerError> {
        let now = config.clock.now();
        let (store, journal) = match &config.data {
            None => (Store::new(config.seed, now), None),
            Some(directory) => {
                let (store, journal) = Journal::open(directory, config.seed, now)?;
                (store, Some(journal))
            }
        };
        Ok(Self::around(store, journal, (config.clock, config.token)))
    }

    /// What the server holds now, to begin other servers with.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.context.hub.read().clone())
    }

    /// Makes a server in memory that goes on from a snapshot, with the snapshot's seed. Must be called
    /// within a tokio runtime.
    pub fn resume(snapshot: &Snapshot, clock: Clock) -> Arc<Self> {
        Self::around(snapshot.0.clone(), None, (clock, None))
    }

    fn around(
        store: Store,
        journal: Option<Journal>,
        (clock, token): (Clock, Option<String>),
    ) -> Arc<Self> {
        let hub = Arc::new(Hub::new(store, journal, clock));
        background::start(&hub);
        let auth = token.clone().map_or(Auth::Open, Auth::Token);
        let context = Context { hub, logs: Arc::default(), auth: Arc::new(auth) };
        Arc::new(Self { context, token })
    }

    /// Every path of the server, behind its token if it has one.
    pub fn router(&self) -> Router {
        router::router(self.context.clone())
    }

    /// A client in the same process; it needs no token and no socket.
    pub fn client(&self) -> kube::Client {
        let context = Context { auth: Arc::new(Auth::Open), ..self.context.clone() };
        client::in_process(router::router(context))
    }

    /// Serves on a listener until the handle is shut down or dropped.
    ///
    /// # Errors
    ///
    /// When the listener's address cannot be read.
    pub fn serve(&self, listener: TcpListener, tls: Option<&Tls>) -> std::io::Result<ServeHandle> {
        self.serve_router(self.router(), listener, tls)
    }

    /// Serves another router, usually this server's own with routes added, in the same way.
    ///
    /// # Errors
    ///
    /// When the listener's address cannot be read.
    pub fn serve_router(
        &self,
        router: Router,
        listener: TcpListener,
        tls: Option<&Tls>,
    ) -> std::io::Result<ServeHandle> {
        serve::start(router, listener, tls, self.context.hub.shutdown.child_token())
    }

    /// The kubeconfig of a client that reaches the server at `addr`.
    pub fn kubeconfig(&self, addr: SocketAddr, tls: Option<&Tls>) -> String {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let config = Kubeconfig {
            server: &format!("{scheme}://{addr}"),
            authority: tls.map(|tls| tls.authority.as_str()),
            token: self.token.as_deref(),
        };
        config.render()
    }

    /// Registers where the logs of pods come from.
    pub fn set_pod_logs(&self, source: LogSource) {
        self.context.logs.set(source);
    }

    /// Tells a witness of every change from now on, as it happens, in the order of resource versions and
    /// within the request that causes it. There can be one; it must not call the server.
    pub fn set_witness(&self, witness: Witness) {
        self.context.hub.set_witness(witness);
    }

    /// Ends every watch and all background work; requests are still answered.
    pub fn shutdown(&self) {
        self.context.hub.shutdown.cancel();
    }
}
