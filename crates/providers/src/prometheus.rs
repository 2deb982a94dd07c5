//! `prometheus`: a PromQL query, at an instant or over a range.
//!
//! Asks by POST and, where a server does not take that, by GET. The result is a number for a scalar
//! and a list of numbers for a vector or a matrix; an empty list means that there was no data.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `address` | – | address of the server; whoever calls fills in a default |
//! | `query` | – | the query |
//! | `rangeQuery` | instant | `start` and `end` as time expressions, `step` as a duration |
//! | `timeout` | 30 | seconds for the whole exchange |
//! | `headers`, `insecure`, `authentication` | none | `basicAuth` or `oauth2` |

use crate::conversation::{
    Step, authentication_problems, done, failed, form, headers, is_http_url, set, token, token_call,
};
use crate::{MeasureError, Measured, MeasuredValue, Provider, Turn, times};
use api::argo::{PrometheusMetric, PrometheusRangeQueryArgs};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use vocab::{Call, Exchange, Reply, ReplyError};

/// The provider.
pub(crate) static PROMETHEUS: Prometheus = Prometheus;
/// Key under which the query as it was sent is kept.
const RESOLVED_QUERY: &str = "ResolvedPrometheusQuery";
/// Seconds an exchange may take unless the metric says otherwise.
const DEFAULT_TIMEOUT_SECONDS: u64 = 30;

/// Asks a Prometheus server.
pub(crate) struct Prometheus;

impl Provider for Prometheus {
    fn name(&self) -> &'static str {
        "prometheus"
    }

    fn validate(&self, config: &Value) -> Vec<(String, String)> {
        match read(config) {
            Ok(metric) => problems(&metric),
            Err(error) => vec![(String::new(), error.message)],
        }
    }

    fn start(&self, config: &Value, now: Timestamp) -> Turn {
        match valid(config) {
            Ok(metric) => begin(&metric, now),
            Err(error) => done(Err(error)),
        }
    }

    fn resume(
        &self,
        config: &Value,
        state: &Value,
        reply: Result<Reply, ReplyError>,
        now: Timestamp,
    ) -> Turn {
        let metric = match valid(config) {
            Ok(metric) => metric,
            Err(error) => return done(Err(error)),
        };
        match (Step::of(state), reply) {
            (Ok(step), Ok(reply)) => go_on(&metric, &step, &reply, now),
            (Err(error), _) => done(Err(error)),
            (_, Err(error)) => done(Err(failed(error.to_string()))),
        }
    }

    fn metadata(&self, config: &Value) -> BTreeMap<String, String> {
        let query = read(config).ok().and_then(|metric| metric.query);
        query.map(|query| (RESOLVED_QUERY.to_owned(), query)).into_iter().collect()
    }
}

fn read(config: &Value) -> Result<PrometheusMetric, MeasureError> {
    PrometheusMetric::deserialize(config)
        .map_err(|error| failed(format!("malformed settings: {error}")))
}

fn valid(config: &Value) -> Result<PrometheusMetric, MeasureError> {
    let metric = read(config)?;
    match problems(&metric).into_iter().next() {
        Some((_, message)) => Err(failed(message)),
        None => Ok(metric),
    }
}

fn problems(metric: &PrometheusMetric) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let mut refuse =
        |path: &str, message: &str| problems.push((path.to_owned(), message.to_owned()));
    match metric.address.as_deref() {
        None => refuse("address", "prometheus address is not configured"),
        Some(address) if !is_http_url(address) => {
            refuse("address", "prometheus address is not in url format");
        }
        Some(_) => {}
    }
    if metric.query.is_none() {
        refuse("query", "prometheus query is empty");
    }
    if metric.timeout.is_some_and(|seconds| seconds < 0) {
        refuse("timeout", "prometheus timeout should not be negative");
    }
    problems.extend(authentication_problems(&metric.authentication));
    problems
}

fn begin(metric: &PrometheusMetric, now: Timestamp) -> Turn {
    let oauth = &metric.authentication.oauth2;
    if oauth.token_url.is_some() {
        return token_call(oauth, &Step::TokenByHeader, timeout(metric), metric.insecure);
    }
    ask(metric, &Step::Ask { token: None }, None, now)
}

fn go_on(metric: &PrometheusMetric, step: &Step, reply: &Reply, now: Timestamp) -> Turn {
    match step {
        Step::TokenByHeader | Step::TokenByForm => match token(reply) {
            Ok(token) => ask(metric, &Step::Ask { token: Some(token.clone()) }, Some(&token), now),
            Err(_) if *step == Step::TokenByHeader => token_call(
                &metric.authentication.oauth2,
                &Step::TokenByForm,
                timeout(metric),
                metric.insecure,
            ),
            Err(error) => done(Err(error)),
        },
        Step::Ask { token } if matches!(reply.status, 405 | 501) => {
            ask(metric, &Step::AskByGet, token.as_deref(), now)
        }
        Step::Ask { .. } | Step::AskByGet => done(answer(reply)),
    }
}

