//! Fetching a token with a client's secret, as OAuth 2 has it.
//!
//! Servers differ in how they take the secret: it is sent in a header, and if that is refused once more in
//! the body.

use crate::conversation::{Step, basic_credentials, done, failed, form, set};
use crate::{MeasureError, Turn};
use api::argo::OAuth2Config;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
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

/// What an answer lets in with: the token behind its scheme.
fn token(reply: &Reply) -> Result<String, MeasureError> {
    if !(200..300).contains(&reply.status) {
        return Err(failed(format!("oauth2: cannot fetch token: {}", reply.status)));
    }
    let field = fields(reply);
    let token = field("access_token").filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| failed("oauth2: server response missing access_token"))?;
    Ok(format!("{} {token}", scheme(&field("token_type").unwrap_or_default())))
}

/// The fields of an answer, which is JSON unless it says that it is a form.
fn fields(reply: &Reply) -> impl Fn(&str) -> Option<String> {
    let kind = reply.headers.get("content-type").map(String::as_str).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_form = ["application/x-www-form-urlencoded", "text/plain"].contains(&kind.as_str());
    let fields: BTreeMap<String, String> = if is_form {
        form_urlencoded::parse(&reply.body).into_owned().collect()
    } else {
        let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let text =
            |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        json.as_object().into_iter().flatten().filter_map(text).collect()
    };
    move |key| fields.get(key).cloned()
}

/// The scheme that a token of that type is sent with.
fn scheme(token_type: &str) -> &str {
    match token_type.to_ascii_lowercase().as_str() {
        "" | "bearer" => "Bearer",
        "mac" => "MAC",
        "basic" => "Basic",
        _ => token_type,
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_as_json_or_as_a_form_and_names_its_scheme() {
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        for (kind, body, expected) in [
            ("application/json", r#"{"access_token":"a"}"#, "Bearer a"),
            ("", r#"{"access_token":"a","token_type":"bearer","expires_in":3600}"#, "Bearer a"),
            ("application/json", r#"{"access_token":"a","token_type":"JWT"}"#, "JWT a"),
            ("application/json", r#"{"access_token":"a","token_type":"MAC"}"#, "MAC a"),
            (form, "access_token=a%2Bb&token_type=bearer", "Bearer a+b"),
            ("text/plain", "access_token=a", "Bearer a"),
        ] {
            let headers = [("content-type".to_owned(), kind.to_owned())].into();
            let reply = Reply { status: 200, headers, body: body.into() };
            assert_eq!(token(&reply).as_deref(), Ok(expected), "{kind} {body}");
        }
    }

    #[test]
    fn an_answer_without_a_token_is_an_error() {
        for (kind, body) in [("", "{}"), ("", "access_token=a"), ("text/plain", "access_token=")] {
            let headers = [("content-type".to_owned(), kind.to_owned())].into();
            let reply = Reply { status: 200, headers, body: body.into() };
            assert!(token(&reply).is_err(), "{kind} {body}");
        }
    }
}
