//! A condition, and below it the JSON that it is asked about; a list of numbers is a vector.

use super::in_two;
use crate::{Seen, Target};
use analysis::{
    assess::finding,
    condition::{Measured, holds, parse},
};
use api::argo::{AnalysisPhase, Metric};
use jiff::Timestamp;
use serde_json::Value;

pub(super) const TARGET: Target = Target { name: "conditions", seeds, words: WORDS, read };

const WORDS: &[&str] = &[
    "result",
    "result[0]",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "[-1]",
    "[1:]",
    "[:",
    "?.",
    "??",
    "?",
    ":",
    ".",
    "..",
    " | ",
    " || ",
    " && ",
    " and ",
    " or ",
    " not ",
    " in ",
    "if ",
    "else ",
    "let x = ",
    ";",
    " == ",
    " != ",
    " < ",
    " >= ",
    "+",
    "-",
    "*",
    "/",
    " % ",
    "**",
    "!",
    "0.95",
    "1e3",
    "1..3",
    "'a'",
    "`c`",
    "nil",
    "true",
    "#",
    "#acc",
    "#index",
    ".v",
    "len(",
    "all(result, ",
    "any(",
    "one(",
    "none(",
    "filter(result, ",
    "map(",
    "count(",
    "find(",
    "findLastIndex(",
    "reduce(",
    "sum(",
    "sortBy(",
    "sort(",
    "max(",
    "mean(",
    "median(",
    "isNaN(",
    "isNil(",
    "asInt(",
    "asFloat(",
    "default(",
    "now()",
    "duration('1h')",
    "date('2026-01-01')",
    ".Hour()",
    " matches ",
    "'^(a+)+$'",
    "'\\\\Qx'",
    "'[[:alpha:]'",
    " contains ",
    " startsWith ",
    "repeat('x', ",
    "split(",
    "splitAfter(",
    "replace(",
    "trim(",
    "toJSON(",
    "fromJSON('[1]')",
    "string(",
    "concat(",
    "flatten(",
    "uniq(",
    "take(",
    "get(",
    "keys(",
    "bitshl(1, ",
    "[1, {\"v\": null}]",
    "{\"v\": [1]}",
    "\n",
];

fn seeds() -> Vec<Vec<u8>> {
    let cases = include_str!("../../../analysis/tests/data/conditions.jsonl").lines();
    let cases = cases.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    cases.filter_map(|case| seed(&case)).collect()
}

/// A case of the recorded conditions as an input.
fn seed(case: &Value) -> Option<Vec<u8>> {
    let condition = case["condition"].as_str()?.replace('\n', " ");
    let result = case["result"].as_object()?.values().next()?;
    Some(format!("{condition}\n{result}").into_bytes())
}

fn read(input: &[u8]) -> Seen {
    let (condition, result) = in_two(input);
    let result = measured(&result);
    let answer = holds(&condition, &result, Timestamp::UNIX_EPOCH);
    if answer != holds(&condition, &result, Timestamp::UNIX_EPOCH) {
        return Err("two evaluations differ".to_owned());
    }
    let metric = Metric { success_condition: Some(condition.clone()), ..Metric::default() };
    drop(finding(&metric, "[1]", AnalysisPhase::Failed));
    match (parse(&condition), answer) {
        (Err(error), Ok(_)) => Err(format!("answered though it is no condition: {error}")),
        (_, Ok(answer)) => Ok(answer.to_string()),
        (_, Err(error)) => Ok(error.message),
    }
}

fn measured(text: &str) -> Measured {
    let json: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let numbers = json.as_array().map(|items| items.iter().map(Value::as_f64).collect());
    match (numbers, json.as_f64()) {
        (Some(Some(numbers)), _) => Measured::Numbers(numbers),
        (_, Some(number)) => Measured::Number(number),
        _ => Measured::Json(json),
    }
}
