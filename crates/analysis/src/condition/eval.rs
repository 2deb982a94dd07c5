//! Evaluating a condition.
//!
//! Start with [`evaluated`]. Functions over each element of a list are in `loops.rs`, all others in
//! `functions/`.

use super::{
    ast::{Access, Binary, Node, Order, Pointer, Unary},
    functions,
    limits::Budget,
    operate::{calculated, equal, ordered},
    patterns::Patterns,
    time,
    value::Value,
};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc};

/// What a condition is evaluated on.
pub(super) struct Given {
    pub(super) result: Value,
    pub(super) now: Timestamp,
}

/// Evaluates a condition.
///
/// # Errors
/// Upstream's sentence, when it has no value, or the limit that it passed.
pub(super) fn evaluated(node: &Node, given: Given, patterns: Patterns) -> Result<Value, String> {
    let (names, frames, budget) = (Vec::new(), Vec::new(), Budget::new());
    Evaluation { given, names, frames, patterns, budget }.value(node)
}

/// An evaluation under way.
pub(super) struct Evaluation<'a> {
    pub(super) given: Given,
    names: Vec<(&'a str, Value)>,
    pub(super) frames: Vec<Frame>,
    patterns: Patterns,
    pub(super) budget: Budget,
}

/// The element that a predicate is asked about.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) item: Value,
    pub(super) index: i64,
    pub(super) accumulated: Value,
}

pub(super) type Evaluated = Result<Value, String>;

impl<'a> Evaluation<'a> {
    pub(super) fn value(&mut self, node: &'a Node) -> Evaluated {
        self.budget.work(1)?;
        match node {
            Node::Nil => Ok(Value::Nil),
            Node::Bool(value) => Ok(Value::Bool(*value)),
            Node::Int(value) => Ok(Value::Int(*value)),
            Node::Float(value) => Ok(Value::Float(*value)),
            Node::Text(text) => Ok(Value::Text(Arc::clone(text))),
            Node::Name(name) => Ok(self.named(name)),
            Node::Pointer(pointer) => Ok(self.pointed(*pointer)),
            Node::Unary(unary, node) => self.unary(*unary, node),
            Node::Binary(binary, left, right) => self.binary(*binary, left, right),
            Node::Compared(first, others) => self.compared(first, others),
            Node::Chain(node) => Ok(self.link(node)?.unwrap_or(Value::Nil)),
            Node::Member(..) | Node::Method(..) => Ok(self.link(node)?.unwrap_or(Value::Nil)),
            Node::Slice(node, from, to) => self.slice(node, from.as_deref(), to.as_deref()),
            Node::Call(name, arguments) => self.call(name, arguments),
            Node::Loop(kind, looped) => self.looped(*kind, looped),
            Node::Let(name, value, rest) => self.declared(name, value, rest),
            Node::Sequence(nodes) => self.last_of(nodes),
            Node::If(condition, yes, no) => self.branches(condition, yes.as_deref(), no),
            Node::List(nodes) => self.list(nodes),
            Node::Map(pairs) => self.map(pairs),
        }
    }

    fn named(&self, name: &str) -> Value {
        let declared = self.names.iter().rev().find(|(known, _)| *known == name);
        declared.map_or_else(|| self.given.result.clone(), |(_, value)| value.clone())
    }

    fn pointed(&self, pointer: Pointer) -> Value {
        let Some(frame) = self.frames.last() else { return Value::Nil };
        match pointer {
            Pointer::Item => frame.item.clone(),
            Pointer::Index => Value::Int(frame.index),
            Pointer::Accumulated => frame.accumulated.clone(),
        }
    }

    fn unary(&mut self, unary: Unary, node: &'a Node) -> Evaluated {
        let value = self.value(node)?;
        match (unary, value) {
            (Unary::Not(_), value) => Ok(Value::Bool(!value.as_bool()?)),
            (Unary::Plus, value) => Ok(value),
            (Unary::Minus, Value::Int(value)) => Ok(Value::Int(value.wrapping_neg())),
            (Unary::Minus, Value::Float(value)) => Ok(Value::Float(-value)),
            (Unary::Minus, value) => Err(format!("invalid operation: - {}", value.type_name())),
        }
    }

