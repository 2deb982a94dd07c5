//! Subresources that are verbs in disguise: eviction, binding, finalize, tokens.

use crate::auth::USER;
use crate::body;
use crate::options::Kind;
use crate::respond;
use crate::verbs::Request;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};
use store::{Address, ApiError, Subresource};

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
    check_kind(eviction, "Eviction", "policy")?;
    check_name(request, eviction, "Eviction")?;
    let options = request.query.delete(eviction.get("deleteOptions").unwrap_or(&Value::Null))?;
    let address = address(request);
    request.hub.write(|store, now| store.evict(&address, &options, now))?;
    Ok(success())
}

/// A body of another known kind cannot be read as this one.
fn check_kind(body: &Value, kind: &str, group: &str) -> Result<(), ApiError> {
    let Some(found) = body["kind"].as_str().filter(|found| *found != kind) else { return Ok(()) };
    let version = body["apiVersion"].as_str().unwrap_or_default();
    let version = version.rsplit('/').next().unwrap_or_default();
    Err(ApiError::bad_request(format!(
        "{found} in version {version:?} cannot be handled as a {kind}: converting ({version}.{found}) to ({group}.{kind}): unknown conversion"
    )))
}

fn check_name(request: &Request, body: &Value, kind: &str) -> Result<(), ApiError> {
    let said = body.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if said.is_empty() || request.target.name.as_deref() == Some(said) {
        return Ok(());
    }
    Err(ApiError::bad_request(format!("name in URL does not match name in {kind} object")))
}

fn bind(request: &Request, binding: &Value) -> Result<Response<Body>, ApiError> {
    check_name(request, binding, "Binding")?;
    let text = |pointer: &str| binding.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let kind = text("/target/kind");
    if !matches!(kind, "" | "Node") {
        let why = format!(
            "target.kind: Unsupported value: {kind:?}: supported values: \"Node\", \"<empty>\""
        );
        return Err(ApiError::unnamed(why));
    }
    let node = text("/target/name");
    if node.is_empty() {
        return Err(ApiError::unnamed("target.name: Required value"));
    }
    let address = address(request);
    let options = request.query.write("", Kind::Create)?;
    request.hub.write(|store, now| store.bind(&address, node, &options, now))?;
    Ok(success())
}

/// A namespace's finalizers are part of its spec; the store keeps them like any other field.
fn finalize(request: &Request, namespace: Value) -> Result<Response<Body>, ApiError> {
    let options = request.query.write(request.agent(), Kind::Update)?;
    let address = address(request).at(Subresource::Finalize);
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
