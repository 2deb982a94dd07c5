//! Questions about identity and permission, answered without being stored.
//!
//! There is one user and it may do everything; the answers say so in the form clients expect.

use crate::auth::{GROUPS, USER};
use crate::body;
use crate::discovery::REVIEWS;
use crate::request::Target;
use crate::respond;
use crate::router::Context;
use axum::body::Body;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};
use store::ApiError;

/// Whether a target is one of the reviews.
pub(crate) fn is_review(target: &Target) -> bool {
    let known = |(group, plural, ..): &(&str, &str, _, _)| {
        *group == target.group && *plural == target.resource
    };
    target.version == "v1" && REVIEWS.iter().any(known)
}

/// Answers a review: the request's own body with a status.
pub(crate) async fn answer(
    context: &Context,
    target: &Target,
    parts: &Parts,
    body: Body,
) -> Result<Response<Body>, ApiError> {
    if parts.method != Method::POST || target.name.is_some() {
        return Err(ApiError::method_not_allowed());
    }
    let bytes = body::read(&parts.headers, body).await?;
    let mut review = body::document(&parts.headers, &bytes)?.value;
    if !review.is_object() {
        return Err(ApiError::bad_request("the body must be an object"));
    }
    let status = match target.resource.as_str() {
        "selfsubjectreviews" => json!({"userInfo": user()}),
        "tokenreviews" => {
            let token = review.pointer("/spec/token").and_then(Value::as_str).unwrap_or_default();
            token_status(context.auth.knows(token))
        }
        "selfsubjectrulesreviews" => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false,
        }),
        _ => json!({"allowed": true}),
    };
    let kind = REVIEWS.iter().find(|(_, plural, ..)| *plural == target.resource);
    review["kind"] = json!(kind.map_or("", |(_, _, kind, _)| *kind));
    review["apiVersion"] = json!(format!("{}/v1", target.group));
    review["status"] = status;
    Ok(respond::json(StatusCode::CREATED, review.to_string()))
}

fn user() -> Value {
    json!({"username": USER, "groups": GROUPS})
}

fn token_status(known: bool) -> Value {
    if known {
        return json!({"authenticated": true, "user": user()});
    }
    json!({"authenticated": false, "user": {}, "error": "invalid bearer token"})
}
