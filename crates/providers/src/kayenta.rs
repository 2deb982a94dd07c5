//! `kayenta`: a judgement of Kayenta, which compares the new version with the old one by itself.
//!
//! The configuration is looked up by name, a judgement is ordered, and its score is asked for every 15
//! seconds until it is there. The score decides, in place of conditions.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `address` | – | address of the server |
//! | `application`, `canaryConfigName` | – | which configuration |
//! | `metricsAccountName`, `configurationAccountName`, `storageAccountName` | – | Kayenta's accounts |
//! | `threshold` | – | `pass` and `marginal`: the lowest score of a success, and of what is not a failure |
//! | `scopes` | – | what is compared: `controlScope` and `experimentScope` by name |
//! | `lookback` | `false` | compares the time since the run began, in place of the last interval |

use crate::conversation::{
    FOREIGN_STATE, Problems, all_problems, done, failed, form, is_http_url, problem, turn, valid,
};
use crate::{Asked, MeasureError, Measured, MeasuredValue, Provider, Turn, Verdict};
use api::argo::{KayentaMetric, KayentaScope, KayentaThreshold, ScopeDetail};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, time::Duration};
use vocab::{Call, Exchange, Reply, ReplyError};

/// The provider.
pub(crate) static KAYENTA: Kayenta = Kayenta;
/// How long between two questions for a score.
const POLL_INTERVAL: SignedDuration = SignedDuration::from_secs(15);
/// How long an exchange may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Key under which the judgement's id is kept.
const EXECUTION: &str = "canaryExecutionId";

/// Asks a Kayenta server.
pub(crate) struct Kayenta;

/// Where a conversation stands. It holds no secret: Kayenta asks for none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "step")]
enum Step {
    /// The configuration was asked for, at the time at which the measurement began.
    LookUp { began: Timestamp },
    /// A judgement was ordered.
    Order,
    /// The judgement's score is awaited.
    Judge { execution: String },
}

impl Step {
    fn of(state: &Value) -> Result<Self, MeasureError> {
        Self::deserialize(state).map_err(|_| failed(FOREIGN_STATE))
    }

    fn state(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Provider for Kayenta {
    fn name(&self) -> &'static str {
        "kayenta"
    }

    fn validate(&self, config: &Value) -> Problems {
        all_problems(config, problems)
    }

    fn start(&self, asked: &Asked<'_>, now: Timestamp) -> Turn {
        turn(valid(asked.config, problems).map(|metric| look_up(&metric, now)))
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
                Step::LookUp { began } => {
                    order(&metric, asked, &configuration(&metric, &reply)?, began)
                }
                Step::Order => Ok(wait(execution(&reply)?, now)),
                Step::Judge { execution } => judge(&metric, execution, &reply, now),
            }
        }))
    }

    fn wake(&self, asked: &Asked<'_>, state: &Value, now: Timestamp) -> Turn {
        match Step::of(state) {
            Ok(Step::Judge { execution }) => {
                turn(valid(asked.config, problems).map(|metric| ask_for_score(&metric, execution)))
            }
            _ => self.start(asked, now),
        }
    }

    fn waiting(&self, state: &Value) -> BTreeMap<String, String> {
        match Step::of(state) {
            Ok(Step::Judge { execution }) => told(execution),
            _ => BTreeMap::new(),
        }
    }
}

fn problems(metric: &KayentaMetric) -> Problems {
    let mut problems = Vec::new();
    if !is_http_url(&metric.address) {
        problems.push(problem("address", "kayenta address is not in url format"));
    }
    for (index, scope) in metric.scopes.iter().enumerate() {
        let KayentaScope { control_scope: control, experiment_scope: experiment, .. } = scope;
        let mut refuse = |wrong: bool, end: &str| {
            if wrong {
                let both = format!(
                    "controlScope.{end} and experimentScope.{end} must both be set or be empty"
                );
                problems.push(problem(&format!("scopes[{index}]"), both));
            }
        };
        refuse(control.start.is_none() != experiment.start.is_none(), "start");
        refuse(control.end.is_none() != experiment.end.is_none(), "end");
    }
    problems
}

fn call(metric: &KayentaMetric, path: &str, query: &[(&str, &str)], body: Option<&Value>) -> Call {
    let question = if query.is_empty() { String::new() } else { format!("?{}", form(query)) };
    let json = ("Content-Type".to_owned(), "application/json".to_owned());
    Call {
        method: if body.is_some() { "POST" } else { "GET" }.to_owned(),
        url: format!("{}/{path}{question}", metric.address.trim_end_matches('/')),
        headers: body.map(|_| json).into_iter().collect(),
        body: body.map(|body| body.to_string().into_bytes()),
        timeout: TIMEOUT,
        insecure: false,
    }
}

fn look_up(metric: &KayentaMetric, now: Timestamp) -> Turn {
    let query = [
        ("application", metric.application.as_str()),
        ("configurationAccountName", &metric.configuration_account_name),
    ];
    let step = Step::LookUp { began: now };
    Exchange::Call(call(metric, "canaryConfig", &query, None), step.state())
}

