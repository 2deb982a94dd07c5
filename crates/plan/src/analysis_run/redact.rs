//! Keeping the values of secrets out of everything that is written.

use serde_json::Value;
use std::fmt::Write;

/// What stands where a secret stood.
pub(super) const REDACTED: &str = "*****";

/// The bytes from which on a secret is hidden within a measured value wherever it stands.
const LEAST_BYTES: usize = 4;

/// Replaces the values of secrets, also as they look within an address or within JSON.
#[derive(Clone, Default)]
pub(super) struct Redactor {
    hidden: Vec<String>,
}

impl Redactor {
    /// Hides these values; empty ones hide nothing.
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a str>) -> Self {
        let mut hidden: Vec<String> =
            secrets.filter(|secret| !secret.is_empty()).flat_map(forms).collect();
        // A longer value goes first: it may hold a shorter one.
        hidden.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        hidden.dedup();
        Self { hidden }
    }

    /// The text without secrets.
    pub(super) fn clean(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, secret| text.replace(secret, REDACTED))
    }

    /// A measured value without secrets. One of few characters may stand within any number by chance; it is
    /// hidden where it stands alone.
    pub(super) fn clean_value(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, secret| {
            if secret.len() < LEAST_BYTES {
                replace_words(&text, secret)
            } else {
                text.replace(secret, REDACTED)
            }
        })
    }

    /// The JSON with no secret in its texts; keys and numbers stay as they are.
    pub(super) fn clean_texts(&self, json: &Value) -> Value {
        match json {
            Value::String(text) => Value::String(self.clean(text)),
            Value::Array(items) => items.iter().map(|item| self.clean_texts(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, field)| (key.clone(), self.clean_texts(field))).collect()
            }
            other => other.clone(),
        }
    }
}

/// Replaces `secret` where it is no part of a longer number or word.
fn replace_words(text: &str, secret: &str) -> String {
    let is_part = |it: char| it.is_alphanumeric() || "_-+.".contains(it);
    let mut out = String::new();
    let mut rest = text;
    while let Some(place) = rest.find(secret) {
        let (before, found) = rest.split_at(place);
        let after = &found[secret.len()..];
        out.push_str(before);
        let alone = !out.ends_with(is_part) && !after.starts_with(is_part);
        out.push_str(if alone { REDACTED } else { secret });
        rest = after;
    }
    out + rest
}

fn forms(secret: &str) -> [String; 4] {
    let json = serde_json::to_string(secret).unwrap_or_default();
    let inner = json.trim_matches('"').to_owned();
    [secret.to_owned(), inner, percent_encoded(secret, "+"), percent_encoded(secret, "%20")]
}

fn percent_encoded(text: &str, blank: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b' ' => out.push_str(blank),
            b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                out.push(char::from(byte));
            }
            // Writing to a string does not fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_in_every_form() {
        let redactor = Redactor::new(["p@ss word", "", "p@ss", "a\"b"].into_iter());
        assert_eq!(redactor.clean("p@ss word and p@ss"), "***** and *****");
        assert_eq!(
            redactor.clean("http://x?k=p%40ss+word&k=p%40ss%20word"),
            "http://x?k=*****&k=*****"
        );
        assert_eq!(redactor.clean("{\"k\":\"a\\\"b\"}"), "{\"k\":\"*****\"}");
        assert_eq!(redactor.clean("plain"), "plain");
    }

    #[test]
    fn a_short_secret_does_not_rewrite_the_numbers_that_were_measured() {
        let redactor = Redactor::new(["5", "hunter2"].into_iter());
        assert_eq!(redactor.clean_value("[0.95,55,-5,1.5]"), "[0.95,55,-5,1.5]");
        assert_eq!(redactor.clean_value("[5,0.5]"), "[*****,0.5]");
        assert_eq!(redactor.clean_value("{\"pin\":\"5\"}"), "{\"pin\":\"*****\"}");
        assert_eq!(redactor.clean_value("xhunter2x"), "x*****x");
        assert_eq!(redactor.clean("error 5, line 15"), "error *****, line 1*****");
    }
}
