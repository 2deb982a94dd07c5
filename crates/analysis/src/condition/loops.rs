//! Functions that ask a predicate about each element of a list.

use super::{
    ast::{Binary, Loop, Looped, Node},
    eval::{Evaluated, Evaluation, Frame},
    functions::{self, Direction},
    operate::calculated,
    value::Value,
};

impl<'a> Evaluation<'a> {
    pub(super) fn looped(&mut self, kind: Loop, looped: &'a Looped) -> Evaluated {
        let list = self.value(&looped.collection)?;
        let items = functions::elements(&list)?;
        let predicate = looped.predicate.as_ref();
        match kind {
            Loop::All => {
                self.first(&items, predicate, Sought::False).map(|it| Value::Bool(it.is_none()))
            }
            Loop::None => {
                self.first(&items, predicate, Sought::True).map(|it| Value::Bool(it.is_none()))
            }
            Loop::Any => {
                self.first(&items, predicate, Sought::True).map(|it| Value::Bool(it.is_some()))
            }
            Loop::Find => Ok(element(&items, self.first(&items, predicate, Sought::True)?)),
            Loop::FindIndex => Ok(index(self.first(&items, predicate, Sought::True)?)),
            Loop::FindLast => Ok(element(&items, self.last(&items, predicate)?)),
            Loop::FindLastIndex => Ok(index(self.last(&items, predicate)?)),
            Loop::One => Ok(Value::Bool(self.held(&items, predicate)?.len() == 1)),
            Loop::Count => Ok(number(self.held(&items, predicate)?.len())),
            Loop::Filter => {
                let held = self.held(&items, predicate)?;
                self.budget.make(held.len().saturating_mul(size_of::<Value>()))?;
                Value::list(held.into_iter().map(|at| items[at].clone()).collect())
            }
            Loop::Map => {
                self.budget.make(items.len().saturating_mul(size_of::<Value>()))?;
                Value::list(self.answers(&items, predicate)?)
            }
            Loop::Sum => self.sum(&items, predicate),
            Loop::SortBy => self.sorted_by(&items, looped),
            Loop::Reduce => self.reduced(&items, looped),
        }
    }

    /// What a predicate, or without one the element itself, answers to one element.
    fn asked(&mut self, frame: Frame, predicate: Option<&'a Node>) -> Evaluated {
        self.budget.work(1)?;
        let Some(predicate) = predicate else { return Ok(frame.item) };
        self.frames.push(frame);
        let answer = self.value(predicate);
        self.frames.pop();
        answer
    }

    fn holds(
        &mut self,
        at: usize,
        item: &Value,
        predicate: Option<&'a Node>,
    ) -> Result<bool, String> {
        self.asked(frame(at, item), predicate)?.as_bool()
    }

    fn first(
        &mut self,
        items: &[Value],
        predicate: Option<&'a Node>,
        sought: Sought,
    ) -> Result<Option<usize>, String> {
        for (at, item) in items.iter().enumerate() {
            if self.holds(at, item, predicate)? == (sought == Sought::True) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn last(
        &mut self,
        items: &[Value],
        predicate: Option<&'a Node>,
    ) -> Result<Option<usize>, String> {
        for (at, item) in items.iter().enumerate().rev() {
            if self.holds(at, item, predicate)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Where the predicate holds.
    fn held(&mut self, items: &[Value], predicate: Option<&'a Node>) -> Result<Vec<usize>, String> {
        let mut held = Vec::new();
        for (at, item) in items.iter().enumerate() {
            if self.holds(at, item, predicate)? {
                held.push(at);
            }
        }
        Ok(held)
    }

    fn answers(
        &mut self,
        items: &[Value],
        predicate: Option<&'a Node>,
    ) -> Result<Vec<Value>, String> {
        let mut answers = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            answers.push(self.asked(frame(at, item), predicate)?);
        }
        Ok(answers)
    }

    fn sum(&mut self, items: &[Value], predicate: Option<&'a Node>) -> Evaluated {
        let mut sum = Value::Int(0);
        for (at, item) in items.iter().enumerate() {
            let answer = self.asked(frame(at, item), predicate)?;
            sum = calculated(Binary::Add, &answer, &sum)?;
        }
        Ok(sum)
    }

    fn sorted_by(&mut self, items: &[Value], looped: &'a Looped) -> Evaluated {
        let direction = match &looped.more {
            Some(order) => match self.value(order)? {
                Value::Text(order) => Direction::named(&order)
                    .ok_or_else(|| "unknown order, use asc or desc".to_owned())?,
                _ => return Err("sortBy order argument must be a string".to_owned()),
            },
            None => Direction::Ascending,
        };
        let keys = self.answers(items, looped.predicate.as_ref())?;
        let order = functions::order_of(&keys, direction, &mut self.budget)?;
        self.budget.make(items.len().saturating_mul(size_of::<Value>()))?;
        Value::list(order.into_iter().map(|at| items[at].clone()).collect())
    }

    fn reduced(&mut self, items: &[Value], looped: &'a Looped) -> Evaluated {
        let (mut accumulated, skipped) = match (&looped.more, items.first()) {
            (Some(start), _) => (self.value(start)?, 0),
            (None, Some(first)) => (first.clone(), 1),
            (None, None) => {
                return Err("reduce of empty array with no initial value".to_owned());
            }
        };
        for (at, item) in items.iter().enumerate().skip(skipped) {
            let frame = Frame { accumulated, ..frame(at, item) };
            accumulated = self.asked(frame, looped.predicate.as_ref())?;
        }
        Ok(accumulated)
    }
}

/// What a search is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sought {
    True,
    False,
}

fn frame(at: usize, item: &Value) -> Frame {
    let index = i64::try_from(at).unwrap_or(i64::MAX);
    Frame { item: item.clone(), index, accumulated: Value::Nil }
}

fn element(items: &[Value], at: Option<usize>) -> Value {
    at.and_then(|at| items.get(at)).cloned().unwrap_or(Value::Nil)
}

fn index(at: Option<usize>) -> Value {
    at.map_or(Value::Nil, number)
}

fn number(count: usize) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}
