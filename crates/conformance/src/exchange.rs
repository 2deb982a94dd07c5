//! What is sent: sequences of exchanges, as written in `conformance/exchanges/`.
//!
//! Start at [`Sequence::parse`]. An exchange with `cases` stands for one exchange a case.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Exchanges that are played one after the other in a namespace of their own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// What the sequence is about, in a sentence.
    pub about: String,
    /// The namespace's labels and annotations come with the first request; this says not to make one.
    #[serde(default)]
    pub cluster_wide: bool,
    /// In the order they are played.
    pub exchanges: Vec<Exchange>,
}

/// One request, or the reading of an open watch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What is shown, in a sentence.
    pub name: String,
    /// Method and path, such as `GET v1/pods/a` or `GET /version`; see [`Exchange::path`].
    #[serde(default)]
    pub request: String,
    /// The `Accept` header, or a short word for a usual one.
    #[serde(default)]
    pub accept: Option<String>,
    /// The `Content-Type` header, or a short word for a usual one.
    #[serde(default)]
    pub content: Option<String>,
    /// More headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body: a string is sent as it is, anything else as JSON.
    #[serde(default)]
    pub body: Option<Value>,
    /// Names for parts of the answer (JSON pointers), for later exchanges to use as `${name}`.
    #[serde(default)]
    pub capture: BTreeMap<String, String>,
    /// Asks again until the answer has these values (by JSON pointer; `status` is the HTTP status).
    #[serde(default)]
    pub until: BTreeMap<String, Value>,
    /// Compares only these parts of the body (JSON pointers); all of it when empty.
    #[serde(default)]
    pub only: Vec<String>,
    /// Of the lists at these places (JSON pointers) only the members named here are compared.
    #[serde(default)]
    pub members: Vec<Members>,
    /// Opens a watch under this name; the answer is compared when it is read.
    #[serde(default)]
    pub open: Option<String>,
    /// Reads events of an open watch.
    #[serde(default)]
    pub read: Option<Reading>,
    /// Variants: each is merged onto this exchange, its body as a merge patch.
    #[serde(default)]
    pub cases: Vec<Map<String, Value>>,
    /// Sent and awaited, but neither compared nor counted.
    #[serde(default)]
    pub uncounted: bool,
}

/// Which members of a list are compared, in which order.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// Where the list is.
    pub list: String,
    /// The pointer within a member to what names it.
    pub by: String,
    /// The names, in the order they are compared.
    pub of: Vec<Value>,
}

/// The reading of an open watch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The name it was opened under.
    pub watch: String,
    /// How many events to wait for; without it the watch is read to its end.
    #[serde(default)]
    pub events: Option<usize>,
}

/// Why a sequence could not be understood.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The text is not a sequence.
    #[error("{file} is not a sequence of exchanges")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: Box<serde_saphyr::Error>,
    },
    /// A case is not an exchange.
    #[error("{file}: a case of {name:?} is not an exchange")]
    Case {
        /// The file.
        file: String,
        /// The exchange.
        name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Two exchanges have one name, or one has none.
    #[error("{file}: {name:?} names two exchanges")]
    SameName {
        /// The file.
        file: String,
        /// The name.
        name: String,
    },
}

impl Sequence {
    /// Reads a sequence and spells its cases out.
    ///
    /// # Errors
    ///
    /// When the text is no sequence, or two exchanges share a name.
    pub fn parse(file: &str, text: &str) -> Result<Self, ExchangeError> {
        let mut sequence: Self = serde_saphyr::from_str(text).map_err(|source| {
            ExchangeError::Malformed { file: file.to_owned(), source: Box::new(source) }
        })?;
        let written = std::mem::take(&mut sequence.exchanges);
        for exchange in written {
            sequence.exchanges.extend(exchange.spelled_out(file)?);
        }
        let mut names = BTreeSet::new();
        for exchange in &sequence.exchanges {
            if !names.insert(&exchange.name) {
                let (file, name) = (file.to_owned(), exchange.name.clone());
                return Err(ExchangeError::SameName { file, name });
            }
        }
        Ok(sequence)
    }

    /// How many exchanges count.
    pub fn counted(&self) -> usize {
        self.exchanges.iter().filter(|exchange| !exchange.uncounted).count()
    }
}

