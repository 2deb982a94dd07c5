//! Series from a file, and a Prometheus that knows nothing else.
//!
//! Start with [`read`]. A file is either the text format with a time on each line, or promtool's unit
//! test notation in YAML.

use crate::document::{self, Source};
use controller::HttpCaller;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use metrics::{
    http_api::{self, Parameters, Request},
    promql::{self, Options},
    recording::{self, Recorded},
    series::SeriesStore,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use vocab::{Call, Reply, ReplyError};

/// Where the recorded Prometheus is.
pub const ADDRESS: &str = "http://recorded-series";
/// Time between two values in the notation where the file does not say.
const DEFAULT_INTERVAL: SignedDuration = SignedDuration::from_mins(1);
/// The path below which the query API lives.
const API: &str = "/api/v1/";

/// A file of series that could not be used: every problem, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Unusable(Vec<String>);

/// A Prometheus that answers from recorded series.
#[derive(Debug)]
pub struct RecordedSeries {
    store: SeriesStore,
    /// When the first sample was.
    pub first: Timestamp,
    /// When the last sample was.
    pub last: Timestamp,
}

/// Reads series: promtool's notation if the file is YAML by its name, samples with times otherwise.
///
/// # Errors
/// [`Unusable`], when a line is wrong or there is nothing in it.
pub fn read(source: &Source) -> Result<RecordedSeries, Unusable> {
    let is_yaml = [".yaml", ".yml"].iter().any(|ending| source.file.ends_with(ending));
    let recorded = if is_yaml { notation(source)? } else { samples(source)? };
    let file = &source.file;
    let empty = || Unusable(vec![format!("{file}: there is no sample in it")]);
    let (first, last) = recording::span(&recorded).ok_or_else(empty)?;
    let store =
        recording::store(&recorded).map_err(|error| Unusable(vec![format!("{file}: {error}")]))?;
    Ok(RecordedSeries { store, first, last })
}

fn samples(source: &Source) -> Result<Vec<Recorded>, Unusable> {
    recording::read_samples(&source.text).map_err(|problems| {
        Unusable(problems.iter().map(|problem| format!("{}:{problem}", source.file)).collect())
    })
}

/// The fields of promtool's unit tests that matter here.
#[derive(Deserialize)]
struct Notation {
    #[serde(default)]
    interval: Option<String>,
    #[serde(default)]
    input_series: Vec<InputSeries>,
}

#[derive(Deserialize)]
struct InputSeries {
    series: String,
    values: Value,
}

fn notation(source: &Source) -> Result<Vec<Recorded>, Unusable> {
    let told = |problem: document::Problem| Unusable(vec![problem.to_string()]);
    let documents = document::read(source).map_err(told)?;
    let mut recorded = Vec::new();
    let mut problems = Vec::new();
    for document in &documents {
        let notation: Notation = serde_json::from_value(document.value.clone())
            .map_err(|error| told(document.problem("", error.to_string())))?;
        let mut tell = |path: &str, message: String| {
            problems.push(document.problem(path, message).to_string());
        };
        let interval = notation.interval.as_deref().map_or(Ok(DEFAULT_INTERVAL), interval);
        let interval = interval.unwrap_or_else(|error| {
            tell("interval", error);
            DEFAULT_INTERVAL
        });
        for (index, series) in notation.input_series.iter().enumerate() {
            match read_series(series, interval) {
                Ok(series) => recorded.push(series),
                Err((field, message)) => tell(&format!("input_series[{index}].{field}"), message),
            }
        }
    }
    if problems.is_empty() { Ok(recorded) } else { Err(Unusable(problems)) }
}

fn interval(text: &str) -> Result<SignedDuration, String> {
    let duration = promql::parse_duration(text).filter(|duration| !duration.is_zero());
    let duration = duration.and_then(|duration| SignedDuration::try_from(duration).ok());
    duration.ok_or_else(|| format!("`{text}` is no interval; write it like 30s or 1m"))
}

fn read_series(
    series: &InputSeries,
    interval: SignedDuration,
) -> Result<Recorded, (&'static str, String)> {
    let labels = recording::read_labels(&series.series).map_err(|error| ("series", error))?;
    let values = match &series.values {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let slots = recording::expand(&values).map_err(|error| ("values", error))?;
    Ok(Recorded { labels, points: recording::points(&slots, Timestamp::UNIX_EPOCH, interval) })
}

impl HttpCaller for RecordedSeries {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, ReplyError>> {
        let answer = self.answer(&call);
        Box::pin(async move { answer })
    }
}

impl RecordedSeries {
    fn answer(&self, call: &Call) -> Result<Reply, ReplyError> {
        let (path, query) = call.url.split_once('?').unwrap_or((&call.url, ""));
        let path = path.strip_prefix(ADDRESS).and_then(|path| path.strip_prefix(API));
        let Some(path) = path else {
            let cause = "a test asks nobody but the recorded series".to_owned();
            return Err(ReplyError::Unreachable { url: call.url.clone(), cause });
        };
        let body = String::from_utf8_lossy(call.body.as_deref().unwrap_or_default());
        let parameters = Parameters::from_url(query).and(Parameters::from_url(&body));
        // Every question names its time; one that did not would be told that there is nothing.
        let request = Request { path, parameters: &parameters, now: Timestamp::MIN };
        let reply = http_api::respond(&self.store, request, &Options::default());
        let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        Ok(Reply { status: reply.status, headers, body: reply.body.into_bytes() })
    }
}
