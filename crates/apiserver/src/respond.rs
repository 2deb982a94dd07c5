//! Responses: JSON, `Status`, and warnings.

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;
use store::ApiError;

/// A JSON body that is already serialised; it ends with a line break, as upstream's do.
pub(crate) fn json(code: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut line = Vec::from(body.into());
    line.push(b'\n');
    let mut response = Response::new(Body::from(line));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A JSON value with code 200.
pub(crate) fn value(value: &Value) -> Response<Body> {
    json(StatusCode::OK, value.to_string())
}

/// Plain text with code 200.
pub(crate) fn text(body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A refusal as a `Status`.
pub(crate) fn refusal(error: &ApiError) -> Response<Body> {
    let code = StatusCode::from_u16(error.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(code, error.to_status().to_string());
    warn(&mut response, &error.warnings);
    if error.retry_after_seconds > 0 {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(error.retry_after_seconds));
    }
    response
}

/// Adds texts as `Warning` headers, which kubectl prints.
pub(crate) fn warn(response: &mut Response<Body>, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(header) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append("warning", header);
        }
    }
}

/// 406: the client wants a format that the server does not write.
pub(crate) fn not_acceptable() -> ApiError {
    ApiError::new(
        406,
        "NotAcceptable",
        format!("only the following media types are accepted: {}", FORMS.join(", ")),
    )
}

/// 406: none of the formats the client names is one that the server writes.
pub(crate) fn no_such_format() -> ApiError {
    let known = FORMS.join(", ");
    let message = format!("406: Not Acceptable\n\nAvailable representations: {known}");
    ApiError::new(406, "NotAcceptable", message)
}

/// 415: the patch is of a type that nobody knows.
pub(crate) fn no_such_patch() -> ApiError {
    ApiError::unsupported_media_type("415: Unsupported Media Type")
}

/// 404 as upstream answers where no API is.
pub(crate) fn no_such_page() -> Response<Body> {
    let mut response = text("404 page not found\n");
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The formats that messages name.
const FORMS: [&str; 3] =
    ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

/// 415: the client sent a format that the server does not read.
pub(crate) fn unsupported_media_type(known: &[&str]) -> ApiError {
    ApiError::unsupported_media_type(format!(
        "the body of the request was in an unknown format - accepted media types include: {}",
        known.join(", ")
    ))
}

/// 501: a part of the Kubernetes API that this server does not have.
pub(crate) fn not_implemented(what: &str) -> ApiError {
    ApiError::new(501, "NotImplemented", format!("{what} is not implemented by this server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_quoted() {
        let mut response = text("");
        warn(&mut response, &["unknown field \"spec.a\"".to_owned()]);
        assert_eq!(response.headers()["warning"], r#"299 - "unknown field \"spec.a\"""#);
    }
}