    fn binary(&mut self, binary: Binary, left: &'a Node, right: &'a Node) -> Evaluated {
        // What is written out decides before anything is evaluated.
        match (binary, right) {
            (Binary::And(_), Node::Bool(true)) | (Binary::Or(_), Node::Bool(false)) => {
                return self.value(left);
            }
            (Binary::And(_), Node::Bool(false)) | (Binary::Or(_), Node::Bool(true)) => {
                return self.value(right);
            }
            _ => {}
        }
        let first = self.value(left)?;
        match binary {
            Binary::Or(_) if first.as_bool()? => return Ok(first),
            Binary::And(_) if !first.as_bool()? => return Ok(first),
            Binary::Or(_) | Binary::And(_) => return self.value(right),
            Binary::Coalesce if !first.is_nil() => return Ok(first),
            Binary::Coalesce => return self.value(right),
            _ => {}
        }
        let second = self.value(right)?;
        match binary {
            Binary::Equal => Ok(Value::Bool(self.are_equal(&first, &second)?)),
            Binary::NotEqual => Ok(Value::Bool(!self.are_equal(&first, &second)?)),
            Binary::In => self.is_in(&first, &second, right).map(Value::Bool),
            Binary::Range => self.range(&first, &second),
            Binary::Matches | Binary::Contains | Binary::StartsWith | Binary::EndsWith => {
                self.matching(binary, &first, &second).map(Value::Bool)
            }
            _ => {
                if let (Value::Text(left), Value::Text(right)) = (&first, &second) {
                    self.budget.make(left.len() + right.len())?;
                }
                calculated(binary, &first, &second)
            }
        }
    }

    pub(super) fn are_equal(&mut self, left: &Value, right: &Value) -> Result<bool, String> {
        self.budget.work(left.extent().min(right.extent()))?;
        Ok(equal(left, right))
    }

