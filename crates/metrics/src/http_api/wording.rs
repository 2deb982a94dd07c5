//! Answers as JSON, byte by byte as Prometheus writes them: numbers are texts, times are numbers.

use crate::Labels;
use crate::number;
use crate::promql::PromValue;
use crate::series::Point;
use std::collections::BTreeSet;

pub(super) fn success(data: &str) -> String {
    format!("{{\"status\":\"success\",\"data\":{data}}}")
}

pub(super) fn error(kind: &str, message: &str) -> String {
    let message = quoted(message);
    format!("{{\"status\":\"error\",\"errorType\":\"{kind}\",\"error\":{message}}}")
}

pub(super) fn value(value: &PromValue) -> String {
    let (kind, result) = match value {
        PromValue::Scalar(found) => ("scalar", point(*found)),
        PromValue::String(at, text) => {
            ("string", format!("[{},{}]", number::format_time(*at), quoted(text)))
        }
        PromValue::Vector(at, elements) => {
            let element = |labels: &Labels, value| {
                let value = point(Point { at: *at, value });
                format!("{{\"metric\":{},\"value\":{value}}}", metric(labels))
            };
            ("vector", list(elements.iter().map(|e| element(&e.labels, e.value))))
        }
        PromValue::Matrix(series) => {
            let series = series.iter().map(|series| {
                let values = list(series.points.iter().map(|p| point(*p)));
                format!("{{\"metric\":{},\"values\":{values}}}", metric(&series.labels))
            });
            ("matrix", list(series))
        }
    };
    format!("{{\"resultType\":\"{kind}\",\"result\":{result}}}")
}

pub(super) fn label_sets(sets: &BTreeSet<&Labels>) -> String {
    list(sets.iter().map(|labels| metric(labels)))
}

pub(super) fn words(words: &BTreeSet<&str>) -> String {
    list(words.iter().map(|word| quoted(word)))
}

pub(super) fn build_info(version: &str) -> String {
    serde_json::json!({
        "version": version,
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    })
    .to_string()
}

fn metric(labels: &Labels) -> String {
    let pairs = labels.iter().map(|(name, value)| format!("{}:{}", quoted(name), quoted(value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

fn point(point: Point) -> String {
    format!("[{},\"{}\"]", number::format_time(point.at), number::format(point.value))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
