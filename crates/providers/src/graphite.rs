//! `graphite`: a query of Graphite's render API.
//!
//! The result is the list of numbers of the first target, without those that are null.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `address` | – | address of the server |
//! | `query` | – | parameters of a request for `/render`, such as `target=…&from=-2min`; spaces are dropped |

use crate::conversation::{OneQuestion, Problems, failed, form, is_http_url, problem, text};
use crate::{Asked, MeasureError, Measured, MeasuredValue, go};
use api::argo::GraphiteMetric;
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;
use vocab::{Call, Reply};

/// The provider.
pub(crate) static GRAPHITE: Graphite = Graphite;
/// How long an exchange may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Digits after the point in a measurement's value.
const DIGITS: usize = 6;

/// Asks a Graphite server.
pub(crate) struct Graphite;

impl OneQuestion for Graphite {
    type Settings = GraphiteMetric;
    const NAME: &'static str = "graphite";

    fn problems(metric: &GraphiteMetric) -> Problems {
        let address = metric.address.as_deref().unwrap_or_default();
        let mut problems = Vec::new();
        if !is_http_url(address) {
            let message = format!("Graphite address {address} is not a valid URL");
            problems.push(problem("address", message));
        }
        if metric.query.is_none() {
            problems.push(problem("query", "graphite query is empty"));
        }
        problems
    }

    fn ask(metric: &GraphiteMetric, _: &Asked<'_>, _: Timestamp) -> Result<Call, MeasureError> {
        let query: String = metric
            .query
            .iter()
            .flat_map(|query| query.chars())
            .filter(|it| !it.is_whitespace())
            .collect();
        let parsed = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "format");
        let mut pairs: Vec<(String, String)> =
            parsed.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        pairs.push(("format".to_owned(), "json".to_owned()));
        pairs.sort_by(|(left, _), (right, _)| left.cmp(right));
        let pairs: Vec<(&str, &str)> =
            pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let address = metric.address.as_deref().unwrap_or_default();
        let address = address.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        Ok(Call {
            method: "GET".to_owned(),
            url: format!("{address}/render?{}", form(&pairs)),
            headers: Vec::new(),
            body: None,
            timeout: TIMEOUT,
            insecure: false,
        })
    }

    fn answer(_: &GraphiteMetric, reply: &Reply, _: Timestamp) -> Result<Measured, MeasureError> {
        if !(200..300).contains(&reply.status) {
            return Err(failed(format!("error response: {}", text(reply))));
        }
        let targets: Vec<Target> = serde_json::from_slice(&reply.body)
            .map_err(|error| failed(format!("not an answer of Graphite: {error}")))?;
        let points = targets.into_iter().next().and_then(|target| target.datapoints);
        let points = points.filter(|points| !points.is_empty());
        let points = points.ok_or_else(|| failed("no values found"))?;
        let numbers = points.iter().filter_map(|point| number(point).transpose());
        let numbers: Vec<f64> = numbers.collect::<Result<_, _>>()?;
        let value = go::list(numbers.iter().map(|number| go::rounded(*number, DIGITS)), ",");
        Ok(Measured::new(MeasuredValue::Numbers(numbers), value))
    }
}

#[derive(serde::Deserialize)]
struct Target {
    #[serde(default)]
    datapoints: Option<Vec<Value>>,
}

/// The number of `[number, time]`, if there is one; some servers write both as text.
fn number(point: &Value) -> Result<Option<f64>, MeasureError> {
    let malformed = || failed(format!("error unmarshaling data point: {point}"));
    let Some([value, time]) = point.as_array().map(Vec::as_slice) else { return Err(malformed()) };
    if !is_time(time) {
        return Err(failed(format!("error unmarshaling timestamp: {time}")));
    }
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => Ok(number.as_f64()),
        Value::String(text) => text.parse().map(Some).map_err(|_| malformed()),
        _ => Err(failed(format!("error unmarshaling value: {value}"))),
    }
}

fn is_time(time: &Value) -> bool {
    time.is_null()
        || time.is_number()
        || time.as_str().is_some_and(|text| text.parse::<i64>().is_ok())
}
