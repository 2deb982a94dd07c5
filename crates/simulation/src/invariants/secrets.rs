//! Invariants of what must stay secret.

use super::Invariant;
use crate::{history::Step, picture::Picture};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

/// Values shorter than this are words that may stand anywhere.
const LEAST: usize = 8;

/// I13: no value of a Secret stands in anything that a controller writes.
#[derive(Default)]
pub(super) struct SecretsStaySecret {
    values: Vec<String>,
}

impl Invariant for SecretsStaySecret {
    fn name(&self) -> &'static str {
        "I13"
    }

    fn see(&mut self, _: &Picture, step: &Step) -> Vec<String> {
        if step.resource == "secrets" {
            self.learn(step.object.value());
            return Vec::new();
        }
        if step.by.is_none() || self.values.is_empty() {
            return Vec::new();
        }
        let written = step.object.value().to_string();
        let leaks = self.values.iter().any(|value| written.contains(value.as_str()));
        leaks
            .then(|| format!("{} {} holds a secret", step.resource, step.object.name()))
            .into_iter()
            .collect()
    }
}

impl SecretsStaySecret {
    /// Remembers every value as it is, as base64, and as it stands in JSON.
    fn learn(&mut self, secret: &Value) {
        let data = secret["data"].as_object().into_iter().flatten();
        for encoded in data.filter_map(|(_, value)| value.as_str()) {
            let plain =
                STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            if let Some(plain) = plain.filter(|plain| plain.len() >= LEAST) {
                let in_json = Value::from(plain.trim()).to_string();
                self.values.push(in_json.trim_matches('"').to_owned());
                self.values.push(encoded.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tale, basic};
    use serde_json::json;

    #[test]
    fn a_secret_that_is_written_is_found() {
        let metadata = json!({"name": "token", "namespace": "default"});
        let secret = json!({"metadata": metadata, "data": {"token": "YmVhcmVyLTQ3MTE="}});
        let tale = Tale::of(basic(1)).others("secrets", secret);
        let event = |message: &str| json!({"metadata": {"name": "e", "namespace": "default"}, "message": message});
        assert_eq!(tale.clone().ours("events", event("all is well")).breaches(), [""; 0]);
        let leaked = tale.ours("events", event("asked with bearer-4711 in vain"));
        assert_eq!(leaked.breaches(), ["I13: events e holds a secret"]);
    }
}
