//! Comparing things of different types with `==` is an error, as it is in Go, not `false`.
//!
//! `result == 0` on a list, or `result == 1` on a text, would otherwise turn a mistyped condition into
//! a failed measurement, and that into a rollback.

use super::tokens::{Kind as Word, Token};
use expr::Value;

/// The type of an operand in the words of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Text,
    Integer,
    Float,
    Bool,
    List,
    Map,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "int",
            Self::Float => "float64",
            Self::Bool => "bool",
            Self::List => "[]interface {}",
            Self::Map => "map[string]interface {}",
        }
    }

    fn compares_with(self, other: Self) -> bool {
        let number = |it| matches!(it, Self::Integer | Self::Float);
        self == other || (number(self) && number(other))
    }
}

/// The Go name of a value's type.
pub(crate) fn type_name(value: &Value) -> &'static str {
    type_of(value).map_or("<nil>", Type::name)
}

fn type_of(value: &Value) -> Option<Type> {
    match value {
        Value::String(_) => Some(Type::Text),
        Value::Integer(_) => Some(Type::Integer),
        Value::Float(_) => Some(Type::Float),
        Value::Bool(_) => Some(Type::Bool),
        Value::Array(_) => Some(Type::List),
        Value::Map(_) | Value::KeyedMap(_) => Some(Type::Map),
        _ => None,
    }
}

/// Refuses `==` and `!=` between plain operands that can never be equal.
///
/// # Errors
/// Go's sentence on mismatched types.
pub(crate) fn check(tokens: &[Token<'_>], result: &Value) -> Result<(), String> {
    for (at, operator) in
        tokens.iter().enumerate().filter(|(_, token)| token.is("==") || token.is("!="))
    {
        let (Some(left), Some(right)) = (left_of(tokens, at, result), right_of(tokens, at, result))
        else {
            continue;
        };
        if !left.compares_with(right) {
            let (operator, left, right) = (operator.text, left.name(), right.name());
            return Err(format!(
                "invalid operation: {operator} (mismatched types {left} and {right})"
            ));
        }
    }
    Ok(())
}

fn left_of(tokens: &[Token<'_>], at: usize, result: &Value) -> Option<Type> {
    let before = &tokens[..at];
    let (last, head) = before.split_last()?;
    if last.is(")") {
        return converted(before.get(opening(before)?.checked_sub(1)?)?);
    }
    let alone =
        head.last().is_none_or(|token| !is_arithmetic(token) && !token.is(".") && !token.is("?."));
    alone.then(|| plain(last, result)).flatten()
}

fn right_of(tokens: &[Token<'_>], at: usize, result: &Value) -> Option<Type> {
    let (first, rest) = tokens.get(at + 1..)?.split_first()?;
    let next = rest.first();
    if next.is_some_and(|token| token.is("(")) {
        return converted(first);
    }
    let alone = next.is_none_or(|token| !is_arithmetic(token) && !is_access(token));
    alone.then(|| plain(first, result)).flatten()
}

/// Where the bracket opened that the last token closes.
fn opening(tokens: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0_usize;
    tokens.iter().enumerate().rev().find_map(|(at, token)| {
        match token.text {
            ")" => depth += 1,
            "(" => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

fn converted(function: &Token<'_>) -> Option<Type> {
    match function.text {
        "asFloat" => Some(Type::Float),
        "asInt" => Some(Type::Integer),
        _ => None,
    }
}

fn plain(token: &Token<'_>, result: &Value) -> Option<Type> {
    match (token.kind, token.text) {
        (Word::Text, _) => Some(Type::Text),
        (Word::Number, _) => Some(Type::Integer),
        (Word::Ident, "true" | "false") => Some(Type::Bool),
        (Word::Ident, "result") => type_of(result),
        _ => None,
    }
}

fn is_arithmetic(token: &Token<'_>) -> bool {
    ["+", "-", "*", "/", "%", "**", "^", "..", "??", "|"].iter().any(|symbol| token.is(symbol))
}

fn is_access(token: &Token<'_>) -> bool {
    [".", "?.", "["].iter().any(|symbol| token.is(symbol))
}
