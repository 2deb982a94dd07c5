//! How much work a CEL rule may make, told before it is run.
//!
//! Loops within loops multiply, and rules run while the store is held: one small object must not be
//! able to stop everybody. The bound is crude and safe: the longest list, map or text there is, to
//! the power of how deep the rule's loops are nested.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr};
use serde_json::Value;

/// The greatest number of turns that a rule's innermost loop may take.
pub(crate) const TURNS_MAX: u64 = 1_000_000;

/// How deep the loops of an expression are nested.
pub(crate) fn depth(expression: &IdedExpr) -> u32 {
    match &expression.expr {
        Expr::Comprehension(comprehension) => {
            let parts = [
                &comprehension.accu_init,
                &comprehension.loop_cond,
                &comprehension.loop_step,
                &comprehension.result,
            ];
            let inner = 1 + deepest(parts);
            inner.max(depth(&comprehension.iter_range))
        }
        Expr::Call(call) => deepest(call.target.as_deref().into_iter().chain(&call.args)),
        Expr::List(list) => deepest(&list.elements),
        Expr::Map(map) => deepest_entry(&map.entries),
        Expr::Struct(structure) => deepest_entry(&structure.entries),
        Expr::Select(select) => depth(&select.operand),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => 0,
    }
}

fn deepest<'a>(expressions: impl IntoIterator<Item = &'a IdedExpr>) -> u32 {
    expressions.into_iter().map(depth).max().unwrap_or(0)
}

fn deepest_entry(entries: &[IdedEntryExpr]) -> u32 {
    let deepest_part = |entry: &IdedEntryExpr| match &entry.expr {
        EntryExpr::StructField(field) => depth(&field.value),
        EntryExpr::MapEntry(entry) => depth(&entry.key).max(depth(&entry.value)),
    };
    entries.iter().map(deepest_part).max().unwrap_or(0)
}

/// Whether loops nested so deep over such values stay within [`TURNS_MAX`].
pub(crate) fn is_bearable<'a>(depth: u32, values: impl IntoIterator<Item = &'a Value>) -> bool {
    // A rule that loops only once walks a value that was bounded when it was read.
    if depth < 2 {
        return true;
    }
    let longest = values.into_iter().map(longest).max().unwrap_or(0).max(1);
    longest.checked_pow(depth).is_some_and(|turns| turns <= TURNS_MAX)
}

/// The number of parts of the longest list, map or text in a value.
fn longest(value: &Value) -> u64 {
    let (own, inner) = match value {
        Value::Array(list) => (list.len(), list.iter().map(longest).max()),
        Value::Object(map) => (map.len(), map.values().map(longest).max()),
        Value::String(text) => (text.len(), None),
        Value::Null | Value::Bool(_) | Value::Number(_) => (0, None),
    };
    inner.unwrap_or(0).max(own as u64)
}
