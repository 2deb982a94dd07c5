//! Whatever a user writes as a condition, and whatever was measured: an answer or an error, soon.

use analysis::{
    assess::finding,
    condition::{Measured, holds, parse},
};
use api::argo::{AnalysisPhase, Metric};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

/// Words that conditions are made of, whole and broken.
const WORDS: &[&str] = &[
    "result",
    "result[0]",
    "result[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "[",
    "[0]",
    "[-1]",
    "[9223372036854775807]",
    "[:]",
    "[1:]",
    "?.",
    "??",
    "?",
    ":",
    ".",
    "..",
    "|",
    "||",
    "&&",
    "and",
    "or",
    "not",
    "in",
    "if",
    "else",
    "let",
    "x",
    "=",
    ";",
    "==",
    "!=",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "^",
    "!",
    "0",
    "1",
    "0.95",
    "1e3",
    "1..3",
    "'a'",
    "\"b",
    "`c`",
    "nil",
    "true",
    "#",
    "#acc",
    ".foo",
    "len(",
    "all(result,",
    "filter(",
    "map(",
    "reduce(",
    "sum(",
    "isNaN(",
    "isNil(",
    "asInt(",
    "asFloat(",
    "default(",
    "now()",
    "duration('1h')",
    "date(",
    "matches",
    "'('",
    "contains",
    "startsWith",
    "repeat('x',",
    "split(",
    "toJSON(",
    "fromJSON(",
    "sort(",
    "$env",
    ",",
    "//",
    "/*",
    "é",
];

fn condition() -> impl Strategy<Value = String> {
    let words = prop::collection::vec(prop::sample::select(WORDS), 0..40);
    words.prop_map(|words| words.join(" "))
}

fn measured() -> impl Strategy<Value = Measured> {
    prop_oneof![
        any::<f64>().prop_map(Measured::Number),
        prop::collection::vec(any::<f64>(), 0..4).prop_map(Measured::Numbers),
        Just(Measured::Json(json!(null))),
        Just(Measured::Json(json!("text"))),
        Just(Measured::Json(json!({"foo": [1, {"bar": null}], "x": "y"}))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn conditions_of_known_words_give_an_answer_or_an_error(condition in condition(), value in measured()) {
        let answer = holds(&condition, &value, Timestamp::UNIX_EPOCH);
        if parse(&condition).is_err() {
            prop_assert!(answer.is_err(), "{condition:?} is no condition but gave {answer:?}");
        }
    }

    #[test]
    fn any_text_gives_an_answer_or_an_error(condition in "[ -~é§\\n]{0,120}", value in measured()) {
        drop(holds(&condition, &value, Timestamp::UNIX_EPOCH));
        let metric = Metric { name: "m".to_owned(), success_condition: Some(condition), ..Metric::default() };
        drop(finding(&metric, "[1]", AnalysisPhase::Failed));
    }
}
