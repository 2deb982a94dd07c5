//! Subresources that are verbs in disguise: eviction, binding, finalize, tokens.

use crate::auth::USER;
use crate::body;
use crate::respond;
use crate::verbs::Request;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};
use store::{Address, ApiError, Patch, Subresource, WriteOptions};

/// How long a service account's token is valid when nobody says.
const TOKEN_SECONDS: i64 = 3600;

/// Whether a subresource is handled here rather than by the store.
pub(crate) fn is_special(resource: &str, subresource: &str) -> bool {
    match resource {
        "pods" => {
            matches!(
                subresource,
                "eviction" | "binding" | "exec" | "attach" | "portforward" | "ephemeralcontainers"
            ) || subresource.starts_with("proxy")
        }
        "services" | "nodes" => subresource.starts_with("proxy"),
        "namespaces" => subresource == "finalize",
        "serviceaccounts" => subresource == "token",
        _ => false,
    }
}

/// Carries such a request out, or says plainly that the server cannot.
pub(crate) async fn answer(request: Request, body: Body) -> Result<Response<Body>, ApiError> {
    let name = request.target.subresource.clone().unwrap_or_default();
    if !matches!(name.as_str(), "eviction" | "binding" | "finalize" | "token") {
        return Err(respond::not_implemented(&format!("{}/{name}", request.target.resource)));
    }
    let expected = if name == "finalize" { Method::PUT } else { Method::POST };
    if request.parts.method != expected {
        return Err(ApiError::method_not_allowed());
    }
    let bytes = body::read(&request.parts.headers, body).await?;
    let document = body::document(&request.parts.headers, &bytes)?.value;
    match name.as_str() {
        "eviction" => evict(&request, &document),
        "binding" => bind(&request, &document),
        "finalize" => finalize(&request, document),
        _ => token(&request, document),
    }
}

fn address(request: &Request) -> Address {
    let name = request.target.name.clone().unwrap_or_default();
    Address::new(request.resource.gvr(), request.target.namespace.as_deref(), name)
}

fn success() -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
    });
    respond::json(StatusCode::CREATED, status.to_string())
}

fn evict(request: &Request, eviction: &Value) -> Result<Response<Body>, ApiError> {
    let options = request.query.delete(eviction.get("deleteOptions").unwrap_or(&Value::Null))?;
    let address = address(request);
    request.hub.write(|store, now| store.delete(&address, &options, now))?;
    Ok(success())
}

fn bind(request: &Request, binding: &Value) -> Result<Response<Body>, ApiError> {
    let node = binding.pointer("/target/name").and_then(Value::as_str);
    let node = node.ok_or_else(|| ApiError::bad_request("target.name is required"))?;
    let condition = json!({"type": "PodScheduled", "status": "True"});
    let address = address(request);
    let options = WriteOptions { field_manager: "binding".to_owned(), ..WriteOptions::default() };
    let assign = Patch::Merge(json!({"spec": {"nodeName": node}}));
    let report = Patch::Strategic(json!({"status": {"conditions": [condition]}}));
    request.hub.write(|store, now| {
        store.patch(&address, assign, &options, now)?;
        store.patch(&address.clone().at(Subresource::Status), report, &options, now)
    })?;
    Ok(success())
}

/// A namespace's finalizers are part of its spec; the store keeps them like any other field.
fn finalize(request: &Request, namespace: Value) -> Result<Response<Body>, ApiError> {
    let options = request.query.write("")?;
    let address = address(request);
    let written =
        request.hub.write(|store, now| store.update(&address, namespace, &options, now))?;
    Ok(respond::json(StatusCode::OK, written.object.bytes()))
}

/// A token that names its account; the server accepts it no more than any other unknown token.
fn token(request: &Request, mut review: Value) -> Result<Response<Body>, ApiError> {
    request.hub.read().get(&address(request))?;
    let seconds = review.pointer("/spec/expirationSeconds").and_then(Value::as_i64);
    let expires = request.hub.clock.now().as_second() + seconds.unwrap_or(TOKEN_SECONDS);
    let expires = jiff::Timestamp::from_second(expires).unwrap_or(jiff::Timestamp::MAX);
    let namespace = request.target.namespace.as_deref().unwrap_or_default();
    let name = request.target.name.as_deref().unwrap_or_default();
    let claims = json!({
        "iss": USER,
        "sub": format!("system:serviceaccount:{namespace}:{name}"),
        "exp": expires.as_second(),
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let token = format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims));
    review["status"] = json!({"token": token, "expirationTimestamp": expires.to_string()});
    Ok(respond::json(StatusCode::CREATED, review.to_string()))
}
