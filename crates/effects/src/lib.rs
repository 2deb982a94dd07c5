//! Carrying out single writes: from a [`Write`] to the one HTTP request that means it.
//!
//! [`request`] is pure, [`perform`] sends. Everything that writes to a cluster on behalf of a plan or a
//! person goes through here, so that a precondition can be forgotten in one place only.
//!
//! **Invariant.** Nothing here decides: a [`Write`] says what, where and on which condition.

use http::{Request, header};
use kube::{Client, core::ApiResource, core::GroupVersionKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vocab::{ObjectRef, PatchType, Precondition, Propagation, Subresource, Write};

/// In whose name a request is made.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    /// Under which name fields are kept in managedFields.
    pub field_manager: &'static str,
    /// The user agent of the request.
    pub user_agent: &'static str,
}

/// Sends one write and hands back what the server answered.
///
/// # Errors
/// What the client or the API server said.
pub async fn perform(client: &Client, actor: Actor, write: &Write) -> Result<Value, kube::Error> {
    let request = request(actor, write).map_err(kube::Error::HttpError)?;
    client.request::<Value>(request).await
}

/// The request that a write is.
///
/// # Errors
/// When a name cannot stand in a URL.
pub fn request(actor: Actor, write: &Write) -> Result<Request<Vec<u8>>, http::Error> {
    let manager = actor.field_manager;
    let (method, path, content, body) = match write {
        Write::Create { object } => {
            let path = format!("{}?fieldManager={manager}", collection(&ObjectRef::of(object)));
            ("POST", path, JSON, text(object))
        }
        Write::Patch { target, subresource, patch_type, body, precondition } => {
            let path = patch_path(target, *subresource, *patch_type, manager);
            ("PATCH", path, content_type(*patch_type), guarded(body, *patch_type, precondition))
        }
        Write::Delete { target, propagation, precondition } => {
            ("DELETE", path(target), JSON, text(&delete_options(Some(*propagation), precondition)))
        }
        Write::Evict { target, precondition } => (
            "POST",
            format!("{}/eviction", path(target)),
            JSON,
            text(&eviction(target, precondition)),
        ),
    };
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, content)
        .header(header::USER_AGENT, actor.user_agent)
        .body(body)
}

/// The verb of a write: `create`, `patch`, `delete` or `evict`.
pub fn verb(write: &Write) -> &'static str {
    match write {
        Write::Create { .. } => "create",
        Write::Patch { .. } => "patch",
        Write::Delete { .. } => "delete",
        Write::Evict { .. } => "evict",
    }
}

const JSON: &str = "application/json";

/// What is spelled out in a part of a path: all but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path of the collection an object belongs to.
fn collection(target: &ObjectRef) -> String {
    let plural = plural(target);
    let root = if target.api_version.contains('/') { "/apis" } else { "/api" };
    let version = &target.api_version;
    if target.namespace.is_empty() {
        format!("{root}/{version}/{plural}")
    } else {
        let namespace = utf8_percent_encode(&target.namespace, RESERVED);
        format!("{root}/{version}/namespaces/{namespace}/{plural}")
    }
}

/// The path of one object, whose name stays one part of it whatever it is.
pub fn path(target: &ObjectRef) -> String {
    format!("{}/{}", collection(target), utf8_percent_encode(&target.name, RESERVED))
}

/// The kinds we write all follow the regular plural.
fn plural(target: &ObjectRef) -> String {
    let (group, version) = target.api_version.split_once('/').unwrap_or(("", &target.api_version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &target.kind)).plural
}

fn patch_path(
    target: &ObjectRef,
    subresource: Subresource,
    patch_type: PatchType,
    manager: &str,
) -> String {
    let part = match subresource {
        Subresource::Main => "",
        Subresource::Status => "/status",
    };
    let force = if patch_type == PatchType::Apply { "&force=true" } else { "" };
    format!("{}{part}?fieldManager={manager}{force}", path(target))
}

fn content_type(patch_type: PatchType) -> &'static str {
    match patch_type {
        PatchType::Merge => "application/merge-patch+json",
        PatchType::Json => "application/json-patch+json",
        PatchType::Strategic => "application/strategic-merge-patch+json",
        PatchType::Apply => "application/apply-patch+yaml",
    }
}

/// A body on the wire.
fn text(body: &impl Serialize) -> Vec<u8> {
    // JSON in memory can always be written out.
    serde_json::to_vec(body).unwrap_or_default()
}