fn timeout(metric: &PrometheusMetric) -> Duration {
    let seconds = metric.timeout.and_then(|seconds| u64::try_from(seconds).ok());
    Duration::from_secs(seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS))
}

fn ask(metric: &PrometheusMetric, step: &Step, token: Option<&str>, now: Timestamp) -> Turn {
    let question = match question(metric, now) {
        Ok(question) => question,
        Err(error) => return done(Err(error)),
    };
    let address = metric.address.as_deref().unwrap_or_default();
    let path = if metric.range_query.is_some() { "query_range" } else { "query" };
    let url = format!("{}/api/v1/{path}", without_query(address).trim_end_matches('/'));
    let mut headers = headers(&metric.headers, &metric.authentication, token);
    let by_get = *step == Step::AskByGet;
    if !by_get {
        set(&mut headers, "Content-Type", "application/x-www-form-urlencoded".to_owned());
    }
    let call = Call {
        method: if by_get { "GET" } else { "POST" }.to_owned(),
        url: if by_get { format!("{url}?{question}") } else { url },
        headers,
        body: (!by_get).then(|| question.into_bytes()),
        timeout: timeout(metric),
        insecure: metric.insecure,
    };
    Exchange::Call(call, step.state())
}

fn without_query(address: &str) -> &str {
    address.split(['?', '#']).next().unwrap_or_default()
}

fn question(metric: &PrometheusMetric, now: Timestamp) -> Result<String, MeasureError> {
    let query = metric.query.as_deref().unwrap_or_default();
    let Some(range) = &metric.range_query else {
        // No `time`: the server's own clock knows what is new, ours may be ahead of it.
        return Ok(form(&[("query", query)]));
    };
    let PrometheusRangeQueryArgs { start, end, step } = range;
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let time = |name: &str, field: &Option<String>| {
        let seconds = times::seconds_at(&text(field), now);
        seconds
            .map_err(|error| failed(format!("failed to parse rangeQuery.{name} as time: {error}")))
    };
    let (start, end) = (time("start", start)?, time("end", end)?);
    let step = times::duration_seconds(&text(step))
        .map_err(|error| failed(format!("failed to parse rangeQuery.step as duration: {error}")))?;
    let [start, end, step] = [start, end, step].map(|number| number.to_string());
    Ok(form(&[("query", query), ("start", &start), ("end", &end), ("step", &step)]))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status: String,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Value,
}

fn answer(reply: &Reply) -> Result<Measured, MeasureError> {
    match reply.status {
        200..=299 | 400 | 422 => {}
        status @ 400..=499 => return Err(failed(format!("client_error: client error: {status}"))),
        status @ 500..=599 => return Err(failed(format!("server_error: server error: {status}"))),
        status => return Err(failed(format!("bad_response: bad response code {status}"))),
    }
    let answer: Answer = serde_json::from_slice(&reply.body)
        .map_err(|error| failed(format!("bad_response: not an answer of Prometheus: {error}")))?;
    if answer.status != "success" {
        return Err(failed(format!("{}: {}", answer.error_type, answer.error)));
    }
    let data = answer.data.ok_or_else(|| failed("bad_response: the answer holds no data"))?;
    let mut measured = measured(&data)?;
    if !answer.warnings.is_empty() {
        let quoted: Vec<String> =
            answer.warnings.iter().map(|warning| format!("\"{warning}\"")).collect();
        measured.metadata.insert("warnings".to_owned(), quoted.join(", "));
    }
    Ok(measured)
}

fn measured(data: &Data) -> Result<Measured, MeasureError> {
    let list = || data.result.as_array().map(Vec::as_slice).unwrap_or_default();
    match data.result_type.as_str() {
        "scalar" => {
            let number = sample(&data.result)?;
            Ok(with_value(MeasuredValue::Number(number), text(number)))
        }
        "vector" => numbers(list().iter().map(|series| &series["value"])),
        "matrix" => numbers(
            list().iter().flat_map(|series| series["values"].as_array().into_iter().flatten()),
        ),
        _ => Err(failed("Prometheus metric type not supported")),
    }
}

fn numbers<'a>(samples: impl Iterator<Item = &'a Value>) -> Result<Measured, MeasureError> {
    let numbers: Vec<f64> = samples.map(sample).collect::<Result<_, _>>()?;
    let texts: Vec<String> = numbers.iter().map(|number| text(*number)).collect();
    Ok(with_value(MeasuredValue::Numbers(numbers), format!("[{}]", texts.join(","))))
}

fn with_value(result: MeasuredValue, value: String) -> Measured {
    Measured { result, value, metadata: BTreeMap::new() }
}

/// Reads `[time, "value"]`.
fn sample(sample: &Value) -> Result<f64, MeasureError> {
    let text = sample.get(1).and_then(Value::as_str);
    let number = text.and_then(|text| text.parse::<f64>().ok());
    number.ok_or_else(|| {
        failed("bad_response: a sample holds no number; histograms are not supported")
    })
}

/// Writes a number as Prometheus does.
fn text(number: f64) -> String {
    if number == f64::INFINITY {
        "+Inf".to_owned()
    } else if number == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        number.to_string()
    }
}
