//! What providers must be given before they may ask: where it is, and what was found there.
//!
//! A provider names [`CredentialRef`]s; a shell reads them and hands back [`Credentials`].
//!
//! **Invariant.** Nothing here reads anything, and no `Debug` output holds a value.

use crate::MeasureError;
use std::{collections::BTreeMap, fmt};

/// The environment variables that providers may ask for; a shell need not know any other.
pub const VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "DD_ADDRESS",
    "DD_API_KEY",
    "DD_APP_KEY",
];

/// Where something is that a provider needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A key of a Secret.
    Secret {
        /// Whose Secret it is.
        place: Place,
        /// Name of the Secret.
        name: String,
        /// Key in the Secret.
        key: String,
    },
    /// An environment variable of the controller, one of [`VARIABLES`].
    Variable(&'static str),
    /// The file that an environment variable of the controller names; it may change at any time.
    FileOf(&'static str),
}

/// In which namespace a Secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the controller's own.
    Controller,
    /// In the analysis run's.
    Run,
}

impl Source {
    /// A key of a Secret in the controller's namespace.
    pub fn of_controller(name: &str, key: &str) -> Self {
        Self::Secret { place: Place::Controller, name: name.to_owned(), key: key.to_owned() }
    }
}

/// Something that a provider asks to be given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialRef {
    /// Where it is.
    pub source: Source,
    /// Whether it may be shown to people; an address may, a token may not.
    pub exposure: Exposure,
}

/// Whether a value may be shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exposure {
    /// It may stand in messages and values.
    Open,
    /// It is replaced wherever it would be shown.
    Hidden,
}

impl CredentialRef {
    /// Something that may be shown.
    pub fn open(source: Source) -> Self {
        Self { source, exposure: Exposure::Open }
    }

    /// Something that is shown to nobody.
    pub fn hidden(source: Source) -> Self {
        Self { source, exposure: Exposure::Hidden }
    }
}

/// What was found at a [`Source`].
#[derive(Clone, PartialEq, Eq)]
pub enum CredentialRead {
    /// The value as text.
    Value(String),
    /// There is no such Secret, file or variable.
    Nothing,
    /// The Secret is there, but has no such key.
    NoKey,
    /// It could not be read, for this reason.
    Refused(String),
}

impl fmt::Debug for CredentialRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(*****)"),
            Self::Nothing => f.write_str("Nothing"),
            Self::NoKey => f.write_str("NoKey"),
            Self::Refused(why) => f.debug_tuple("Refused").field(why).finish(),
        }
    }
}

/// What was read for the providers of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials(BTreeMap<Source, (Exposure, CredentialRead)>);

impl FromIterator<(CredentialRef, CredentialRead)> for Credentials {
    fn from_iter<I: IntoIterator<Item = (CredentialRef, CredentialRead)>>(found: I) -> Self {
        let found = found.into_iter();
        Self(found.map(|(wanted, read)| (wanted.source, (wanted.exposure, read))).collect())
    }
}

impl Credentials {
    /// The values that nobody may see.
    pub fn hidden(&self) -> impl Iterator<Item = &str> {
        let values = self.0.values().filter(|(exposure, _)| *exposure == Exposure::Hidden);
        values.filter_map(|(_, read)| value(read))
    }

    /// A value, if it was found and is not empty.
    pub(crate) fn get(&self, source: &Source) -> Option<&str> {
        self.0.get(source).and_then(|(_, read)| value(read)).filter(|value| !value.is_empty())
    }

    /// An environment variable, if it is set to something.
    pub(crate) fn variable(&self, name: &'static str) -> Option<&str> {
        self.get(&Source::Variable(name))
    }

    /// A key of a Secret; nothing when the Secret has no such key.
    ///
    /// # Errors
    /// When there is no such Secret, or it may not be read.
    pub(crate) fn secret(&self, source: &Source) -> Result<Option<&str>, MeasureError> {
        match self.0.get(source).map(|(_, read)| read) {
            Some(CredentialRead::Value(value)) => Ok(Some(value)),
            Some(CredentialRead::NoKey) => Ok(None),
            Some(CredentialRead::Refused(why)) => Err(MeasureError { message: why.clone() }),
            Some(CredentialRead::Nothing) | None => Err(missing(source)),
        }
    }
}

fn value(read: &CredentialRead) -> Option<&str> {
    match read {
        CredentialRead::Value(value) => Some(value),
        CredentialRead::Nothing | CredentialRead::NoKey | CredentialRead::Refused(_) => None,
    }
}

fn missing(source: &Source) -> MeasureError {
    let message = match source {
        Source::Secret { name, .. } => format!("secrets \"{name}\" not found"),
        Source::Variable(name) => format!("the environment variable {name} is not set"),
        Source::FileOf(name) => format!("there is no file where {name} points"),
    };
    MeasureError { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(reads: &[(CredentialRef, CredentialRead)]) -> Credentials {
        reads.iter().cloned().collect()
    }

    #[test]
    fn values_are_neither_printed_nor_told_when_they_are_open() {
        let value = |text: &str| CredentialRead::Value(text.to_owned());
        let key = Source::of_controller("datadog", "api-key");
        let all = found(&[
            (CredentialRef::hidden(key.clone()), value("s3cr3t")),
            (CredentialRef::open(Source::Variable("DD_ADDRESS")), value("http://dd")),
        ]);
        assert!(!format!("{all:?}").contains("s3cr3t"));
        assert_eq!(all.hidden().collect::<Vec<_>>(), ["s3cr3t"]);
        assert_eq!(all.secret(&key).unwrap(), Some("s3cr3t"));
        assert_eq!(all.variable("DD_ADDRESS"), Some("http://dd"));
        assert_eq!(all.variable("DD_API_KEY"), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let key = Source::of_controller("newrelic", "account-id");
        let ask = |read: CredentialRead| {
            let all = found(&[(CredentialRef::open(key.clone()), read)]);
            all.secret(&key).map(|value| value.map(str::to_owned)).map_err(|error| error.message)
        };
        assert_eq!(ask(CredentialRead::NoKey), Ok(None));
        assert_eq!(ask(CredentialRead::Nothing), Err("secrets \"newrelic\" not found".to_owned()));
        assert_eq!(ask(CredentialRead::Refused("no".to_owned())), Err("no".to_owned()));
    }
}
