//! Functions of lists and maps.

use super::{
    super::{ast::Order, limits::Budget, operate, value::Value},
    numbers, text, texts,
};
use std::{borrow::Cow, cmp::Ordering};

/// What a function answers.
///
/// # Errors
/// Upstream's sentence, when it has no answer to these values, or the limit that was passed.
pub(super) fn called(name: &str, given: &[Value], budget: &mut Budget) -> Result<Value, String> {
    match (name, given) {
        ("len", [value]) => length(value),
        ("repeat", [subject, count]) => texts::repeated(subject, count, budget),
        ("max" | "min", given) => numbers::extreme(name, given),
        ("mean" | "median", given) => numbers::average(name, given),
        ("first", [value]) => Ok(at_end(value, 0)),
        ("last", [value]) => Ok(at_end(value, -1)),
        ("get", [from, key]) => got(from, key),
        ("keys" | "values", [value]) => of_map(name, value, budget),
        ("join", [list, more @ ..]) => joined(list, more.first(), budget),
        ("sort", [list, more @ ..]) => sorted(list, more.first(), budget),
        ("uniq", [list]) => unique(list, budget),
        _ => {
            let items = rearranged(name, given)?;
            budget.make(items.len().saturating_mul(size_of::<Value>()))?;
            Value::list(items)
        }
    }
}

/// The elements that a predicate is asked about.
///
/// # Errors
/// Go's sentence on what has no elements.
pub(in super::super) fn elements(value: &Value) -> Result<Cow<'_, [Value]>, String> {
    match value {
        Value::List(list) => Ok(Cow::Borrowed(list.items())),
        Value::Text(text) => {
            Ok(Cow::Owned(text.bytes().map(|byte| Value::Int(i64::from(byte))).collect()))
        }
        Value::Map(map) if map.fields().is_empty() => Ok(Cow::Borrowed(&[])),
        Value::Map(_) => Err("reflect: call of reflect.Value.Index on map Value".to_owned()),
        Value::Nil => Err("reflect: call of reflect.Value.Len on zero Value".to_owned()),
        other => {
            let kind = other.type_name();
            Err(format!("reflect: call of reflect.Value.Len on {kind} Value"))
        }
    }
}

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Direction {
    Ascending,
    Descending,
}

impl Direction {
    pub(in super::super) fn named(name: &str) -> Option<Self> {
        match name {
            "asc" => Some(Self::Ascending),
            "desc" => Some(Self::Descending),
            _ => None,
        }
    }
}

/// The places of keys, in the order of the keys.
///
/// # Errors
/// Go's sentence, when two keys have no order, or the limit that was passed.
pub(in super::super) fn order_of(
    keys: &[Value],
    direction: Direction,
    budget: &mut Budget,
) -> Result<Vec<usize>, String> {
    let width = usize::try_from(keys.len().max(1).ilog2()).unwrap_or(0) + 1;
    budget.make(keys.len().saturating_mul(size_of::<usize>()))?;
    budget.work(keys.iter().map(Value::extent).sum::<usize>().saturating_mul(width))?;
    for pair in keys.windows(2) {
        operate::ordered(Order::Less, &pair[1], &pair[0])?;
    }
    let mut places: Vec<usize> = (0..keys.len()).collect();
    places.sort_by(|left, right| {
        let ordering = total_order(&keys[*left], &keys[*right]);
        if direction == Direction::Ascending { ordering } else { ordering.reverse() }
    });
    Ok(places)
}

/// An order of all values of one kind, NaN included, for sorting must not meet a contradiction.
fn total_order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Time(left), Value::Time(right)) => left.cmp(right),
        (Value::Duration(left), Value::Duration(right)) => left.cmp(right),
        _ => match (operate::number(left), operate::number(right)) {
            (Some(left), Some(right)) => left.total_cmp(&right),
            _ => Ordering::Equal,
        },
    }
}

