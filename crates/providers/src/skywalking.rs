//! `skywalking`: a query in GraphQL, asked of `SkyWalking`, over the last minutes.
//!
//! The query may use the variable `$duration`, the span of time. The result is the whole answer.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `address` | – | address of the server, without `/graphql` |
//! | `query` | – | the query |
//! | `interval` | `5m` | the span of time before now |

use crate::conversation::{
    Problems, all_problems, ask_once, done, failed, is_http_url, only_answer, problem, turn, valid,
};
use crate::{Asked, MeasureError, Measured, MeasuredValue, Provider, Turn, go};
use api::{argo::SkyWalkingMetric, go_duration};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use vocab::{Call, Reply, ReplyError};

/// The provider.
pub(crate) static SKYWALKING: SkyWalking = SkyWalking;
/// The span of time that is asked for.
const USUAL_INTERVAL: SignedDuration = SignedDuration::from_mins(5);
/// How long an exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A time as `SkyWalking` takes it: to the minute.
const TO_THE_MINUTE: &str = "%Y-%m-%d %H%M";

/// Asks a `SkyWalking` server.
pub(crate) struct SkyWalking;

impl Provider for SkyWalking {
    fn name(&self) -> &'static str {
        "skywalking"
    }

    fn validate(&self, config: &Value) -> Problems {
        all_problems(config, problems)
    }

    fn start(&self, asked: &Asked<'_>, now: Timestamp) -> Turn {
        turn(valid(asked.config, problems).map(|metric| ask(&metric, now)))
    }

    fn resume(
        &self,
        asked: &Asked<'_>,
        state: &Value,
        reply: Result<Reply, ReplyError>,
        _: Timestamp,
    ) -> Turn {
        let metric = valid(asked.config, problems);
        done(metric.and_then(|_| only_answer(state, reply)).and_then(|reply| answer(&reply)))
    }

    fn metadata(&self, _: &Value) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

fn problems(metric: &SkyWalkingMetric) -> Problems {
    let mut problems = Vec::new();
    if !metric.address.as_deref().is_some_and(is_http_url) {
        problems.push(problem("address", "skywalking address is not in url format"));
    }
    if metric.query.is_none() {
        problems.push(problem("query", "skywalking query is empty"));
    }
    if let Some(Err(error)) = metric.interval.as_deref().map(go_duration::parse) {
        problems.push(problem("interval", error.to_string()));
    }
    problems
}

fn ask(metric: &SkyWalkingMetric, now: Timestamp) -> Turn {
    let interval = metric.interval.as_deref().map(go_duration::parse).and_then(Result::ok);
    let start = now.checked_sub(interval.unwrap_or(USUAL_INTERVAL)).unwrap_or(Timestamp::MIN);
    let minute = |time: Timestamp| time.to_zoned(TimeZone::UTC).strftime(TO_THE_MINUTE).to_string();
    let duration = json!({"start": minute(start), "end": minute(now), "step": "MINUTE"});
    let body = json!({"query": metric.query, "variables": {"duration": duration}}).to_string();
    let json = "application/json; charset=utf-8".to_owned();
    let address = metric.address.as_deref().unwrap_or_default();
    ask_once(Call {
        method: "POST".to_owned(),
        url: format!("{}/graphql", address.trim_end_matches('/')),
        headers: vec![("Content-Type".to_owned(), json.clone()), ("Accept".to_owned(), json)],
        body: Some(body.into_bytes()),
        timeout: TIMEOUT,
        insecure: false,
    })
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Option<Vec<Fault>>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    message: String,
}

fn answer(reply: &Reply) -> Result<Measured, MeasureError> {
    let answer = serde_json::from_slice::<Answer>(&reply.body);
    let fault = answer.as_ref().ok().and_then(|answer| answer.errors.as_ref()?.first());
    if let Some(fault) = fault {
        return Err(failed(format!("graphql: {}", fault.message)));
    }
    if reply.status != 200 {
        let what = "graphql: server returned a non-200 status code";
        return Err(failed(format!("{what}: {}", reply.status)));
    }
    let answer = answer.map_err(|error| failed(format!("decoding response: {error}")))?;
    if answer.data.is_null() {
        return Err(failed("no results returned from SkyWalking query"));
    }
    let value = go::json(&answer.data);
    Ok(Measured::new(MeasuredValue::Json(answer.data), value))
}
