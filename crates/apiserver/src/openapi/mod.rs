//! `/openapi/v3`: an index, and one document per group and version.
//!
//! The definitions come from the store. A document is made when it is asked for; the index only needs to
//! know whether it changed.
//!
//! **Invariant.** The kinds of one document are those that discovery lists for the same group and version.

mod legacy;
mod paths;

use crate::hub::Hub;
use crate::negotiate::MediaRange;
use crate::respond;
use axum::body::Body;
use http::header::{CACHE_CONTROL, ETAG};
use http::request::Parts;
use http::{HeaderValue, Response};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Address, ApiError, Gvr, Origin, Resource, Store};

/// Answers a path below `/openapi`.
pub(crate) fn answer(hub: &Hub, parts: &Parts) -> Result<Response<Body>, ApiError> {
    if parts.uri.path() == "/openapi/v2" {
        return legacy::answer(&parts.headers);
    }
    if !MediaRange::of_accept(&parts.headers).iter().any(MediaRange::takes_json) {
        return Err(respond::not_acceptable());
    }
    match parts.uri.path().strip_prefix("/openapi/v3") {
        // Upstream calls its index text.
        Some("" | "/") => Ok(respond::text(index(&hub.read()).to_string())),
        Some(path) => document(hub, path.trim_matches('/')),
        None => Err(ApiError::no_such_resource()),
    }
}

/// One group and version: its resources and what tells its documents apart over time.
struct Part {
    resources: Vec<Arc<Resource>>,
    hash: u64,
}

fn parts(store: &Store) -> BTreeMap<String, Part> {
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    for resource in store.resources() {
        let part = parts
            .entry(base(resource))
            .or_insert_with(|| Part { resources: Vec::new(), hash: HASH_START });
        part.hash = hashed(part.hash, resource.plural.as_bytes());
        if resource.origin == Origin::Custom {
            part.hash = hashed(part.hash, definition(store, resource).as_bytes());
        }
        part.resources.push(Arc::clone(resource));
    }
    parts
}

/// What changes whenever the object that defines a resource does.
fn definition(store: &Store, resource: &Resource) -> String {
    let definitions = Gvr::new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    let name = format!("{}.{}", resource.plural, resource.group);
    match store.get(&Address::new(definitions, None, name)) {
        Ok(object) => format!("{} {}", object.uid(), object.value()["metadata"]["generation"]),
        Err(_) => String::new(),
    }
}

fn base(resource: &Resource) -> String {
    if resource.group.is_empty() {
        return format!("api/{}", resource.version);
    }
    format!("apis/{}/{}", resource.group, resource.version)
}

fn index(store: &Store) -> Value {
    let paths: Map<String, Value> = parts(store)
        .into_iter()
        .map(|(base, part)| {
            let url = format!("/openapi/v3/{base}?hash={:016X}", part.hash);
            (base, json!({"serverRelativeURL": url}))
        })
        .collect();
    json!({"paths": paths})
}

fn document(hub: &Hub, base: &str) -> Result<Response<Body>, ApiError> {
    let part = parts(&hub.read()).remove(base).ok_or_else(ApiError::no_such_resource)?;
    let document = render(base, &part.resources);
    let mut response = respond::value(&document);
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{:016X}\"", part.hash)) {
        headers.insert(ETAG, tag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public"));
    Ok(response)
}

fn render(base: &str, resources: &[Arc<Resource>]) -> Value {
    let mut schemas = BTreeMap::new();
    let mut addresses = BTreeMap::new();
    for resource in resources {
        let openapi = resource.openapi();
        schemas.extend(openapi.definitions);
        addresses.extend(paths::of(&format!("/{base}"), resource, &openapi.root));
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.3"},
        "paths": addresses,
        "components": {"schemas": schemas},
    })
}

/// The first value of an FNV-1a hash.
const HASH_START: u64 = 0xCBF2_9CE4_8422_2325;

fn hashed(start: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
    bytes.iter().fold(start, step)
}
