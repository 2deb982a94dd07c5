//! What differs between two pictures, place by place, and which differences are of one class.

use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// Longer values are cut in a message.
const SHOWN: usize = 240;

/// One place where two pictures are not equal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Where, such as `rollout.status.phase`.
    pub place: String,
    /// The peer's value; `None` where it has none.
    pub peer: Option<Value>,
    /// Our value; `None` where we have none.
    pub ours: Option<Value>,
}

impl Difference {
    /// Whether it is only about what was told.
    pub(crate) fn is_of_events(&self) -> bool {
        self.place.starts_with("events") || self.place.starts_with("reasonsInOrder")
    }

    /// The texts of both sides; empty where there are none.
    pub(crate) fn texts(&self) -> (&str, &str) {
        (text(self.peer.as_ref()), text(self.ours.as_ref()))
    }

    /// What this and others like it have in common: numbers and versions are left out.
    pub fn class(&self) -> String {
        general(&format!(
            "{}: {} | {}",
            self.place,
            shown(self.peer.as_ref()),
            shown(self.ours.as_ref())
        ))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.place)?;
        writeln!(f, "    peer: {}", shown(self.peer.as_ref()))?;
        write!(f, "    ours: {}", shown(self.ours.as_ref()))
    }
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

/// A text in which every row of digits is one `#`.
fn general(text: &str) -> String {
    let mut general = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '0'..='9' if general.ends_with('#') => {}
            '0'..='9' => general.push('#'),
            other => general.push(other),
        }
    }
    general
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "(nothing)".to_owned(), Value::to_string);
    if text.chars().count() <= SHOWN {
        return text;
    }
    format!("{} …", text.chars().take(SHOWN).collect::<String>())
}

/// Every place where the pictures differ, from the top down; the order of events only where their
/// sentences are the same.
pub fn compare(peer: &Value, ours: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk("", Some(peer), Some(ours), &mut found);
    let is_order = |difference: &Difference| difference.place.starts_with("reasonsInOrder");
    if found.iter().any(|difference| difference.place.starts_with("events")) {
        found.retain(|difference| !is_order(difference));
    }
    found
}

fn walk(place: &str, peer: Option<&Value>, ours: Option<&Value>, found: &mut Vec<Difference>) {
    match (peer, ours) {
        (Some(Value::Object(theirs)), Some(Value::Object(own))) => {
            let more = own.keys().filter(|key| !theirs.contains_key(*key));
            for key in theirs.keys().chain(more) {
                walk(&under(place, key), theirs.get(key), own.get(key), found);
            }
        }
        (Some(Value::Array(theirs)), Some(Value::Array(own))) if theirs.len() == own.len() => {
            for (at, (theirs, own)) in theirs.iter().zip(own).enumerate() {
                walk(&format!("{place}[{at}]"), Some(theirs), Some(own), found);
            }
        }
        (theirs, own) if theirs == own => {}
        (theirs, own) => found.push(Difference {
            place: place.to_owned(),
            peer: theirs.cloned(),
            ours: own.cloned(),
        }),
    }
}

fn under(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_named_by_their_place() {
        let peer = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
        let ours = json!({"a": {"b": 2, "c": [1, 3]}, "e": true});
        let places: Vec<String> =
            compare(&peer, &ours).into_iter().map(|difference| difference.place).collect();
        assert_eq!(places, ["a.b", "a.c[1]", "d", "e"]);
    }

    #[test]
    fn numbers_do_not_make_classes() {
        let difference = |count: u32| Difference {
            place: format!("replicaSets.it-<{count}>.replicas"),
            peer: Some(json!(count)),
            ours: None,
        };
        assert_eq!(difference(1).class(), difference(23).class());
    }

    #[test]
    fn the_order_of_events_counts_only_where_they_are_the_same() {
        let order = |events: Value, reasons: [&str; 2]| json!({"events": events, "reasonsInOrder": reasons});
        let found =
            compare(&order(json!({"a": 1}), ["A", "B"]), &order(json!({"a": 2}), ["B", "A"]));
        assert_eq!(found.len(), 1);
        let found =
            compare(&order(json!({"a": 1}), ["A", "B"]), &order(json!({"a": 1}), ["B", "A"]));
        assert_eq!(found.len(), 2);
    }
}
