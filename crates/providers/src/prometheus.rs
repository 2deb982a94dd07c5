//! `prometheus`: a PromQL query, at an instant or over a range.
//!
//! Asks by POST and, where a server does not take that, by GET; what the address asks for after `?` goes
//! along. The result is a number for a scalar
//! and a list of numbers for a vector or a matrix; an empty list means that there was no data.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `address` | – | address of the server; whoever calls fills in a default |
//! | `query` | – | the query |
//! | `rangeQuery` | instant | `start` and `end` as time expressions, `step` as a duration |
//! | `timeout` | 30 | seconds for the whole exchange |
//! | `headers`, `insecure`, `authentication` | none | `basicAuth`, `oauth2` or `sigv4` |
//!
//! `sigv4` signs requests to Amazon Managed Prometheus, whose addresses hold `aps-workspaces`, for
//! `region` or else `AWS_REGION`, and assumes `roleArn` if it is set. The access is in the environment,
//! as for `cloudWatch`.

use crate::aws::{self, Access, Scope};
use crate::conversation::{
    Step, all_problems, authentication_problems, done, failed, form, headers, is_http_url, set,
    settings, turn, valid,
};
use crate::oauth::TokenService;
use crate::{
    Asked, CredentialRef, MeasureError, Measured, MeasuredValue, Provider, Turn, go, times,
};
use api::argo::{PrometheusMetric, PrometheusRangeQueryArgs, Sigv4Config};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use vocab::{Call, Exchange, Reply, ReplyError};

/// The provider.
pub(crate) static PROMETHEUS: Prometheus = Prometheus;
/// Key under which the query as it was sent is kept.
const RESOLVED_QUERY: &str = "ResolvedPrometheusQuery";
/// What the address of a server of Amazon holds.
const SIGNED_ADDRESS: &str = "aps-workspaces";
/// Seconds an exchange may take unless the metric says otherwise.
const DEFAULT_TIMEOUT_SECONDS: u64 = 30;

/// Asks a Prometheus server.
pub(crate) struct Prometheus;

impl Provider for Prometheus {
    fn name(&self) -> &'static str {
        "prometheus"
    }

    fn validate(&self, config: &Value) -> Vec<(String, String)> {
        all_problems(config, problems)
    }

    fn credentials(&self, config: &Value) -> Vec<CredentialRef> {
        let metric: PrometheusMetric = settings(config).unwrap_or_default();
        if is_signed(&metric) { aws::credentials() } else { Vec::new() }
    }

    fn start(&self, asked: &Asked<'_>, now: Timestamp) -> Turn {
        turn(valid(asked.config, problems).and_then(|metric| begin(&metric, asked, now)))
    }

    fn resume(
        &self,
        asked: &Asked<'_>,
        state: &Value,
        reply: Result<Reply, ReplyError>,
        now: Timestamp,
    ) -> Turn {
        turn(valid(asked.config, problems).and_then(|metric| {
            let step = Step::of(state)?;
            let reply = reply?;
            match step {
                Step::SignIn { exchanged } => {
                    let (region, role) = scope(&metric, asked)?;
                    let access = aws::go_on(exchanged, &reply, (region, role), now)?;
                    signed(&metric, region, access, now)
                }
                step => Ok(go_on(&metric, &step, &reply, now)),
            }
        }))
    }

    fn metadata(&self, config: &Value) -> BTreeMap<String, String> {
        let metric: Option<PrometheusMetric> = settings(config).ok();
        let query = metric.and_then(|metric| metric.query);
        query.map(|query| (RESOLVED_QUERY.to_owned(), query)).into_iter().collect()
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

fn begin(
    metric: &PrometheusMetric,
    asked: &Asked<'_>,
    now: Timestamp,
) -> Result<Turn, MeasureError> {
    if is_signed(metric) {
        let (region, role) = scope(metric, asked)?;
        let access = aws::begin(asked.credentials, region, role, now)?;
        return signed(metric, region, access, now);
    }
    let token = token_service(metric).begin();
    Ok(token.unwrap_or_else(|| ask(metric, &Step::Ask { token: None }, None, now)))
}

fn token_service(metric: &PrometheusMetric) -> TokenService<'_> {
    let oauth = &metric.authentication.oauth2;
    TokenService { oauth, timeout: timeout(metric), insecure: metric.insecure }
}

/// Only Amazon's own Prometheus takes signatures, as upstream has it.
fn is_signed(metric: &PrometheusMetric) -> bool {
    let address = metric.address.as_deref().unwrap_or_default();
    address.contains(SIGNED_ADDRESS) && metric.authentication.sigv4 != Sigv4Config::default()
}

/// The region to sign for, and the role to assume.
fn scope<'a>(
    metric: &'a PrometheusMetric,
    asked: &'a Asked<'_>,
) -> Result<(&'a str, Option<&'a str>), MeasureError> {
    let Sigv4Config { region, role_arn, .. } = &metric.authentication.sigv4;
    let region = region.as_deref().or_else(|| aws::region(asked.credentials));
    let region = region.filter(|region| aws::is_region(region));
    let region = region
        .ok_or_else(|| failed("region not configured in sigv4 or in default credentials chain"))?;
    Ok((region, role_arn.as_deref()))
}

