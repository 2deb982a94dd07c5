//! The condition language: expressions over `result` that answer true or false.
//!
//! Start with [`holds`]. The language is [expr](https://expr-lang.org) with `result`, `isNaN`,
//! `isInf`, `isNil`, `asInt`, `asFloat` and `default`. Numbers of JSON are floats, as in Go. What is
//! stricter than the engine beneath: an index out of range and a comparison of different types are
//! errors, and size and work are bounded.
//!
//! **Invariant.** No condition and no value makes this panic, and missing data never makes a
//! condition true or false through an index.

mod bounds;
mod functions;
mod kinds;
mod limits;
mod tokens;

pub use limits::{
    MAX_CONDITION_BRANCHES, MAX_CONDITION_BYTES, MAX_CONDITION_NESTING, MAX_CONDITION_OPERATORS,
    MAX_CONDITION_RANGE, MAX_CONDITION_STEPS, MAX_CONDITION_WORDS,
};

use expr::{Context, Program, Value};
use jiff::Timestamp;
use serde_json::Value as Json;

/// The value that a condition sees as `result`.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// One number, perhaps NaN or infinite.
    Number(f64),
    /// Numbers in the order the service gave them.
    Numbers(Vec<f64>),
    /// Anything else; null is "no data".
    Json(Json),
}

impl Measured {
    /// Whether there is nothing to judge: null, or a list without elements.
    pub fn is_nil_or_empty(&self) -> bool {
        match self {
            Self::Number(_) => false,
            Self::Numbers(numbers) => numbers.is_empty(),
            Self::Json(json) => json.is_null() || json.as_array().is_some_and(Vec::is_empty),
        }
    }

    /// Whether there are numbers, and none of them is one: a ratio without traffic, most often.
    pub fn is_nan(&self) -> bool {
        match self {
            Self::Number(number) => number.is_nan(),
            Self::Numbers(numbers) => {
                !numbers.is_empty() && numbers.iter().all(|number| number.is_nan())
            }
            Self::Json(_) => false,
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Number(number) => Value::Float(*number),
            Self::Numbers(numbers) => {
                Value::Array(numbers.iter().map(|number| Value::Float(*number)).collect())
            }
            Self::Json(json) => json_to_value(json),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Number(_) => 1,
            Self::Numbers(numbers) => 1 + numbers.len(),
            Self::Json(json) => json_size(json),
        }
    }
}

/// A condition that gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// What the expression engine said.
    pub message: String,
}

/// Evaluates a condition on a measured value.
///
/// # Errors
/// When the condition is not a sentence of the language, is beyond the limits, cannot be evaluated on
/// this value, or answers something else than true or false.
pub fn holds(condition: &str, result: &Measured, now: Timestamp) -> Result<bool, ConditionError> {
    evaluate(condition, result, now).map_err(|message| ConditionError { message })
}

/// Reads a condition without evaluating it.
///
/// # Errors
/// When it is not a sentence of the language or is beyond the limits.
pub fn parse(condition: &str) -> Result<(), ConditionError> {
    let tokens = tokens::tokens(condition);
    limits::check(condition, &tokens, 1)
        .and_then(|()| expr::compile(condition).map(drop).map_err(|error| in_gos_words(&error)))
        .map_err(|message| ConditionError { message })
}

/// Takes `result >= 0.95` or `result[0] >= 0.95` apart into operator and limit.
pub(crate) fn simple_comparison(condition: &str) -> Option<(&str, &str)> {
    let tokens = tokens::tokens(condition);
    let texts: Vec<&str> = tokens.iter().map(|token| token.text).collect();
    let (operator, limit) = match texts.as_slice() {
        ["result", operator, limit] | ["result", "[", "0", "]", operator, limit] => {
            (*operator, *limit)
        }
        _ => return None,
    };
    let compares =
        matches!(operator, ">=" | ">" | "<=" | "<" | "==" | "!=") && limit.parse::<f64>().is_ok();
    compares.then_some((operator, limit))
}

