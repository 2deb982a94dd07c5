//! What providers share: addresses, headers, signing in, and the steps of asking over HTTP.
//!
//! A conversation is at most: fetch a token (twice, as servers differ in how they take the client's
//! secret), then ask. The token lives in the state between two turns and nowhere else.

use crate::{MeasureError, Measured, Turn};
use api::argo::{Authentication, BasicAuthConfig, OAuth2Config, WebMetricHeader};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use vocab::{Call, Exchange, Reply};

/// Where a conversation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Step {
    /// Reads the step back from a state.
    pub(crate) fn of(state: &Value) -> Result<Self, MeasureError> {
        Self::deserialize(state)
            .map_err(|_| failed("the state of the measurement is not one of this provider's"))
    }

    pub(crate) fn state(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
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
        auth.sigv4 != api::argo::Sigv4Config::default(),
        "sigv4",
        "signing with AWS SigV4 is not supported yet",
    );
    problems
}

/// Whether text is an address that can be asked.
pub(crate) fn is_http_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    host.is_some_and(|host| !host.is_empty())
        && !text.contains(|it: char| it.is_whitespace() || it.is_control())
}

/// The user's headers and the one that signs in; a token outweighs a password.
pub(crate) fn headers(
    own: &[WebMetricHeader],
    auth: &Authentication,
    token: Option<&str>,
) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> =
        own.iter().map(|header| (header.key.clone(), header.value.clone())).collect();
    let basic = &auth.basic_auth;
    if let Some(token) = token {
        set(&mut headers, "Authorization", format!("Bearer {token}"));
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

/// The call that fetches a token.
pub(crate) fn token_call(
    oauth: &OAuth2Config,
    step: &Step,
    timeout: Duration,
    insecure: bool,
) -> Turn {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let (id, secret, scopes) =
        (text(&oauth.client_id), text(&oauth.client_secret), oauth.scopes.join(" "));
    let mut pairs = vec![("grant_type", "client_credentials")];
    if !scopes.is_empty() {
        pairs.push(("scope", &scopes));
    }
    let mut headers =
        vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    if *step == Step::TokenByForm {
        pairs.extend([("client_id", id.as_str()), ("client_secret", secret.as_str())]);
    } else {
        set(&mut headers, "Authorization", basic_credentials(&encoded(&id), &encoded(&secret)));
    }
    let call = Call {
        method: "POST".to_owned(),
        url: text(&oauth.token_url),
        headers,
        body: Some(form(&pairs).into_bytes()),
        timeout,
        insecure,
    };
    Exchange::Call(call, step.state())
}

/// Reads the token from an answer.
///
/// # Errors
/// When the server refused, or answered without a token.
pub(crate) fn token(reply: &Reply) -> Result<String, MeasureError> {
    if !(200..300).contains(&reply.status) {
        return Err(failed(format!("oauth2: cannot fetch token: {}", reply.status)));
    }
    let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let token = json["access_token"].as_str().filter(|token| !token.is_empty());
    token.map(str::to_owned).ok_or_else(|| failed("oauth2: server response missing access_token"))
}

fn basic_credentials(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
