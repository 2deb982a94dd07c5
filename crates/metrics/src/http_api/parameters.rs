//! Parameters of requests: from text to types.

use crate::number;
use crate::promql;
use jiff::{SignedDuration, Timestamp};

/// Names and values as they came, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

/// Why a parameter could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadParameter {
    #[error("invalid parameter {name:?}: cannot parse {value:?} to a valid timestamp")]
    Time { name: &'static str, value: String },
    #[error("invalid parameter {name:?}: cannot parse {value:?} to a valid duration")]
    Duration { name: &'static str, value: String },
    #[error("invalid parameter \"match[]\": {0}")]
    Match(String),
    #[error("no match[] parameter provided")]
    NoMatch,
    #[error("invalid label name: {0:?}")]
    LabelName(String),
}

impl Parameters {
    /// Parameters that are decoded already.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// The parameters of a URL's query or of a form's body.
    pub fn from_url(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Self::new(pairs)
    }

    /// These, then those of `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The query's text; one that is missing reads as an empty one.
    pub(super) fn query(&self) -> &str {
        self.all("query").next().unwrap_or_default()
    }

    pub(super) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, BadParameter> {
        let value = self.0.iter().find(|(n, v)| n == name && !v.is_empty());
        value.map(|(_, value)| parse_time(name, value)).transpose()
    }

    pub(super) fn required_time(&self, name: &'static str) -> Result<Timestamp, BadParameter> {
        let missing = || BadParameter::Time { name, value: String::new() };
        self.time(name)?.ok_or_else(missing)
    }

    pub(super) fn required_duration(
        &self,
        name: &'static str,
    ) -> Result<SignedDuration, BadParameter> {
        let value = self.all(name).next().unwrap_or_default();
        parse_duration(value)
            .ok_or_else(|| BadParameter::Duration { name, value: value.to_owned() })
    }
}

fn parse_time(name: &'static str, value: &str) -> Result<Timestamp, BadParameter> {
    let seconds = value.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
    let parsed = match seconds {
        Some(seconds) => Timestamp::from_millisecond(number::whole((seconds * 1000.0).round())),
        None => value.parse(),
    };
    parsed.map_err(|_| BadParameter::Time { name, value: value.to_owned() })
}

fn parse_duration(value: &str) -> Option<SignedDuration> {
    if let Ok(seconds) = value.parse::<f64>() {
        return SignedDuration::try_from_secs_f64(seconds).ok();
    }
    promql::parse_duration(value).and_then(|span| SignedDuration::try_from(span).ok())
}

/// Undoes the encoding of forms; what is not encoded properly stays as it is.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = 0;
    while let Some(byte) = bytes.get(rest) {
        let code = text.get(rest + 1..rest + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                plain.push(code);
                rest += 3;
                continue;
            }
            (b'+', _) => plain.push(b' '),
            (byte, _) => plain.push(*byte),
        }
        rest += 1;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded_and_broken_codes_stay() {
        let parameters = Parameters::from_url("a=1+%2B%C3%A9&b=%zz%&c");
        assert_eq!(parameters.all("a").collect::<Vec<_>>(), ["1 +é"]);
        assert_eq!(parameters.all("b").collect::<Vec<_>>(), ["%zz%"]);
        assert_eq!(parameters.all("c").collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn durations_are_seconds_or_words() {
        assert_eq!(parse_duration("1.5"), Some(SignedDuration::from_millis(1500)));
        assert_eq!(parse_duration("1m"), Some(SignedDuration::from_mins(1)));
        assert_eq!(parse_duration("soon"), None);
    }
}
