//! Replays and live runs against a Prometheus API behind a socket.

#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use api::argo::{AnalysisPhase, AnalysisRun};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::StatusCode,
    routing::get,
};
use clock::Clock;
use controller::{Egress, HttpCaller, RealHttp};
use jiff::{SignedDuration, Timestamp, ToSpan};
use metrics::{
    http_api::{self, Parameters, Request},
    promql::Options,
    recording::{self, Recorded},
    series::SeriesStore,
};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::net::TcpListener;
use trial::{
    conduct::{self, NoTrial, World},
    document::Source,
    lint::known_names,
    replay::{NotReplayed, Scope},
    report::Taken,
    template::{self, Wanted},
};

/// Two days in which the third hour of each was bad, a sample every ten minutes.
fn store() -> SeriesStore {
    let hours = (0..48).flat_map(|hour| {
        let value = if hour % 24 == 2 { "0.5 " } else { "0.99 " };
        std::iter::repeat_n(value, 6)
    });
    let slots = recording::expand(&hours.collect::<String>()).unwrap();
    let points = recording::points(&slots, begin(), SignedDuration::from_mins(10));
    let labels = recording::read_labels("success_ratio").unwrap();
    recording::store(&[Recorded { labels, points }]).unwrap()
}

fn begin() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// The present of the server: when its series end.
fn present() -> Timestamp {
    begin() + 48.hours()
}

async fn serve(
    State(store): State<Arc<SeriesStore>>,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> (StatusCode, String) {
    let parameters = Parameters::from_url(query.as_deref().unwrap_or_default())
        .and(Parameters::from_url(&String::from_utf8_lossy(&body)));
    let now = present() - 10.minutes();
    let request = Request { path: &path, parameters: &parameters, now };
    let reply = http_api::respond(&store, request, &Options::default());
    (StatusCode::from_u16(reply.status).unwrap(), reply.body)
}

/// Starts a server and tells where it is; it ends with the test.
async fn prometheus() -> String {
    let router = Router::new()
        .route("/api/v1/{*path}", get(serve).post(serve))
        .with_state(Arc::new(store()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn caller() -> Arc<dyn HttpCaller> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let egress = Egress::default().allowing("127.0.0.0/8".parse().unwrap());
    Arc::new(RealHttp::new(egress).unwrap())
}

fn run(fields: &Value) -> AnalysisRun {
    let mut metric = json!({
        "name": "success-ratio", "successCondition": "result[0] >= 0.95",
        "provider": {"prometheus": {"address": "http://in.the.cluster", "query": "success_ratio"}},
    });
    metric.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let template = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "t"},
        "spec": {"metrics": [metric]},
    });
    let source = Source { file: "t.yaml".to_owned(), text: template.to_string() };
    template::run(&[source], &Wanted::default()).unwrap()
}

fn scope() -> Scope {
    Scope {
        now: present(),
        days: 2,
        every: SignedDuration::from_hours(1),
        lasts: None,
        queries_max: 1_000,
    }
}

/// An environment without variables.
fn nothing(_: &str) -> Option<String> {
    None
}

fn world(address: &str) -> World<'_> {
    World { prometheus: Some(address), environment: &nothing, caller: caller() }
}

#[tokio::test]
async fn a_replay_tells_how_often_it_would_have_fired_and_when_first() {
    let address = prometheus().await;
    let fields = json!({"interval": "10m", "count": 3});
    let prepared = conduct::prepare(run(&fields), &world(&address), scope()).unwrap();
    assert_eq!((prepared.outline.starts.len(), prepared.outline.queries()), (48, 144));
    let replay = prepared.begin().await.unwrap();
    assert_eq!((replay.runs, replay.left_out), (48, 0));
    assert_eq!((replay.phases["Successful"], replay.phases["Failed"]), (46, 2));
    let starts: Vec<String> =
        replay.ends.iter().map(|end| end.started_at.unwrap().to_string()).collect();
    assert_eq!(starts, ["2026-01-01T02:00:00Z", "2026-01-02T02:00:00Z"]);
    let verdict = &replay.ends[0].metrics[0];
    assert_eq!(
        (verdict.finding.as_deref(), verdict.query.as_deref(), verdict.window.as_deref()),
        (Some("success-ratio 0.5 < 0.95"), Some("success_ratio"), Some("at 2026-01-01T02:00:00Z"))
    );
    assert_eq!(replay.queries, 46 * 3 + 2);
}

