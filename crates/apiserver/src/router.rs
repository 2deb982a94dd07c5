//! From a path to the part of the server that answers it.

use crate::auth::Auth;
use crate::discovery::{self, Form};
use crate::hub::Hub;
use crate::logs::{self, PodLogs};
use crate::negotiate::MediaRange;
use crate::query::Query;
use crate::request::{Target, Verb};
use crate::respond;
use crate::reviews;
use crate::subresources;
use crate::verbs::{self, Request};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use futures::FutureExt;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response};
use serde_json::json;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use store::ApiError;

/// What every handler needs.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) hub: Arc<Hub>,
    pub(crate) logs: Arc<PodLogs>,
    pub(crate) auth: Arc<Auth>,
}

/// All paths of the server. A handler that panics answers 500 and hurts nobody else.
pub(crate) fn router(context: Context) -> Router {
    Router::new().fallback(entry).with_state(context)
}

async fn entry(State(context): State<Context>, request: http::Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let answered = AssertUnwindSafe(answer(context, parts, body)).catch_unwind().await;
    match answered {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => respond::refusal(&error),
        Err(_) => respond::refusal(&ApiError::new(
            500,
            "InternalError",
            "Internal error occurred: the request made the server panic",
        )),
    }
}

async fn answer(context: Context, parts: Parts, body: Body) -> Result<Response<Body>, ApiError> {
    let path = parts.uri.path();
    if is_health(path) {
        return Ok(respond::text("ok"));
    }
    context.auth.check(&parts.headers)?;
    if is_nowhere(&context.hub, path) {
        return Ok(respond::no_such_page());
    }
    if let Some(target) = Target::parse(path) {
        return resource(context, target, parts, body).await;
    }
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return Err(ApiError::method_not_allowed());
    }
    if path == "/version" {
        return Ok(version());
    }
    if path == "/openapi" || path.starts_with("/openapi/") {
        return crate::openapi::answer(&context.hub, &parts);
    }
    if matches!(path.split('/').nth(1), Some("api" | "apis")) {
        return discover(&context.hub, path, &parts.headers);
    }
    Err(ApiError::no_such_resource())
}

/// Whether no API is at a path: upstream answers there with plain text.
fn is_nowhere(hub: &Hub, path: &str) -> bool {
    let mut parts = path.trim_matches('/').split('/');
    match (parts.next(), parts.next()) {
        (Some("apis"), Some(group)) => {
            let reviews = ["authentication.k8s.io", "authorization.k8s.io"];
            let store = hub.read();
            !reviews.contains(&group) && !store.resources().any(|one| one.group == group)
        }
        (Some("api" | "apis" | "version" | "openapi"), _) => false,
        _ => true,
    }
}

fn is_health(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    matches!(first, "healthz" | "livez" | "readyz")
}

async fn resource(
    context: Context,
    target: Target,
    parts: Parts,
    body: Body,
) -> Result<Response<Body>, ApiError> {
    if reviews::is_review(&target) {
        return reviews::answer(&context, &target, &parts, body).await;
    }
    let resource = verbs::resource(&context.hub, &target)?;
    let verb = Verb::of(&parts.method, &target).ok_or_else(ApiError::method_not_allowed)?;
    if verb == Verb::Create && resource.is_namespaced() && target.namespace.is_none() {
        return Err(ApiError::method_not_allowed());
    }
    let query = Query::parse(parts.uri.query());
    let request = Request { hub: Arc::clone(&context.hub), resource, target, parts, query };
    let core_pod = request.target.group.is_empty() && request.target.resource == "pods";
    match request.target.subresource.as_deref() {
        Some("log") if core_pod && verb == Verb::Get => logs::answer(&context.logs, request),
        Some(sub) if subresources::is_special(&request.target.resource, sub) => {
            subresources::answer(request, body).await
        }
        _ => {
            let warnings = deprecation(&request.resource);
            let mut response = match request.carry_out(verb, body).await {
                Err(error) if warnings.is_some() => respond::refusal(&error),
                answer => answer?,
            };
            respond::warn(&mut response, warnings.as_slice());
            Ok(response)
        }
    }
}

/// What upstream says to whoever still uses an old kind or version.
fn deprecation(resource: &store::Resource) -> Option<String> {
    let old = resource.group.is_empty() && resource.plural == "endpoints";
    let why = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";
    if old { Some(why.to_owned()) } else { resource.deprecation.clone() }
}

fn version() -> Response<Body> {
    respond::value(&json!({
        "major": "1",
        "minor": "36",
        "gitVersion": "v1.36.3",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": "linux/amd64",
    }))
}

fn discover(hub: &Hub, path: &str, headers: &HeaderMap) -> Result<Response<Body>, ApiError> {
    let form = form(headers)?;
    let document = {
        let store = hub.read();
        discovery::answer(path, form, store.resources().map(AsRef::as_ref))
    };
    let document = document.ok_or_else(ApiError::no_such_resource)?;
    let mut response = respond::value(&document);
    if document["kind"] == "APIGroupDiscoveryList" {
        let media = HeaderValue::from_static(discovery::AGGREGATED);
        response.headers_mut().insert(CONTENT_TYPE, media);
    }
    Ok(response)
}

fn form(headers: &HeaderMap) -> Result<Form, ApiError> {
    let ranges = MediaRange::of_accept(headers);
    let mut known = ranges.iter().filter(|range| range.takes_json());
    let form = known.find_map(|range| match (range.parameter("as"), range.parameter("v")) {
        (Some("APIGroupDiscoveryList"), Some("v2")) => Some(Form::Aggregated),
        (None, _) => Some(Form::Legacy),
        _ => None,
    });
    form.ok_or_else(respond::not_acceptable)
}
