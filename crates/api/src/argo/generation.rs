//! The generation that a status speaks of: text to some clients, a number to others.

use super::{RolloutCondition, keys, lenient, resource::Rollout};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;

/// How a generation is written in a status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GenerationForm {
    /// `"7"`, as upstream's clients read it.
    #[default]
    Text,
    /// `7`, as kstatus (Flux, Helm) reads it. Upstream's own definition of a Rollout refuses it.
    Number,
}

/// A generation that was noted, in the form in which it is written. What upstream wrote before 1.0 is no
/// number at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedGeneration {
    text: String,
    form: GenerationForm,
}

impl ObservedGeneration {
    /// This generation in this form.
    pub fn of(generation: i64, form: GenerationForm) -> Self {
        Self { text: generation.to_string(), form }
    }

    /// The generation as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the generation of an object is the one that was noted; none of both is the same.
    pub fn is_of(noted: Option<&Self>, generation: Option<i64>) -> bool {
        noted.map(Self::as_str) == generation.map(|number| number.to_string()).as_deref()
    }
}

impl Rollout {
    /// Whether the status speaks of the specification in force.
    pub fn is_observed(&self) -> bool {
        let noted = self.status.as_ref().and_then(|status| status.observed_generation.as_ref());
        ObservedGeneration::is_of(noted, self.metadata.generation)
    }

    /// Whether a look at the specification in force got to its end; one that finds it invalid or cannot make the
    /// ReplicaSet notes the generation too.
    pub fn is_taken_in(&self) -> bool {
        let mut conditions = self.status.iter().flat_map(|status| &status.conditions);
        self.is_observed() && !conditions.any(RolloutCondition::stops)
    }
}

impl RolloutCondition {
    /// Whether it tells why no look at the specification gets to its end.
    pub fn stops(&self) -> bool {
        self.reason == keys::SET_CREATE_ERROR || self.type_ == keys::CONDITION_INVALID_SPEC
    }
}

impl Serialize for ObservedGeneration {
    fn serialize<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        match (self.form, self.text.parse::<i64>()) {
            (GenerationForm::Number, Ok(number)) => sink.serialize_i64(number),
            _ => sink.serialize_str(&self.text),
        }
    }
}

/// Reads text or a number; null and empty text mean none.
pub(super) fn read<'de, D: Deserializer<'de>>(
    source: D,
) -> Result<Option<ObservedGeneration>, D::Error> {
    match Option::<Value>::deserialize(source)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => {
            Ok(Some(ObservedGeneration { text, form: GenerationForm::Text }))
        }
        Some(Value::Number(number)) => {
            let text = match lenient::as_integer(&number) {
                Some(integer) => integer.to_string(),
                None => number.to_string(),
            };
            Ok(Some(ObservedGeneration { text, form: GenerationForm::Number }))
        }
        Some(_) => Err(D::Error::custom("expected text or a number")),
    }
}
