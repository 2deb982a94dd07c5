//! The metric server that analyses ask: every path has one answer for ever.

use axum::{Router, http::StatusCode, routing::get};
use std::{io, net::Ipv4Addr, net::SocketAddr};
use tokio::{net::TcpListener, task::JoinHandle};

/// A metric server on a free port; it ends when this is dropped.
pub(crate) struct Metrics {
    pub(crate) address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Metrics {
    /// Begins to serve. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When no port can be had.
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let answer = |value: &'static str| {
            get(
                move || async move { (StatusCode::OK, [("content-type", "application/json")], value) },
            )
        };
        let router = Router::new()
            .route("/good", answer(r#"{"value": 1}"#))
            .route("/good-often", answer(r#"{"value": 1}"#))
            .route("/endless", answer(r#"{"value": 1}"#))
            .route("/bad", answer(r#"{"value": 0}"#))
            .route("/unclear", answer(r#"{"value": 2}"#));
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, serving })
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