/// The patch with the precondition in it, where the server checks it.
fn guarded(body: &Value, patch_type: PatchType, precondition: &Precondition) -> Vec<u8> {
    let facts = [("uid", &precondition.uid), ("resourceVersion", &precondition.resource_version)];
    let facts = facts.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    match (patch_type, body) {
        (PatchType::Json, Value::Array(operations)) => {
            let tests = facts.map(|(name, value)| {
                json!({"op": "test", "path": format!("/metadata/{name}"), "value": value})
            });
            text(&tests.chain(operations.iter().cloned()).collect::<Vec<_>>())
        }
        (_, Value::Object(fields)) => {
            let mut metadata = fields.get("metadata").cloned().unwrap_or_else(|| json!({}));
            for (name, value) in facts {
                metadata[name] = json!(value);
            }
            let mut whole: BTreeMap<&str, &Value> =
                fields.iter().map(|(name, value)| (name.as_str(), value)).collect();
            if metadata != json!({}) {
                whole.insert("metadata", &metadata);
            }
            text(&whole)
        }
        _ => text(body),
    }
}

fn delete_options(propagation: Option<Propagation>, precondition: &Precondition) -> Value {
    let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
    if let Some(propagation) = propagation {
        options["propagationPolicy"] = json!(format!("{propagation:?}"));
    }
    if let Some(uid) = &precondition.uid {
        options["preconditions"]["uid"] = json!(uid);
    }
    if let Some(version) = &precondition.resource_version {
        options["preconditions"]["resourceVersion"] = json!(version);
    }
    options
}

fn eviction(target: &ObjectRef, precondition: &Precondition) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": target.name, "namespace": target.namespace},
        "deleteOptions": delete_options(None, precondition),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_path(api_version: &str, kind: &str, namespace: &str, expected: &str) {
        assert_eq!(path(&ObjectRef::new(api_version, kind, namespace, "x")), expected);
    }

    #[test]
    fn objects_have_the_paths_of_the_api() {
        check_path("v1", "Service", "a", "/api/v1/namespaces/a/services/x");
        check_path("apps/v1", "ReplicaSet", "a", "/apis/apps/v1/namespaces/a/replicasets/x");
        check_path(
            "gateway.networking.k8s.io/v1",
            "HTTPRoute",
            "a",
            "/apis/gateway.networking.k8s.io/v1/namespaces/a/httproutes/x",
        );
        check_path(
            "argoproj.io/v1alpha1",
            "ClusterAnalysisTemplate",
            "",
            "/apis/argoproj.io/v1alpha1/clusteranalysistemplates/x",
        );
        check_path("v1", "Endpoints", "a", "/api/v1/namespaces/a/endpoints/x");
        check_path(
            "networking.k8s.io/v1",
            "Ingress",
            "a",
            "/apis/networking.k8s.io/v1/namespaces/a/ingresses/x",
        );
    }

    #[test]
    fn a_name_stays_one_part_of_a_path() {
        for (name, expected) in [
            ("a.b-1", "a.b-1"),
            ("?watch=1", "%3Fwatch%3D1"),
            ("../pods/x", "..%2Fpods%2Fx"),
            ("a b#c", "a%20b%23c"),
        ] {
            let path = path(&ObjectRef::new("batch/v1", "Job", "a", name));
            assert_eq!(path, format!("/apis/batch/v1/namespaces/a/jobs/{expected}"));
        }
    }

    fn held() -> Precondition {
        Precondition { uid: Some("u".to_owned()), resource_version: Some("7".to_owned()) }
    }

    #[test]
    fn preconditions_travel_inside_the_patch() {
        let sent = |body: &Value, patch_type| -> Value {
            serde_json::from_slice(&guarded(body, patch_type, &held())).unwrap()
        };
        let merged = sent(&json!({"status": {"phase": "Healthy"}}), PatchType::Merge);
        let expected = json!({"metadata": {"uid": "u", "resourceVersion": "7"}, "status": {"phase": "Healthy"}});
        assert_eq!(merged, expected);
        let operations = sent(&json!([{"op": "remove", "path": "/a"}]), PatchType::Json);
        assert_eq!(
            operations[1],
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"})
        );
        assert_eq!(operations[2], json!({"op": "remove", "path": "/a"}));
    }

    #[test]
    fn deletes_carry_their_policy_and_precondition() {
        let options = delete_options(Some(Propagation::Background), &held());
        assert_eq!(options["propagationPolicy"], "Background");
        assert_eq!(options["preconditions"], json!({"uid": "u", "resourceVersion": "7"}));
    }
}
