//! Objects and lists in the shape the client asked for.

use crate::hub::Hub;
use crate::negotiate::Shape;
use crate::respond;
use crate::table::{Include, Layout, partial};
use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use store::{List, Object, Origin, Resource};

/// One object.
pub(crate) fn one(
    hub: &Hub,
    resource: &Resource,
    shape: Shape,
    code: StatusCode,
    object: &Arc<Object>,
) -> Response<Body> {
    match shape {
        Shape::Object => respond::json(code, object.bytes()),
        Shape::Partial => respond::json(code, partial(object.value()).to_string()),
        Shape::Table(include) => {
            let version = object.value()["metadata"]["resourceVersion"].clone();
            let metadata = json!({"resourceVersion": version});
            let objects = std::slice::from_ref(object);
            respond::json(code, table(hub, resource, include, &metadata, objects))
        }
    }
}

/// One page of a list.
pub(crate) fn list(hub: &Hub, resource: &Resource, shape: Shape, list: &List) -> Response<Body> {
    let mut metadata = page(list);
    if resource.origin == Origin::Custom && shape == Shape::Object {
        // Upstream keeps custom lists untyped, and says there that nothing follows.
        metadata.entry("continue").or_insert_with(|| json!(""));
    }
    let metadata = Value::Object(metadata);
    let body = match shape {
        Shape::Object => plain(resource, &metadata, &list.items),
        Shape::Table(include) => table(hub, resource, include, &metadata, &list.items).into_bytes(),
        Shape::Partial => {
            let items: Vec<Value> = list.items.iter().map(|item| partial(item.value())).collect();
            let list = json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": items,
            });
            list.to_string().into_bytes()
        }
    };
    respond::json(StatusCode::OK, body)
}

fn page(list: &List) -> Map<String, Value> {
    let version = json!(list.resource_version.to_string());
    let mut metadata = Map::from_iter([("resourceVersion".to_owned(), version)]);
    if let Some(token) = &list.continue_token {
        metadata.insert("continue".to_owned(), json!(token));
        if let Some(remaining) = list.remaining {
            metadata.insert("remainingItemCount".to_owned(), json!(remaining));
        }
    }
    metadata
}

/// Joins the bytes that every object already has.
fn plain(resource: &Resource, metadata: &Value, items: &[Arc<Object>]) -> Vec<u8> {
    let head =
        json!({"kind": resource.list_kind, "apiVersion": resource.api_version()}).to_string();
    let mut body = Vec::from(head.trim_end_matches('}'));
    body.extend_from_slice(format!(",\"metadata\":{metadata},\"items\":[").as_bytes());
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        match resource.origin {
            Origin::Custom => body.extend_from_slice(&item.bytes()),
            // The list says the kind of its members; upstream's typed members do not repeat it.
            Origin::BuiltIn => body.extend_from_slice(&untyped(item)),
        }
    }
    body.extend_from_slice(b"]}");
    body
}

fn untyped(item: &Object) -> Vec<u8> {
    let map = item.value().as_object();
    let fields =
        map.into_iter().flatten().filter(|(key, _)| *key != "kind" && *key != "apiVersion");
    let fields: std::collections::BTreeMap<&String, &Value> = fields.collect();
    serde_json::to_vec(&fields).unwrap_or_default()
}

/// The annotation of daemon sets for clients of long ago is not in tables.
fn forget_annotation(metadata: &mut Value) {
    let annotations = metadata.get_mut("annotations").and_then(Value::as_object_mut);
    let left = annotations.map(|annotations| {
        annotations.remove("deprecated.daemonset.template.generation");
        annotations.len()
    });
    if let (Some(0), Some(map)) = (left, metadata.as_object_mut()) {
        map.remove("annotations");
    }
}

fn table(
    hub: &Hub,
    resource: &Resource,
    include: Include,
    metadata: &Value,
    items: &[Arc<Object>],
) -> String {
    let now = hub.clock.now();
    let layout = Layout::of(resource);
    let row = |item: &Arc<Object>| {
        let mut row = layout.row(item.value(), include, now);
        if resource.plural == "daemonsets" && include == Include::Metadata {
            forget_annotation(&mut row["object"]["metadata"]);
        }
        row
    };
    let rows: Vec<Value> = items.iter().map(row).collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": layout.definitions(),
        "rows": rows,
    })
    .to_string()
}
