//! Values from JSON, and to it.

use super::{
    super::{limits::Budget, number, value::Value},
    text,
};
use serde_json::{Map, Number, Value as Json};

/// What `toJSON` or `fromJSON` answers.
///
/// # Errors
/// Upstream's sentence, when a value has no JSON or a text is none.
pub(super) fn called(name: &str, given: &Value, budget: &mut Budget) -> Result<Value, String> {
    if name == "fromJSON" {
        // Two bytes of JSON may be a value.
        budget.make(text(given)?.len().saturating_mul(size_of::<Json>()))?;
        let json = serde_json::from_str(text(given)?).map_err(|error| error.to_string())?;
        return from_json(&json);
    }
    // Each value takes an indentation of its depth, a name and some signs.
    let line = 24 + 2 * given.depth();
    budget.make(given.extent().saturating_mul(line))?;
    let written = serde_json::to_string_pretty(&to_json(given)?).map_err(|it| it.to_string())?;
    let escaped = written.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    Ok(Value::text(&escaped))
}

/// A value of JSON. Numbers are floats, as in Go.
///
/// # Errors
/// The limit that it is beyond.
pub(in super::super) fn from_json(json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::text(text),
        Json::Array(items) => {
            let items = items.iter().map(from_json).collect::<Result<_, _>>()?;
            return Value::list(items);
        }
        Json::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| Ok((key.as_str().into(), from_json(value)?)))
                .collect::<Result<_, String>>()?;
            return Value::map(fields);
        }
    })
}

fn to_json(value: &Value) -> Result<Json, String> {
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) | Value::Duration(value) => Json::Number((*value).into()),
        Value::Float(value) => Json::Number(float(*value)?),
        Value::Text(text) => Json::String(text.as_ref().to_owned()),
        Value::Time(time) => Json::String(time.to_string()),
        Value::List(list) => {
            Json::Array(list.items().iter().map(to_json).collect::<Result<_, _>>()?)
        }
        Value::Map(map) => {
            let fields = map.fields().iter();
            let fields = fields.map(|(key, value)| Ok((key.as_ref().to_owned(), to_json(value)?)));
            Json::Object(fields.collect::<Result<Map<_, _>, String>>()?)
        }
    })
}

/// A whole number is written without a point, as Go writes it.
fn float(value: f64) -> Result<Number, String> {
    const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= LARGEST_WHOLE {
        return Ok(number::truncated(value).into());
    }
    let unsupported = || format!("json: unsupported value: {}", number::float_text(value));
    Number::from_f64(value).ok_or_else(unsupported)
}
