//! What earlier answers gave: `${name}` in later requests, and names for the values in later answers.

use serde_json::Value;
use std::collections::BTreeMap;

/// Shorter values are too likely to stand for something else.
const TELLING: usize = 5;

/// Captured values by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Keeps the value at `pointer` of `body`; nothing there counts as the empty text.
    pub(crate) fn capture(&mut self, name: &str, pointer: &str, body: &Value) {
        let value = match body.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
        };
        self.set(name, value);
    }

    /// Gives a name to a value.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    /// The text with every `${name}` replaced; an unknown name stays as it is.
    pub(crate) fn fill(&self, text: &str) -> String {
        let fill = |text: String, (name, value): (&String, &String)| {
            text.replace(&format!("${{{name}}}"), value)
        };
        self.0.iter().fold(text.to_owned(), fill)
    }

    /// The text with captured values that no two servers share put back as `${name}`.
    pub(crate) fn name_in(&self, text: &str) -> String {
        let telling = self.0.iter().filter(|(name, value)| {
            value.len() >= TELLING && !value.bytes().all(|b| b.is_ascii_digit()) && *name != "ns"
        });
        telling.fold(text.to_owned(), |text, (name, value)| {
            text.replace(value.as_str(), &format!("${{{name}}}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_captured_value_is_filled_in_and_named_again() {
        let mut variables = Variables::default();
        variables.capture("uid", "/metadata/uid", &json!({"metadata": {"uid": "abc-def"}}));
        variables.capture("none", "/metadata/none", &json!({}));
        assert_eq!(variables.fill("uid=${uid}&x=${none}${other}"), "uid=abc-def&x=${other}");
        assert_eq!(variables.name_in("has abc-def"), "has ${uid}");
    }
}
