//! The functions that conditions have beyond the expression language's own.

use super::bounds::AT;
use expr::{Environment, Error, Result, Value};
use std::sync::LazyLock;

/// Longest text that `repeat` makes, in bytes.
const MAX_REPEATED_BYTES: usize = 1 << 20;

/// Under this name the context holds the time that `now()` answers, as text.
pub(crate) const NOW: &str = "__now";

/// The functions a condition may call. They are the same for every condition and hold nothing.
pub(crate) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.add_function("isNaN", |call| Ok(number("isNaN", &call.args)?.is_nan().into()));
    environment.add_function("isInf", |call| Ok(number("isInf", &call.args)?.is_infinite().into()));
    environment
        .add_function("isNil", |call| Ok(matches!(one("isNil", &call.args)?, Value::Nil).into()));
    environment.add_function("asInt", |call| as_int(one("asInt", &call.args)?));
    environment.add_function("asFloat", |call| as_float(one("asFloat", &call.args)?));
    environment.add_function("default", |call| match call.args.as_slice() {
        [Value::Nil, instead] => Ok(instead.clone()),
        [value, _] => Ok(value.clone()),
        _ => failed("default() takes a value and what to use instead".to_owned()),
    });
    environment.add_function("repeat", |call| repeat(&call.args));
    environment.add_function(AT, |call| at(&call.args));
    environment.add_function("now", |call| call.env.eval(&format!("date({NOW})"), call.ctx));
    environment
}

fn failed<T>(message: String) -> Result<T> {
    Err(Error::ExprError(message))
}

fn one<'a>(name: &str, args: &'a [Value]) -> Result<&'a Value> {
    match args {
        [value] => Ok(value),
        _ => failed(format!("{name}() takes one value")),
    }
}

fn number(name: &str, args: &[Value]) -> Result<f64> {
    match one(name, args)? {
        Value::Float(value) => Ok(*value),
        Value::Integer(value) => Ok(to_float(*value)),
        _ => failed(format!("{name}() takes a number")),
    }
}

fn as_int(value: &Value) -> Result<Value> {
    match value {
        Value::Integer(value) => Ok(Value::Integer(*value)),
        Value::Float(value) => Ok(Value::Integer(truncated(*value))),
        Value::String(text) => match text.parse::<i64>() {
            Ok(value) => Ok(Value::Integer(value)),
            Err(_) => failed(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")),
        },
        other => failed(format!("asInt() not supported on {other:?}")),
    }
}

fn as_float(value: &Value) -> Result<Value> {
    match value {
        Value::Integer(value) => Ok(Value::Float(to_float(*value))),
        Value::Float(value) => Ok(Value::Float(*value)),
        Value::String(text) => match text.parse::<f64>() {
            Ok(value) => Ok(Value::Float(value)),
            Err(_) => failed(format!("strconv.ParseFloat: parsing {text:?}: invalid syntax")),
        },
        other => failed(format!("asFloat() not supported on {other:?}")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as Go converts")]
fn to_float(value: i64) -> f64 {
    value as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "conversion towards zero is what asInt() means"
)]
fn truncated(value: f64) -> i64 {
    value as i64
}

fn repeat(args: &[Value]) -> Result<Value> {
    let [Value::String(text), Value::Integer(count)] = args else {
        return failed("repeat() takes a text and a number".to_owned());
    };
    let count = usize::try_from(*count)
        .or_else(|_| failed("repeat() takes a number above zero".to_owned()))?;
    if text.len().saturating_mul(count) > MAX_REPEATED_BYTES {
        return failed(format!("repeat() makes more than {MAX_REPEATED_BYTES} bytes"));
    }
    Ok(Value::String(text.repeat(count)))
}

/// Looks an element up; out of range is an error, a key that is not there is nil, as in Go.
fn at(args: &[Value]) -> Result<Value> {
    match args {
        [Value::Array(items), index] => {
            let index = whole(index)?;
            let wanted =
                if index < 0 { index.saturating_add_unsigned(items.len() as u64) } else { index };
            let found = usize::try_from(wanted).ok().and_then(|wanted| items.get(wanted));
            match found {
                Some(item) => Ok(item.clone()),
                None => {
                    failed(format!("index out of range: {index} (array length is {})", items.len()))
                }
            }
        }
        [Value::Map(map), Value::String(key)] => Ok(map.get(key).cloned().unwrap_or(Value::Nil)),
        [Value::Nil, index] => failed(format!("cannot fetch {index} from <nil>")),
        [_, index] => failed(format!("cannot fetch {index} from a single value")),
        _ => failed("an index needs one value".to_owned()),
    }
}

fn whole(index: &Value) -> Result<i64> {
    match index {
        Value::Integer(index) => Ok(*index),
        Value::Float(index) if index.fract() == 0.0 => Ok(truncated(*index)),
        other => failed(format!("cannot use {other} as an index")),
    }
}
