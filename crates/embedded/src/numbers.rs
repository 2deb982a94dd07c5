//! The numbers of an embedded cluster: what the gateway counted, as a Prometheus would answer it.
//!
//! A scrape copies the counters of the access log into the series; queries come in over HTTP
//! ([`Numbers::router`]) or straight from the controller ([`Numbers::caller`]), which is how a template
//! that names some in-cluster Prometheus works with nothing installed.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use clock::Clock;
use controller::HttpCaller;
use futures::future::BoxFuture;
use metrics::{
    access::AccessLog,
    http_api::{self, Parameters, Request},
    promql::Options,
    series::{Limits, SeriesStore},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use vocab::{Call, Reply, ReplyError};

/// The path below which the query API lives.
const API: &str = "/api/v1/";

/// The counters of a cluster and their history; copies share them.
#[derive(Clone)]
pub struct Numbers {
    access: Arc<AccessLog>,
    clock: Clock,
    series: Arc<Mutex<SeriesStore>>,
    is_down: Arc<AtomicBool>,
}

impl Numbers {
    /// Starts without any history.
    pub fn new(access: Arc<AccessLog>, clock: Clock) -> Self {
        let series = Arc::new(Mutex::new(SeriesStore::new(Limits::default())));
        Self { access, clock, series, is_down: Arc::default() }
    }

    /// The counters that are scraped.
    pub fn access(&self) -> &Arc<AccessLog> {
        &self.access
    }

    /// The history that queries see; whoever knows when scrapes are due may write to it.
    pub fn series(&self) -> Arc<Mutex<SeriesStore>> {
        self.series.clone()
    }

    /// Copies the counters of now into the history.
    pub fn scrape(&self) {
        let now = self.clock.now();
        let samples = self.access.scrape(now);
        let refused =
            self.series.lock().unwrap_or_else(PoisonError::into_inner).ingest(now, samples);
        for refusal in refused {
            tracing::warn!(%refusal, "a sample was refused");
        }
    }

    /// Takes the service away, or brings it back: while it is away, no query is answered.
    pub fn set_availability(&self, availability: Availability) {
        self.is_down.store(availability == Availability::Down, Ordering::Relaxed);
    }

    /// Answers one request to the query API; `path` is what follows `/api/v1/`.
    pub fn answer(&self, path: &str, parameters: &Parameters) -> http_api::Reply {
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let request = Request { path, parameters, now: self.clock.now() };
        http_api::respond(&series, request, &Options::default())
    }

    /// The query API over HTTP.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/api/v1/{*path}", get(serve).post(serve))
            .route("/-/healthy", get(|| async { "Prometheus Server is Healthy.\n" }))
            .route("/-/ready", get(|| async { "Prometheus Server is Ready.\n" }))
            .with_state(self.clone())
    }

    /// Answers every call that is a query to a Prometheus of the cluster; the rest goes to `rest`.
    pub fn caller(&self, rest: Arc<dyn HttpCaller>) -> Arc<dyn HttpCaller> {
        Arc::new(Caller { numbers: self.clone(), rest })
    }
}

/// Whether queries are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// They are.
    Up,
    /// They are not.
    Down,
}

async fn serve(
    State(numbers): State<Numbers>,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let parameters = Parameters::from_url(query.as_deref().unwrap_or_default());
    let parameters = parameters.and(Parameters::from_url(&String::from_utf8_lossy(&body)));
    let reply = numbers.answer(&path, &parameters);
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], reply.body).into_response()
}

struct Caller {
    numbers: Numbers,
    rest: Arc<dyn HttpCaller>,
}

impl HttpCaller for Caller {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, ReplyError>> {
        match query_of(&call.url) {
            None => self.rest.call(call),
            Some((path, query)) => {
                let answer = self.ask(&call, path, query);
                Box::pin(async move { answer })
            }
        }
    }
}

impl Caller {
    fn ask(&self, call: &Call, path: &str, query: &str) -> Result<Reply, ReplyError> {
        if self.numbers.is_down.load(Ordering::Relaxed) {
            let cause = "the metric service is taken away by this rehearsal".to_owned();
            return Err(ReplyError::Unreachable { url: call.url.clone(), cause });
        }
        let body = call.body.as_deref().unwrap_or_default();
        let parameters =
            Parameters::from_url(query).and(Parameters::from_url(&String::from_utf8_lossy(body)));
        let reply = self.numbers.answer(path, &parameters);
        let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        Ok(Reply { status: reply.status, headers, body: reply.body.into_bytes() })
    }
}

/// Path and query of a call to the query API of a Prometheus in the cluster.
///
/// A loopback address is somebody's real Prometheus and is left alone.
fn query_of(url: &str) -> Option<(&str, &str)> {
    let (_, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_loopback = name == "localhost" || name.starts_with("127.") || name == "[::1]";
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let at = path.find(&API[1..])?;
    let path = &path[at + API.len() - 1..];
    let is_query = matches!(path, "query" | "query_range");
    (is_query && !is_loopback).then_some((path, query))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_queries_to_a_prometheus_of_the_cluster_are_answered_in_process() {
        for (url, expected) in [
            (
                "http://prometheus.monitoring:9090/api/v1/query?query=up",
                Some(("query", "query=up")),
            ),
            ("http://prometheus/prefix/api/v1/query_range", Some(("query_range", ""))),
            ("http://127.0.0.1:9090/api/v1/query", None),
            ("http://localhost:9090/api/v1/query", None),
            ("http://shop.default/api/v1/orders", None),
            ("http://shop.default", None),
        ] {
            assert_eq!(query_of(url), expected, "{url}");
        }
    }
}