fn signed(
    metric: &PrometheusMetric,
    region: &str,
    access: Access,
    now: Timestamp,
) -> Result<Turn, MeasureError> {
    Ok(match access {
        Access::Ask(call, exchanged) => Exchange::Call(call, Step::SignIn { exchanged }.state()),
        Access::Granted(keys) => {
            let call = question_call(metric, Method::Post, None, now)?;
            let scope = Scope { region, service: "aps" };
            Exchange::Call(aws::sign(call, &keys, &scope, now), Step::AskSigned.state())
        }
    })
}

fn go_on(metric: &PrometheusMetric, step: &Step, reply: &Reply, now: Timestamp) -> Turn {
    match step {
        Step::TokenByHeader | Step::TokenByForm => {
            token_service(metric).go_on(step, reply, |token| {
                ask(metric, &Step::Ask { token: Some(token.clone()) }, Some(&token), now)
            })
        }
        Step::Ask { token } if matches!(reply.status, 403 | 405 | 501) => {
            ask(metric, &Step::AskByGet, token.as_deref(), now)
        }
        _ => done(answer(reply)),
    }
}

fn timeout(metric: &PrometheusMetric) -> Duration {
    let seconds = metric.timeout.and_then(|seconds| u64::try_from(seconds).ok());
    Duration::from_secs(seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS))
}

fn ask(metric: &PrometheusMetric, step: &Step, token: Option<&str>, now: Timestamp) -> Turn {
    let method = if *step == Step::AskByGet { Method::Get } else { Method::Post };
    let call = question_call(metric, method, token, now);
    turn(call.map(|call| Exchange::Call(call, step.state())))
}

/// How a question is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Post,
}

fn question_call(
    metric: &PrometheusMetric,
    method: Method,
    token: Option<&str>,
    now: Timestamp,
) -> Result<Call, MeasureError> {
    let question = question(metric, now)?;
    let address = metric.address.as_deref().unwrap_or_default();
    let path = if metric.range_query.is_some() { "query_range" } else { "query" };
    let (server, kept) = parts(address);
    let url = format!("{}/api/v1/{path}", server.trim_end_matches('/'));
    let mut headers = headers(&metric.headers, &metric.authentication, token);
    if method == Method::Post {
        set(&mut headers, "Content-Type", "application/x-www-form-urlencoded".to_owned());
    }
    let (method, url, body) = match method {
        Method::Get => ("GET", with_query(url, &[kept, &question]), None),
        Method::Post => ("POST", with_query(url, &[kept]), Some(question.into_bytes())),
    };
    let (timeout, insecure) = (timeout(metric), metric.insecure);
    Ok(Call { method: method.to_owned(), url, headers, body, timeout, insecure })
}

/// The server of an address, and what it asks for after `?`.
fn parts(address: &str) -> (&str, &str) {
    let address = address.split('#').next().unwrap_or_default();
    address.split_once('?').unwrap_or((address, ""))
}

fn with_query(url: String, parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { url } else { format!("{url}?{}", parts.join("&")) }
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
    let answer = whole(reply)?;
    let data = answer.data.ok_or_else(no_data)?;
    let mut measured = measured(&data)?;
    if !answer.warnings.is_empty() {
        let quoted: Vec<String> =
            answer.warnings.iter().map(|warning| format!("\"{warning}\"")).collect();
        measured.metadata.insert("warnings".to_owned(), quoted.join(", "));
    }
    Ok(measured)
}

/// The series of a vector: the value of one label, empty where it is not there, and the number.
pub(crate) fn by_label(reply: &Reply, label: &str) -> Result<Vec<(String, f64)>, MeasureError> {
    let data = whole(reply)?.data.ok_or_else(no_data)?;
    let series = data.result.as_array().filter(|_| data.result_type == "vector");
    let series = series.ok_or_else(|| failed("the answer is no instant vector"))?;
    let labelled = series.iter().map(|series| {
        let label = series["metric"][label].as_str().unwrap_or_default();
        Ok((label.to_owned(), sample(&series["value"])?))
    });
    labelled.collect()
}

fn no_data() -> MeasureError {
    failed("bad_response: the answer holds no data")
}

/// An answer that is not an error.
fn whole(reply: &Reply) -> Result<Answer, MeasureError> {
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
    Ok(answer)
}

fn measured(data: &Data) -> Result<Measured, MeasureError> {
    let list = || data.result.as_array().map(Vec::as_slice).unwrap_or_default();
    match data.result_type.as_str() {
        "scalar" => {
            let number = sample(&data.result)?;
            Ok(Measured::new(MeasuredValue::Number(number), go::fixed(number)))
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
    let texts: Vec<String> = numbers.iter().map(|number| go::fixed(*number)).collect();
    Ok(Measured::new(MeasuredValue::Numbers(numbers), format!("[{}]", texts.join(","))))
}

/// Reads `[time, "value"]`.
fn sample(sample: &Value) -> Result<f64, MeasureError> {
    let text = sample.get(1).and_then(Value::as_str);
    let number = text.and_then(|text| text.parse::<f64>().ok());
    number.ok_or_else(|| {
        failed("bad_response: a sample holds no number; histograms are not supported")
    })
}
