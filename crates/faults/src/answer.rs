//! Answers that a gate gives in the server's stead.

use crate::rule::Refusal;
use axum::{body::Body, response::Response};
use http::{StatusCode, header};
use serde_json::json;

/// The answer of a server that refuses.
pub(crate) fn refusal(refusal: Refusal) -> Response {
    let (code, reason, message) = match refusal {
        Refusal::Conflict => (409, "Conflict", "the object has been modified"),
        Refusal::TooManyRequests(_) => (429, "TooManyRequests", "too many requests"),
        Refusal::Internal => (500, "InternalError", "something went wrong"),
        Refusal::Unavailable => (503, "ServiceUnavailable", "the server is not available"),
        Refusal::Forbidden => (403, "Forbidden", "this request is forbidden"),
        Refusal::NoSuchKind => {
            (404, "NotFound", "the server could not find the requested resource")
        }
        Refusal::Gone => (410, "Expired", "too old resource version"),
    };
    let mut answer = status(code, reason, message);
    if let Refusal::TooManyRequests(seconds) = refusal {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

/// The answer of a server that gave up waiting for itself.
pub(crate) fn time_out() -> Response {
    status(504, "Timeout", "the request did not complete in time")
}

fn status(code: u16, reason: &str, message: &str) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    });
    let mut answer = Response::new(Body::from(status.to_string()));
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY);
    let json = header::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}

/// The last line of a watch whose version is forgotten.
pub(crate) fn expired_line() -> bytes::Bytes {
    let object = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": 410, "reason": "Expired", "message": "too old resource version",
    });
    format!("{}\n", json!({ "type": "ERROR", "object": object })).into()
}
