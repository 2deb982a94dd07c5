//! Which requests a rule is for, and which rule comes first.

use crate::objects::{MatchSpec, ValueMatch};
use http::request::Parts;
use http::{HeaderName, Method};
use regex::Regex;
use std::cmp::Reverse;

/// What a request must be like.
#[derive(Clone, Debug)]
pub(crate) struct Match {
    path: PathMatch,
    headers: Vec<(HeaderName, TextMatch)>,
    parameters: Vec<(String, TextMatch)>,
    method: Option<Method>,
}

#[derive(Clone, Debug)]
enum PathMatch {
    Exact(String),
    /// Without the slash at its end; whole segments count.
    Prefix(String),
    Pattern(Regex),
}

#[derive(Clone, Debug)]
enum TextMatch {
    Exact(String),
    Pattern(Regex),
}

/// The order of matches that Gateway API asks for; the least comes first.
pub(crate) type Precedence = (bool, Reverse<usize>, bool, Reverse<usize>, Reverse<usize>);

impl Match {
    /// The match of every request.
    pub(crate) fn all() -> Self {
        let path = PathMatch::Prefix(String::new());
        Self { path, headers: Vec::new(), parameters: Vec::new(), method: None }
    }

    /// Reads a match; the error says what the gateway cannot do.
    pub(crate) fn parse(spec: &MatchSpec) -> Result<Self, String> {
        let header = |header: &ValueMatch| {
            let name: HeaderName = header
                .name
                .parse()
                .map_err(|_| format!("header name {:?} is not valid", header.name))?;
            Ok::<_, String>((name, text_match(header, "header")?))
        };
        let parameter = |parameter: &ValueMatch| {
            Ok::<_, String>((parameter.name.clone(), text_match(parameter, "query parameter")?))
        };
        let method = spec
            .method
            .as_ref()
            .map(|method| method.parse().map_err(|_| format!("method {method:?} is not valid")));
        Ok(Self {
            path: path_match(spec.path.as_ref())?,
            headers: spec.headers.iter().map(header).collect::<Result<_, _>>()?,
            parameters: spec.query_params.iter().map(parameter).collect::<Result<_, _>>()?,
            method: method.transpose()?,
        })
    }

    pub(crate) fn matches(&self, request: &Parts) -> bool {
        self.method.as_ref().is_none_or(|method| request.method == method)
            && self.matches_path(request.uri.path())
            && self.headers.iter().all(|(name, text)| {
                let value = request.headers.get(name).and_then(|value| value.to_str().ok());
                value.is_some_and(|value| text.matches(value))
            })
            && self.parameters.iter().all(|(name, text)| {
                parameter(request.uri.query().unwrap_or_default(), name)
                    .is_some_and(|value| text.matches(value))
            })
    }

    pub(crate) fn precedence(&self) -> Precedence {
        let (inexact, length) = match &self.path {
            PathMatch::Exact(path) => (false, path.len()),
            PathMatch::Prefix(path) => (true, path.len()),
            PathMatch::Pattern(pattern) => (true, pattern.as_str().len()),
        };
        let any_method = self.method.is_none();
        let (headers, parameters) = (self.headers.len(), self.parameters.len());
        (inexact, Reverse(length), any_method, Reverse(headers), Reverse(parameters))
    }

    fn matches_path(&self, path: &str) -> bool {
        match &self.path {
            PathMatch::Exact(exact) => path == exact,
            PathMatch::Pattern(pattern) => pattern.is_match(path),
            PathMatch::Prefix(prefix) => path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }
}

impl TextMatch {
    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(exact) => value == exact,
            Self::Pattern(pattern) => pattern.is_match(value),
        }
    }
}

fn path_match(spec: Option<&ValueMatch>) -> Result<PathMatch, String> {
    let value = spec.and_then(|path| path.value.clone()).unwrap_or_else(|| "/".to_owned());
    match spec.and_then(|path| path.kind.as_deref()).unwrap_or("PathPrefix") {
        "Exact" => Ok(PathMatch::Exact(value)),
        "PathPrefix" => Ok(PathMatch::Prefix(value.trim_end_matches('/').to_owned())),
        "RegularExpression" => pattern(&value).map(PathMatch::Pattern),
        other => Err(format!("path match type {other:?} is not supported")),
    }
}

fn text_match(spec: &ValueMatch, what: &str) -> Result<TextMatch, String> {
    let value = spec.value.clone().unwrap_or_default();
    match spec.kind.as_deref().unwrap_or("Exact") {
        "Exact" => Ok(TextMatch::Exact(value)),
        "RegularExpression" => pattern(&value).map(TextMatch::Pattern),
        other => Err(format!("{what} match type {other:?} is not supported")),
    }
}

fn pattern(text: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{text})$"))
        .map_err(|_| format!("regular expression {text:?} is not valid"))
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.into_iter().find(|(n, _)| *n == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize as _;

    fn check(spec: &serde_json::Value, request: http::request::Builder, expected: bool) {
        let found = Match::parse(&MatchSpec::deserialize(spec).unwrap()).unwrap();
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(found.matches(&parts), expected, "{spec} {parts:?}");
    }

    #[test]
    fn a_prefix_matches_whole_segments() {
        let spec = serde_json::json!({"path": {"type": "PathPrefix", "value": "/api/"}});
        for (path, expected) in
            [("/api", true), ("/api/", true), ("/api/x?y", true), ("/apis", false), ("/", false)]
        {
            check(&spec, http::Request::get(path), expected);
        }
    }

    #[test]
    fn every_condition_must_hold() {
        let spec = serde_json::json!({
            "path": {"type": "Exact", "value": "/a"},
            "method": "POST",
            "headers": [{"name": "X-Canary", "value": "yes"}],
            "queryParams": [{"name": "v", "type": "RegularExpression", "value": "[0-9]+"}],
        });
        let request = || http::Request::post("/a?v=12").header("x-canary", "yes");
        check(&spec, request(), true);
        check(&spec, request().method("GET"), false);
        check(&spec, request().uri("/a?v=x"), false);
        check(&spec, http::Request::post("/a?v=1").header("x-canary", "no"), false);
        check(&spec, request().uri("/a/b?v=1"), false);
    }

    #[test]
    fn what_cannot_be_matched_is_named() {
        let spec: MatchSpec =
            serde_json::from_value(serde_json::json!({"path": {"type": "Glob", "value": "/*"}}))
                .unwrap();
        assert_eq!(Match::parse(&spec).unwrap_err(), "path match type \"Glob\" is not supported");
    }
}
