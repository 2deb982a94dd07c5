//! Asking Amazon Web Services: where the keys come from, and how a request is signed with them.
//!
//! Keys are in the environment, or a web identity or a pod identity is exchanged for them (as on EKS), and
//! a role may be assumed with them. Start with [`begin`]; each exchange ends in [`Access::Granted`] or one more call.

mod sign;

pub(crate) use sign::{Scope, sign};

use crate::conversation::{failed, form, is_http_url};
use crate::{CredentialRef, Credentials, MeasureError, Source};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, time::Duration};
use vocab::{Call, Reply};

/// How long an exchange with the token service may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The version of the token service's API.
const STS_VERSION: &str = "2011-06-15";
/// What our sessions are called unless the environment names them.
const USUAL_SESSION: &str = "argo-rollouts";
/// Names the file with the web identity.
const WEB_IDENTITY: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
/// Names the file with the pod identity.
const POD_IDENTITY: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// The longest part of an error of AWS that is told.
const MESSAGE_MAX: usize = 1024;

/// Keys to sign with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Tells whose keys they are.
    pub(crate) id: String,
    /// Signs.
    pub(crate) secret: String,
    /// Goes with keys that are for a time.
    pub(crate) token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(*****)")
    }
}

/// What was asked of the token service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Exchanged {
    /// Keys for a web identity.
    Identity,
    /// Keys for a pod identity.
    Pod,
    /// Keys for a role.
    Role,
}

/// How far the way to the keys is.
pub(crate) enum Access {
    /// These are the keys.
    Granted(Keys),
    /// The token service has to be asked first.
    Ask(Call, Exchanged),
}

/// What has to be read to sign.
pub(crate) fn credentials() -> Vec<CredentialRef> {
    let variable = Source::Variable;
    let open = [
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
    ];
    let hidden = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    let open = open.map(|name| CredentialRef::open(variable(name)));
    let hidden = hidden.map(|name| CredentialRef::hidden(variable(name)));
    let files =
        [WEB_IDENTITY, POD_IDENTITY].map(|name| CredentialRef::hidden(Source::FileOf(name)));
    open.into_iter().chain(hidden).chain(files).collect()
}

/// The region of the environment.
pub(crate) fn region(credentials: &Credentials) -> Option<&str> {
    credentials.variable("AWS_REGION").or_else(|| credentials.variable("AWS_DEFAULT_REGION"))
}

/// The domain of a region's services.
pub(crate) fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// Whether text can be a region, and so a part of a host's name.
pub(crate) fn is_region(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|it| it.is_ascii_alphanumeric() || it == '-')
}

