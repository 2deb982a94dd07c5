//! Parsing a JSON body the way a Kubernetes server does: duplicate fields are found, not just overwritten.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::ApiError;

/// A parsed body.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The value; of a field that occurs twice, the last.
    pub value: Value,
    /// Paths of fields that occur twice, for [`crate::WriteOptions::duplicates`].
    pub duplicates: Vec<String>,
}

/// Parses a body. Malformed JSON, and JSON nested deeper than 128 levels, is a 400.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ApiError> {
    let mut duplicates = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let parsed = Node(&mut duplicates).deserialize(&mut reader);
    let value = parsed.and_then(|value| reader.end().map(|()| value));
    match value {
        Ok(value) => Ok(Parsed { value, duplicates }),
        Err(error) => Err(ApiError::bad_request(syntax_error(bytes, &error))),
    }
}

/// Says in Go's words what is wrong with JSON.
fn syntax_error(bytes: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() || bytes.is_empty() {
        return "unexpected end of JSON input".to_owned();
    }
    let text = String::from_utf8_lossy(bytes);
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let found = line.chars().nth(error.column().saturating_sub(1)).unwrap_or('\0');
    // Go reads bytes: one that begins no character stands for itself.
    let byte = bytes.get(error.column().saturating_sub(1)).filter(|_| error.line() == 1);
    let found = match byte {
        Some(byte @ 0x80..) => format!("\\u{byte:04x}"),
        _ => found.to_string(),
    };
    let message = error.to_string();
    let first = text.trim_start().chars().next().unwrap_or_default();
    let place = if message.starts_with("trailing characters") {
        "after top-level value".to_owned()
    } else if let Some(word) =
        ["null", "true", "false"].into_iter().find(|word| word.starts_with(first))
    {
        let same = word.chars().zip(text.trim_start().chars()).take_while(|(a, b)| a == b).count();
        let expected = word.chars().nth(same).unwrap_or_default();
        let found = text.trim_start().chars().nth(same).unwrap_or_default();
        return format!("invalid character '{found}' in literal {word} (expecting '{expected}')");
    } else if message.starts_with("key must be a string") {
        "looking for beginning of object key string".to_owned()
    } else {
        "looking for beginning of value".to_owned()
    };
    format!("invalid character '{found}' {place}")
}

/// One value being read, and where duplicates below it are noted.
struct Node<'a>(&'a mut Vec<String>);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let known = self.0.len();
            let Some(item) = list.next_element_seed(Node(self.0))? else { break };
            prefix(&mut self.0[known..], &format_args!("[{}]", items.len()));
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let known = self.0.len();
            let value = map.next_value_seed(Node(self.0))?;
            prefix(&mut self.0[known..], &key);
            if fields.insert(key.clone(), value).is_some() {
                self.0.push(key);
            }
        }
        Ok(Value::Object(fields))
    }
}

/// Paths are made on the way out, so that a body without duplicates pays nothing.
fn prefix(paths: &mut [String], step: &dyn fmt::Display) {
    for path in paths {
        let dot = if path.starts_with('[') { "" } else { "." };
        *path = format!("{step}{dot}{path}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn duplicates_are_found_with_their_paths() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(parse(text.as_bytes()).unwrap().duplicates, expected, "{text}");
        };
        check(r#"{"a":1,"b":{"c":[{"d":1}]}}"#, &[]);
        check(r#"{"a":1,"a":2}"#, &["a"]);
        check(r#"{"b":{"c":[{"d":1,"d":2}]}}"#, &["b.c[0].d"]);
    }

    #[test]
    fn values_are_read_as_serde_reads_them() {
        let text = r#"{"a":[1,-2,3.5,true,null,"x"],"b":{}}"#;
        let expected = json!({"a": [1, -2, 3.5, true, null, "x"], "b": {}});
        assert_eq!(parse(text.as_bytes()).unwrap().value, expected);
    }

    #[test]
    fn malformed_and_bottomless_json_is_a_bad_request() {
        for text in ["", "{", "{\"a\":1} x", "\u{0}", &"[".repeat(10_000)] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().code, 400);
        }
    }
}