fn length(value: &Value) -> Result<Value, String> {
    let length = match value {
        Value::List(list) => list.items().len(),
        Value::Map(map) => map.fields().len(),
        Value::Text(text) => text.chars().count(),
        other => return Err(format!("invalid argument for len (type {})", other.type_name())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// The first or the last element; nil when there is none.
fn at_end(value: &Value, at: i64) -> Value {
    got(value, &Value::Int(at)).unwrap_or(Value::Nil)
}

/// An element, or nil when there is none.
fn got(from: &Value, key: &Value) -> Result<Value, String> {
    let place = |length: usize| {
        let at = super::whole(key)?;
        let end = i64::try_from(length).unwrap_or(i64::MAX);
        let at = if at < 0 { at.saturating_add(end) } else { at };
        Ok::<_, String>(usize::try_from(at).ok())
    };
    Ok(match (from, key) {
        (Value::List(list), _) => {
            place(list.items().len())?.and_then(|at| list.items().get(at)).cloned()
        }
        (Value::Text(text), _) => place(text.len())?
            .and_then(|at| text.as_bytes().get(at))
            .map(|byte| Value::Int(i64::from(*byte))),
        (Value::Map(map), Value::Text(key)) => map.fields().get(key).cloned(),
        _ => None,
    }
    .unwrap_or(Value::Nil))
}

fn of_map(name: &str, value: &Value, budget: &mut Budget) -> Result<Value, String> {
    let Value::Map(map) = value else {
        return Err(format!("cannot get {name} from {}", go_kind(value)));
    };
    budget.make(map.fields().len().saturating_mul(size_of::<Value>()))?;
    let fields = map.fields().iter();
    Value::list(if name == "keys" {
        fields.map(|(key, _)| Value::Text(key.clone())).collect()
    } else {
        fields.map(|(_, value)| value.clone()).collect()
    })
}

fn joined(list: &Value, glue: Option<&Value>, budget: &mut Budget) -> Result<Value, String> {
    let Value::List(list) = list else {
        return Err(format!("invalid argument for join (type {})", list.type_name()));
    };
    let glue = glue.map_or(Ok(""), text)?;
    let parts = list.items().iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let glued = glue.len().saturating_mul(parts.len());
    budget.make(parts.iter().map(|part| part.len()).sum::<usize>().saturating_add(glued))?;
    Ok(Value::text(&parts.join(glue)))
}

fn sorted(list: &Value, order: Option<&Value>, budget: &mut Budget) -> Result<Value, String> {
    let order = order.map_or(Ok("asc"), text)?;
    let direction = Direction::named(order)
        .ok_or_else(|| format!("invalid order {order}, expected asc or desc"))?;
    let Value::List(list) = list else { return Value::list(Vec::new()) };
    let places = order_of(list.items(), direction, budget)?;
    budget.make(places.len().saturating_mul(size_of::<Value>()))?;
    Value::list(places.into_iter().map(|at| list.items()[at].clone()).collect())
}

fn unique(list: &Value, budget: &mut Budget) -> Result<Value, String> {
    let Value::List(list) = list else {
        return Err(format!("cannot uniq {}", go_kind(list)));
    };
    let mut kept: Vec<Value> = Vec::new();
    for item in list.items() {
        budget.work(kept.len().saturating_mul(item.extent()))?;
        if !kept.iter().any(|known| operate::equal(item, known)) {
            kept.push(item.clone());
        }
    }
    budget.make(kept.len().saturating_mul(size_of::<Value>()))?;
    Value::list(kept)
}

/// The elements of lists in another order, or only some of them.
fn rearranged(name: &str, given: &[Value]) -> Result<Vec<Value>, String> {
    let items = |value: &Value| match value {
        Value::List(list) => Ok(list.items().to_vec()),
        other => {
            let from = if name == "take" { " from" } else { "" };
            Err(format!("cannot {name}{from} {}", go_kind(other)))
        }
    };
    match (name, given) {
        ("reverse", [list]) => items(list).map(|items| items.into_iter().rev().collect()),
        ("take", [list, count]) => {
            let count = usize::try_from(super::whole(count)?)
                .map_err(|_| "reflect.Value.Slice: slice index out of bounds".to_owned())?;
            items(list).map(|items| items.into_iter().take(count).collect())
        }
        ("flatten", [list]) => items(list).map(flattened),
        ("concat", lists) => {
            let lists = lists.iter().map(items).collect::<Result<Vec<_>, _>>()?;
            Ok(lists.into_iter().flatten().collect())
        }
        _ => Err(format!("unknown name {name}")),
    }
}

fn flattened(items: Vec<Value>) -> Vec<Value> {
    let mut flat = Vec::new();
    for item in items {
        match &item {
            Value::List(list) => flat.extend(flattened(list.items().to_vec())),
            _ => flat.push(item),
        }
    }
    flat
}

/// The kind of a value in the words of Go's reflection.
fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "invalid",
        Value::List(_) => "slice",
        Value::Map(_) => "map",
        Value::Time(_) => "struct",
        Value::Duration(_) => "int64",
        other => other.type_name(),
    }
}
