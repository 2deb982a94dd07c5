//! `/openapi/v2`: a document without definitions.
//!
//! Older parts of `kubectl` insist on reading it, in protobuf, before they send a `List`; finding nothing
//! in it, they leave validation to the server, which has the schemas.

use crate::negotiate::MediaRange;
use crate::respond;
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use serde_json::json;
use store::ApiError;

/// What clients ask for.
const ASKED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// What they are given.
const GIVEN: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// `swagger`, and `info` with `title` and `version`, as fields 1 and 2 of the document's message.
const DOCUMENT: &[u8] = b"\x0a\x032.0\x12\x15\x0a\x0aKubernetes\x12\x07v1.36.3";

/// Answers in protobuf or JSON.
pub(super) fn answer(headers: &HeaderMap) -> Result<Response<Body>, ApiError> {
    let ranges = MediaRange::of_accept(headers);
    for range in &ranges {
        if range.media == ASKED {
            let mut response = Response::new(Body::from(DOCUMENT));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(GIVEN));
            return Ok(response);
        }
        if range.takes_json() {
            return Ok(respond::value(&json!({
                "swagger": "2.0",
                "info": {"title": "Kubernetes", "version": "v1.36.3"},
                "paths": {},
                "definitions": {},
            })));
        }
    }
    Err(respond::not_acceptable())
}