fn configuration(metric: &KayentaMetric, reply: &Reply) -> Result<String, MeasureError> {
    if reply.status != 200 {
        return Err(failed(format!("Invalid Response: HTTP {}", reply.status)));
    }
    let known = body(reply)?;
    let named = known
        .as_array()
        .into_iter()
        .flatten()
        .find(|found| found["name"].as_str() == Some(&metric.canary_config_name));
    let id = named.and_then(|found| found["id"].as_str()).filter(|id| !id.is_empty());
    id.map(str::to_owned).ok_or_else(|| failed("Canary config not found"))
}

fn body(reply: &Reply) -> Result<Value, MeasureError> {
    serde_json::from_slice(&reply.body)
        .map_err(|error| failed(format!("not an answer of Kayenta: {error}")))
}

fn order(
    metric: &KayentaMetric,
    asked: &Asked<'_>,
    configuration: &str,
    began: Timestamp,
) -> Result<Turn, MeasureError> {
    let mut scopes = Map::new();
    for scope in &metric.scopes {
        let usual = span(metric, asked, scope, began)?;
        let one = json!({
            "controlScope": detail(&scope.control_scope, &usual),
            "experimentScope": detail(&scope.experiment_scope, &usual),
        });
        scopes.insert(scope.name.clone(), one);
    }
    let KayentaThreshold { pass, marginal } = metric.threshold;
    let order = json!({"scopes": scopes, "thresholds": {"pass": pass, "marginal": marginal}});
    let query = [
        ("application", metric.application.as_str()),
        ("metricsAccountName", &metric.metrics_account_name),
        ("configurationAccountName", &metric.configuration_account_name),
        ("storageAccountName", &metric.storage_account_name),
    ];
    let path = format!("canary/{}", segment(configuration));
    Ok(Exchange::Call(call(metric, &path, &query, Some(&order)), Step::Order.state()))
}

/// The span of time that is compared where a scope names none.
fn span(
    metric: &KayentaMetric,
    asked: &Asked<'_>,
    scope: &KayentaScope,
    began: Timestamp,
) -> Result<(String, String), MeasureError> {
    let start = if metric.lookback || scope.control_scope.start.is_some() {
        asked.run_started_at
    } else {
        let interval = asked.interval.and_then(|interval| SignedDuration::try_from(interval).ok());
        let interval =
            interval.ok_or_else(|| failed("Invalid duration \"\": time: invalid duration \"\""))?;
        began.checked_sub(interval).unwrap_or(Timestamp::MIN)
    };
    Ok((second(start), second(began)))
}

fn second(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn detail(scope: &ScopeDetail, (start, end): &(String, String)) -> Value {
    json!({
        "scope": scope.scope,
        "location": scope.region,
        "step": scope.step,
        "start": scope.start.as_ref().unwrap_or(start),
        "end": scope.end.as_ref().unwrap_or(end),
    })
}

fn execution(reply: &Reply) -> Result<String, MeasureError> {
    let id = succeeded(reply)?;
    let id = id[EXECUTION].as_str().filter(|id| !id.is_empty());
    id.map(str::to_owned).ok_or_else(|| failed("Invalid canaryExecutionId"))
}

fn succeeded(reply: &Reply) -> Result<Value, MeasureError> {
    if reply.status == 200 { body(reply) } else { Err(failed("Invalid Response")) }
}

fn wait(execution: String, now: Timestamp) -> Turn {
    let at = now.checked_add(POLL_INTERVAL).unwrap_or(Timestamp::MAX);
    Exchange::Wait(at, Step::Judge { execution }.state())
}

fn ask_for_score(metric: &KayentaMetric, execution: String) -> Turn {
    let path = format!("canary/{}", segment(&execution));
    Exchange::Call(call(metric, &path, &[], None), Step::Judge { execution }.state())
}

/// A part of a path; what a server calls its things shall not lead elsewhere.
fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn judge(
    metric: &KayentaMetric,
    execution: String,
    reply: &Reply,
    now: Timestamp,
) -> Result<Turn, MeasureError> {
    let answer = succeeded(reply)?;
    match answer["complete"].as_bool() {
        Some(true) => {}
        Some(false) => return Ok(wait(execution, now)),
        None => return Err(failed("Missing Complete Status")),
    }
    let score = answer.pointer("/result/judgeResult/score/score").and_then(Value::as_f64);
    let score = score.ok_or_else(|| failed("Missing Score"))?.trunc();
    let measured = Measured::new(MeasuredValue::Number(score), score.to_string());
    let verdict = Some(verdict(score, &metric.threshold));
    Ok(done(Ok(Measured { verdict, metadata: told(execution), ..measured })))
}

#[expect(clippy::cast_precision_loss, reason = "scores are of a hundred")]
fn verdict(score: f64, threshold: &KayentaThreshold) -> Verdict {
    if score >= threshold.pass as f64 {
        Verdict::Successful
    } else if score >= threshold.marginal as f64 {
        Verdict::Inconclusive
    } else {
        Verdict::Failed
    }
}

fn told(execution: String) -> BTreeMap<String, String> {
    [(EXECUTION.to_owned(), execution)].into()
}
