//! `/openapi`.

use crate::hub::Hub;
use axum::body::Body;
use http::Response;
use http::request::Parts;
use store::ApiError;

/// Answers a path below `/openapi`.
pub(crate) fn answer(_hub: &Hub, _parts: &Parts) -> Result<Response<Body>, ApiError> {
    Err(ApiError::no_such_resource())
}
