//! What differs between two answers, place by place.

use crate::answer::Answer;
use serde_json::Value;
use std::fmt;

/// Longer values are cut in a message.
const SHOWN: usize = 300;

/// One place where two answers to an exchange are not equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The exchange.
    pub exchange: String,
    /// Where, such as `body.metadata.labels.a` or `status`.
    pub place: String,
    /// The real server's value; `None` where it has none.
    pub real: Option<Value>,
    /// The embedded server's value; `None` where it has none.
    pub ours: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.place)?;
        writeln!(f, "    real: {}", shown(self.real.as_ref()))?;
        write!(f, "    ours: {}", shown(self.ours.as_ref()))
    }
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "(nothing)".to_owned(), Value::to_string);
    if text.chars().count() <= SHOWN {
        return text;
    }
    format!("{} …", text.chars().take(SHOWN).collect::<String>())
}

/// Every place where the answers differ, from the top down.
pub fn compare(real: &Answer, ours: &Answer) -> Vec<Difference> {
    let mut found = Walk { exchange: &real.name, found: Vec::new() };
    let pairs = [
        ("status", Value::from(real.status), Value::from(ours.status)),
        (
            "contentType",
            Value::from(real.content_type.as_str()),
            Value::from(ours.content_type.as_str()),
        ),
        ("warnings", Value::from(real.warnings.clone()), Value::from(ours.warnings.clone())),
    ];
    for (place, real, ours) in &pairs {
        found.values(place, Some(real), Some(ours));
    }
    found.values("body", Some(&real.body), Some(&ours.body));
    found.found
}

struct Walk<'a> {
    exchange: &'a str,
    found: Vec<Difference>,
}

impl Walk<'_> {
    fn values(&mut self, place: &str, real: Option<&Value>, ours: Option<&Value>) {
        match (real, ours) {
            (Some(Value::Object(real)), Some(Value::Object(ours))) => {
                let more = ours.keys().filter(|key| !real.contains_key(*key));
                for key in real.keys().chain(more) {
                    self.values(&format!("{place}.{key}"), real.get(key), ours.get(key));
                }
            }
            (Some(Value::Array(real)), Some(Value::Array(ours))) => {
                for at in 0..real.len().max(ours.len()) {
                    self.values(&format!("{place}[{at}]"), real.get(at), ours.get(at));
                }
            }
            (real, ours) if real == ours => {}
            (real, ours) => self.found.push(Difference {
                exchange: self.exchange.to_owned(),
                place: place.to_owned(),
                real: real.cloned(),
                ours: ours.cloned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(body: Value) -> Answer {
        let (name, content_type) = ("x".to_owned(), String::new());
        Answer { name, status: 200, content_type, warnings: Vec::new(), body }
    }

    #[test]
    fn differences_are_named_by_their_place() {
        let real = answer(json!({"a": {"b": 1, "c": [1, 2]}, "d": null}));
        let ours = answer(json!({"a": {"b": 2, "c": [1]}, "e": true}));
        let places: Vec<String> =
            compare(&real, &ours).into_iter().map(|difference| difference.place).collect();
        assert_eq!(places, ["body.a.b", "body.a.c[1]", "body.d", "body.e"]);
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let found = compare(&answer(json!({"a": 1})), &answer(json!({})));
        assert_eq!(found[0].to_string(), "body.a\n    real: 1\n    ours: (nothing)");
    }

    #[test]
    fn equal_answers_do_not_differ() {
        assert_eq!(compare(&answer(json!([1])), &answer(json!([1]))), []);
    }
}
