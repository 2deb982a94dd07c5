//! Our answers are those of Prometheus: recorded answers of two generations, replayed.
//!
//! See `data/README.md` for how they were recorded.

#![expect(clippy::unwrap_used, reason = "a recording that cannot be read fails the test")]

mod recorded;

use jiff::Timestamp;
use metrics::http_api::{Parameters, Request, respond};
use metrics::promql::{Generation, Options};
use metrics::series::SeriesStore;
use recorded::{ORIGIN, request, store};
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

#[derive(serde::Deserialize)]
struct Recorded {
    line: String,
    status: u16,
    body: Value,
}

#[test]
fn answers_are_those_of_prometheus_2_42() {
    check_all(include_str!("data/answers-2.42.jsonl"), Generation::V2);
}

#[test]
fn answers_are_those_of_prometheus_3_5() {
    check_all(include_str!("data/answers-3.5.jsonl"), Generation::V3);
}

fn check_all(recorded: &str, generation: Generation) {
    let store = store();
    let recorded: Vec<Recorded> =
        recorded.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let differences: Vec<_> =
        recorded.iter().filter_map(|r| difference(&store, r, generation)).collect();
    let (count, wrong) = (recorded.len(), differences.len());
    assert!(wrong == 0, "{wrong} of {count} answers differ:\n{}", differences.join("\n"));
}

fn difference(store: &SeriesStore, recorded: &Recorded, generation: Generation) -> Option<String> {
    let (path, parameters) = request(&recorded.line);
    let parameters = Parameters::new(parameters);
    let now = Timestamp::from_second(ORIGIN).unwrap();
    let request = Request { path, parameters: &parameters, now };
    let options = Options { generation, ..Options::default() };
    let reply = respond(store, request, &options);
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    let sorts = recorded.line.contains("sort") || recorded.line.contains("topk");
    let same = if recorded.status == 200 {
        same_data(&canonical(&recorded.body["data"], sorts), &canonical(&body["data"], sorts))
    } else {
        body["errorType"] == recorded.body["errorType"]
    };
    let same = same && reply.status == recorded.status;
    (!same)
        .then(|| format!("{}\n  theirs {}\n  ours   {}", recorded.line, recorded.body, reply.body))
}

/// The order of a vector's elements means nothing, unless the query sorts them.
fn canonical(data: &Value, sorts: bool) -> Value {
    let mut data = data.clone();
    if let Some(result) = data["result"].as_array_mut()
        && !sorts
    {
        result.sort_by_key(|element| element["metric"].to_string());
    }
    data
}

fn same_data(theirs: &Value, ours: &Value) -> bool {
    match (theirs, ours) {
        (Value::String(a), Value::String(b)) => a == b || is_close(a, b),
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_data(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let found = |name: &String, value| b.get(name).is_some_and(|o| same_data(value, o));
            a.len() == b.len() && a.iter().all(|(name, value)| found(name, value))
        }
        _ => theirs == ours,
    }
}

/// Sums in another order differ in their last digits.
fn is_close(a: &str, b: &str) -> bool {
    let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
    (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}
