//! What came back, and the files it is kept in.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The answer to one exchange, or what was read of a watch.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The exchange.
    pub name: String,
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type` header.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content_type: String,
    /// The `Warning` headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The body: JSON if it is JSON, else text; the list of events of a watch.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

/// The normalised answers of a real server to one sequence.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Recording {
    /// Which server answered.
    pub server: String,
    /// One an exchange that counts, in their order.
    pub answers: Vec<Answer>,
}

impl Recording {
    /// As kept in a file: one line an answer, so that changes are easy to see.
    pub fn to_text(&self) -> String {
        let lines: Vec<String> = self.answers.iter().map(line).collect();
        let server = Value::from(self.server.as_str());
        format!("{{\"server\": {server}, \"answers\": [\n{}\n]}}\n", lines.join(",\n"))
    }
}

fn line(answer: &Answer) -> String {
    serde_json::to_string(answer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_recording_reads_back_as_it_was_written() {
        let answer = Answer {
            name: "a".to_owned(),
            status: 200,
            content_type: "application/json".to_owned(),
            warnings: vec!["299 - \"x\"".to_owned()],
            body: json!({"a": [1]}),
        };
        let recording =
            Recording { server: "v1".to_owned(), answers: vec![answer.clone(), answer] };
        let text = recording.to_text();
        assert_eq!(text.lines().count(), 4);
        assert_eq!(serde_json::from_str::<Recording>(&text).unwrap(), recording);
    }
}
