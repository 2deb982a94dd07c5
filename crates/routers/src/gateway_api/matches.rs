//! Matches of an `HTTPRoute`, and the requests that meet two of them at once.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vocab::{NamedText, RequestMatch, TextMatch};

const EXACT: &str = "Exact";
const PREFIX: &str = "PathPrefix";
const PATTERN: &str = "RegularExpression";
/// Characters that mean something in a regular expression.
const SPECIAL: &str = r"\.+*?()|[]{}^$";

/// What a request must be like, with what the API server takes for granted written out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Match {
    path: Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<Named>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    query_params: Vec<Named>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Path {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

impl Default for Path {
    fn default() -> Self {
        Self { kind: PREFIX.to_owned(), value: "/".to_owned() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Named {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    value: String,
}

impl Default for Named {
    fn default() -> Self {
        Self { kind: EXACT.to_owned(), name: String::new(), value: String::new() }
    }
}

/// The matches of a rule; one without any takes every request. `None` when they cannot be read.
pub(super) fn of_rule(rule: &Value) -> Option<Vec<Match>> {
    let written = rule["matches"].as_array().filter(|matches| !matches.is_empty());
    written.map_or_else(
        || Some(vec![Match::default()]),
        |matches| matches.iter().map(|one| Match::deserialize(one).ok()).collect(),
    )
}

/// The requests that meet one of each, as far as a match can say so.
pub(super) fn meeting(own: &[Match], further: &[Match]) -> Vec<Match> {
    let pairs = further.iter().flat_map(|wanted| own.iter().map(move |one| (one, wanted)));
    pairs.filter_map(|(one, wanted)| one.and(wanted)).collect()
}

impl Match {
    /// A match of requests that have all of these headers, as upstream's plugin reads a step.
    pub(super) fn of_headers(headers: &[NamedText]) -> Self {
        Self { headers: headers.iter().map(Named::of).collect(), ..Self::default() }
    }

    /// A match of what a step asks for.
    pub(super) fn of_request(request: &RequestMatch) -> Self {
        Self {
            path: request.path.as_ref().map(Path::of).unwrap_or_default(),
            method: request.method.clone(),
            headers: request.headers.iter().map(Named::of).collect(),
            query_params: Vec::new(),
        }
    }

    /// Whether it asks for each of these headers as upstream's plugin writes them.
    pub(super) fn asks_like_the_plugin(&self, headers: &[NamedText]) -> bool {
        headers.iter().map(Named::of_plugin).all(|header| self.headers.contains(&header))
    }

    /// The requests that meet both; `None` when there are none, or when one match cannot say it.
    fn and(&self, other: &Self) -> Option<Self> {
        let method = match (&self.method, &other.method) {
            (Some(one), Some(two)) if one != two => return None,
            (one, two) => one.clone().or_else(|| two.clone()),
        };
        Some(Self {
            path: self.path.and(&other.path)?,
            method,
            headers: joined(&self.headers, &other.headers)?,
            query_params: joined(&self.query_params, &other.query_params)?,
        })
    }
}

/// All of both; of several entries of one name a gateway heeds the first alone.
fn joined(own: &[Named], further: &[Named]) -> Option<Vec<Named>> {
    let mut all = own.to_vec();
    for wanted in further {
        match own.iter().find(|found| found.name.eq_ignore_ascii_case(&wanted.name)) {
            None => all.push(wanted.clone()),
            Some(found) if (&found.kind, &found.value) == (&wanted.kind, &wanted.value) => {}
            Some(_) => return None,
        }
    }
    Some(all)
}

impl Path {
    fn of(text: &TextMatch) -> Self {
        let (kind, value) = match text {
            TextMatch::Exact(value) => (EXACT, value),
            TextMatch::Prefix(value) => (PREFIX, value),
            TextMatch::Pattern(value) => (PATTERN, value),
        };
        Self { kind: kind.to_owned(), value: value.clone() }
    }

    fn and(&self, other: &Self) -> Option<Self> {
        if self.is_everything() || self == other {
            return Some(other.clone());
        }
        if other.is_everything() {
            return Some(self.clone());
        }
        match (self.kind.as_str(), other.kind.as_str()) {
            (PREFIX, EXACT | PREFIX) if other.is_below(self) => Some(other.clone()),
            (EXACT | PREFIX, PREFIX) if self.is_below(other) => Some(self.clone()),
            _ => None,
        }
    }

    fn is_everything(&self) -> bool {
        self.kind == PREFIX && self.value.trim_end_matches('/').is_empty()
    }

    /// Whether the other's segments are the first of this one's.
    fn is_below(&self, other: &Self) -> bool {
        let rest = self.value.strip_prefix(other.value.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Named {
    fn of(header: &NamedText) -> Self {
        let (kind, value) = match &header.value {
            TextMatch::Exact(value) => (EXACT, value.clone()),
            TextMatch::Prefix(value) => (PATTERN, format!("{}.*", literally(value))),
            TextMatch::Pattern(value) => (PATTERN, value.clone()),
        };
        Self { kind: kind.to_owned(), name: header.name.clone(), value }
    }

    /// As upstream's plugin has it, to which a prefix is part of an expression.
    fn of_plugin(header: &NamedText) -> Self {
        match &header.value {
            TextMatch::Prefix(value) => Self {
                kind: PATTERN.to_owned(),
                name: header.name.clone(),
                value: format!("{value}.*"),
            },
            TextMatch::Exact(_) | TextMatch::Pattern(_) => Self::of(header),
        }
    }
}

/// A regular expression of this text alone.
fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if SPECIAL.contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(own: &Value, further: &Value, expected: &Value) {
        let read = |value: &Value| Match::deserialize(value).unwrap();
        let found = meeting(&[read(own)], &[read(further)]);
        let found = found.first().map_or(Value::Null, |found| json!(found));
        let expected = if expected.is_null() { Value::Null } else { json!(read(expected)) };
        assert_eq!(found, expected, "{own} and {further}");
    }

    fn path(kind: &str, value: &str) -> Value {
        json!({"path": {"type": kind, "value": value}})
    }

    #[test]
    fn paths_meet_where_one_is_below_the_other() {
        for (own, further, expected) in [
            (path("PathPrefix", "/"), path("PathPrefix", "/api"), path("PathPrefix", "/api")),
            (
                path("PathPrefix", "/api/"),
                path("PathPrefix", "/api/v2"),
                path("PathPrefix", "/api/v2"),
            ),
            (
                path("PathPrefix", "/api/v2"),
                path("PathPrefix", "/api"),
                path("PathPrefix", "/api/v2"),
            ),
            (path("PathPrefix", "/api"), path("Exact", "/api/v2"), path("Exact", "/api/v2")),
            (path("Exact", "/api"), path("PathPrefix", "/api"), path("Exact", "/api")),
            (
                path("PathPrefix", "/"),
                path("RegularExpression", "/a.*"),
                path("RegularExpression", "/a.*"),
            ),
            (path("PathPrefix", "/api"), path("PathPrefix", "/apis"), Value::Null),
            (path("PathPrefix", "/api"), path("RegularExpression", "/api/.*"), Value::Null),
            (path("Exact", "/a"), path("Exact", "/b"), Value::Null),
        ] {
            check(&own, &further, &expected);
        }
    }

    #[test]
    fn methods_and_headers_meet_unless_they_exclude_each_other() {
        let header = |name: &str, value: &str| json!({"headers": [{"name": name, "value": value}]});
        check(&json!({}), &header("a", "1"), &header("a", "1"));
        check(
            &header("a", "1"),
            &header("b", "2"),
            &json!({"headers": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]}),
        );
        check(&header("a", "1"), &header("A", "1"), &header("a", "1"));
        check(&header("a", "1"), &header("A", "2"), &Value::Null);
        check(&json!({"method": "GET"}), &json!({}), &json!({"method": "GET"}));
        check(&json!({"method": "GET"}), &json!({"method": "POST"}), &Value::Null);
    }

    #[test]
    fn a_prefix_is_taken_literally() {
        let header = NamedText {
            name: "x-version".to_owned(),
            value: TextMatch::Prefix("v1.(beta)".to_owned()),
        };
        assert_eq!(Named::of(&header).value, r"v1\.\(beta\).*");
        assert_eq!(Named::of_plugin(&header).value, "v1.(beta).*");
    }
}
