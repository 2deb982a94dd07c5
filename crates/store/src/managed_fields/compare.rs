//! What a value holds and how two values differ, as sets of paths.

use std::collections::BTreeMap;

use serde_json::Value;

use super::set::{FieldSet, Step};
use crate::schema::{ListKind, Schema, item_keys};

/// The paths at which two values differ.
#[derive(Clone, Debug, Default)]
pub(crate) struct Difference {
    /// New or different in the second value.
    pub(crate) changed: FieldSet,
    /// Only in the first value.
    pub(crate) removed: FieldSet,
}

/// Every leaf and every list-map item a value holds: what an apply claims.
pub(crate) fn claims(schema: Option<&Schema>, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    match value {
        Value::Object(map) if splits_map(schema) => {
            for (key, value) in map {
                let (field, known) = field_of(schema, key);
                let below = claims(field, value);
                let step = Step::field(key);
                if below.is_empty() || !known {
                    set.insert(step.clone());
                }
                set.insert_below(step, below);
            }
        }
        Value::Array(list) => {
            let inner = schema.and_then(|schema| schema.items.as_deref());
            for item in list {
                let Some(step) = step_of(schema, item) else { continue };
                set.insert(step.clone());
                if matches!(step, Step::Keys(_)) {
                    set.insert_below(step, claims(inner, item));
                }
            }
        }
        _ => {}
    }
    set
}

/// How two values differ. Both are whole objects or values of the same schema.
pub(crate) fn compare(schema: Option<&Schema>, old: &Value, new: &Value) -> Difference {
    let mut difference = Difference::default();
    match (old, new) {
        (Value::Object(before), Value::Object(after)) if splits_map(schema) => {
            for (key, value) in after {
                let (field, _) = field_of(schema, key);
                difference.take(Step::field(key), field, before.get(key), value);
            }
            for (key, value) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
                let (field, _) = field_of(schema, key);
                difference.lose(Step::field(key), field, value);
            }
        }
        (Value::Array(before), Value::Array(after)) if splits_list(schema) => {
            let inner = schema.and_then(|schema| schema.items.as_deref());
            let index = |list: &[Value]| -> BTreeMap<Step, Value> {
                list.iter()
                    .filter_map(|item| Some((step_of(schema, item)?, item.clone())))
                    .collect()
            };
            let (before, after) = (index(before), index(after));
            for (step, value) in &after {
                difference.take(step.clone(), inner, before.get(step), value);
            }
            for (step, value) in before.iter().filter(|(step, _)| !after.contains_key(step)) {
                difference.lose(step.clone(), inner, value);
            }
        }
        _ => {}
    }
    difference
}

impl Difference {
    fn take(&mut self, step: Step, schema: Option<&Schema>, old: Option<&Value>, new: &Value) {
        let Some(old) = old else {
            let everything = everything(schema, new);
            self.changed.insert(step.clone());
            self.changed.insert_below(step, everything);
            return;
        };
        if old == new {
            return;
        }
        let alike = old.is_object() && new.is_object() && splits_map(schema)
            || old.is_array() && new.is_array() && splits_list(schema);
        if !alike {
            self.changed.insert(step);
            return;
        }
        let inner = compare(schema, old, new);
        self.changed.insert_below(step.clone(), inner.changed);
        self.removed.insert_below(step, inner.removed);
    }

    fn lose(&mut self, step: Step, schema: Option<&Schema>, old: &Value) {
        let everything = everything(schema, old);
        self.removed.insert(step.clone());
        self.removed.insert_below(step, everything);
    }
}

/// Every path of a value, parents included.
fn everything(schema: Option<&Schema>, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    match value {
        Value::Object(map) if splits_map(schema) => {
            for (key, value) in map {
                let (field, _) = field_of(schema, key);
                let step = Step::field(key);
                set.insert_below(step.clone(), everything(field, value));
                set.insert(step);
            }
        }
        Value::Array(list) if splits_list(schema) => {
            let inner = schema.and_then(|schema| schema.items.as_deref());
            for item in list {
                let Some(step) = step_of(schema, item) else { continue };
                if matches!(step, Step::Keys(_)) {
                    set.insert_below(step.clone(), everything(inner, item));
                }
                set.insert(step);
            }
        }
        _ => {}
    }
    set
}

/// The path step to a list item; `None` when the list is owned as a whole.
pub(crate) fn step_of(schema: Option<&Schema>, item: &Value) -> Option<Step> {
    let schema = schema?;
    match &schema.list {
        ListKind::Atomic => None,
        ListKind::Set => Some(Step::Value(item.to_string())),
        ListKind::Map(keys) => {
            let found = item_keys(keys, schema.items.as_deref(), item);
            (!found.is_empty()).then(|| Step::keys(found))
        }
    }
}

/// Whether the fields of an object can have different owners.
pub(crate) fn splits_map(schema: Option<&Schema>) -> bool {
    schema.is_none_or(|schema| !schema.atomic_map)
}

pub(crate) fn splits_list(schema: Option<&Schema>) -> bool {
    schema.is_some_and(|schema| schema.list != ListKind::Atomic)
}

/// The schema of a field, and whether it is a known field rather than a map key.
pub(crate) fn field_of<'a>(schema: Option<&'a Schema>, key: &str) -> (Option<&'a Schema>, bool) {
    let Some(schema) = schema else { return (None, false) };
    match schema.properties.get(key) {
        Some(field) => (Some(field), true),
        None => (schema.additional.as_deref(), false),
    }
}
