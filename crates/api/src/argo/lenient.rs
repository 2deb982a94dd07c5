//! Readers that take what other clients write: nulls for nothing, floats for integers, empty text.
//!
//! Start at [`or_default`]. Nothing here is lenient about meaning: a value of a wrong type is an error.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Number, Value};

/// The largest integer that a double holds without loss, 2^53.
const EXACT_LIMIT: f64 = 9_007_199_254_740_992.0;

/// Tells whether a value is what its absence means, and so is left out.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads null as the empty value.
pub fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    source: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(source)?.unwrap_or_default())
}

/// Reads text; empty text means none.
pub fn text<'de, D: Deserializer<'de>>(source: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(source)?.filter(|text| !text.is_empty()))
}

/// Reads one of a closed set of words; empty text means none.
pub fn word<'de, D: Deserializer<'de>, T: for<'a> From<&'a str>>(
    source: D,
) -> Result<Option<T>, D::Error> {
    Ok(text(source)?.map(|text| T::from(&text)))
}

/// Reads an integer, also one written as `3.0`; null means 0.
pub fn int<'de, D: Deserializer<'de>, T: Default + TryFrom<i64>>(source: D) -> Result<T, D::Error> {
    Ok(optional_int(source)?.unwrap_or_default())
}

/// Reads an integer, also one written as `3.0`; null means none.
pub fn optional_int<'de, D: Deserializer<'de>, T: TryFrom<i64>>(
    source: D,
) -> Result<Option<T>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(source)? else { return Ok(None) };
    let integer = as_integer(&number).and_then(|integer| T::try_from(integer).ok());
    integer
        .map(Some)
        .ok_or_else(|| D::Error::custom(format!("{number} is not an integer in range")))
}

/// Reads an integer or text, also an integer written as `3.0`; null means none.
pub fn int_or_string<'de, D: Deserializer<'de>>(
    source: D,
) -> Result<Option<IntOrString>, D::Error> {
    match Option::<Value>::deserialize(source)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(IntOrString::String(text))),
        Some(Value::Number(number)) => as_integer(&number)
            .and_then(|integer| i32::try_from(integer).ok())
            .map(|integer| Some(IntOrString::Int(integer)))
            .ok_or_else(|| D::Error::custom(format!("{number} is not an integer in range"))),
        Some(_) => Err(D::Error::custom("expected an integer or text")),
    }
}

/// The integer a JSON number stands for, if it stands for one.
pub(super) fn as_integer(number: &Number) -> Option<i64> {
    let whole = |float: &f64| float.fract() == 0.0 && float.abs() <= EXACT_LIMIT;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within the exact range")]
    let truncated = |float: f64| float as i64;
    number.as_i64().or_else(|| number.as_f64().filter(whole).map(truncated))
}
