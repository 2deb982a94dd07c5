//! How large a condition and its work may be.
//!
//! Conditions come from users; no condition may exhaust the stack, the memory or the time of the
//! controller that everybody shares.

use super::tokens::{Kind, Token};

/// Longest condition in bytes.
pub const MAX_CONDITION_BYTES: usize = 4096;
/// Most words in a condition.
pub const MAX_CONDITION_WORDS: usize = 512;
/// Most operators, accesses and indexes; each may cost a level of the engine's stack.
pub const MAX_CONDITION_OPERATORS: usize = 100;
/// Deepest nesting of brackets.
pub const MAX_CONDITION_NESTING: usize = 24;
/// Most `if`s, `let`s or `?`s each.
pub const MAX_CONDITION_BRANCHES: usize = 8;
/// Widest literal range such as `1..100`.
pub const MAX_CONDITION_RANGE: i64 = 10_000;
/// Most steps that nested predicates may take over the measured value.
pub const MAX_CONDITION_STEPS: usize = 10_000_000;

/// Functions that run a predicate once for each element.
const LOOPS: &[&str] = &[
    "all",
    "any",
    "one",
    "none",
    "map",
    "filter",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "count",
    "sum",
    "reduce",
    "groupBy",
    "sortBy",
];

/// Refuses a condition beyond the limits, given the number of values in the measured result.
///
/// # Errors
/// The limit that was passed, in words.
pub(crate) fn check(
    condition: &str,
    tokens: &[Token<'_>],
    result_size: usize,
) -> Result<(), String> {
    if condition.len() > MAX_CONDITION_BYTES {
        return Err(format!("condition is longer than {MAX_CONDITION_BYTES} bytes"));
    }
    if tokens.len() > MAX_CONDITION_WORDS {
        return Err(format!("condition has more than {MAX_CONDITION_WORDS} words"));
    }
    if tokens.iter().filter(|token| is_operator(token)).count() > MAX_CONDITION_OPERATORS {
        return Err(format!("condition has more than {MAX_CONDITION_OPERATORS} operators"));
    }
    for word in ["if", "let", "?"] {
        if tokens.iter().filter(|token| token.text == word).count() > MAX_CONDITION_BRANCHES {
            return Err(format!("condition has more than {MAX_CONDITION_BRANCHES} '{word}'"));
        }
    }
    let widest = widest_range(tokens)?;
    let loops = nested_loops(tokens)?;
    let steps = (result_size.max(widest)).checked_pow(loops);
    if steps.is_none_or(|steps| steps > MAX_CONDITION_STEPS) {
        return Err(format!("{loops} nested predicates over {result_size} values are too many"));
    }
    Ok(())
}

fn is_operator(token: &Token<'_>) -> bool {
    match token.kind {
        Kind::Symbol => !matches!(token.text, "(" | ")" | "]" | "{" | "}" | "," | ";"),
        Kind::Ident => !token.is_operand(),
        Kind::Number | Kind::Text => false,
    }
}

fn widest_range(tokens: &[Token<'_>]) -> Result<usize, String> {
    let mut widest = 0;
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| token.is("..")) {
        let bound = |at: Option<usize>| at.and_then(|at| tokens.get(at)?.text.parse::<i64>().ok());
        let (Some(low), Some(high)) = (bound(at.checked_sub(1)), bound(Some(at + 1))) else {
            return Err("a range needs two plain numbers as its bounds".to_owned());
        };
        let width = high.saturating_sub(low);
        if width > MAX_CONDITION_RANGE {
            return Err(format!("range {low}..{high} is wider than {MAX_CONDITION_RANGE}"));
        }
        widest = widest.max(usize::try_from(width).unwrap_or(0) + 1);
    }
    Ok(widest)
}

/// The deepest nesting of predicate functions, with the nesting of all brackets checked on the way.
fn nested_loops(tokens: &[Token<'_>]) -> Result<u32, String> {
    let (mut open, mut loops, mut deepest) = (Vec::new(), 0_u32, 0_u32);
    let mut before: Option<Token<'_>> = None;
    for token in tokens {
        match token.text {
            "(" | "[" | "{" => {
                let is_loop = before
                    .is_some_and(|word| word.kind == Kind::Ident && LOOPS.contains(&word.text));
                open.push(is_loop);
                loops += u32::from(is_loop);
            }
            ")" | "]" | "}" => loops -= u32::from(open.pop().unwrap_or(false)),
            _ => {}
        }
        if open.len() > MAX_CONDITION_NESTING {
            return Err(format!("brackets are nested more than {MAX_CONDITION_NESTING} deep"));
        }
        deepest = deepest.max(loops);
        before = Some(*token);
    }
    Ok(deepest)
}
