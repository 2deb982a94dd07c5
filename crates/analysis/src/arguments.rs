//! Arguments: replacing `{{args.name}}` in a metric by values.
//!
//! Start with [`resolve_metric`]. A value goes in as text and is never read as a template again.
//!
//! **Invariant.** A metric comes out whole or not at all: an unknown tag is an error.

use api::argo::{Argument, Metric};
use serde_json::Value;
use std::collections::BTreeMap;

/// The value that stands for a secret wherever the real one must not appear.
pub const SECRET_PLACEHOLDER: &str = "temp-for-secret";
/// The value that stands for one that is not known yet, as in upstream's messages.
pub const UNKNOWN_PLACEHOLDER: &str = "dummy-value";

/// Why arguments were not put into a metric.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// An argument had no value.
    #[error("argument \"{name}\" was not supplied")]
    NotSupplied {
        /// Name of the argument.
        name: String,
    },
    /// A tag named no argument, or was not closed.
    #[error("failed to resolve {{{{{tag}}}}}")]
    Unresolved {
        /// What stood between the braces.
        tag: String,
    },
    /// With its values the metric was no metric any more.
    #[error("metric is malformed with its arguments: {cause}")]
    Malformed {
        /// What the reader said.
        cause: String,
    },
}

/// Puts argument values into every text of a metric.
///
/// # Errors
/// [`ArgumentError`] when an argument lacks its value or a tag names none.
pub fn resolve_metric(metric: &Metric, args: &[Argument]) -> Result<Metric, ArgumentError> {
    let values = values(args)?;
    let malformed =
        |error: serde_json::Error| ArgumentError::Malformed { cause: error.to_string() };
    let json = serde_json::to_string(metric).map_err(malformed)?;
    // Two braces stand side by side in a text only, for a field's name begins with a quotation mark.
    if !json.contains("{{") {
        return Ok(metric.clone());
    }
    let json = serde_json::from_str(&json).map_err(malformed)?;
    serde_json::from_value(resolve_json(json, &values)?).map_err(malformed)
}

/// The arguments with [`SECRET_PLACEHOLDER`] in place of every secret.
pub fn without_secrets(args: &[Argument]) -> Vec<Argument> {
    args.iter().map(without_secret).collect()
}

/// The arguments with [`UNKNOWN_PLACEHOLDER`] in place of whatever is known only when the run begins.
pub fn with_placeholders(args: &[Argument]) -> Vec<Argument> {
    let of = |arg: &Argument| {
        let known = arg.value.clone().filter(|_| arg.value_from.is_none());
        let value = known.unwrap_or_else(|| UNKNOWN_PLACEHOLDER.to_owned());
        Argument { name: arg.name.clone(), value: Some(value), value_from: None }
    };
    args.iter().map(of).collect()
}

/// Replaces each `{{tag}}` of a text by its value; blanks within the braces do not count.
///
/// # Errors
/// [`ArgumentError::Unresolved`] for a tag that is not among the values, or is not closed.
pub fn substitute(text: &str, values: &BTreeMap<String, String>) -> Result<String, ArgumentError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, opened)) = rest.split_once("{{") {
        let unclosed = || ArgumentError::Unresolved { tag: opened.to_owned() };
        let (tag, after) = opened.split_once("}}").ok_or_else(unclosed)?;
        let unknown = || ArgumentError::Unresolved { tag: tag.to_owned() };
        out.push_str(before);
        out.push_str(values.get(tag.trim()).ok_or_else(unknown)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn values(args: &[Argument]) -> Result<BTreeMap<String, String>, ArgumentError> {
    let named = |arg: &Argument| {
        let value = arg
            .value
            .clone()
            .ok_or_else(|| ArgumentError::NotSupplied { name: arg.name.clone() })?;
        Ok((format!("args.{}", arg.name), value))
    };
    args.iter().map(named).collect()
}

fn resolve_json(json: Value, values: &BTreeMap<String, String>) -> Result<Value, ArgumentError> {
    Ok(match json {
        Value::String(text) => Value::String(substitute(&text, values)?),
        Value::Array(items) => Value::Array(
            items.into_iter().map(|item| resolve_json(item, values)).collect::<Result<_, _>>()?,
        ),
        Value::Object(fields) => {
            let field = |(key, value): (String, Value)| {
                Ok((substitute(&key, values)?, resolve_json(value, values)?))
            };
            Value::Object(fields.into_iter().map(field).collect::<Result<_, _>>()?)
        }
        plain => plain,
    })
}

fn without_secret(arg: &Argument) -> Argument {
    let secret = arg.value_from.as_ref().is_some_and(|from| from.secret_key_ref.is_some());
    if !secret {
        return arg.clone();
    }
    Argument {
        name: arg.name.clone(),
        value: Some(SECRET_PLACEHOLDER.to_owned()),
        value_from: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn arg(name: &str, value: &str) -> Argument {
        Argument { name: name.to_owned(), value: Some(value.to_owned()), value_from: None }
    }

    fn metric(query: &str) -> Metric {
        serde_json::from_value(json!({
            "name": "rate", "count": "{{args.count}}", "provider": {"prometheus": {"query": query}},
        }))
        .unwrap()
    }

    #[track_caller]
    fn check(query: &str, args: &[(&str, &str)], expected: Result<&str, &str>) {
        let mut args: Vec<Argument> = args.iter().map(|(name, value)| arg(name, value)).collect();
        args.push(arg("count", "3"));
        let got = resolve_metric(&metric(query), &args)
            .map(|metric| metric.provider.prometheus.unwrap().query.unwrap())
            .map_err(|error| error.to_string());
        assert_eq!(got.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn values_replace_their_tags() {
        check("up{app=\"{{args.app}}\"}", &[("app", "web")], Ok("up{app=\"web\"}"));
        check("{{ args.a }}{{args.a}}", &[("a", "x")], Ok("xx"));
        check(
            "{{args.a}}",
            &[("a", "quote \" back \\ line \n tab \t")],
            Ok("quote \" back \\ line \n tab \t"),
        );
        check("{{args.a}}", &[("a", "{{args.a}}")], Ok("{{args.a}}"));
        check("up}} or vector(1)", &[], Ok("up}} or vector(1)"));
    }

    #[test]
    fn an_unknown_tag_is_an_error() {
        check("{{args.missing}}", &[], Err("failed to resolve {{args.missing}}"));
        check("{{args.app", &[("app", "web")], Err("failed to resolve {{args.app}}"));
    }

    #[test]
    fn an_argument_without_value_is_an_error() {
        let unset = Argument { name: "count".to_owned(), ..Argument::default() };
        let error = resolve_metric(&metric("up"), &[unset]).unwrap_err();
        assert_eq!(error.to_string(), "argument \"count\" was not supplied");
    }

    #[test]
    fn secrets_give_way_to_a_placeholder() {
        let secret: Argument = serde_json::from_value(
            json!({"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
        )
        .unwrap();
        assert_eq!(
            without_secrets(&[secret, arg("a", "b")]),
            [arg("token", SECRET_PLACEHOLDER), arg("a", "b")]
        );
    }

    #[test]
    fn what_is_not_known_yet_gives_way_to_a_placeholder() {
        let from: Argument = serde_json::from_value(
            json!({"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
        )
        .unwrap();
        let unset = Argument { name: "count".to_owned(), ..Argument::default() };
        assert_eq!(
            with_placeholders(&[from, unset, arg("a", "b")]),
            [arg("token", UNKNOWN_PLACEHOLDER), arg("count", UNKNOWN_PLACEHOLDER), arg("a", "b")]
        );
    }
}