impl Exchange {
    fn spelled_out(mut self, file: &str) -> Result<Vec<Self>, ExchangeError> {
        let cases = std::mem::take(&mut self.cases);
        if cases.is_empty() {
            return Ok(vec![self]);
        }
        cases.into_iter().map(|case| self.with(file, case)).collect()
    }

    fn with(&self, file: &str, mut case: Map<String, Value>) -> Result<Self, ExchangeError> {
        let patch = case.remove("body");
        let broken =
            |source| ExchangeError::Case { file: file.to_owned(), name: self.name.clone(), source };
        let merged: Case = serde_json::from_value(Value::Object(case)).map_err(broken)?;
        let mut exchange = self.clone();
        exchange.name = format!("{}: {}", self.name, merged.name);
        exchange.request = merged.request.unwrap_or(exchange.request);
        exchange.accept = merged.accept.or(exchange.accept);
        exchange.content = merged.content.or(exchange.content);
        exchange.headers.extend(merged.headers);
        exchange.capture.extend(merged.capture);
        if !merged.only.is_empty() {
            exchange.only = merged.only;
        }
        match patch {
            Some(patch @ Value::Object(_)) => merge(exchange.body.get_or_insert_default(), patch),
            Some(whole) => exchange.body = Some(whole),
            None => {}
        }
        Ok(exchange)
    }

    /// The method.
    pub fn method(&self) -> &str {
        self.request.split_once(' ').map_or("GET", |(method, _)| method)
    }

    /// The path with its query. A path without a leading slash starts with a version, `v1` or
    /// `group/version`, and goes on inside `namespace`.
    pub fn path(&self, namespace: &str) -> String {
        let path = self.request.split_once(' ').map_or("", |(_, path)| path.trim());
        if path.starts_with('/') {
            return path.to_owned();
        }
        match path.split_once('/') {
            Some((version, rest)) if is_version(version) => {
                format!("/api/{version}/namespaces/{namespace}/{rest}")
            }
            Some((group, rest)) => {
                let (version, rest) = rest.split_once('/').unwrap_or((rest, ""));
                format!("/apis/{group}/{version}/namespaces/{namespace}/{rest}")
            }
            None => path.to_owned(),
        }
    }
}

/// The fields a case may change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    request: Option<String>,
    accept: Option<String>,
    content: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    capture: BTreeMap<String, String>,
    #[serde(default)]
    only: Vec<String>,
}

fn is_version(word: &str) -> bool {
    word.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// RFC 7386, but that `~null` is a null that stays.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return };
    for (key, value) in patch {
        match value {
            Value::Null => _ = map.remove(&key),
            Value::String(text) if text == "~null" => _ = map.insert(key, Value::Null),
            value => merge(map.entry(key).or_insert(Value::Null), value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = "
about: Things are made.
exchanges:
  - name: a thing is refused
    request: POST v1/configmaps
    body: {a: 1, b: {c: 2}}
    cases:
      - {name: without a, body: {a: null}}
      - {name: with d, body: {b: {d: 3}}}
";

    #[test]
    fn a_case_is_merged_onto_its_exchange() {
        let sequence = Sequence::parse("x", TEXT).unwrap();
        let of = |at: usize| sequence.exchanges[at].clone();
        assert_eq!(of(0).name, "a thing is refused: without a");
        assert_eq!(of(0).body, Some(json!({"b": {"c": 2}})));
        assert_eq!(of(1).body, Some(json!({"a": 1, "b": {"c": 2, "d": 3}})));
    }

    #[test]
    fn a_short_path_is_inside_the_namespace() {
        let check = |request: &str, expected: &str| {
            let text = format!("about: x\nexchanges: [{{name: a, request: '{request}'}}]");
            let sequence = Sequence::parse("x", &text).unwrap();
            assert_eq!(sequence.exchanges[0].path("n"), expected);
        };
        check("GET v1/pods/a", "/api/v1/namespaces/n/pods/a");
        check("GET apps/v1/deployments?limit=1", "/apis/apps/v1/namespaces/n/deployments?limit=1");
        check("GET /version", "/version");
    }

    #[test]
    fn no_two_exchanges_share_a_name() {
        let text = "about: x\nexchanges: [{name: a}, {name: a}]";
        let error = Sequence::parse("x", text).unwrap_err();
        assert_eq!(error.to_string(), "x: \"a\" names two exchanges");
    }
}
