//! The listening side: connections of clients, and the life of the gateway.

use crate::config::{DRAIN_TIMEOUT, GatewayConfig, HEAD_TIMEOUT};
use crate::live::Memory;
use crate::objects::Objects;
use crate::proxy;
use crate::table::Table;
use crate::watch::{Follower, InForce};
use clock::Clock;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use kube::Client;
use metrics::access::AccessLog;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::{self, Receiver, Sender};
use tokio::task::{JoinHandle, JoinSet};

/// How long to wait after a connection could not be accepted, for want of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(20);

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened at.
    #[error("gateway could not listen at {address}")]
    Unlistened {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// The gateway, to be started.
#[derive(Debug)]
pub struct Gateway;

/// A running gateway; dropping it stops it at once.
#[derive(Debug)]
pub struct GatewayHandle {
    address: SocketAddr,
    access: Arc<AccessLog>,
    tables: Receiver<InForce>,
    stop: Sender<bool>,
    accepting: JoinHandle<()>,
    following: JoinHandle<()>,
}

impl Gateway {
    /// Listens, watches the cluster and answers by what it finds there.
    ///
    /// Requests that come before everything was listed are answered by what is known by then; see
    /// [`GatewayHandle::listed`].
    pub async fn start(
        client: Client,
        clock: Clock,
        config: GatewayConfig,
    ) -> Result<GatewayHandle, StartError> {
        let unlistened = |source| StartError::Unlistened { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(unlistened)?;
        let address = listener.local_addr().map_err(unlistened)?;
        let mut memory = Memory::new(config.access.clone());
        let empty = Table::build(&Objects::default(), config.direct);
        let live = Arc::new(memory.attach(empty));
        let (tables, in_force) = watch::channel(InForce { live, listed: false });
        let (direct, access) = (config.direct, config.access.clone());
        let follower = Follower { direct, clock, access, memory, tables };
        let (stop, stopped) = watch::channel(false);
        Ok(GatewayHandle {
            address,
            access: config.access,
            tables: in_force.clone(),
            stop,
            accepting: tokio::spawn(accept(listener, in_force, stopped)),
            following: tokio::spawn(follower.run(client)),
        })
    }
}

impl GatewayHandle {
    /// Where the gateway listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Where requests are counted.
    pub fn access(&self) -> &Arc<AccessLog> {
        &self.access
    }

    /// Waits until routes, services and endpoints have been listed.
    pub async fn listed(&self) {
        let mut tables = self.tables.clone();
        // The follower ends only with the gateway.
        let _ = tables.wait_for(|in_force| in_force.listed).await;
    }

    /// What is wrong with the routes in force.
    pub fn problems(&self) -> Vec<String> {
        self.tables.borrow().live.table.problems.clone()
    }

    /// Stops accepting, lets open requests end for a while, then stops.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, &mut self.accepting).await;
    }
}

impl Drop for GatewayHandle {
    fn drop(&mut self) {
        self.accepting.abort();
        self.following.abort();
    }
}

async fn accept(listener: TcpListener, tables: Receiver<InForce>, mut stopped: Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stopped.changed() => break,
        };
        match accepted {
            Ok((stream, client)) => {
                connections.spawn(serve(stream, client, tables.clone(), stopped.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    tables: Receiver<InForce>,
    mut stopped: Receiver<bool>,
) {
    // A socket that is gone already is noticed by reading from it.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let live = tables.borrow().live.clone();
        async move { Ok::<_, Infallible>(proxy::answer(live, client.ip(), request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %client, "a client's connection broke");
    }
}