    fn compared(&mut self, first: &'a Node, others: &'a [(Order, Node)]) -> Evaluated {
        let mut left = self.value(first)?;
        for (order, node) in others {
            let right = self.value(node)?;
            self.budget.work(left.extent().min(right.extent()))?;
            if !ordered(*order, &left, &right)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    fn is_in(&mut self, wanted: &Value, within: &Value, node: &Node) -> Result<bool, String> {
        // Upstream makes a list of texts that are written out a set, which takes texts only.
        let is_set = matches!(node, Node::List(nodes) if !nodes.is_empty() && nodes.iter().all(|it| matches!(it, Node::Text(_))));
        match (wanted, within) {
            (_, Value::Nil) => Ok(false),
            (Value::Nil, Value::Map(map)) => Ok(map.fields().contains_key("")),
            (Value::Text(key), Value::Map(map)) => Ok(map.fields().contains_key(key)),
            (_, Value::Map(_)) => Err(no_key(wanted)),
            (Value::Nil, Value::List(list)) if is_set => {
                Ok(list.items().iter().any(|item| equal(item, &Value::text(""))))
            }
            (_, Value::List(_)) if is_set && !matches!(wanted, Value::Text(_)) => {
                Err(no_key(wanted))
            }
            (_, Value::List(list)) => {
                self.budget.work(within.extent())?;
                Ok(list.items().iter().any(|item| equal(item, wanted)))
            }
            _ => Err(format!("operator \"in\" not defined on {}", within.type_name())),
        }
    }

    fn range(&mut self, from: &Value, to: &Value) -> Evaluated {
        let (from, to) = (functions::whole(from)?, functions::whole(to)?);
        let size = usize::try_from(i128::from(to) - i128::from(from) + 1).unwrap_or(0);
        self.budget.make(size.saturating_mul(size_of::<Value>()))?;
        Value::list((from..=to).map(Value::Int).collect())
    }

    fn matching(&mut self, binary: Binary, left: &Value, right: &Value) -> Result<bool, String> {
        if left.is_nil() || right.is_nil() {
            return Ok(false);
        }
        let (text, wanted) = (functions::text(left)?, functions::text(right)?);
        self.budget.read(text.len())?;
        Ok(match binary {
            Binary::Contains => text.contains(wanted),
            Binary::StartsWith => text.starts_with(wanted),
            Binary::EndsWith => text.ends_with(wanted),
            _ => return self.matches(text, wanted),
        })
    }

    /// Matching takes at worst the product of both lengths, compiling a multiple of the pattern's.
    fn matches(&mut self, text: &str, pattern: &str) -> Result<bool, String> {
        const COMPILING: usize = 10_000;
        if !self.patterns.knows(pattern) {
            self.budget.work(COMPILING)?;
        }
        self.budget.read(text.len().saturating_mul(1 + pattern.len() / 8))?;
        Ok(self.patterns.compiled(pattern)?.is_match(text))
    }

    /// The value of an access; none when an optional one before it met nil.
    fn link(&mut self, node: &'a Node) -> Result<Option<Value>, String> {
        let (base, access) = match node {
            Node::Member(base, _, access) | Node::Method(base, _, _, access) => (base, *access),
            other => return self.value(other).map(Some),
        };
        let base = match base.as_ref() {
            Node::Member(..) | Node::Method(..) => {
                self.budget.work(1)?;
                self.link(base)?
            }
            other => Some(self.value(other)?),
        };
        let Some(base) = base else { return Ok(None) };
        if access == Access::Optional && base.is_nil() {
            return Ok(None);
        }
        match node {
            Node::Member(_, property, _) => {
                let key = self.value(property)?;
                fetched(&base, &key).map(Some)
            }
            Node::Method(_, name, _, _) => {
                let answer = time::method(&base, name);
                answer.map(Some).ok_or_else(|| no_member(name, &base))
            }
            _ => Ok(Some(base)),
        }
    }

    fn slice(&mut self, node: &'a Node, from: Option<&'a Node>, to: Option<&'a Node>) -> Evaluated {
        let value = self.value(node)?;
        let length = match &value {
            Value::List(list) => list.items().len(),
            Value::Text(text) => text.len(),
            other if to.is_none() => {
                return Err(format!("invalid argument for len (type {})", other.type_name()));
            }
            _ => 0,
        };
        let to = match to {
            Some(to) => functions::whole(&self.value(to)?)?,
            None => i64::try_from(length).unwrap_or(i64::MAX),
        };
        let from = match from {
            Some(from) => functions::whole(&self.value(from)?)?,
            None => 0,
        };
        let to = bound(to, length);
        let from = bound(from, length).min(to);
        self.budget.make((to - from).saturating_mul(size_of::<Value>()))?;
        match &value {
            Value::List(list) => Value::list(list.items()[from..to].to_vec()),
            Value::Text(text) => {
                Ok(Value::text(&String::from_utf8_lossy(&text.as_bytes()[from..to])))
            }
            _ => Err(format!("cannot slice {from}")),
        }
    }

    fn call(&mut self, name: &str, nodes: &'a [Node]) -> Evaluated {
        let mut arguments = Vec::with_capacity(nodes.len());
        for node in nodes {
            arguments.push(self.value(node)?);
        }
        if name == "now" {
            return Ok(Value::Time(self.given.now));
        }
        functions::called(name, &arguments, &mut self.budget)
    }

    fn declared(&mut self, name: &'a str, value: &'a Node, rest: &'a Node) -> Evaluated {
        let value = self.value(value)?;
        self.names.push((name, value));
        let rest = self.value(rest);
        self.names.pop();
        rest
    }

    fn last_of(&mut self, nodes: &'a [Node]) -> Evaluated {
        let mut last = Value::Nil;
        for node in nodes {
            last = self.value(node)?;
        }
        Ok(last)
    }

    fn branches(&mut self, condition: &'a Node, yes: Option<&'a Node>, no: &'a Node) -> Evaluated {
        let asked = self.value(condition)?;
        match (asked.as_bool()?, yes) {
            (true, Some(yes)) => self.value(yes),
            (true, None) => Ok(asked),
            (false, _) => self.value(no),
        }
    }

    fn list(&mut self, nodes: &'a [Node]) -> Evaluated {
        self.budget.make(nodes.len().saturating_mul(size_of::<Value>()))?;
        let mut items = Vec::with_capacity(nodes.len());
        for node in nodes {
            items.push(self.value(node)?);
        }
        Value::list(items)
    }

    fn map(&mut self, pairs: &'a [(Node, Node)]) -> Evaluated {
        self.budget.make(pairs.len().saturating_mul(2 * size_of::<Value>()))?;
        let mut fields = BTreeMap::new();
        for (key, value) in pairs {
            let key = self.value(key)?;
            let value = self.value(value)?;
            let Value::Text(key) = key else { return Err(key.is_no("string")) };
            fields.insert(key, value);
        }
        Value::map(fields)
    }
}

/// Looks an element up: out of range is an error, a key that is not there is nil.
fn fetched(from: &Value, key: &Value) -> Evaluated {
    match (from, key) {
        (Value::List(list), key) => {
            let items = list.items();
            let at = place(key, items.len())?;
            Ok(items[at].clone())
        }
        (Value::Text(text), key) => {
            let at = place(key, text.len())?;
            Ok(Value::Int(i64::from(text.as_bytes()[at])))
        }
        (Value::Map(map), Value::Text(key)) => {
            Ok(map.fields().get(key).cloned().unwrap_or(Value::Nil))
        }
        (Value::Map(map), Value::Nil) => Ok(map.fields().get("").cloned().unwrap_or(Value::Nil)),
        (Value::Map(_), key) => Err(no_key(key)),
        _ => Err(no_member(key, from)),
    }
}

/// Where an index leads to; a negative one counts from the end.
fn place(index: &Value, length: usize) -> Result<usize, String> {
    let written = functions::whole(index)?;
    let end = i64::try_from(length).unwrap_or(i64::MAX);
    let index = if written < 0 { written.saturating_add(end) } else { written };
    let at = usize::try_from(index).ok().filter(|at| *at < length);
    at.ok_or_else(|| format!("index out of range: {index} (array length is {length})"))
}

/// Where a slice begins or ends: never beyond what there is.
fn bound(written: i64, length: usize) -> usize {
    if written < 0 {
        length.saturating_sub(usize::try_from(written.unsigned_abs()).unwrap_or(usize::MAX))
    } else {
        usize::try_from(written).unwrap_or(usize::MAX).min(length)
    }
}

fn no_member(member: impl std::fmt::Display, of: &Value) -> String {
    format!("cannot fetch {member} from {}", of.type_name())
}

fn no_key(key: &Value) -> String {
    let kind = key.type_name();
    format!("reflect.Value.MapIndex: value of type {kind} is not assignable to type string")
}
