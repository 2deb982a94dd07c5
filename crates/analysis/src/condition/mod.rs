//! The condition language: expressions over `result` that answer true or false.
//!
//! Start with [`Condition`]. The language is [expr](https://expr-lang.org) as upstream uses it, with `result`,
//! `isNaN`, `isInf`, `isNil`, `asInt`, `asFloat` and `default`: words (`lexer`), a tree (`parser`), what
//! cannot be (`check`), and a value (`eval`). Numbers of JSON are floats, as in Go. It is written anew here,
//! because the verdict on a release must not hang on what two implementations of a language have in common;
//! `tests/data/conditions.jsonl` has upstream's own answers, and what differs is in `docs/compatibility.md`.
//!
//! **Invariant.** No condition and no value makes this panic, and none takes more time or memory than
//! `limits` allow. Missing data never makes a condition true or false through an index.

mod ast;
mod check;
mod eval;
mod functions;
mod lexer;
mod limits;
mod loops;
mod number;
mod operate;
mod parser;
mod patterns;
mod postfix;
mod signatures;
mod time;
mod types;
mod value;

pub use limits::{
    MAX_COMPILED_PATTERN_BYTES, MAX_CONDITION_BYTES, MAX_CONDITION_MEMORY, MAX_CONDITION_NESTING,
    MAX_CONDITION_OPERATORS, MAX_CONDITION_STEPS, MAX_CONDITION_WORDS, MAX_PATTERN_BYTES,
    MAX_REPEATS, MAX_VALUE_NESTING, MAX_VALUES,
};

use ast::Node;
use jiff::Timestamp;
use patterns::Patterns;
use serde_json::Value as Json;
use types::Type;
use value::Value;

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

    fn to_value(&self) -> Result<Value, String> {
        match self {
            Self::Number(number) => Ok(Value::Float(*number)),
            Self::Numbers(numbers) => {
                Value::list(numbers.iter().map(|number| Value::Float(*number)).collect())
            }
            Self::Json(json) => functions::from_json(json),
        }
    }
}

/// Longest sentence on why a condition gave no answer, in bytes; a value in it may be long.
const MAX_MESSAGE_BYTES: usize = 1024;

/// A condition that gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// What is wrong, in upstream's words.
    pub message: String,
}

impl From<String> for ConditionError {
    fn from(mut message: String) -> Self {
        if message.len() > MAX_MESSAGE_BYTES {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
            message.push('…');
        }
        Self { message }
    }
}

/// A condition that was read, to be evaluated as often as something is measured.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
    node: Result<Node, String>,
}

impl Condition {
    /// Reads a condition; what is wrong with it is said when it is evaluated.
    pub fn of(text: &str) -> Self {
        Self { text: text.to_owned(), node: parser::parse(text) }
    }

    /// The condition as it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Evaluates the condition on a measured value.
    ///
    /// # Errors
    /// When it is not a sentence of the language, is beyond the limits, cannot be evaluated on this value, or
    /// answers something else than true or false.
    pub fn holds(&self, result: &Measured, now: Timestamp) -> Result<bool, ConditionError> {
        let node = self.node.as_ref().map_err(String::clone)?;
        Ok(evaluate(node, result, now)?)
    }
}

/// Reads a condition and evaluates it once; see [`Condition::holds`].
///
/// # Errors
/// As there.
pub fn holds(condition: &str, result: &Measured, now: Timestamp) -> Result<bool, ConditionError> {
    Condition::of(condition).holds(result, now)
}

/// Reads a condition without evaluating it.
///
/// # Errors
/// When it is not a sentence of the language, names something that is not there, is beyond the limits, or
/// cannot be evaluated whatever is measured.
pub fn parse(condition: &str) -> Result<(), ConditionError> {
    let node = parser::parse(condition)?;
    check::check(&node, Type::Any, &mut Patterns::default())?;
    Ok(())
}

/// Takes `result >= 0.95` or `result[0] >= 0.95` apart into operator and limit.
pub(crate) fn simple_comparison(condition: &str) -> Option<(String, String)> {
    let words = lexer::words(condition).ok()?;
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_ref()).collect();
    let (operator, limit) = match texts.as_slice() {
        ["result", operator, limit] | ["result", "[", "0", "]", operator, limit] => {
            (*operator, *limit)
        }
        _ => return None,
    };
    let is_number = words.last().is_some_and(|word| word.kind == lexer::Kind::Number);
    let compares = matches!(operator, ">=" | ">" | "<=" | "<" | "==" | "!=");
    (compares && is_number && limit.parse::<f64>().is_ok())
        .then(|| (operator.to_owned(), limit.to_owned()))
}

fn evaluate(node: &Node, result: &Measured, now: Timestamp) -> Result<bool, String> {
    let mut patterns = Patterns::default();
    let kind = check::check(node, Type::of(result), &mut patterns)?;
    let given = eval::Given { result: result.to_value()?, now };
    match eval::evaluated(node, given, patterns)? {
        Value::Bool(answer) => Ok(answer),
        Value::Nil => Err("expected bool, but got <nil>".to_owned()),
        other if kind.is_unknown() || kind == Type::Bool => {
            Err(format!("expected bool, but got {}", other.type_name()))
        }
        _ => Err(format!("expected bool, but got {kind}")),
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
        check(
            &numbers(&[1.0]),
            "isNaN(result)",
            Err("cannot use []float64 as argument (type float64) to call isNaN"),
        );
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
        check(&numbers(&[0.0]), "result == 0", Err("mismatched types []float64 and int"));
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
    fn sizes_are_bounded() {
        let one = Measured::Number(1.0);
        check(&one, &"a".repeat(5_000), Err("longer than 4096 bytes"));
        check(&one, &"1 ".repeat(600), Err("more than 512 words"));
        check(&one, &"+".repeat(300), Err("more than 256 operators"));
        check(&one, &"(".repeat(100), Err("nested more than 64 deep"));
        check(&one, &"a?".repeat(100), Err("nested more than 64 deep"));
        check(&one, &"!".repeat(100), Err("nested more than 64 deep"));
        check(&one, &"if a {1} else ".repeat(80), Err("nested more than 64 deep"));
    }

    #[test]
    fn the_largest_conditions_fit_the_stack() {
        let one = Measured::Number(1.0);
        check(&one, &format!("0{} > 1", "+1".repeat(250)), Ok(true));
        let nested = format!("{}0{}{} > 1", "(".repeat(60), "+1".repeat(75), "+1)".repeat(60));
        check(&one, &nested, Ok(true));
        check(&one, &format!("{}result{}", "!(".repeat(20), ")".repeat(20)), Err(""));
        check(
            &json(json!({})),
            &format!("result{}", "?.a".repeat(250)),
            Err("expected bool, but got <nil>"),
        );
        check(&json(json!([])), &format!("len(result{}) == 0", "[:]".repeat(160)), Ok(true));
    }

    #[test]
    fn a_syntax_error_says_what_was_not_expected() {
        check(&Measured::Number(1.0), "result[0 >= 1", Err("unexpected token EOF"));
        check(&Measured::Number(1.0), "", Err(""));
        assert!(parse("result >").is_err());
        assert!(parse("result > 1").is_ok());
        assert!(parse("reslt > 1").is_err());
        assert!(parse("result[0] > 1 && result.a.b == 'x'").is_ok());
    }
}
