//! Asking a source for one number: another provider's own conversation, with a query of ours.

use super::{
    answers::Answer,
    buckets,
    settings::{Question, What},
};
use crate::{Asked, CredentialRef, Measured, MeasuredValue, Provider, Turn, by_name};
use jiff::Timestamp;
use serde_json::{Map, Value};
use vocab::{Reply, ReplyError};

/// The providers whose settings have a `query` that can be one number.
pub(super) const SOURCES: [&str; 6] =
    ["datadog", "graphite", "influxdb", "newRelic", "prometheus", "wavefront"];

/// A source and its settings, but for the query.
pub(super) struct Source {
    pub(super) provider: &'static dyn Provider,
    config: Map<String, Value>,
}

impl Source {
    /// The source of a metric, if it has exactly one that can be asked.
    pub(super) fn of(config: &Value) -> Option<Self> {
        let sources = config.get("source")?.as_object()?;
        let (name, config) = sources.iter().next().filter(|_| sources.len() == 1)?;
        let known = SOURCES.contains(&name.as_str());
        let provider = by_name(name).filter(|_| known)?;
        Some(Self { provider, config: config.as_object()?.clone() })
    }

    /// What the source needs to let us in.
    pub(super) fn credentials(&self) -> Vec<CredentialRef> {
        self.provider.credentials(&self.with_query(""))
    }

    /// Whether a query is among the settings, where it would do nothing.
    pub(super) fn has_query(&self) -> bool {
        self.config.contains_key("query")
    }

    /// Where the source is, if its settings say so.
    pub(super) fn address(&self) -> Option<&str> {
        self.config.get("address").and_then(Value::as_str)
    }

    /// The provider's settings with this query.
    pub(super) fn with_query(&self, query: &str) -> Value {
        let mut config = self.config.clone();
        config.insert("query".to_owned(), Value::String(query.to_owned()));
        Value::Object(config)
    }

    /// Begins to ask.
    pub(super) fn start(&self, query: &str, asked: &Asked<'_>, now: Timestamp) -> Turn {
        self.provider.start(&Asked { config: &self.with_query(query), ..*asked }, now)
    }

    /// Goes on with an answer.
    pub(super) fn resume(
        &self,
        query: &str,
        asked: &Asked<'_>,
        (state, reply): (&Value, Result<Reply, ReplyError>),
        now: Timestamp,
    ) -> Turn {
        let asked = Asked { config: &self.with_query(query), ..*asked };
        self.provider.resume(&asked, state, reply, now)
    }
}

/// What a source answered a question with; `reply` is what it was read from. Without `edges` a histogram is
/// read whole.
///
/// # Errors
/// A sentence, when the answer is not what was asked for.
pub(super) fn answer(
    question: &Question,
    edges: &[f64],
    measured: &Measured,
    reply: Option<&Reply>,
) -> Result<Answer, String> {
    match (question.what, reply) {
        (What::Buckets, Some(reply)) if edges.is_empty() => buckets::read_all(reply),
        (What::Buckets, Some(reply)) => buckets::read(reply, edges),
        (What::Buckets, None) => Err("the answer is no histogram".to_owned()),
        _ => number(measured).map(Answer::of),
    }
}

/// The number that a source answered with; none where it knows nothing.
fn number(measured: &Measured) -> Result<Option<f64>, String> {
    match &measured.result {
        MeasuredValue::Number(number) => Ok(Some(*number)),
        MeasuredValue::Numbers(numbers) => only(numbers).map(Option::<&f64>::copied),
        MeasuredValue::Json(json) => number_in(json),
    }
}

/// Looks into lists and objects of one.
fn number_in(json: &Value) -> Result<Option<f64>, String> {
    let inner = match json {
        Value::Null => None,
        Value::Array(items) => only(items)?,
        Value::Object(fields) => only(&fields.values().collect::<Vec<_>>())?.copied(),
        Value::Number(_) | Value::String(_) => return leaf(json).map(Some),
        Value::Bool(_) => return Err("the answer is no number".to_owned()),
    };
    inner.map_or(Ok(None), number_in)
}

fn leaf(json: &Value) -> Result<f64, String> {
    let number = json.as_f64().or_else(|| json.as_str()?.parse().ok());
    number.ok_or_else(|| "the answer is no number".to_owned())
}

fn only<T>(items: &[T]) -> Result<Option<&T>, String> {
    match items {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        many => Err(format!("the answer has {} values: a count must be one number", many.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(json: &Value, expected: Result<Option<f64>, &str>) {
        assert_eq!(number_in(json), expected.map_err(str::to_owned), "{json}");
    }

    #[test]
    fn one_number_is_found_and_anything_else_refused() {
        check(&json!(null), Ok(None));
        check(&json!([]), Ok(None));
        check(&json!([3]), Ok(Some(3.0)));
        check(&json!({"count": 4.5}), Ok(Some(4.5)));
        check(&json!([{"count": "5"}]), Ok(Some(5.0)));
        check(&json!([1, 2]), Err("the answer has 2 values: a count must be one number"));
        check(&json!("x"), Err("the answer is no number"));
        check(&json!(true), Err("the answer is no number"));
    }
}