fn evaluate(condition: &str, result: &Measured, now: Timestamp) -> Result<bool, String> {
    let tokens = tokens::tokens(condition);
    limits::check(condition, &tokens, result.size())?;
    let value = result.to_value();
    kinds::check(&tokens, &value)?;
    let program = compile(condition, &bounds::with_checked_indexes(&tokens))?;
    let mut context = Context::default();
    context.insert("result", value);
    context.insert(functions::NOW, now.to_string());
    let answer =
        functions::ENVIRONMENT.run(&program, &context).map_err(|error| in_gos_words(&error))?;
    match answer {
        Value::Bool(answer) => Ok(answer),
        other => Err(format!("expected bool, but got {}", kinds::type_name(&other))),
    }
}

/// Compiles the checked form; an error shows what the user wrote.
fn compile(written: &str, checked: &str) -> Result<Program, String> {
    let shown = |error: &expr::Error| match expr::compile(written) {
        Ok(_) => in_gos_words(error),
        Err(error) => in_gos_words(&error),
    };
    expr::compile(checked).map_err(|error| shown(&error))
}

fn in_gos_words(error: &expr::Error) -> String {
    let message = error.to_string();
    for prefix in ["unknown variable: ", "Unknown function: "] {
        if let Some(name) = message.strip_prefix(prefix) {
            return format!("unknown name {name}");
        }
    }
    message
}

fn json_to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(json_to_value).collect()),
        Json::Object(fields) => Value::Map(
            fields.iter().map(|(key, value)| (key.clone(), json_to_value(value))).collect(),
        ),
    }
}

