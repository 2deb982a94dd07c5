//! `skywalking`: a query in GraphQL, asked of `SkyWalking`, over the last minutes.
//!
//! The query may use the variable `$duration`, the span of time. The result is the whole answer.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `address` | – | address of the server, without `/graphql` |
//! | `query` | – | the query |
//! | `interval` | `5m` | the span of time before now |

use crate::conversation::{OneQuestion, Problems, failed, is_http_url, problem};
use crate::{Asked, MeasureError, Measured, MeasuredValue, go};
use api::{argo::SkyWalkingMetric, go_duration};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use vocab::{Call, Reply};

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

impl OneQuestion for SkyWalking {
    type Settings = SkyWalkingMetric;
    const NAME: &'static str = "skywalking";

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

    fn ask(metric: &SkyWalkingMetric, _: &Asked<'_>, now: Timestamp) -> Result<Call, MeasureError> {
        let interval = metric.interval.as_deref().map(go_duration::parse).and_then(Result::ok);
        let start = now.checked_sub(interval.unwrap_or(USUAL_INTERVAL)).unwrap_or(Timestamp::MIN);
        let minute =
            |time: Timestamp| time.to_zoned(TimeZone::UTC).strftime(TO_THE_MINUTE).to_string();
        let duration = json!({"start": minute(start), "end": minute(now), "step": "MINUTE"});
        let body = json!({"query": metric.query, "variables": {"duration": duration}}).to_string();
        let json = "application/json; charset=utf-8".to_owned();
        let address = metric.address.as_deref().unwrap_or_default();
        Ok(Call {
            method: "POST".to_owned(),
            url: format!("{}/graphql", address.trim_end_matches('/')),
            headers: vec![("Content-Type".to_owned(), json.clone()), ("Accept".to_owned(), json)],
            body: Some(body.into_bytes()),
            timeout: TIMEOUT,
            insecure: false,
        })
    }

    fn answer(_: &SkyWalkingMetric, reply: &Reply, _: Timestamp) -> Result<Measured, MeasureError> {
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
