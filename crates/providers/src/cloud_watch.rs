//! `cloudWatch`: metrics of Amazon `CloudWatch`, over the last minutes.
//!
//! The result is the list of `CloudWatch`'s results with the fields `Id`, `Label`, `StatusCode`,
//! `Timestamps`, `Values` and `Messages`: `result[0].Values[0] < 0.01`.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `metricDataQueries` | – | the queries of `GetMetricData` |
//! | `interval` | `5m` | the span of time before now that is asked for |
//!
//! Region and access are in the environment: `AWS_REGION`, and either `AWS_ACCESS_KEY_ID` and
//! `AWS_SECRET_ACCESS_KEY` (with `AWS_SESSION_TOKEN`), or `AWS_ROLE_ARN` and
//! `AWS_WEB_IDENTITY_TOKEN_FILE`, or `AWS_CONTAINER_CREDENTIALS_FULL_URI` and
//! `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`, as EKS sets either for a service account.

use crate::aws::{self, Access, Exchanged, Keys, Scope};
use crate::conversation::{
    FOREIGN_STATE, Problems, all_problems, done, failed, problem, turn, valid,
};
use crate::{
    Asked, CredentialRef, Credentials, MeasureError, Measured, MeasuredValue, Provider, Turn, go,
};
use api::{
    argo::{CloudWatchMetric, CloudWatchMetricDataQuery, CloudWatchMetricStat},
    go_duration,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;
use vocab::{Call, Exchange, Reply, ReplyError};

/// The provider.
pub(crate) static CLOUD_WATCH: CloudWatch = CloudWatch;
/// The span of time that is asked for.
const USUAL_INTERVAL: SignedDuration = SignedDuration::from_mins(5);
/// How long an exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// What `CloudWatch` calls the question.
const TARGET: &str = "GraniteServiceVersion20100801.GetMetricData";
/// What upstream's client calls the question in errors.
const OPERATION: &str = "CloudWatch: GetMetricData";

/// Asks `CloudWatch`.
pub(crate) struct CloudWatch;

/// Where a conversation stands.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "step")]
enum Step {
    /// The token service was asked for keys.
    SignIn { exchanged: Exchanged },
    /// The question was asked.
    Ask,
}

impl Step {
    fn state(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Provider for CloudWatch {
    fn name(&self) -> &'static str {
        "cloudWatch"
    }

    fn validate(&self, config: &Value) -> Problems {
        all_problems(config, problems)
    }

    fn credentials(&self, _: &Value) -> Vec<CredentialRef> {
        aws::credentials()
    }

    fn start(&self, asked: &Asked<'_>, now: Timestamp) -> Turn {
        turn(valid(asked.config, problems).and_then(|metric| {
            let region = region(asked.credentials)?;
            let access = aws::begin(asked.credentials, region, None, now)?;
            Ok(go_on(&metric, region, access, now))
        }))
    }

    fn resume(
        &self,
        asked: &Asked<'_>,
        state: &Value,
        reply: Result<Reply, ReplyError>,
        now: Timestamp,
    ) -> Turn {
        turn(valid(asked.config, problems).and_then(|metric| {
            let step = Step::deserialize(state).map_err(|_| failed(FOREIGN_STATE))?;
            let reply = reply?;
            match step {
                Step::Ask => Ok(done(answer(&reply))),
                Step::SignIn { exchanged } => {
                    let region = region(asked.credentials)?;
                    let access = aws::go_on(exchanged, &reply, (region, None), now)?;
                    Ok(go_on(&metric, region, access, now))
                }
            }
        }))
    }
}

fn problems(metric: &CloudWatchMetric) -> Problems {
    let mut problems = Vec::new();
    if metric.metric_data_queries.is_empty() {
        problems.push(problem("metricDataQueries", "cloudWatch has no metricDataQueries"));
    }
    if let Some(Err(error)) = metric.interval.as_deref().map(go_duration::parse) {
        problems.push(problem("interval", error.to_string()));
    }
    problems
}

fn region(credentials: &Credentials) -> Result<&str, MeasureError> {
    let region = aws::region(credentials).filter(|region| aws::is_region(region));
    region.ok_or_else(|| failed("no region of AWS: AWS_REGION is not set"))
}

fn go_on(metric: &CloudWatchMetric, region: &str, access: Access, now: Timestamp) -> Turn {
    match access {
        Access::Granted(keys) => ask(metric, region, &keys, now),
        Access::Ask(call, exchanged) => Exchange::Call(call, Step::SignIn { exchanged }.state()),
    }
}

fn ask(metric: &CloudWatchMetric, region: &str, keys: &Keys, now: Timestamp) -> Turn {
    let interval = metric.interval.as_deref().map(go_duration::parse).and_then(Result::ok);
    let interval = interval.unwrap_or(USUAL_INTERVAL).as_secs();
    let queries: Vec<Value> = metric.metric_data_queries.iter().map(query).collect();
    let question = json!({
        "StartTime": now.as_second().saturating_sub(interval),
        "EndTime": now.as_second(),
        "MetricDataQueries": queries,
    });
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let call = Call {
        method: "POST".to_owned(),
        url: format!("https://monitoring.{region}.{}/", aws::domain(region)),
        headers: vec![
            header("Content-Type", "application/x-amz-json-1.0"),
            header("X-Amz-Target", TARGET),
        ],
        body: Some(question.to_string().into_bytes()),
        timeout: TIMEOUT,
        insecure: false,
    };
    let signed = aws::sign(call, keys, &Scope { region, service: "monitoring" }, now);
    Exchange::Call(signed, Step::Ask.state())
}

fn query(query: &CloudWatchMetricDataQuery) -> Value {
    fields([
        ("Id", query.id.as_ref().map(|id| json!(id))),
        ("Expression", query.expression.as_ref().map(|text| json!(text))),
        ("Label", query.label.as_ref().map(|label| json!(label))),
        ("MetricStat", query.metric_stat.as_ref().map(statistic)),
        ("Period", query.period.as_ref().map(seconds)),
        ("ReturnData", query.return_data.map(|returned| json!(returned))),
    ])
}

fn statistic(statistic: &CloudWatchMetricStat) -> Value {
    let CloudWatchMetricStat { metric, period, stat, unit } = statistic;
    let dimensions = metric.dimensions.iter().map(|dimension| {
        json!({"Name": dimension.name.clone().unwrap_or_default(), "Value": dimension.value.clone().unwrap_or_default()})
    });
    let dimensions: Vec<Value> = dimensions.collect();
    let metric = fields([
        ("Dimensions", (!dimensions.is_empty()).then(|| json!(dimensions))),
        ("MetricName", metric.metric_name.as_ref().map(|name| json!(name))),
        ("Namespace", metric.namespace.as_ref().map(|name| json!(name))),
    ]);
    fields([
        ("Metric", Some(metric)),
        ("Period", period.as_ref().map(seconds)),
        ("Stat", stat.as_ref().map(|stat| json!(stat))),
        ("Unit", unit.as_ref().map(|unit| json!(unit))),
    ])
}

/// Text that is no number counts as 0, which `CloudWatch` refuses.
fn seconds(period: &IntOrString) -> Value {
    match period {
        IntOrString::Int(seconds) => json!(seconds),
        IntOrString::String(text) => json!(text.parse::<i32>().unwrap_or_default()),
    }
}

fn fields<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let set = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(set.collect::<Map<_, _>>())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    metric_data_results: Option<Vec<Found>>,
    #[serde(default)]
    messages: Option<Vec<Message>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    status_code: Option<String>,
    /// Seconds since 1970.
    #[serde(default)]
    timestamps: Option<Vec<f64>>,
    #[serde(default)]
    values: Option<Vec<f64>>,
    #[serde(default)]
    messages: Option<Vec<Message>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    #[serde(default)]
    code: String,
    #[serde(default)]
    value: String,
}

fn answer(reply: &Reply) -> Result<Measured, MeasureError> {
    if reply.status != 200 {
        return Err(aws::refused(OPERATION, reply));
    }
    let answer: Answer = serde_json::from_slice(&reply.body)
        .map_err(|error| failed(format!("operation error {OPERATION}, malformed: {error}")))?;
    let found = answer.metric_data_results;
    let found = found.ok_or_else(|| {
        failed(format!("operation error {OPERATION}, the answer holds no results"))
    })?;
    let numbers =
        |found: &Found| go::list(found.values.iter().flatten().map(|it| go::printed(*it)), " ");
    let value = go::list(found.iter().map(numbers), " ");
    let result = found.iter().map(Found::json).collect();
    let mut measured = Measured::new(MeasuredValue::Json(result), value);
    let messages = answer.messages.filter(|messages| !messages.is_empty());
    let messages = messages.map(|messages| go::list(messages.iter().map(Message::text), " "));
    measured.metadata.extend(messages.map(|messages| ("messages".to_owned(), messages)));
    Ok(measured)
}

impl Found {
    /// The names that conditions use.
    fn json(&self) -> Value {
        json!({
            "Id": self.id,
            "Label": self.label,
            "Messages": self.messages,
            "StatusCode": self.status_code,
            "Timestamps": self.timestamps.iter().flatten().map(|it| time(*it)).collect::<Vec<_>>(),
            "Values": self.values.iter().flatten().collect::<Vec<_>>(),
        })
    }
}

impl Message {
    fn text(&self) -> String {
        format!("{{Code:{} Value:{}}}", self.code, self.value)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast of a float is cut off at the ends")]
fn time(seconds: f64) -> Option<String> {
    Timestamp::from_second(seconds as i64).ok().map(|time| time.to_string())
}
