//! A metric server on a loopback address that answers as Prometheus does, and remembers who asked when.

use super::load::run_of;
use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};

/// When each run was measured, by its name.
pub(super) type Seen = BTreeMap<String, Vec<Instant>>;

/// What every query is answered.
const ANSWER: &str = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"0.99"]}]}}"#;

/// A metric server; it ends when this is dropped.
pub(super) struct Service {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    serving: JoinHandle<()>,
}

impl Service {
    /// Begins to serve. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When no port can be had.
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let seen = Arc::<Mutex<Seen>>::default();
        let router = Router::new()
            .route("/api/v1/query", get(answer).post(answer))
            .with_state(Arc::clone(&seen));
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, seen, serving })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many runs were measured at least once.
    pub(super) fn runs_seen(&self) -> usize {
        locked(&self.seen).len()
    }

    /// When each run was measured, since the last [`Service::forget`].
    pub(super) fn seen(&self) -> Seen {
        locked(&self.seen).clone()
    }

    /// Forgets all measurements.
    pub(super) fn forget(&self) {
        locked(&self.seen).clear();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Controllers send the query in the address or in a form.
async fn answer(
    State(seen): State<Arc<Mutex<Seen>>>,
    RawQuery(raw): RawQuery,
    body: Bytes,
) -> Response {
    let raw = raw.unwrap_or_default();
    let mut pairs = form_urlencoded::parse(raw.as_bytes()).chain(form_urlencoded::parse(&body));
    let query = pairs.find(|(name, _)| name == "query");
    let run = query.as_ref().and_then(|(_, query)| run_of(query));
    let Some(run) = run else { return StatusCode::BAD_REQUEST.into_response() };
    locked(&seen).entry(run.to_owned()).or_default().push(Instant::now());
    ([(CONTENT_TYPE, "application/json")], ANSWER).into_response()
}
