//! Functions of numbers.

use super::super::{
    number::{parse_float, parse_int, to_float, truncated},
    operate::number,
    value::Value,
};

/// What a function answers; none when it is not one of these.
pub(super) fn called(name: &str, given: &[Value]) -> Option<Result<Value, String>> {
    Some(match (name, given) {
        ("asInt", [value]) => as_int(value),
        ("asFloat", [value]) => as_float(value),
        ("isNaN", [value]) => as_number(value).map(|number| Value::Bool(number.is_nan())),
        ("isInf", [value]) => as_number(value).map(|number| Value::Bool(number.is_infinite())),
        ("int", [value]) => int(value),
        ("float", [value]) => float(value),
        ("abs", [Value::Int(value)]) => Ok(Value::Int(value.wrapping_abs())),
        ("abs", [value]) => rounded(name, value, f64::abs),
        ("ceil", [value]) => rounded(name, value, f64::ceil),
        ("floor", [value]) => rounded(name, value, f64::floor),
        ("round", [value]) => rounded(name, value, f64::round),
        ("bitnot", [value]) => bits(name, value).map(|value| Value::Int(!value)),
        (_, [left, right]) if name.starts_with("bit") => bitwise(name, left, right),
        _ => return None,
    })
}

fn as_int(value: &Value) -> Result<Value, String> {
    match value {
        Value::Int(value) => Ok(Value::Int(*value)),
        Value::Float(value) if value.is_nan() => Err("asInt() of NaN has no answer".to_owned()),
        Value::Float(value) => Ok(Value::Int(truncated(*value))),
        Value::Text(text) => parse_int(text).map(Value::Int),
        other => Err(format!("asInt() not supported on {} {other}", other.type_name())),
    }
}

fn as_float(value: &Value) -> Result<Value, String> {
    match value {
        Value::Int(value) => Ok(Value::Float(to_float(*value))),
        Value::Float(value) => Ok(Value::Float(*value)),
        Value::Text(text) => parse_float(text).map(Value::Float),
        other => Err(format!("asFloat() not supported on {} {other}", other.type_name())),
    }
}

fn as_number(value: &Value) -> Result<f64, String> {
    number(value).ok_or_else(|| value.is_no("float64"))
}

fn int(value: &Value) -> Result<Value, String> {
    match value {
        Value::Int(_) => Ok(value.clone()),
        Value::Float(value) if value.is_nan() => Err("int() of NaN has no answer".to_owned()),
        Value::Float(value) => Ok(Value::Int(truncated(*value))),
        Value::Duration(nanos) => Ok(Value::Int(*nanos)),
        Value::Text(text) => match parse_int(text) {
            Ok(value) => Ok(Value::Int(value)),
            Err(_) => Err(format!("invalid operation: int({text})")),
        },
        other => Err(format!("invalid operation: int({})", other.type_name())),
    }
}

fn float(value: &Value) -> Result<Value, String> {
    match value {
        Value::Text(text) => match parse_float(text) {
            Ok(value) => Ok(Value::Float(value)),
            Err(_) => Err(format!("invalid operation: float({text})")),
        },
        other => number(other)
            .map(Value::Float)
            .ok_or_else(|| format!("invalid operation: float({})", other.type_name())),
    }
}

fn rounded(name: &str, value: &Value, round: fn(f64) -> f64) -> Result<Value, String> {
    let rounded = number(value).map(|number| Value::Float(round(number)));
    rounded.ok_or_else(|| format!("invalid argument for {name} (type {})", value.type_name()))
}

fn bits(name: &str, value: &Value) -> Result<i64, String> {
    match value {
        Value::Int(value) => Ok(*value),
        other => {
            let kind = other.type_name();
            Err(format!("cannot use {kind} as argument (type int) to call {name}"))
        }
    }
}

fn bitwise(name: &str, left: &Value, right: &Value) -> Result<Value, String> {
    let (left, right) = (bits(name, left)?, bits(name, right)?);
    let shift = u32::try_from(right).unwrap_or(u32::MAX);
    if name.contains("sh") && right < 0 {
        return Err(format!("invalid operation: negative shift count {right} (type int)"));
    }
    Ok(Value::Int(match name {
        "bitand" => left & right,
        "bitor" => left | right,
        "bitxor" => left ^ right,
        "bitnand" => left & !right,
        "bitshl" => left.checked_shl(shift).unwrap_or(0),
        "bitshr" => left >> shift.min(63),
        _ => left.cast_unsigned().checked_shr(shift).unwrap_or(0).cast_signed(),
    }))
}

/// The smallest or largest number among values and lists of them.
///
/// # Errors
/// Upstream's sentence on what is no number.
pub(super) fn extreme(name: &str, given: &[Value]) -> Result<Value, String> {
    let mut found: Option<Value> = None;
    for value in all_numbers(name, given)? {
        let is_better = match (&found, number(&value)) {
            (Some(best), Some(value)) => {
                let best = number(best).unwrap_or(f64::NAN);
                if name == "max" { best < value } else { best > value }
            }
            _ => true,
        };
        if is_better {
            found = Some(value);
        }
    }
    Ok(found.unwrap_or(Value::Nil))
}

/// The mean or the median of all numbers among values and lists of them; of none, 0.
///
/// # Errors
/// Upstream's sentence on what is no number.
pub(super) fn average(name: &str, given: &[Value]) -> Result<Value, String> {
    let mut numbers: Vec<f64> = all_numbers(name, given)?.iter().filter_map(number).collect();
    let count = numbers.len();
    if count == 0 {
        return Ok(Value::Float(0.0));
    }
    if name == "mean" {
        let count = to_float(i64::try_from(count).unwrap_or(i64::MAX));
        return Ok(Value::Float(numbers.iter().sum::<f64>() / count));
    }
    // In Go NaN is before all other numbers.
    numbers.sort_by(|left, right| {
        let is_number = |it: &f64| !it.is_nan();
        is_number(left).cmp(&is_number(right)).then(left.total_cmp(right))
    });
    let middle = count / 2;
    Ok(Value::Float(if count % 2 == 1 {
        numbers[middle]
    } else {
        f64::midpoint(numbers[middle - 1], numbers[middle])
    }))
}

fn all_numbers(name: &str, given: &[Value]) -> Result<Vec<Value>, String> {
    let mut numbers = Vec::new();
    for value in given {
        match value {
            Value::Int(_) | Value::Float(_) => numbers.push(value.clone()),
            Value::List(list) => numbers.extend(all_numbers(name, list.items())?),
            other => {
                return Err(format!("invalid argument for {name} (type {})", other.type_name()));
            }
        }
    }
    Ok(numbers)
}