fn json_size(json: &Json) -> usize {
    match json {
        Json::Array(items) => 1 + items.iter().map(json_size).sum::<usize>(),
        Json::Object(fields) => 1 + fields.values().map(json_size).sum::<usize>(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[track_caller]
    fn check(result: &Measured, condition: &str, expected: Result<bool, &str>) {
        let got = holds(condition, result, NOW).map_err(|error| error.message);
        match (&got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(*got, expected, "{condition} on {result:?}"),
            (Err(got), Err(expected)) => {
                assert!(got.contains(expected), "{got:?} lacks {expected:?}");
            }
            _ => panic!("{condition} on {result:?}: {got:?}, not {expected:?}"),
        }
    }

    fn json(value: Json) -> Measured {
        Measured::Json(value)
    }

    fn numbers(values: &[f64]) -> Measured {
        Measured::Numbers(values.to_vec())
    }

    #[test]
    fn upstreams_table_holds() {
        let nested = json(json!({"service_apdex": {"label": null, "values": {"values": [2, 2]}}}));
        check(&json(json!(true)), "result == true", Ok(true));
        check(&json(json!(true)), "result == false", Ok(false));
        check(&json(json!(true)), "1", Err("expected bool, but got int"));
        check(&json(json!(true)), "invalidVariable", Err("unknown name invalidVariable"));
        check(&nested, "all(result.service_apdex.values.values, {# > 1})", Ok(true));
        check(&numbers(&[2.0, 2.0]), "2 in result", Ok(true));
        check(&Measured::Number(5.0), "result > 1", Ok(true));
        check(&json(json!(true)), "result.Name() == 'hi'", Err(""));
        check(
            &json(json!("1.1")),
            "asInt(result) == 1.1",
            Err("strconv.ParseInt: parsing \"1.1\": invalid syntax"),
        );
        check(&json(json!("1")), "asInt(result) == 1", Ok(true));
        check(&Measured::Number(1.123), "asInt(result) == 1", Ok(true));
        check(
            &json(json!("NotANum")),
            "asFloat(result) == 1.1",
            Err("strconv.ParseFloat: parsing \"NotANum\""),
        );
        check(
            &json(json!("1.1")),
            "asFloat(result) == \"1.1\"",
            Err("mismatched types float64 and string"),
        );
        check(&json(json!("1.1")), "asFloat(result) >= 1.1", Ok(true));
        check(&json(json!(null)), "isNil(result)", Ok(true));
        check(&json(json!(null)), "default(result, 2) == 2", Ok(true));
        check(&Measured::Number(1.0), "default(result, 2) == 1", Ok(true));
    }

    #[test]
    fn nan_and_infinity_are_values() {
        check(&Measured::Number(f64::NAN), "isNaN(result)", Ok(true));
        check(&numbers(&[f64::NAN]), "isNaN(result[0]) || result[0] > 1", Ok(true));
        check(&numbers(&[f64::NAN]), "result[0] >= 0.95", Ok(false));
        check(&Measured::Number(f64::INFINITY), "isInf(result)", Ok(true));
        check(&Measured::Number(f64::INFINITY), "result > 5", Ok(true));
        check(&numbers(&[1.0]), "isNaN(result)", Err("isNaN() takes a number"));
    }

    #[test]
    fn missing_data_is_an_error_and_never_an_answer() {
        check(&numbers(&[]), "result[0] != 1", Err("index out of range: 0 (array length is 0)"));
        check(&numbers(&[]), "result[0] >= 0.95", Err("index out of range"));
        check(&numbers(&[1.0]), "result[1] == nil", Err("index out of range"));
        check(&numbers(&[]), "len(result) == 0 || result[0] < 0.05", Ok(true));
        check(&json(json!({"a": []})), "result.a[0] != 1", Err("index out of range"));
        check(&json(json!(null)), "result.a.b == 1", Err(""));
        check(&numbers(&[1.0, 2.0]), "result[-1] == 2", Ok(true));
    }

    #[test]
    fn comparing_different_types_is_an_error() {
        check(&numbers(&[0.0]), "result == 0", Err("mismatched types []interface {} and int"));
        check(&json(json!("ok")), "result == 1", Err("mismatched types string and int"));
        check(&Measured::Number(1.0), "'a' != result", Err("mismatched types string and float64"));
        check(&json(json!("ok")), "result == 'ok'", Ok(true));
        check(&json(json!({"n": 1})), "result.n == 1 && result['n'] == 1", Ok(true));
        check(&json(json!(null)), "result == nil", Ok(true));
        check(&Measured::Number(1.0), "result + 1 == 2", Ok(true));
    }

    #[test]
    fn the_whole_language_is_there() {
        let values = numbers(&[0.1, 0.2, 0.9]);
        check(&values, "any(result, # > 0.5) && none(result, # > 1)", Ok(true));
        check(&values, "len(filter(result, {# < 0.5})) == 2", Ok(true));
        check(&values, "max(result) < 1 and sum(result) > 1", Ok(true));
        check(&values, "let worst = max(result); worst > 0.5 ? true : false", Ok(true));
        check(
            &json(json!({"a": {"b": "xyz"}})),
            "result.a?.b startsWith 'x' and (result.z ?? 1) == 1",
            Ok(true),
        );
        check(
            &values,
            "now() == date('1970-01-01T00:00:00Z') and duration('1h') > duration('59m')",
            Ok(true),
        );
        check(&values, "2 in 1..3", Ok(true));
    }

    #[test]
    fn limits_are_named() {
        let many = numbers(&vec![1.0; 5_000]);
        check(&many, &"a".repeat(5_000), Err("longer than 4096 bytes"));
        check(&many, &"1+".repeat(600), Err("more than 512 words"));
        check(&many, &"(".repeat(40), Err("nested more than 24 deep"));
        check(&many, &"a?".repeat(20), Err("more than 8 '?'"));
        check(&many, "len(1..99999999999) > 0", Err("wider than 10000"));
        check(&many, "len(1..len(result)) > 0", Err("two plain numbers"));
        check(&many, "all(result, all(result, # > 0))", Err("too many"));
        check(&many, "len(repeat('x', 99999999)) > 0", Err("more than 1048576 bytes"));
        check(&many, "all(result, # > 0)", Ok(true));
        check(&many, &"1+".repeat(200), Err("more than 100 operators"));
    }

    #[test]
    fn the_largest_conditions_fit_the_stack() {
        let one = Measured::Number(1.0);
        check(&one, &format!("0{} > 1", "+1".repeat(99)), Ok(true));
        let nested = format!("{}0{}{} > 1", "(".repeat(24), "+1".repeat(75), "+1)".repeat(24));
        check(&one, &nested, Ok(true));
        check(&one, &format!("{}result{}", "!(".repeat(24), ")".repeat(24)), Err(""));
        check(
            &json(json!({})),
            &format!("result{}", "?.a".repeat(99)),
            Err("expected bool, but got <nil>"),
        );
    }

    #[test]
    fn a_syntax_error_shows_what_was_written() {
        check(&Measured::Number(1.0), "result[0 >= 1", Err("result[0 >= 1"));
        check(&Measured::Number(1.0), "", Err(""));
        assert!(parse("result >").is_err());
        assert!(parse("result > 1").is_ok());
    }
}
