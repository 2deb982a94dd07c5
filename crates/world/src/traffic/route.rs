//! Where requests go that come in by an HTTPRoute: a plain `GET /`, or one with a header more.

use super::scene::{Backend, Front, backend};
use crate::{
    cluster::Cluster,
    objects::{name_of, namespace_of},
};
use kube::core::DynamicObject;
use regex::Regex;
use serde_json::Value;
use std::cmp::Reverse;

/// What a share of copies is of when no fraction is given.
const PERCENT: f64 = 100.0;

/// Some users who send a header that the others do not, besides the others.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Senders {
    pub(super) header: (String, String),
    /// Requests per second.
    pub(super) rate: f64,
}

/// The headers that a rule asks for, all of them: name, value, and whether it is a pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked(Vec<(String, Wanted)>);

#[derive(Clone, Debug, PartialEq)]
enum Wanted {
    Exact(String),
    Pattern(String),
}

impl Asked {
    /// Whether one header is enough.
    pub(super) fn is_met_by(&self, (name, value): &(String, String)) -> bool {
        self.0.iter().all(|(asked, wanted)| {
            let meets = match wanted {
                Wanted::Exact(text) => text == value,
                Wanted::Pattern(text) => Regex::new(&format!("^(?:{text})$"))
                    .is_ok_and(|pattern| pattern.is_match(value)),
            };
            asked.eq_ignore_ascii_case(name) && meets
        })
    }
}

/// The way of modelled users through a route.
pub(super) fn front(cluster: &Cluster, route: &DynamicObject) -> Front {
    let namespace = namespace_of(&route.metadata);
    let name = format!("{namespace}/HTTPRoute/{}", name_of(&route.metadata));
    let rules = route.data["spec"]["rules"].as_array().into_iter().flatten();
    let mut ways: Vec<(Asked, Front)> = Vec::new();
    for (place, rule) in rules.enumerate() {
        let front = Front {
            name: format!("{name}/{place}"),
            route: name_of(&route.metadata).to_owned(),
            backends: backends(cluster, namespace, rule),
            copies: copies(cluster, namespace, rule),
            special: Vec::new(),
        };
        ways.extend(asked_of(rule).into_iter().map(|asked| (asked, front.clone())));
    }
    // The rule that asks for more comes first, and of those that ask for as much the first.
    ways.sort_by_key(|(asked, _)| Reverse(asked.0.len()));
    let (special, plain): (Vec<_>, Vec<_>) =
        ways.into_iter().partition(|(asked, _)| !asked.0.is_empty());
    let plain = plain.into_iter().next().map(|(_, front)| front).unwrap_or_default();
    Front { name, route: name_of(&route.metadata).to_owned(), special, ..plain }
}

/// What each match of a rule asks for that takes a `GET /` of somebody.
fn asked_of(rule: &Value) -> Vec<Asked> {
    let takes = |part: &&Value| {
        let path = part.pointer("/path/value").and_then(Value::as_str).unwrap_or("/");
        let kind = part.pointer("/path/type").and_then(Value::as_str);
        let method = part.get("method").and_then(Value::as_str).unwrap_or("GET");
        let parameters = part.get("queryParams").and_then(Value::as_array);
        path == "/"
            && kind != Some("RegularExpression")
            && method == "GET"
            && parameters.is_none_or(Vec::is_empty)
    };
    match rule.get("matches").and_then(Value::as_array) {
        Some(matches) if !matches.is_empty() => matches.iter().filter(takes).map(asked).collect(),
        _ => vec![Asked(Vec::new())],
    }
}

fn asked(part: &Value) -> Asked {
    let headers = part.get("headers").and_then(Value::as_array).into_iter().flatten();
    let text = |header: &Value, field: &str| header[field].as_str().unwrap_or_default().to_owned();
    let one = |header: &Value| {
        let value = text(header, "value");
        let is_pattern = header["type"] == "RegularExpression";
        let wanted = if is_pattern { Wanted::Pattern(value) } else { Wanted::Exact(value) };
        (text(header, "name"), wanted)
    };
    Asked(headers.map(one).collect())
}

fn backends(cluster: &Cluster, namespace: &str, rule: &Value) -> Vec<Backend> {
    let references = rule["backendRefs"].as_array().into_iter().flatten();
    references.filter_map(|reference| reached(cluster, namespace, reference)).collect()
}

/// The backends that get copies, each with the share of requests that are copied as its weight.
fn copies(cluster: &Cluster, namespace: &str, rule: &Value) -> Vec<Backend> {
    let filters = rule["filters"].as_array().into_iter().flatten();
    let mirrors = filters.filter_map(|filter| filter.get("requestMirror"));
    let copy = |mirror: &Value| {
        let number = |pointer: &str| mirror.pointer(pointer).and_then(Value::as_f64);
        let of = number("/fraction/denominator").unwrap_or(PERCENT).max(1.0);
        let fraction = number("/fraction/numerator").map(|parts| parts / of);
        let percent = || number("/percent").unwrap_or(PERCENT) / PERCENT;
        let weight = fraction.unwrap_or_else(percent).clamp(0.0, 1.0);
        Some(Backend { weight, ..reached(cluster, namespace, &mirror["backendRef"])? })
    };
    mirrors.filter_map(copy).collect()
}

fn reached(cluster: &Cluster, namespace: &str, reference: &Value) -> Option<Backend> {
    let kind = reference.get("kind").and_then(Value::as_str).unwrap_or("Service");
    let weight = reference.get("weight").and_then(Value::as_f64).unwrap_or(1.0);
    let of = reference.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
    let name = reference["name"].as_str().unwrap_or_default();
    (kind == "Service").then(|| backend(cluster, of, name, weight))
}
