//! The controller's own HTTP endpoints: `/metrics`, `/healthz` and `/readyz`.
//!
//! **Invariant.** Health is asked of the loop itself, never assumed: a loop that does not answer within
//! [`LOOP_PATIENCE`] is not alive.

use crate::metrics::Metrics;
use axum::{Router, extract::State, http::StatusCode, http::header, routing::get};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// How long the loop may take to answer.
const LOOP_PATIENCE: Duration = Duration::from_secs(5);
/// The content type of the Prometheus text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the loop says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// Kinds that have not been listed yet.
    pub(crate) missing: Vec<&'static str>,
}

/// A question to the loop.
pub(crate) type Ping = oneshot::Sender<Health>;

/// A server that is up.
#[derive(Debug)]
pub(crate) struct Serving {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its task.
    pub(crate) task: JoinHandle<()>,
}

/// Serves `/metrics`.
pub(crate) async fn serve_metrics(
    at: SocketAddr,
    metrics: Arc<Metrics>,
) -> std::io::Result<Serving> {
    serve(at, Router::new().route("/metrics", get(render)).with_state(metrics)).await
}

/// Serves `/healthz` and `/readyz`.
pub(crate) async fn serve_health(
    at: SocketAddr,
    pings: mpsc::Sender<Ping>,
) -> std::io::Result<Serving> {
    let routes = Router::new().route("/healthz", get(live)).route("/readyz", get(ready));
    serve(at, routes.with_state(pings)).await
}

async fn serve(at: SocketAddr, routes: Router) -> std::io::Result<Serving> {
    let listener = TcpListener::bind(at).await?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, %address, "an endpoint of the controller stopped");
        }
    });
    Ok(Serving { address, task })
}

async fn render(
    State(metrics): State<Arc<Metrics>>,
) -> ([(header::HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], metrics.render())
}

async fn live(State(pings): State<mpsc::Sender<Ping>>) -> (StatusCode, String) {
    match ask(&pings).await {
        Some(_) => (StatusCode::OK, "ok\n".to_owned()),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the loop does not answer\n".to_owned()),
    }
}

async fn ready(State(pings): State<mpsc::Sender<Ping>>) -> (StatusCode, String) {
    match ask(&pings).await {
        Some(health) if health.missing.is_empty() => (StatusCode::OK, "ok\n".to_owned()),
        Some(health) => {
            let missing = health.missing.join(", ");
            (StatusCode::SERVICE_UNAVAILABLE, format!("not listed yet: {missing}\n"))
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "the loop does not answer\n".to_owned()),
    }
}

async fn ask(pings: &mpsc::Sender<Ping>) -> Option<Health> {
    let (sender, answer) = oneshot::channel();
    let asked = async {
        pings.send(sender).await.ok()?;
        answer.await.ok()
    };
    tokio::time::timeout(LOOP_PATIENCE, asked).await.ok().flatten()
}
