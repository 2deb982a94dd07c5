//! What providers share: addresses, headers, settings, and the steps of asking over HTTP.
//!
//! A conversation is at most: fetch a token (see [`crate::oauth`]), then ask. The token lives in the
//! state between two turns and nowhere else. Most services are asked one question and nothing more:
//! see [`OneQuestion`].

use crate::aws::Exchanged;
use crate::{Asked, CredentialRef, MeasureError, Measured, Provider, Turn};
use api::argo::{Authentication, BasicAuthConfig, OAuth2Config, WebMetricHeader};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeMap;
use vocab::{Call, Exchange, Reply, ReplyError};

/// What an error says about a state that somebody else wrote.
pub(crate) const FOREIGN_STATE: &str = "the state of the measurement is not one of this provider's";

/// Where a conversation stands. It may hold a token, and is therefore not to be printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "step")]
pub(crate) enum Step {
    /// The token was asked for with the client's secret in a header.
    TokenByHeader,
    /// The token was asked for with the client's secret in the body.
    TokenByForm,
    /// The question was asked.
    Ask {
        /// The token it was asked with.
        token: Option<String>,
    },
    /// The question was asked again by GET.
    AskByGet,
    /// AWS's token service was asked for keys.
    SignIn {
        /// For what.
        exchanged: Exchanged,
    },
    /// The question was asked with AWS's signature.
    AskSigned,
}

impl Step {
    /// Reads the step back from a state.
    pub(crate) fn of(state: &Value) -> Result<Self, MeasureError> {
        Self::deserialize(state).map_err(|_| failed(FOREIGN_STATE))
    }

