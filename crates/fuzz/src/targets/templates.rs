//! Arguments in texts and in metrics.

use super::in_two;
use crate::{Seen, Target};
use analysis::arguments::{resolve_metric, substitute};
use api::argo::{Argument, Metric};
use std::collections::BTreeMap;

pub(super) const TARGET: Target = Target { name: "templates", seeds, words: WORDS, read };

const WORDS: &[&str] = &[
    "{{",
    "}}",
    "{{args.a}}",
    "{{ args.a }}",
    "{{args.b}}",
    "{{args.",
    "args.a",
    "{",
    "}",
    "\"",
    "\\\"",
    "\\u007b",
    "\"count\": \"{{args.a}}\"",
    "\"interval\": \"{{args.b}}\"",
    "\"failureLimit\": 1",
    "{{args.{{args.a}}}}",
];

fn seeds() -> Vec<Vec<u8>> {
    let metric = r#"{"name": "rate", "interval": "{{args.b}}", "successCondition": "result[0] >= {{args.a}}", "provider": {"prometheus": {"address": "http://prometheus", "query": "sum(rate(x{app=\"{{args.a}}\"}[5m]))"}}}"#;
    let job = r#"{"name": "job", "count": "{{args.a}}", "provider": {"job": {"spec": {"template": {"spec": {"containers": [{"name": "c", "env": [{"name": "{{args.b}}"}]}]}}}}}}"#;
    ["{{args.a}} and {{ args.b }}", "}}{{args.a}}{{", "{{args.c}}", "{{{{args.a}}}}"]
        .iter()
        .map(|text| format!("{text}\n{metric}").into_bytes())
        .chain([format!("x\n{job}").into_bytes()])
        .collect()
}

/// Values that look like tags, and must not be read as such.
fn values() -> BTreeMap<String, String> {
    ["a", "b"].map(|name| (format!("args.{name}"), format!("{{{{args.{name}}}}}"))).into()
}

fn read(input: &[u8]) -> Seen {
    let (text, metric) = in_two(input);
    let sort = match substitute(&text, &values()) {
        Ok(whole) if without_blanks(&whole) != without_blanks(&text) => {
            return Err(format!("values were read as tags: {whole:?}"));
        }
        Ok(_) => "whole".to_owned(),
        Err(error) => without_tags(&error.to_string()),
    };
    let Ok(metric) = serde_json::from_str::<Metric>(&metric) else { return Ok(sort) };
    let argument = |(name, value): (String, String)| Argument {
        name: name.trim_start_matches("args.").to_owned(),
        value: Some(value),
        value_from: None,
    };
    let arguments: Vec<Argument> = values().into_iter().map(argument).collect();
    Ok(match resolve_metric(&metric, &arguments) {
        Ok(_) => format!("{sort}, metric"),
        Err(error) => format!("{sort}, {}", without_tags(&error.to_string())),
    })
}

/// What is wrong, up to the tag, which would make every text new.
fn without_tags(message: &str) -> String {
    message.split("{{").next().unwrap_or_default().to_owned()
}

/// A tag may have blanks within its braces, which its value has not.
fn without_blanks(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace()).collect()
}
