//! The functions of conditions, but for those with predicates.
//!
//! Start with [`called`]. What they take is checked before, as far as it is known then; values of results
//! are known only here.

mod json;
mod lists;
mod numbers;
mod texts;

pub(super) use json::from_json;
pub(super) use lists::{Direction, elements, order_of};

use super::{limits::Budget, number, time, value::Value};

/// Functions of upstream's language that conditions here do not have.
pub(super) const UNSUPPORTED: &[&str] =
    &["groupBy", "toPairs", "fromPairs", "toBase64", "fromBase64", "timezone"];

/// Functions that take no longer on a large list than on a small one.
const LOOKS_AT_NO_ELEMENT: &[&str] = &[
    "isNil", "default", "type", "len", "first", "last", "get", "isNaN", "isInf", "asInt", "asFloat",
];

/// What a function answers.
///
/// # Errors
/// Upstream's sentence, when it has no answer to these values, or the limit that was passed.
pub(super) fn called(name: &str, given: &[Value], budget: &mut Budget) -> Result<Value, String> {
    if !LOOKS_AT_NO_ELEMENT.contains(&name) {
        budget.work(given.iter().map(Value::extent).sum())?;
    }
    match (name, given) {
        ("isNil", [value]) => Ok(Value::Bool(value.is_nil())),
        ("default", [Value::Nil, instead]) => Ok(instead.clone()),
        ("default", [value, _]) => Ok(value.clone()),
        ("type", [value]) => Ok(Value::text(kind(value))),
        ("string", [value]) => {
            let text = value.to_string();
            budget.make(text.len())?;
            Ok(Value::text(&text))
        }
        ("duration", [value]) => time::parse_duration(text(value)?).map(Value::Duration),
        ("date", [value]) => time::parse_date(text(value)?).map(Value::Time),
        ("toJSON" | "fromJSON", [value]) => json::called(name, value, budget),
        _ => match numbers::called(name, given) {
            Some(answer) => answer,
            None => match texts::called(name, given, budget)? {
                Some(answer) => Ok(answer),
                None => lists::called(name, given, budget),
            },
        },
    }
}

/// The kind of a value in the words of conditions.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Float(_) => "float",
        Value::List(_) => "array",
        Value::Map(_) => "map",
        other => other.type_name(),
    }
}

/// A value that must be a whole number; what is behind the point of a float is dropped.
///
/// # Errors
/// Go's sentence.
pub(super) fn whole(value: &Value) -> Result<i64, String> {
    match value {
        Value::Int(value) => Ok(*value),
        Value::Float(value) if value.is_nan() => Err("invalid operation: int(NaN)".to_owned()),
        Value::Float(value) => Ok(number::truncated(*value)),
        other => Err(format!("invalid operation: int({})", other.type_name())),
    }
}

/// A value that must be a text.
///
/// # Errors
/// Go's sentence.
pub(super) fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(other.is_no("string")),
    }
}
