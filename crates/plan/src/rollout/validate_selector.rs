//! What is wrong with a label selector, in the API server's words.
//!
//! Start with [`check`].

use super::validate::Problem;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use serde_json::json;

/// The longest name part of a label key, and the longest label value, in bytes.
const WORD_LIMIT: usize = 63;
/// The longest prefix of a label key, in bytes.
const PREFIX_LIMIT: usize = 253;

const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const NAME: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const WITH_PREFIX: &str =
    "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Adds everything that is wrong with the selector at `path`.
pub(super) fn check(selector: &LabelSelector, path: &str, problems: &mut Vec<Problem>) {
    for (key, value) in selector.match_labels.iter().flatten() {
        let path = format!("{path}.matchLabels");
        problems.extend(of_key(key).into_iter().map(|it| invalid(&path, key, &it)));
        problems.extend(of_value(value).into_iter().map(|it| invalid(&path, value, &it)));
    }
    for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
        check_expression(expression, &format!("{path}.matchExpressions[{index}]"), problems);
    }
}

/// Whether nothing is wrong with the selector.
pub(super) fn is_valid(selector: &LabelSelector) -> bool {
    let mut problems = Vec::new();
    check(selector, "", &mut problems);
    problems.is_empty()
}

fn check_expression(
    expression: &LabelSelectorRequirement,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let LabelSelectorRequirement { key, operator, values } = expression;
    let values = values.as_deref().unwrap_or_default();
    match operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            let detail = "must be specified when `operator` is 'In' or 'NotIn'";
            problems.push(Problem::required(format!("{path}.values"), detail));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => problems.push(Problem {
            path: format!("{path}.values"),
            text: "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                .to_owned(),
        }),
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        unknown => {
            let path = format!("{path}.operator");
            problems.push(invalid(&path, unknown, "not a valid selector operator"));
        }
    }
    let at = format!("{path}.key");
    problems.extend(of_key(key).into_iter().map(|it| invalid(&at, key, &it)));
    for (index, value) in values.iter().enumerate() {
        let at = format!("{path}.values[{index}]");
        problems.extend(of_value(value).into_iter().map(|it| invalid(&at, value, &it)));
    }
}

fn invalid(path: &str, value: &str, detail: &str) -> Problem {
    Problem::invalid(path, &json!(value), detail)
}

/// What keeps `key` from being the key of a label.
pub(super) fn of_key(key: &str) -> Vec<String> {
    let parts: Vec<&str> = key.split('/').collect();
    match parts.as_slice() {
        [name] => of_name(name),
        [prefix, name] => of_prefix(prefix).into_iter().chain(of_name(name)).collect(),
        _ => vec![format!("a qualified name {NAME} {WITH_PREFIX}")],
    }
}

fn of_prefix(prefix: &str) -> Vec<String> {
    if prefix.is_empty() {
        return vec!["prefix part must be non-empty".to_owned()];
    }
    let is_label = |label: &str| {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        is_framed(label, good) && label.bytes().all(|byte| good(byte) || byte == b'-')
    };
    let long = (prefix.len() > PREFIX_LIMIT).then(|| too_long(PREFIX_LIMIT));
    let odd = (!prefix.split('.').all(is_label)).then(|| SUBDOMAIN.to_owned());
    long.into_iter().chain(odd).map(|it| format!("prefix part {it}")).collect()
}

fn of_name(name: &str) -> Vec<String> {
    let size = match name.len() {
        0 => Some("must be non-empty".to_owned()),
        length => (length > WORD_LIMIT).then(|| too_long(WORD_LIMIT)),
    };
    let odd = (!is_word(name)).then(|| NAME.to_owned());
    size.into_iter().chain(odd).map(|it| format!("name part {it}")).collect()
}

fn of_value(value: &str) -> Vec<String> {
    let long = (value.len() > WORD_LIMIT).then(|| too_long(WORD_LIMIT));
    let odd = (!value.is_empty() && !is_word(value)).then(|| VALUE.to_owned());
    long.into_iter().chain(odd).collect()
}

fn too_long(limit: usize) -> String {
    format!("must be no more than {limit} characters")
}

fn is_word(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    is_framed(text, |byte| byte.is_ascii_alphanumeric()) && text.bytes().all(inner)
}

/// Whether the first and the last byte are good; a text without bytes has none.
fn is_framed(text: &str, good: impl Fn(u8) -> bool) -> bool {
    let ends = [text.bytes().next(), text.bytes().next_back()];
    ends.into_iter().all(|end| end.is_some_and(&good))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_key(key: &str, expected: &[&str]) {
        let found = of_key(key);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn keys_and_values_are_judged_as_the_api_server_judges_them() {
        check_key("app", &[]);
        check_key("example.com/App_1.x", &[]);
        check_key("", &["name part must be non-empty", "name part must consist of"]);
        check_key("/app", &["prefix part must be non-empty"]);
        check_key("Example.com/app", &["prefix part a lowercase RFC 1123 subdomain"]);
        check_key("a..b/app", &["prefix part a lowercase RFC 1123 subdomain"]);
        check_key("a/b/c", &["a qualified name must consist of"]);
        check_key("-app", &["name part must consist of"]);
        check_key(&"a".repeat(64), &["name part must be no more than 63 characters"]);
        assert!(of_value("").is_empty() && of_value("v1.2_3-x").is_empty());
        assert_eq!(of_value("a b"), [VALUE]);
        assert_eq!(of_value(&"a".repeat(64)), ["must be no more than 63 characters"]);
    }
}
