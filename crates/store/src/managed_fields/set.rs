//! Sets of field paths, as `managedFields[].fieldsV1` writes them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A field or map key.
    Field(String),
    /// A list item by its keys, in canonical JSON.
    Keys(String),
    /// An item of a set, in canonical JSON.
    Value(String),
}

/// A set of paths: a tree whose nodes may be members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    below: BTreeMap<Step, Node>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    member: bool,
    set: FieldSet,
}

impl FieldSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.below.is_empty()
    }

    /// Adds the path of one step.
    pub(crate) fn insert(&mut self, step: Step) {
        self.below.entry(step).or_default().member = true;
    }

    /// Adds paths below a step; an empty set adds nothing.
    pub(crate) fn insert_below(&mut self, step: Step, set: Self) {
        if !set.is_empty() {
            self.below.entry(step).or_default().set.merge(set);
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (step, node) in other.below {
            let mine = self.below.entry(step).or_default();
            mine.member |= node.member;
            mine.set.merge(node.set);
        }
    }

    /// Removes these exact paths.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (step, node) in &other.below {
            if let Some(mine) = self.below.get_mut(step) {
                mine.member &= !node.member;
                mine.set.subtract(&node.set);
            }
        }
        self.below.retain(|_, node| node.member || !node.set.is_empty());
    }

    /// The paths in both.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut below = BTreeMap::new();
        for (step, node) in &self.below {
            let Some(theirs) = other.below.get(step) else { continue };
            let member = node.member && theirs.member;
            let set = node.set.intersection(&theirs.set);
            if member || !set.is_empty() {
                below.insert(step.clone(), Node { member, set });
            }
        }
        Self { below }
    }

    /// Whether the path of one step is a member.
    pub(crate) fn has(&self, step: &Step) -> bool {
        self.below.get(step).is_some_and(|node| node.member)
    }

    /// The first steps of all members.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.below.keys()
    }

    /// The members below a step.
    pub(crate) fn at(&self, step: &Step) -> Option<&Self> {
        self.below.get(step).map(|node| &node.set)
    }

    /// Removes a step and everything below it.
    pub(crate) fn remove(&mut self, step: &Step) {
        self.below.remove(step);
    }

    /// Removes paths below a step.
    pub(crate) fn edit(&mut self, step: &Step, change: impl FnOnce(&mut Self)) {
        if let Some(node) = self.below.get_mut(step) {
            change(&mut node.set);
            if !node.member && node.set.is_empty() {
                self.below.remove(step);
            }
        }
    }

    /// Keeps only what is below these fields.
    pub(crate) fn keep_only(&mut self, fields: &[&str]) {
        let kept =
            |step: &Step| matches!(step, Step::Field(name) if fields.contains(&name.as_str()));
        self.below.retain(|step, _| kept(step));
    }

    /// Removes the membership, not what is below.
    pub(crate) fn forget(&mut self, step: &Step) {
        if let Some(node) = self.below.get_mut(step) {
            node.member = false;
            if node.set.is_empty() {
                self.below.remove(step);
            }
        }
    }

    /// Every member as text, such as `.spec.containers[name="a"].image`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.collect_paths(&mut String::new(), &mut all);
        all
    }

    fn collect_paths(&self, prefix: &mut String, all: &mut Vec<String>) {
        let length = prefix.len();
        for (step, _) in self.below.iter().filter(|(_, node)| node.member) {
            step.write(prefix);
            all.push(prefix.clone());
            prefix.truncate(length);
        }
        for (step, node) in &self.below {
            step.write(prefix);
            node.set.collect_paths(prefix, all);
            prefix.truncate(length);
        }
    }

    /// The set as `fieldsV1`.
    pub(crate) fn to_json(&self) -> Value {
        let mut map = Map::new();
        for (step, node) in &self.below {
            let mut inner = node.set.to_json();
            if let Value::Object(fields) = &mut inner
                && node.member
                && !fields.is_empty()
            {
                let mut with_self = Map::from_iter([(".".to_owned(), Value::Object(Map::new()))]);
                with_self.append(fields);
                *fields = with_self;
            }
            map.insert(step.key(), inner);
        }
        Value::Object(map)
    }

    /// Reads `fieldsV1`; keys of an unknown form are left out.
    pub(crate) fn from_json(value: &Value) -> Self {
        let mut set = Self::default();
        for (key, inner) in value.as_object().into_iter().flatten() {
            let Some(step) = Step::parse(key) else { continue };
            let below = Self::from_json(inner);
            let member = below.is_empty() || inner.get(".").is_some();
            set.below.insert(step, Node { member, set: below });
        }
        set
    }
}

impl Step {
    pub(crate) fn field(name: &str) -> Self {
        Self::Field(name.to_owned())
    }

    /// The step to a list-map item.
    pub(crate) fn keys(keys: Vec<(String, Value)>) -> Self {
        let map: BTreeMap<String, Value> = keys.into_iter().collect();
        let parts: Vec<String> = map
            .iter()
            .map(|(key, value)| format!("{}:{value}", Value::String(key.clone())))
            .collect();
        Self::Keys(format!("{{{}}}", parts.join(",")))
    }

    fn key(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Keys(keys) => format!("k:{keys}"),
            Self::Value(value) => format!("v:{value}"),
        }
    }

    fn parse(key: &str) -> Option<Self> {
        let (tag, rest) = key.split_once(':')?;
        let json = || serde_json::from_str::<Value>(rest).ok();
        match tag {
            "f" => Some(Self::Field(rest.to_owned())),
            "k" => {
                let keys = json()?.as_object()?.clone();
                Some(Self::keys(keys.into_iter().collect()))
            }
            "v" => Some(Self::Value(json()?.to_string())),
            _ => None,
        }
    }

    fn write(&self, text: &mut String) {
        match self {
            Self::Field(name) => {
                text.push('.');
                text.push_str(name);
            }
            Self::Keys(keys) => {
                let map: BTreeMap<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let parts: Vec<String> =
                    map.iter().map(|(key, value)| format!("{key}={value}")).collect();
                let _ = write!(text, "[{}]", parts.join(","));
            }
            Self::Value(value) => {
                let _ = write!(text, "[={value}]");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_set_reads_back_as_it_was_written() {
        let written = json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}, "f:list": {"v:\"x\"": {}}},
        });
        let set = FieldSet::from_json(&written);
        assert_eq!(set.to_json(), written);
        assert_eq!(
            set.paths(),
            [
                ".metadata.labels",
                ".metadata.labels.app",
                ".spec.containers[name=\"a\"]",
                ".spec.containers[name=\"a\"].image",
                ".spec.list[=\"x\"]",
            ]
        );
    }

    #[test]
    fn subtracting_a_set_from_itself_leaves_nothing() {
        let mut set = FieldSet::from_json(&json!({"f:a": {".": {}, "f:b": {}}}));
        let same = set.clone();
        assert_eq!(set.intersection(&same), same);
        set.subtract(&same);
        assert!(set.is_empty());
    }
}
