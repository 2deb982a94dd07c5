//! Takes out of an answer what no two servers, or no two runs, share.
//!
//! Start at [`normalise`]: times, uids, resource versions, random suffixes, allocated addresses, continue
//! tokens and ages become words such as `<time>`. Everything else stays.

use crate::answer::Answer;
use regex::Regex;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// What replaces what, wherever it stands in a text.
static WORDS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let words = [
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "<microtime>"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
        (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? \+0000 UTC( m=\S+)?", "<time>"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uid>"),
        (r"too old resource version: \d+ \(\d+\)", "too old resource version: <rv> (<rv>)"),
        (
            r"Too large resource version: \d+, current: \d+",
            "Too large resource version: <rv>, current: <rv>",
        ),
        (
            r"\(\d+\) does not match the ResourceVersion in record \(\d+\)",
            "(<rv>) does not match the ResourceVersion in record (<rv>)",
        ),
        (r#"resourceVersion(\\*)":(\\*)"\d+"#, "resourceVersion$1\":$2\"<rv>"),
        (r#"resourceVersion: "\d+""#, "resourceVersion: \"<rv>\""),
        (r":3[0-2]\d{3}/(TCP|UDP)", ":<port>/$1"),
        (r"\b10\.\d+\.\d+\.\d+\b", "<address>"),
    ];
    let compiled =
        words.into_iter().filter_map(|(pattern, word)| Some((Regex::new(pattern).ok()?, word)));
    compiled.collect()
});

/// An age in a table's cell.
static AGE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^(\d+[smhdy]){1,2}$").ok());

/// Normalises an answer in place; `name` puts the names of captured values into texts.
pub fn normalise(answer: &mut Answer, name: &dyn Fn(&str) -> String) {
    for warning in &mut answer.warnings {
        *warning = words(&name(warning));
    }
    walk(&mut answer.body, name);
}

fn walk(value: &mut Value, name: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = words(&name(text)),
        Value::Array(list) => list.iter_mut().for_each(|item| walk(item, name)),
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                if key.ends_with("cells") {
                    ages(value);
                }
            }
            generated(map, name);
            managers(map);
            keys(map, name);
            for (key, value) in map.iter_mut() {
                if !opaque(key, value) {
                    walk(value, name);
                }
            }
        }
        _ => {}
    }
}

/// Fields whose value means nothing to anybody else.
fn opaque(key: &str, value: &mut Value) -> bool {
    let word = match (key, &*value) {
        ("resourceVersion", Value::String(text)) if !matches!(text.as_str(), "" | "0") => "<rv>",
        ("continue", Value::String(text)) if !text.is_empty() => "<continue>",
        ("nodePort", Value::Number(number)) if number.as_u64() != Some(0) => "<port>",
        _ => return false,
    };
    *value = Value::from(word);
    true
}

/// Managed fields are sorted by when they were written, to the second: that is chance.
fn managers(map: &mut Map<String, Value>) {
    if let Some(Value::Array(entries)) = map.get_mut("managedFields") {
        let rank = |entry: &Value| {
            ["operation", "manager", "subresource"].map(|key| entry[key].to_string())
        };
        entries.sort_by_key(rank);
    }
}

/// Keys of managed fields hold values.
fn keys(map: &mut Map<String, Value>, name: &dyn Fn(&str) -> String) {
    if map.keys().any(|key| key.starts_with("k:{")) {
        let named = |(key, value): (String, Value)| (words(&name(&key)), value);
        *map = std::mem::take(map).into_iter().map(named).collect();
    }
}

/// A name made from `generateName` keeps its beginning.
fn generated(map: &mut Map<String, Value>, name: &dyn Fn(&str) -> String) {
    let Some(prefix) = map.get("generateName").and_then(Value::as_str) else { return };
    let named = map.get("name").and_then(Value::as_str).unwrap_or_default();
    let suffix = named.strip_prefix(prefix).unwrap_or_default();
    if suffix.len() == 5 && name(named) == named {
        let word = format!("{prefix}<generated>");
        map.insert("name".to_owned(), Value::from(word));
    }
}

fn words(text: &str) -> String {
    let replace = |text: String, (pattern, word): &(Regex, &str)| {
        pattern.replace_all(&text, *word).into_owned()
    };
    WORDS.iter().fold(text.to_owned(), replace)
}

fn ages(cells: &mut Value) {
    for cell in cells.as_array_mut().into_iter().flatten() {
        let age = AGE.as_ref().zip(cell.as_str()).is_some_and(|(age, text)| age.is_match(text));
        if age {
            *cell = Value::from("<age>");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(body: Value, expected: &Value) {
        let (name, content_type) = (String::new(), String::new());
        let mut answer = Answer { name, status: 200, content_type, warnings: Vec::new(), body };
        normalise(&mut answer, &|text| text.replace("captured", "${it}"));
        assert_eq!(&answer.body, expected);
    }

    #[test]
    fn times_uids_and_versions_become_words() {
        check(
            json!({"metadata": {
                "uid": "0b5ac8a4-8e3a-4ab1-94f3-1d9ac0b0a4d1",
                "resourceVersion": "12",
                "creationTimestamp": "2026-01-01T00:00:00Z",
            }, "renewTime": "2026-01-01T00:00:00.000000Z"}),
            &json!({"metadata": {
                "uid": "<uid>", "resourceVersion": "<rv>", "creationTimestamp": "<time>",
            }, "renewTime": "<microtime>"}),
        );
    }

    #[test]
    fn an_empty_or_zero_version_says_something() {
        check(json!({"resourceVersion": "0"}), &json!({"resourceVersion": "0"}));
        check(json!({"resourceVersion": ""}), &json!({"resourceVersion": ""}));
    }

    #[test]
    fn a_generated_name_keeps_its_beginning() {
        check(
            json!({"generateName": "a-", "name": "a-x7k2p"}),
            &json!({"generateName": "a-", "name": "a-<generated>"}),
        );
        check(
            json!({"generateName": "a-", "name": "b"}),
            &json!({"generateName": "a-", "name": "b"}),
        );
    }

    #[test]
    fn captured_values_get_their_names() {
        check(json!({"message": "has captured"}), &json!({"message": "has ${it}"}));
    }

    #[test]
    fn only_cells_of_tables_are_ages() {
        let table = json!({"kind": "Table", "rows": [{"cells": ["a", "3m2s", 2]}]});
        check(table, &json!({"kind": "Table", "rows": [{"cells": ["a", "<age>", 2]}]}));
        check(json!({"periodSeconds": "3s"}), &json!({"periodSeconds": "3s"}));
    }
}
