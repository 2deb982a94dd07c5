//! Fetching a token with a client's secret, as OAuth 2 has it.
//!
//! Servers differ in how they take the secret: it is sent in a header, and if that is refused once more in
//! the body.

use crate::conversation::{Step, basic_credentials, done, failed, form, set};
use crate::{MeasureError, Turn};
use api::argo::OAuth2Config;
use serde_json::Value;
use std::time::Duration;
use vocab::{Call, Exchange, Reply};

/// Whoever gives out tokens, and how it is asked.
pub(crate) struct TokenService<'a> {
    /// Where it is, and who asks.
    pub(crate) oauth: &'a OAuth2Config,
    /// How long an exchange may take.
    pub(crate) timeout: Duration,
    /// Whether any certificate is taken.
    pub(crate) insecure: bool,
}

impl TokenService<'_> {
    /// Asks for a token, if there is anybody to ask.
    pub(crate) fn begin(&self) -> Option<Turn> {
        self.oauth.token_url.is_some().then(|| self.fetch(&Step::TokenByHeader))
    }

    /// Goes on with an answer: with the token, or by sending the secret the other way.
    pub(crate) fn go_on(
        &self,
        step: &Step,
        reply: &Reply,
        ask: impl FnOnce(String) -> Turn,
    ) -> Turn {
        match token(reply) {
            Ok(token) => ask(token),
            Err(_) if *step == Step::TokenByHeader => self.fetch(&Step::TokenByForm),
            Err(error) => done(Err(error)),
        }
    }

    fn fetch(&self, step: &Step) -> Turn {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let OAuth2Config { token_url, client_id, client_secret, scopes } = self.oauth;
        let (id, secret, scopes) = (text(client_id), text(client_secret), scopes.join(" "));
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
            url: text(token_url),
            headers,
            body: Some(form(&pairs).into_bytes()),
            timeout: self.timeout,
            insecure: self.insecure,
        };
        Exchange::Call(call, step.state())
    }
}

/// Reads the token from an answer.
fn token(reply: &Reply) -> Result<String, MeasureError> {
    if !(200..300).contains(&reply.status) {
        return Err(failed(format!("oauth2: cannot fetch token: {}", reply.status)));
    }
    let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let token = json["access_token"].as_str().filter(|token| !token.is_empty());
    token.map(str::to_owned).ok_or_else(|| failed("oauth2: server response missing access_token"))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
