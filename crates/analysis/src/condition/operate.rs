//! What operators make of two values, as upstream's engine has it.
//!
//! Numbers of both sorts mix; everything else wants its own kind.

use super::{
    ast::{Binary, Order},
    number::to_float,
    value::Value,
};
use jiff::SignedDuration;
use std::cmp::Ordering;

/// Whether two values are equal; values of different types are not.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::List(left), Value::List(right)) => {
            left.items().len() == right.items().len()
                && left.items().iter().zip(right.items()).all(|(left, right)| equal(left, right))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.fields().len() == right.fields().len()
                && left.fields().iter().zip(right.fields()).all(
                    |((left_key, left), (right_key, right))| {
                        left_key == right_key && identical(left, right)
                    },
                )
        }
        (Value::Int(left), Value::Float(right)) => eq(to_float(*left), *right),
        (Value::Float(left), Value::Int(right)) => eq(*left, to_float(*right)),
        _ => identical(left, right),
    }
}

/// Whether two values are equal and of one type, as they must be within maps.
fn identical(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => eq(*left, *right),
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Time(left), Value::Time(right)) => left == right,
        (Value::Duration(left), Value::Duration(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            left.items().len() == right.items().len()
                && left
                    .items()
                    .iter()
                    .zip(right.items())
                    .all(|(left, right)| identical(left, right))
        }
        (Value::Map(_), Value::Map(_)) => equal(left, right),
        _ => false,
    }
}

fn eq(left: f64, right: f64) -> bool {
    left == right
}

/// Compares the order of two values; nothing is before or after NaN.
///
/// # Errors
/// Go's sentence, when they have none.
pub(super) fn ordered(order: Order, left: &Value, right: &Value) -> Result<bool, String> {
    let ordering = match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Time(left), Value::Time(right)) => Some(left.cmp(right)),
        (Value::Duration(left), Value::Duration(right)) => Some(left.cmp(right)),
        _ => match (number(left), number(right)) {
            (Some(left), Some(right)) => left.partial_cmp(&right),
            _ => return Err(undefined(order.sign(), left, right)),
        },
    };
    Ok(ordering.is_some_and(|ordering| match order {
        Order::Less => ordering == Ordering::Less,
        Order::LessOrEqual => ordering != Ordering::Greater,
        Order::More => ordering == Ordering::Greater,
        Order::MoreOrEqual => ordering != Ordering::Less,
    }))
}

/// Calculates with two values.
///
/// # Errors
/// Go's sentence, when the operator is not defined on them.
pub(super) fn calculated(operator: Binary, left: &Value, right: &Value) -> Result<Value, String> {
    match operator {
        Binary::Add => sum(left, right),
        Binary::Subtract => difference(left, right),
        Binary::Multiply => product(left, right),
        Binary::Divide => match (number(left), number(right)) {
            (Some(left), Some(right)) => Ok(Value::Float(left / right)),
            _ => Err(undefined("/", left, right)),
        },
        Binary::Modulo => match (left, right) {
            (Value::Int(_), Value::Int(0)) => Err("integer divide by zero".to_owned()),
            (Value::Int(left), Value::Int(right)) => Ok(Value::Int(left.wrapping_rem(*right))),
            _ => Err(undefined("%", left, right)),
        },
        _ => Ok(Value::Float(as_float(left)?.powf(as_float(right)?))),
    }
}

fn sum(left: &Value, right: &Value) -> Result<Value, String> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(Value::Int(left.wrapping_add(*right))),
        (Value::Text(left), Value::Text(right)) => Ok(Value::Text(format!("{left}{right}").into())),
        (Value::Duration(left), Value::Duration(right)) => {
            Ok(Value::Duration(left.wrapping_add(*right)))
        }
        (Value::Time(time), Value::Duration(nanos))
        | (Value::Duration(nanos), Value::Time(time)) => {
            let sum = time.checked_add(SignedDuration::from_nanos(*nanos));
            sum.map(Value::Time).map_err(|error| error.to_string())
        }
        _ => floats("+", left, right, |left, right| left + right),
    }
}

fn difference(left: &Value, right: &Value) -> Result<Value, String> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(Value::Int(left.wrapping_sub(*right))),
        (Value::Duration(left), Value::Duration(right)) => {
            Ok(Value::Duration(left.wrapping_sub(*right)))
        }
        (Value::Time(left), Value::Time(right)) => {
            let nanos = left.duration_since(*right).as_nanos();
            let bound = if nanos < 0 { i64::MIN } else { i64::MAX };
            Ok(Value::Duration(i64::try_from(nanos).unwrap_or(bound)))
        }
        (Value::Time(time), Value::Duration(nanos)) => {
            let difference = time.checked_sub(SignedDuration::from_nanos(*nanos));
            difference.map(Value::Time).map_err(|error| error.to_string())
        }
        _ => floats("-", left, right, |left, right| left - right),
    }
}

fn product(left: &Value, right: &Value) -> Result<Value, String> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(Value::Int(left.wrapping_mul(*right))),
        (Value::Duration(left), Value::Int(right) | Value::Duration(right))
        | (Value::Int(left), Value::Duration(right)) => {
            Ok(Value::Duration(left.wrapping_mul(*right)))
        }
        (Value::Duration(nanos), Value::Float(factor))
        | (Value::Float(factor), Value::Duration(nanos)) => {
            Ok(Value::Duration(super::number::truncated(to_float(*nanos) * factor)))
        }
        _ => floats("*", left, right, |left, right| left * right),
    }
}

fn floats(
    sign: &str,
    left: &Value,
    right: &Value,
    calculate: fn(f64, f64) -> f64,
) -> Result<Value, String> {
    match (number(left), number(right)) {
        (Some(left), Some(right)) => Ok(Value::Float(calculate(left, right))),
        _ => Err(undefined(sign, left, right)),
    }
}

/// A number of either sort.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(to_float(*value)),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

fn as_float(value: &Value) -> Result<f64, String> {
    number(value).ok_or_else(|| format!("invalid operation: float({})", value.type_name()))
}

fn undefined(sign: &str, left: &Value, right: &Value) -> String {
    format!("invalid operation: {} {sign} {}", left.type_name(), right.type_name())
}
