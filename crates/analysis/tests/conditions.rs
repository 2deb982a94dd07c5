//! Our conditions mean what they mean upstream: its own answers, replayed.
//!
//! See `data/README.md` for how they were made.

#![expect(clippy::unwrap_used, reason = "data that cannot be read fails the test")]

use analysis::condition::{Measured, holds};
use jiff::Timestamp;
use serde_json::Value;

/// Where we answer something else: the condition, the result it is asked about, and why.
const DELIBERATE: &[(&str, &str, &str)] = &[
    ("asInt(result) == 0", r#"{"number":"NaN"}"#, NO_NUMBER),
    ("isNil(result.missing)", DOCUMENT, OF_RESULT),
    ("isNil(result.data.nothing)", DOCUMENT, OF_RESULT),
    ("default(result.missing, 1) == 1", DOCUMENT, OF_RESULT),
    ("default(result.status, 'x') == 'ok'", DOCUMENT, OF_RESULT),
    ("isNil(nil)", ONE, OF_RESULT),
    ("isNaN(len([1]))", ONE, "a whole number is not NaN, whether or not it is written out"),
    ("findIndex(result, # > 5) == -1", r#"{"numbers":[0.1"#, "nil equals no number"),
    ("asFloat(result) > 0", r#""0x1p4""#, "there are no hexadecimal fractions here"),
    ("sort([3, result, 1])[0] == 1", r#"{"number":"NaN"}"#, "upstream has no order around NaN"),
    ("groupBy(result, .m.code)['200'][0].v == 10", "[{", KEYS),
    ("groupBy([1, 2], # % 2)[1] == [1]", ONE, KEYS),
    ("toPairs({a: 1}) == [['a', 1]]", ONE, KEYS),
    ("fromPairs([['a', 1]]).a == 1", ONE, KEYS),
    ("toBase64('a') == 'YQ=='", ONE, BYTES),
    ("fromBase64('YQ==') == 'a'", ONE, BYTES),
    ("b'a' == b'a'", ONE, BYTES),
    ("timezone('UTC') == nil", ONE, ZONES),
    ("date('14/08/2026', '02/01/2006').Day() == 14", ONE, ZONES),
    ("$env.result == 1", ONE, "result is all there is"),
    ("$env['result'] == 1", ONE, "result is all there is"),
];
const OF_RESULT: &str = "upstream's isNil and default ask about result, whatever they are given";
const NO_NUMBER: &str = "upstream makes the smallest number of NaN, on some processors";
const KEYS: &str = "maps have texts as keys here";
const BYTES: &str = "there are no bytes here";
const ZONES: &str = "times are of UTC here, in three forms";
/// Beginnings of what `result` is written as.
const ONE: &str = r#"{"number":1}"#;
const DOCUMENT: &str = r#"{"status""#;

/// The beginning of 2026.
const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// What upstream answered.
#[derive(serde::Deserialize)]
struct Case {
    condition: String,
    result: Value,
    /// True, false or `"error"`.
    outcome: Value,
    #[serde(default)]
    message: String,
}

/// What came of a condition here.
struct Answer {
    outcome: Value,
    message: String,
}

fn cases() -> Vec<Case> {
    let lines = include_str!("data/conditions.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn answer(case: &Case) -> Answer {
    match holds(&case.condition, &measured(&case.result), NOW) {
        Ok(answer) => Answer { outcome: answer.into(), message: String::new() },
        Err(error) => Answer { outcome: "error".into(), message: error.message },
    }
}

fn measured(result: &Value) -> Measured {
    let number = |value: &Value| match value {
        Value::String(text) => text.parse::<f64>().unwrap(),
        other => other.as_f64().unwrap(),
    };
    if let Some(one) = result.get("number") {
        Measured::Number(number(one))
    } else if let Some(many) = result.get("numbers") {
        Measured::Numbers(many.as_array().unwrap().iter().map(number).collect())
    } else {
        Measured::Json(result["json"].clone())
    }
}

fn is(case: &Case, condition: &str, result: &str) -> bool {
    let written = case.result.to_string();
    let within = written.trim_start_matches(r#"{"json":"#);
    case.condition == condition && (written.starts_with(result) || within.starts_with(result))
}

fn is_deliberate(case: &Case) -> bool {
    DELIBERATE.iter().any(|(condition, result, _)| is(case, condition, result))
}

#[test]
fn conditions_mean_what_they_mean_upstream() {
    let cases = cases();
    assert!(cases.len() >= 200, "{} cases only", cases.len());
    let differ = cases.iter().filter(|case| !is_deliberate(case)).filter_map(difference);
    let differ: Vec<String> = differ.collect();
    assert!(
        differ.is_empty(),
        "{} of {} differ:\n{}",
        differ.len(),
        cases.len(),
        differ.join("\n")
    );
}

fn difference(case: &Case) -> Option<String> {
    let Case { condition, result, outcome, message } = case;
    let ours = answer(case);
    (ours.outcome != *outcome).then(|| {
        let Answer { outcome: our_outcome, message: our_message } = ours;
        format!(
            "{condition}\n  of {result}\n  upstream {outcome} {message}\n  ours     {our_outcome} {our_message}"
        )
    })
}

/// Parts of upstream's messages that are of Go, or of its optimiser, and mean nothing to users.
const REWORDED: &[&str] = &[
    "error parsing regexp",
    "memory budget exceeded",
    "mismatched types time.Month",
    "invalid character 'o' in literal null",
    "reflect: slice index out of range",
    "%!s(<nil>)",
    "(type []int) to call sort",
    "too many arguments to call join",
];

#[test]
fn errors_are_told_in_upstreams_words() {
    let cases = cases();
    let told = cases.iter().filter(|case| !is_deliberate(case) && case.outcome == "error");
    let told = told.filter(|case| !REWORDED.iter().any(|part| case.message.contains(part)));
    let differ: Vec<String> = told
        .filter(|case| answer(case).message != case.message)
        .map(|case| format!("{}\n  {}\n  {}", case.condition, case.message, answer(case).message))
        .collect();
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn what_differs_on_purpose_still_differs() {
    let cases = cases();
    for (condition, result, reason) in DELIBERATE {
        let differs = cases.iter().filter(|case| is(case, condition, result));
        let differs = differs.filter_map(difference).count();
        assert!(differs > 0, "{condition} does not differ any more ({reason})");
    }
}