/// Begins the way to the keys, in the end those of `role` if there is one.
///
/// # Errors
/// When the environment has neither keys nor an identity.
pub(crate) fn begin(
    credentials: &Credentials,
    region: &str,
    role: Option<&str>,
    now: Timestamp,
) -> Result<Access, MeasureError> {
    let variable = |name| credentials.variable(name);
    if let (Some(id), Some(secret)) =
        (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
    {
        let token = variable("AWS_SESSION_TOKEN").map(str::to_owned);
        let keys = Keys { id: id.to_owned(), secret: secret.to_owned(), token };
        return Ok(with_role(keys, region, role, now));
    }
    let identity = credentials.secret(&Source::FileOf(WEB_IDENTITY));
    match (variable("AWS_ROLE_ARN"), identity) {
        (Some(arn), Ok(Some(identity))) => {
            let session = variable("AWS_ROLE_SESSION_NAME").unwrap_or(USUAL_SESSION);
            Ok(Access::Ask(for_identity(region, arn, session, identity), Exchanged::Identity))
        }
        (Some(_), Err(error)) => Err(error),
        _ => for_pod(credentials).map(|call| Access::Ask(call, Exchanged::Pod)),
    }
}

/// Goes on with an answer of the token service.
///
/// # Errors
/// When it refused.
pub(crate) fn go_on(
    asked: Exchanged,
    reply: &Reply,
    (region, role): (&str, Option<&str>),
    now: Timestamp,
) -> Result<Access, MeasureError> {
    let keys = keys(asked, reply)?;
    Ok(match asked {
        Exchanged::Identity | Exchanged::Pod => with_role(keys, region, role, now),
        Exchanged::Role => Access::Granted(keys),
    })
}

/// What an answer that is no success says, in the words of upstream's client.
///
/// Where a signature is refused AWS repeats the request, token and all: only the first line is told.
pub(crate) fn refused(operation: &str, reply: &Reply) -> MeasureError {
    let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let body = String::from_utf8_lossy(&reply.body);
    let kind = json["__type"].as_str().map(|kind| kind.rsplit('#').next().unwrap_or(kind));
    let code = kind.or_else(|| element(&body, "Code")).unwrap_or("UnknownError");
    let message = json["message"].as_str().or_else(|| json["Message"].as_str());
    let message = message.or_else(|| element(&body, "Message")).unwrap_or("UnknownError");
    let mut message = message.lines().next().unwrap_or_default().to_owned();
    message.truncate(message.floor_char_boundary(MESSAGE_MAX));
    let status = reply.status;
    let id = reply.headers.get("x-amzn-requestid").map(String::as_str).unwrap_or_default();
    failed(format!(
        "operation error {operation}, https response error StatusCode: {status}, RequestID: {id}, api error {code}: {message}"
    ))
}

fn with_role(keys: Keys, region: &str, role: Option<&str>, now: Timestamp) -> Access {
    let Some(role) = role else { return Access::Granted(keys) };
    let question = form(&[
        ("Action", "AssumeRole"),
        ("RoleArn", role),
        ("RoleSessionName", USUAL_SESSION),
        ("Version", STS_VERSION),
    ]);
    let call = token_service(region, question);
    Access::Ask(sign(call, &keys, &Scope { region, service: "sts" }, now), Exchanged::Role)
}

fn for_identity(region: &str, role: &str, session: &str, identity: &str) -> Call {
    let question = form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("RoleArn", role),
        ("RoleSessionName", session),
        ("Version", STS_VERSION),
        ("WebIdentityToken", identity),
    ]);
    token_service(region, question)
}

/// Asks whoever answers pods on the machine for keys, as the environment names it.
fn for_pod(credentials: &Credentials) -> Result<Call, MeasureError> {
    let address = credentials.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let address = address.filter(|address| is_http_url(address)).ok_or_else(|| {
        failed("no credentials of AWS: neither keys nor an identity is in the environment")
    })?;
    let identity = credentials.secret(&Source::FileOf(POD_IDENTITY))?;
    let identity = identity.map(|identity| ("Authorization".to_owned(), identity.to_owned()));
    Ok(Call {
        method: "GET".to_owned(),
        url: address.to_owned(),
        headers: identity.into_iter().collect(),
        body: None,
        timeout: TIMEOUT,
        insecure: false,
    })
}

fn token_service(region: &str, question: String) -> Call {
    let form = "application/x-www-form-urlencoded".to_owned();
    Call {
        method: "POST".to_owned(),
        url: format!("https://sts.{region}.{}/", domain(region)),
        headers: vec![("Content-Type".to_owned(), form)],
        body: Some(question.into_bytes()),
        timeout: TIMEOUT,
        insecure: false,
    }
}

fn keys(asked: Exchanged, reply: &Reply) -> Result<Keys, MeasureError> {
    let operation = match asked {
        Exchanged::Identity => "STS: AssumeRoleWithWebIdentity",
        Exchanged::Pod => "pod identity",
        Exchanged::Role => "STS: AssumeRole",
    };
    if reply.status != 200 {
        return Err(refused(operation, reply));
    }
    let body = String::from_utf8_lossy(&reply.body);
    let json: Value = serde_json::from_str(&body).unwrap_or_default();
    let field = |name: &str| {
        let found = json[name].as_str().or_else(|| element(&body, name));
        found.map(str::to_owned)
    };
    let token = field("SessionToken").or_else(|| field("Token"));
    let all = (field("AccessKeyId"), field("SecretAccessKey"), token);
    let (Some(id), Some(secret), token @ Some(_)) = all else {
        return Err(failed(format!("operation error {operation}: the answer holds no keys")));
    };
    Ok(Keys { id, secret, token })
}

/// The text of the first XML element of a name. Keys and codes hold nothing that XML would escape.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim()).filter(|text| !text.is_empty())
}