    pub(crate) fn state(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// A provider that asks one question; the rest of its conversation is the same for all of them.
pub(crate) trait OneQuestion: Sync {
    /// The settings of a metric.
    type Settings: Default + DeserializeOwned;
    /// Its key under `provider` in a metric.
    const NAME: &'static str;

    /// What is wrong with the settings.
    fn problems(metric: &Self::Settings) -> Problems;

    /// What has to be read before it may ask.
    fn credentials(_: &Self::Settings) -> Vec<CredentialRef> {
        Vec::new()
    }

    /// The question, of settings that nothing is wrong with.
    fn ask(
        metric: &Self::Settings,
        asked: &Asked<'_>,
        now: Timestamp,
    ) -> Result<Call, MeasureError>;

    /// What the answer to the question of `asked_at` means.
    fn answer(
        metric: &Self::Settings,
        reply: &Reply,
        asked_at: Timestamp,
    ) -> Result<Measured, MeasureError>;

    /// Short facts about the query.
    fn metadata(_: &Self::Settings) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

/// What is kept between the one question and its answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    asked_at: Timestamp,
}

impl<T: OneQuestion> Provider for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn validate(&self, config: &Value) -> Problems {
        all_problems(config, T::problems)
    }

    fn credentials(&self, config: &Value) -> Vec<CredentialRef> {
        <T as OneQuestion>::credentials(&settings(config).unwrap_or_default())
    }

    fn start(&self, asked: &Asked<'_>, now: Timestamp) -> Turn {
        turn(valid(asked.config, T::problems).and_then(|metric| {
            let call = T::ask(&metric, asked, now)?;
            let state = serde_json::to_value(Question { asked_at: now }).unwrap_or_default();
            Ok(Exchange::Call(call, state))
        }))
    }

    fn resume(
        &self,
        asked: &Asked<'_>,
        state: &Value,
        reply: Result<Reply, ReplyError>,
        _: Timestamp,
    ) -> Turn {
        done(valid(asked.config, T::problems).and_then(|metric| {
            let Question { asked_at } =
                Question::deserialize(state).map_err(|_| failed(FOREIGN_STATE))?;
            T::answer(&metric, &reply?, asked_at)
        }))
    }

    fn metadata(&self, config: &Value) -> BTreeMap<String, String> {
        <T as OneQuestion>::metadata(&settings(config).unwrap_or_default())
    }
}

/// What is wrong with settings: paths below the provider's key, and a sentence each.
pub(crate) type Problems = Vec<(String, String)>;

/// A problem at a path.
pub(crate) fn problem(path: &str, message: impl Into<String>) -> (String, String) {
    (path.to_owned(), message.into())
}

/// Reads a metric's settings.
pub(crate) fn settings<T: DeserializeOwned>(config: &Value) -> Result<T, MeasureError> {
    T::deserialize(config).map_err(|error| failed(format!("malformed settings: {error}")))
}

/// Everything wrong with a metric's settings.
pub(crate) fn all_problems<T: DeserializeOwned>(
    config: &Value,
    problems: impl Fn(&T) -> Problems,
) -> Problems {
    match settings(config) {
        Ok(metric) => problems(&metric),
        Err(error) => vec![problem("", error.message)],
    }
}

/// Reads settings that nothing is wrong with.
pub(crate) fn valid<T: DeserializeOwned>(
    config: &Value,
    problems: impl Fn(&T) -> Problems,
) -> Result<T, MeasureError> {
    let metric = settings(config)?;
    match problems(&metric).into_iter().next() {
        Some((_, message)) => Err(failed(message)),
        None => Ok(metric),
    }
}

/// A turn, or the end that an error puts to the conversation.
pub(crate) fn turn(outcome: Result<Turn, MeasureError>) -> Turn {
    outcome.unwrap_or_else(|error| done(Err(error)))
}

/// The body of an answer as text.
pub(crate) fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// A status code with its name, as it stands in the first line of an answer.
pub(crate) fn status_line(status: u16) -> String {
    let known = http::StatusCode::from_u16(status).ok();
    match known.and_then(|code| code.canonical_reason()) {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}

impl From<ReplyError> for MeasureError {
    fn from(error: ReplyError) -> Self {
        failed(error.to_string())
    }
}

/// A measurement error from its sentence.
pub(crate) fn failed(message: impl Into<String>) -> MeasureError {
    MeasureError { message: message.into() }
}

/// Ends a conversation.
pub(crate) fn done(outcome: Result<Measured, MeasureError>) -> Turn {
    Exchange::Done(outcome)
}

/// Problems with how to sign in, by path.
pub(crate) fn authentication_problems(auth: &Authentication) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let mut refuse = |wrong: bool, path: &str, message: &str| {
        if wrong {
            problems.push((format!("authentication.{path}"), message.to_owned()));
        }
    };
    let BasicAuthConfig { username, password } = &auth.basic_auth;
    let missing = "missing mandatory parameter in metric for basic auth setup";
    refuse(
        username.is_none() && password.is_some(),
        "basicAuth.username",
        &format!("{missing}: username"),
    );
    refuse(
        username.is_some() && password.is_none(),
        "basicAuth.password",
        &format!("{missing}: password"),
    );
    let OAuth2Config { token_url, client_id, client_secret, .. } = &auth.oauth2;
    let half = token_url.is_some() && (client_id.is_none() || client_secret.is_none());
    refuse(half, "oauth2", "missing mandatory parameter in metric for OAuth2 setup");
    let bad_url = token_url.as_deref().is_some_and(|url| !is_http_url(url));
    refuse(bad_url, "oauth2.tokenUrl", "token address is not an http or https address");
    refuse(
        auth.sigv4.profile.is_some(),
        "sigv4.profile",
        "profiles of AWS's configuration files are not supported yet",
    );
    problems
}

/// Whether text is an address that can be asked. What a path or a query may not hold is escaped on the way out.
pub(crate) fn is_http_url(text: &str) -> bool {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        && !host.is_empty()
        && !host.contains(char::is_whitespace)
        && !text.contains(char::is_control)
}

/// The user's headers and the one that signs in; a token, which comes with its scheme, outweighs a password.
pub(crate) fn headers(
    own: &[WebMetricHeader],
    auth: &Authentication,
    token: Option<&str>,
) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> =
        own.iter().map(|header| (header.key.clone(), header.value.clone())).collect();
    let basic = &auth.basic_auth;
    if let Some(token) = token {
        set(&mut headers, "Authorization", token.to_owned());
    } else if let (Some(username), Some(password)) = (&basic.username, &basic.password) {
        set(&mut headers, "Authorization", basic_credentials(username, password));
    }
    headers
}

/// Sets a header, in place of one of the same name.
pub(crate) fn set(headers: &mut Vec<(String, String)>, name: &str, value: String) {
    headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    headers.push((name.to_owned(), value));
}

/// Joins pairs as a form does.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What the header `Authorization` says with a name and a password.
pub(crate) fn basic_credentials(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}
