//! Merging an applied configuration into the live object, and taking out what is applied no more.

use serde_json::{Map, Value};

use super::compare::{field_of, splits_list, splits_map, step_of};
use super::set::{FieldSet, Step};
use crate::schema::Schema;

/// The live value with the configuration laid over it.
pub(crate) fn merge(schema: Option<&Schema>, live: &Value, config: &Value) -> Value {
    match (live, config) {
        (Value::Object(live), Value::Object(config)) if splits_map(schema) => {
            let mut merged = live.clone();
            for (key, value) in config {
                let (field, _) = field_of(schema, key);
                let value = match live.get(key) {
                    Some(before) => merge(field, before, value),
                    None => value.clone(),
                };
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(live), Value::Array(config)) if splits_list(schema) => {
            Value::Array(merge_lists(schema, live, config))
        }
        (_, config) => config.clone(),
    }
}

/// Live items keep their place; new ones follow in the configuration's order.
fn merge_lists(schema: Option<&Schema>, live: &[Value], config: &[Value]) -> Vec<Value> {
    let inner = schema.and_then(|schema| schema.items.as_deref());
    let mut merged = live.to_vec();
    for item in config {
        let step = step_of(schema, item);
        let place =
            merged.iter().position(|other| step.is_some() && step_of(schema, other) == step);
        match place {
            Some(place) => merged[place] = merge(inner, &merged[place], item),
            None => merged.push(item.clone()),
        }
    }
    merged
}

/// What to take out of a value, and what somebody still wants in it.
#[derive(Clone, Copy)]
pub(crate) struct Cut<'a> {
    pub(crate) gone: &'a FieldSet,
    pub(crate) wanted: Option<&'a FieldSet>,
}

impl Cut<'_> {
    fn below(self, step: &Step) -> Option<Self> {
        let gone = self.gone.at(step).filter(|gone| !gone.is_empty())?;
        Some(Self { gone, wanted: self.wanted.and_then(|wanted| wanted.at(step)) })
    }

    fn wants(self, step: &Step) -> bool {
        self.wanted.is_some_and(|wanted| wanted.has(step))
    }
}

/// Takes paths out of a value; a parent that becomes empty by it goes too, unless somebody wants it.
pub(crate) fn remove(schema: Option<&Schema>, value: &mut Value, cut: Cut<'_>) {
    match value {
        Value::Object(map) => remove_fields(schema, map, cut),
        Value::Array(list) => {
            let inner = schema.and_then(|schema| schema.items.as_deref());
            list.retain_mut(|item| {
                let Some(step) = step_of(schema, item) else { return true };
                if cut.gone.has(&step) {
                    return false;
                }
                if let Some(below) = cut.below(&step) {
                    remove(inner, item, below);
                }
                true
            });
        }
        _ => {}
    }
}

fn remove_fields(schema: Option<&Schema>, map: &mut Map<String, Value>, cut: Cut<'_>) {
    let mut doomed = Vec::new();
    for (key, value) in map.iter_mut() {
        let step = Step::field(key);
        if cut.gone.has(&step) {
            doomed.push(key.clone());
            continue;
        }
        let Some(below) = cut.below(&step) else { continue };
        let (field, _) = field_of(schema, key);
        remove(field, value, below);
        if is_hollow(value) && !cut.wants(&step) {
            doomed.push(key.clone());
        }
    }
    for key in doomed {
        map.remove(&key);
    }
}

fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}
