//! Connections: accepted, timed, and closed in good order.

use crate::tls::Tls;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How long a client may take to send the head of a request.
const HEADER_TIME: Duration = Duration::from_secs(30);

/// How long a TLS handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How long open requests may take to finish when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// How long to wait after the operating system refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How many requests one HTTP/2 connection may have open; watches count.
const STREAMS_MAX: u32 = 1000;

/// A server that listens; dropping it stops it without grace.
#[derive(Debug)]
pub struct ServeHandle {
    addr: SocketAddr,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl ServeHandle {
    /// The address that clients reach.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops listening, lets open requests finish for a few seconds, and closes what is left.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for ServeHandle {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// Reaches every request of a listener: cancelled when that listener stops, so that watches end.
#[derive(Clone)]
pub(crate) struct Stopping(pub(crate) CancellationToken);

/// Starts to accept connections.
pub(crate) fn start(
    router: Router,
    listener: TcpListener,
    tls: Option<&Tls>,
    stop: CancellationToken,
) -> std::io::Result<ServeHandle> {
    let addr = listener.local_addr()?;
    let acceptor = tls.map(|tls| TlsAcceptor::from(tls.config.clone()));
    let router = router.layer(axum::Extension(Stopping(stop.clone())));
    let connections = Connections { router, acceptor, closed: CancellationToken::new() };
    let task = tokio::spawn(accept(listener, connections, stop.clone()));
    Ok(ServeHandle { addr, stop, task: Some(task) })
}

#[derive(Clone)]
struct Connections {
    router: Router,
    acceptor: Option<TlsAcceptor>,
    /// Cancelled when connections that are still open must close.
    closed: CancellationToken,
}

async fn accept(listener: TcpListener, connections: Connections, stop: CancellationToken) {
    let open = GracefulShutdown::new();
    let _closing = connections.closed.clone().drop_guard();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                let watcher = open.watcher();
                let connections = connections.clone();
                tokio::spawn(connections.run(stream, watcher));
            }
            Err(error) => {
                tracing::warn!(%error, "connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, open.shutdown()).await;
}

impl Connections {
    async fn run(self, stream: TcpStream, watcher: Watcher) {
        let closed = self.closed.clone();
        tokio::select! {
            () = closed.cancelled() => {}
            () = self.greet(stream, watcher) => {}
        }
    }

    async fn greet(self, stream: TcpStream, watcher: Watcher) {
        let Some(acceptor) = self.acceptor.clone() else {
            return self.speak(stream, watcher).await;
        };
        match tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => self.speak(stream, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    async fn speak<S>(self, stream: S, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
        let service = TowerToHyperService::new(self.router);
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended badly");
        }
    }
}
