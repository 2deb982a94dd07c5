//! Queries to the embedded metric server: `at TIME QUERY` or `from START to END step SECONDS QUERY`.

use super::lines;
use crate::{Seen, Target};
use jiff::Timestamp;
use metrics::{
    Labels,
    http_api::{Parameters, Request, respond},
    labels::METRIC_NAME,
    promql::Options,
    series::{Limits, SeriesStore},
};
use serde_json::Value;
use std::sync::LazyLock;

pub(super) const TARGET: Target = Target { name: "promql", seeds, words: WORDS, read };

const WORDS: &[&str] = &[
    "rate(",
    "sum(",
    "sum by (code) (",
    "avg(",
    "topk(2, ",
    "quantile(0.9, ",
    "histogram_quantile(0.9, ",
    "increase(",
    "irate(",
    "delta(",
    "deriv(",
    "predict_linear(",
    "label_replace(",
    "absent(",
    "scalar(",
    "vector(",
    "time()",
    "clamp(",
    "http_requests_total",
    "{code=\"200\"}",
    "{code=~\"2..|4..\"}",
    "[5m]",
    "[5m:1m]",
    "offset 1m",
    "@ 100",
    "@ end()",
    " bool ",
    " on (code) ",
    " ignoring (code) ",
    " group_left ",
    " and ",
    " or ",
    " unless ",
    " == ",
    " > ",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "NaN",
    "Inf",
    "1e9",
    "1y",
    ")",
    "(",
    "]",
    "}",
    "\"",
    ",",
];
/// The time that those of queries count from.
const ORIGIN: i64 = 1_700_000_000;
/// The store's samples: this many, this many seconds apart.
const SAMPLES: i64 = 40;
const SECONDS_APART: i64 = 15;

fn seeds() -> Vec<Vec<u8>> {
    lines(include_str!("../../../metrics/tests/data/queries.txt"))
}

static STORE: LazyLock<SeriesStore> = LazyLock::new(store);

fn store() -> SeriesStore {
    let mut store = SeriesStore::new(Limits::default());
    for number in 0..SAMPLES {
        let Ok(at) = Timestamp::from_second(ORIGIN + number * SECONDS_APART) else { continue };
        for (code, step) in [("200", 7_i32), ("404", 1), ("500", 3)] {
            let labels = Labels::new([(METRIC_NAME, "http_requests_total"), ("code", code)]);
            let number = i32::try_from(number).unwrap_or_default();
            // A counter that began again half-way.
            let counted = f64::from(number % (i32::try_from(SAMPLES).unwrap_or(2) / 2) * step);
            let _ = store.append(&labels, at, counted);
        }
    }
    store
}

fn read(input: &[u8]) -> Seen {
    let text = String::from_utf8_lossy(input);
    let Some((path, parameters)) = request(&text) else { return Ok("no request".to_owned()) };
    let Ok(now) = Timestamp::from_second(ORIGIN) else { return Ok("no time".to_owned()) };
    let parameters = Parameters::new(parameters);
    let request = Request { path, parameters: &parameters, now };
    let reply = respond(&STORE, request, &Options::default());
    let Ok(body) = serde_json::from_str::<Value>(&reply.body) else {
        return Err(format!("an answer is no JSON: {}", reply.body));
    };
    match (reply.status, body["status"].as_str()) {
        (200, Some("success")) => Ok(sort_of_data(&body["data"])),
        // As text, not as JSON: what is quoted in it is passed over, or every query would be new.
        (400..600, Some("error")) => Ok(body["error"].as_str().unwrap_or_default().to_owned()),
        other => Err(format!("an answer contradicts itself: {other:?}")),
    }
}

/// The type of an answer, how much there is of it, and whether its numbers are any.
fn sort_of_data(data: &Value) -> String {
    let found = data["result"].as_array().map_or(0, Vec::len);
    let much = ["none", "one", "two", "several"][found.min(3)];
    let text = data["result"].to_string();
    let numbers = ["NaN", "Inf", "e-"].map(|odd| if text.contains(odd) { odd } else { "" });
    format!("{} {much} {}", data["resultType"].as_str().unwrap_or_default(), numbers.concat())
}

type Pairs = Vec<(String, String)>;

fn request(line: &str) -> Option<(&'static str, Pairs)> {
    let words: Vec<&str> = line.splitn(7, ' ').collect();
    let pair = |name: &str, value: String| (name.to_owned(), value);
    match words.as_slice() {
        ["at", at, ..] => {
            let query = line.splitn(3, ' ').nth(2)?.to_owned();
            Some(("query", vec![pair("query", query), pair("time", absolute(at))]))
        }
        ["from", start, "to", end, "step", step, query] => Some((
            "query_range",
            vec![
                pair("query", (*query).to_owned()),
                pair("start", absolute(start)),
                pair("end", absolute(end)),
                pair("step", (*step).to_owned()),
            ],
        )),
        _ => None,
    }
}

/// Times of seeds are seconds from the origin; whatever else stands there is sent as it is.
fn absolute(time: &str) -> String {
    let (whole, rest) = time.split_once('.').unwrap_or((time, "0"));
    match whole.parse::<i64>() {
        Ok(whole) => format!("{}.{rest}", ORIGIN.saturating_add(whole)),
        Err(_) => time.to_owned(),
    }
}
