//! Conditions that want too much: each ends soon, with the name of a limit.

#![expect(clippy::unwrap_used, reason = "a condition that is answered after all fails the test")]

use analysis::condition::{MAX_CONDITION_STEPS, MAX_VALUES, Measured, holds};
use jiff::Timestamp;
use serde_json::{Value, json};

#[track_caller]
fn refused(condition: &str, result: &Measured, expected: &str) {
    let message = holds(condition, result, Timestamp::UNIX_EPOCH).unwrap_err().message;
    assert!(message.contains(expected), "{condition}: {message:?} lacks {expected:?}");
}

#[track_caller]
fn answered(condition: &str, result: &Measured) {
    assert_eq!(holds(condition, result, Timestamp::UNIX_EPOCH), Ok(true), "{condition}");
}

fn one() -> Measured {
    Measured::Number(1.0)
}

fn many(count: usize) -> Measured {
    Measured::Numbers(vec![1.0; count])
}

#[test]
fn predicates_within_predicates_are_bounded() {
    refused("all(result, all(result, # > 0))", &many(5_000), "1000000 steps");
    refused("sum(1..1000, sum(1..1000, sum(1..1000, #))) > 0", &one(), "1000000 steps");
    refused("count(1..900, {let x = #; any(1..900, # * x == -1)}) > 0", &one(), "1000000 steps");
    answered("all(result, all(result, # > 0))", &many(300));
}

#[test]
fn naming_a_large_result_costs_nothing() {
    answered("all(result, result[0] > 0 && len(result) > 1)", &many(50_000));
    answered("len(filter(result, # > 0)) == 100000", &many(100_000));
}

#[test]
fn a_result_may_be_large_but_not_without_bound() {
    refused("len(result) > 0", &many(MAX_VALUES + 1), "more than 1000000 values");
    refused("all(result, # > 0)", &many(MAX_CONDITION_STEPS / 2), "1000000 steps");
}

#[test]
fn ranges_are_bounded() {
    refused("len(1..99999999999) > 0", &one(), "memory budget exceeded");
    refused("len(-9223372036854775807..9223372036854775807) > 0", &one(), "memory budget exceeded");
    refused("all(1..1000, len(1..100000) > 0)", &one(), "1000000 steps");
}

#[test]
fn texts_do_not_grow_without_bound() {
    refused("len(repeat('x', 99999999)) > 0", &one(), "memory budget exceeded");
    refused("len(repeat(repeat('x', 1000000), 1000000)) > 0", &one(), "memory budget exceeded");
    refused("len(reduce(1..64, #acc + #acc, 'xx')) > 0", &one(), "1000000 steps");
    refused(
        "len(replace(repeat('a', 10000), 'a', repeat('b', 10000))) > 0",
        &one(),
        "memory budget exceeded",
    );
    refused("len(join(map(1..5000, repeat('x', 5000)))) > 0", &one(), "1000000 steps");
    refused("len(split(repeat('a', 1000000), '')) > 0", &one(), "memory budget exceeded");
    refused("fromJSON('[' + repeat('0,', 900000) + '0]') == 1", &one(), "memory budget exceeded");
    refused("any(1..900, repeat('x', 90000) contains 'y')", &one(), "1000000 steps");
}

#[test]
fn values_do_not_grow_through_sharing() {
    refused("len(reduce(1..64, [#acc, #acc], [1])) > 0", &one(), "more than 1000000 values");
    refused("len(reduce(1..500, [#acc], [1])) > 0", &one(), "nested more than 160 deep");
    refused("len(reduce(1..500, {{a: #acc}}, {})) > 0", &one(), "nested more than 160 deep");
    refused("toJSON(reduce(1..18, [#acc, #acc], [1])) == ''", &one(), "memory budget exceeded");
}

#[test]
fn regular_expressions_end() {
    let text = Measured::Json(Value::String("a".repeat(100_000)));
    answered("!(result matches '^(a+)+$b')", &text);
    answered("not (result matches '(a|aa)*c')", &text);
    refused("result matches '(a{900}){900}'", &text, "larger than 262144 bytes");
    refused("any(1..1000, result matches 'b' + string(#))", &text, "1000000 steps");
    refused(
        &format!("any(1..900, 'a' matches '{}' + string(#))", "(x+x+)+".repeat(10)),
        &one(),
        "1000000 steps",
    );
}

#[test]
fn sorting_meets_no_contradiction() {
    let numbers: Vec<f64> =
        (0..5_000).map(|at| if at % 3 == 0 { f64::NAN } else { f64::from(at % 17) }).collect();
    answered(
        "len(sort(result)) == 5000 && len(sortBy(result, -#)) == 5000",
        &Measured::Numbers(numbers),
    );
    let mixed = Measured::Json(json!([9_007_199_254_740_993_i64, 1, 2.5, -0.0, 0]));
    answered("len(sort(concat(result, 1..50))) == 55", &mixed);
}

#[test]
fn a_deep_document_is_walked() {
    let deep = (0..120).fold(json!(1), |inner, _| json!({ "a": [inner] }));
    refused("result == result", &Measured::Json(deep), "nested more than 160 deep");
    let less = (0..70).fold(json!(1), |inner, _| json!({ "a": [inner] }));
    answered("result == result && len(toJSON(result)) > 0", &Measured::Json(less));
}

#[test]
fn a_message_is_short_whatever_it_speaks_of() {
    let long = Measured::Json(json!({ "a": "x".repeat(1 << 20) }));
    let error = holds("asInt(result.a) == 1", &long, Timestamp::UNIX_EPOCH).unwrap_err();
    assert!(error.message.len() < 2_000, "{} bytes", error.message.len());
}
