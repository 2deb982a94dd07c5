//! `web`: any HTTP service whose answer is the measurement.
//!
//! A JSON answer is followed along `jsonPath` to its first value; an answer that is not JSON is a text.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `url` | – | address |
//! | `method` | `GET` | any of HTTP |
//! | `body`, `jsonBody` | none | one of them, not with `GET` |
//! | `jsonPath` | `{$}` | path in the dialect of Kubernetes |
//! | `timeoutSeconds` | 10 | seconds for the whole exchange |
//! | `headers`, `insecure`, `authentication` | none | `basicAuth` or `oauth2` |

use crate::conversation::{
    Step, all_problems, authentication_problems, done, failed, headers, is_http_url, set, turn,
    valid,
};
use crate::oauth::TokenService;
use crate::{Asked, MeasureError, Measured, MeasuredValue, Provider, Turn, go, json_path};
use api::argo::WebMetric;
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;
use vocab::{Call, Exchange, Reply, ReplyError};

/// The provider.
pub(crate) static WEB: Web = Web;
/// Seconds an exchange may take unless the metric says otherwise.
const DEFAULT_TIMEOUT_SECONDS: u64 = 10;
/// How deep lists and maps of an answer may be nested; JSON beyond that is an error, and no text.
const DEEPEST: usize = 127;
/// How the reader of JSON says so.
const TOO_DEEP: &str = "recursion limit exceeded";

/// Asks any HTTP service.
pub(crate) struct Web;

impl Provider for Web {
    fn name(&self) -> &'static str {
        "web"
    }

    fn validate(&self, config: &Value) -> Vec<(String, String)> {
        all_problems(config, problems)
    }

    fn start(&self, asked: &Asked<'_>, _: Timestamp) -> Turn {
        turn(valid(asked.config, problems).map(|metric| {
            let token = token_service(&metric).begin();
            token.unwrap_or_else(|| ask(&metric, None))
        }))
    }

    fn resume(
        &self,
        asked: &Asked<'_>,
        state: &Value,
        reply: Result<Reply, ReplyError>,
        _: Timestamp,
    ) -> Turn {
        turn(valid(asked.config, problems).and_then(|metric| {
            let step = Step::of(state)?;
            Ok(go_on(&metric, &step, &reply?))
        }))
    }
}

fn problems(metric: &WebMetric) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let mut refuse =
        |path: &str, message: &str| problems.push((path.to_owned(), message.to_owned()));
    if !is_http_url(&metric.url) {
        refuse(
            "url",
            &format!("unsupported protocol scheme or malformed address {:?}", metric.url),
        );
    }
    if !is_token(method(metric)) {
        refuse("method", "method is no word that HTTP knows methods by");
    }
    let (body, json_body) = (metric.body.is_some(), metric.json_body.is_some());
    if body && json_body {
        refuse("jsonBody", "use either Body or JSONBody; both cannot exists for WebMetric payload");
    } else if (body || json_body) && method(metric) == "GET" {
        refuse("method", "Body/JSONBody can only be used with POST or PUT WebMetric Method types");
    }
    if let Err(message) = json_path::check(path(metric)) {
        refuse("jsonPath", &message);
    }
    problems.extend(authentication_problems(&metric.authentication));
    problems
}

fn method(metric: &WebMetric) -> &str {
    metric.method.as_deref().filter(|method| !method.is_empty()).unwrap_or("GET")
}

/// Whether text is a token of HTTP (RFC 9110 §5.6.2), as every method is.
fn is_token(text: &str) -> bool {
    text.chars().all(|it| it.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(it))
}

fn path(metric: &WebMetric) -> &str {
    metric.json_path.as_deref().unwrap_or(json_path::WHOLE)
}

fn timeout(metric: &WebMetric) -> Duration {
    let seconds = u64::try_from(metric.timeout_seconds).unwrap_or(0);
    Duration::from_secs(if seconds == 0 { DEFAULT_TIMEOUT_SECONDS } else { seconds })
}

fn token_service(metric: &WebMetric) -> TokenService<'_> {
    let oauth = &metric.authentication.oauth2;
    TokenService { oauth, timeout: timeout(metric), insecure: metric.insecure }
}

fn ask(metric: &WebMetric, token: Option<&str>) -> Turn {
    let mut headers = headers(&metric.headers, &metric.authentication, token);
    if metric.json_body.is_some() {
        set(&mut headers, "Content-Type", "application/json".to_owned());
    }
    let json_body = metric.json_body.as_ref().map(Value::to_string);
    let call = Call {
        method: method(metric).to_owned(),
        url: metric.url.clone(),
        headers,
        body: metric.body.clone().or(json_body).map(String::into_bytes),
        timeout: timeout(metric),
        insecure: metric.insecure,
    };
    Exchange::Call(call, Step::Ask { token: None }.state())
}

fn go_on(metric: &WebMetric, step: &Step, reply: &Reply) -> Turn {
    match step {
        Step::TokenByHeader | Step::TokenByForm => {
            token_service(metric).go_on(step, reply, |token| ask(metric, Some(&token)))
        }
        _ => done(answer(metric, reply)),
    }
}

fn answer(metric: &WebMetric, reply: &Reply) -> Result<Measured, MeasureError> {
    if !(200..300).contains(&reply.status) {
        return Err(failed(format!("received non 2xx response code: {}", reply.status)));
    }
    let json = match go::parsed(&reply.body) {
        Ok(json) => json,
        Err(error) if error.to_string().starts_with(TOO_DEEP) => {
            return Err(failed(format!("the body is nested more than {DEEPEST} deep")));
        }
        Err(_) => {
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            return Ok(measured(Value::String(text.clone()), text));
        }
    };
    let found = json_path::first(path(metric), &json);
    let found =
        found.map_err(|error| failed(format!("Could not find JSONPath in body: {error}")))?;
    Ok(measured(found.clone(), go::json(found)))
}

fn measured(json: Value, value: String) -> Measured {
    Measured::new(MeasuredValue::Json(json), value)
}