#[test]
fn a_replay_that_is_too_much_is_refused_before_it_asks() {
    let refused = |fields: &Value, scope: Scope| match conduct::prepare(
        run(fields),
        &world("http://nowhere"),
        scope,
    ) {
        Err(NoTrial::NotReplayed(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was not refused"),
    };
    let thrice = json!({"interval": "10m", "count": 3});
    let few = Scope { queries_max: 100, ..scope() };
    let expected = NotReplayed::TooManyQueries { runs: 48, queries: 144, limit: 100 };
    assert_eq!(refused(&thrice, few), expected);
    let often = Scope { every: SignedDuration::from_secs(1), ..scope() };
    assert!(matches!(refused(&thrice, often), NotReplayed::TooManyRuns { .. }));
    let endless = json!({"interval": "1m"});
    assert!(matches!(refused(&endless, scope()), NotReplayed::Endless { .. }));
    let long = json!({"interval": "1h", "count": 100});
    assert!(matches!(refused(&long, scope()), NotReplayed::TooLong { .. }));
}

async fn live(run: AnalysisRun, address: &str) -> (AnalysisPhase, Vec<String>) {
    let mut told = Vec::new();
    let mut tell = |taken: &Taken| told.push(format!("{} {}", taken.number, taken.phase));
    let time = (Clock::starting_at(present()), None);
    let report = conduct::live(run, &world(address), time, &mut tell).await.unwrap();
    (report.phase, told)
}

#[tokio::test]
async fn a_live_run_asks_now_and_tells_each_measurement() {
    let address = prometheus().await;
    let (phase, told) = live(run(&json!({})), &address).await;
    assert_eq!((phase, told), (AnalysisPhase::Successful, vec!["1 Successful".to_owned()]));
    let (phase, told) = live(run(&json!({"successCondition": "result[0] > 1"})), &address).await;
    assert_eq!((phase, told), (AnalysisPhase::Failed, vec!["1 Failed".to_owned()]));
}

#[tokio::test]
async fn the_names_of_all_metrics_are_one_question() {
    let known = known_names(caller().as_ref(), &prometheus().await).await.unwrap();
    assert_eq!(known.names.into_iter().collect::<Vec<_>>(), ["success_ratio"]);
}

/// A Prometheus in memory, for runs whose waits are virtual.
struct InProcess(SeriesStore);

impl HttpCaller for InProcess {
    fn call(
        &self,
        call: vocab::Call,
    ) -> futures::future::BoxFuture<'_, Result<vocab::Reply, vocab::ReplyError>> {
        let body = String::from_utf8_lossy(call.body.as_deref().unwrap_or_default()).into_owned();
        let parameters = Parameters::from_url(&body);
        let request = Request { path: "query", parameters: &parameters, now: begin() };
        let reply = http_api::respond(&self.0, request, &Options::default());
        let (status, body) = (reply.status, reply.body.into_bytes());
        let headers = std::collections::BTreeMap::new();
        Box::pin(async move { Ok(vocab::Reply { status, headers, body }) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_run_waits_between_measurements_and_ends_when_it_is_told_to() {
    let caller: Arc<dyn HttpCaller> = Arc::new(InProcess(store()));
    let world = World { prometheus: None, environment: &nothing, caller };
    let began = tokio::time::Instant::now();
    let mut told = 0;
    let lasts = Some(SignedDuration::from_secs(330));
    let time = (Clock::starting_at(begin()), lasts);
    let endless = run(&json!({"interval": "1m"}));
    let report = conduct::live(endless, &world, time, &mut |_| told += 1).await.unwrap();
    assert_eq!(
        (report.phase, report.message.as_str()),
        (AnalysisPhase::Successful, "Run Terminated")
    );
    assert_eq!((told, began.elapsed().as_secs()), (6, 330));
}
