//! Carrying out single writes against the API server, each under its precondition.
//!
//! **Invariant.** The writer decides nothing: a [`Write`] says what, where and on which condition.

use crate::{
    authority::Authority,
    fault::{Cause, RequestFailed},
    metrics::Metrics,
};
use http::{Request, header};
use kube::{Client, core::ApiResource, core::GroupVersionKind};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use vocab::{ObjectRef, PatchType, Precondition, Propagation, Subresource, Write};

/// Under whose name our fields are kept in managedFields.
pub const FIELD_MANAGER: &str = "rollouts-controller";
/// How we present ourselves to the API server.
const USER_AGENT: &str = "ringfence-controller";
/// How long one request may take before its outcome counts as unknown.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Performs requests in the name of the controller. Copies share everything.
#[derive(Clone)]
pub(crate) struct Writer {
    client: Client,
    authority: Authority,
    metrics: Arc<Metrics>,
}

/// What a write left behind, for the fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The object written.
    pub(crate) target: ObjectRef,
    /// What must be seen of it before planning again.
    pub(crate) expect: Expect,
}

/// What must be seen of an object before planning again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// This resourceVersion or a later one.
    Version(String),
    /// That the object of this uid is gone or going.
    Going(Option<String>),
    /// Nothing.
    Nothing,
}

impl Writer {
    /// A writer on `client` that asks `authority` before each write.
    pub(crate) fn new(client: Client, authority: Authority, metrics: Arc<Metrics>) -> Self {
        Self { client, authority, metrics }
    }

    /// Performs one write.
    pub(crate) async fn write(&self, write: &Write) -> Result<Written, RequestFailed> {
        let (target, draft) = prepare(write);
        let answer = self.send_checked(draft, &target).await;
        let answer = answer.map_err(|cause| failed(verb(write), &target, cause))?;
        let expect = match write {
            Write::Create { .. } | Write::Patch { .. } => version_of(&answer),
            Write::Delete { precondition, .. } => Expect::Going(precondition.uid.clone()),
            Write::Evict { .. } => Expect::Nothing,
        };
        Ok(Written { target, expect })
    }

    /// Reads one object as it is now; `None` when there is none.
    pub(crate) async fn get(&self, target: &ObjectRef) -> Result<Option<Value>, RequestFailed> {
        let draft = Draft { method: "GET", path: path(target), content: "", body: None };
        match self.send(draft, target).await {
            Ok(value) => Ok(Some(value)),
            Err(Cause::Missed) => Ok(None),
            Err(cause) => Err(failed("get", target, cause)),
        }
    }

    async fn send_checked(&self, draft: Draft, target: &ObjectRef) -> Result<Value, Cause> {
        self.authority.check().map_err(Cause::Refused)?;
        self.send(draft, target).await
    }

    async fn send(&self, draft: Draft, target: &ObjectRef) -> Result<Value, Cause> {
        let method = draft.method;
        let request = draft.into_request()?;
        let answer = tokio::time::timeout(REQUEST_TIMEOUT, self.client.request::<Value>(request));
        let answer = match answer.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Cause::from_client(&error)),
            Err(_) => Err(Cause::Unanswered(format!("{} s passed", REQUEST_TIMEOUT.as_secs()))),
        };
        let outcome = answer.as_ref().err().map_or("Ok", Cause::code);
        self.metrics.count_request(target, method, outcome);
        answer
    }
}

/// A request before it is put on the wire.
struct Draft {
    method: &'static str,
    path: String,
    content: &'static str,
    body: Option<Value>,
}

impl Draft {
    fn into_request(self) -> Result<Request<Vec<u8>>, Cause> {
        let body = self.body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        Request::builder()
            .method(self.method)
            .uri(self.path)
            .header(header::CONTENT_TYPE, self.content)
            .header(header::USER_AGENT, USER_AGENT)
            .body(body)
            .map_err(|error| Cause::Invalid(error.to_string()))
    }
}

fn prepare(write: &Write) -> (ObjectRef, Draft) {
    match write {
        Write::Create { object } => prepare_create(object),
        Write::Patch { target, subresource, patch_type, body, precondition } => {
            let draft = Draft {
                method: "PATCH",
                path: patch_path(target, *subresource, *patch_type),
                content: content_type(*patch_type),
                body: Some(guarded(body, *patch_type, precondition)),
            };
            (target.clone(), draft)
        }
        Write::Delete { target, propagation, precondition } => {
            let body = delete_options(Some(*propagation), precondition);
            let path = path(target);
            let draft = Draft { method: "DELETE", path, content: JSON, body: Some(body) };
            (target.clone(), draft)
        }
        Write::Evict { target, precondition } => {
            let path = format!("{}/eviction", path(target));
            let body = eviction(target, precondition);
            (target.clone(), Draft { method: "POST", path, content: JSON, body: Some(body) })
        }
    }
}

const JSON: &str = "application/json";

fn prepare_create(object: &Value) -> (ObjectRef, Draft) {
    let target = reference(object);
    let path = format!("{}?fieldManager={FIELD_MANAGER}", collection(&target));
    let draft = Draft { method: "POST", path, content: JSON, body: Some(object.clone()) };
    (target, draft)
}

/// Names the object that `object` is.
pub(crate) fn reference(object: &Value) -> ObjectRef {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    ObjectRef::new(
        text("/apiVersion"),
        text("/kind"),
        text("/metadata/namespace"),
        text("/metadata/name"),
    )
}

fn verb(write: &Write) -> &'static str {
    match write {
        Write::Create { .. } => "create",
        Write::Patch { .. } => "patch",
        Write::Delete { .. } => "delete",
        Write::Evict { .. } => "evict",
    }
}

fn failed(verb: &'static str, target: &ObjectRef, cause: Cause) -> RequestFailed {
    RequestFailed { verb, target: target.clone(), cause }
}

fn version_of(answer: &Value) -> Expect {
    let version = answer.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    version.map_or(Expect::Nothing, |version| Expect::Version(version.to_owned()))
}

/// The path of the collection an object belongs to.
fn collection(target: &ObjectRef) -> String {
    let plural = plural(target);
    let root = if target.api_version.contains('/') { "/apis" } else { "/api" };
    let version = &target.api_version;
    if target.namespace.is_empty() {
        format!("{root}/{version}/{plural}")
    } else {
        format!("{root}/{version}/namespaces/{}/{plural}", target.namespace)
    }
}

fn path(target: &ObjectRef) -> String {
    format!("{}/{}", collection(target), target.name)
}

/// The kinds we write all follow the regular plural.
fn plural(target: &ObjectRef) -> String {
    let (group, version) = target.api_version.split_once('/').unwrap_or(("", &target.api_version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &target.kind)).plural
}

fn patch_path(target: &ObjectRef, subresource: Subresource, patch_type: PatchType) -> String {
    let part = match subresource {
        Subresource::Main => "",
        Subresource::Status => "/status",
    };
    let force = if patch_type == PatchType::Apply { "&force=true" } else { "" };
    format!("{}{part}?fieldManager={FIELD_MANAGER}{force}", path(target))
}

fn content_type(patch_type: PatchType) -> &'static str {
    match patch_type {
        PatchType::Merge => "application/merge-patch+json",
        PatchType::Json => "application/json-patch+json",
        PatchType::Strategic => "application/strategic-merge-patch+json",
        PatchType::Apply => "application/apply-patch+yaml",
    }
}

/// Puts the precondition into the patch itself, where the server checks it.
fn guarded(body: &Value, patch_type: PatchType, precondition: &Precondition) -> Value {
    let facts = [("uid", &precondition.uid), ("resourceVersion", &precondition.resource_version)];
    let facts = facts.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let mut body = body.clone();
    match (patch_type, &mut body) {
        (PatchType::Json, Value::Array(operations)) => {
            let tests = facts.map(|(name, value)| {
                json!({"op": "test", "path": format!("/metadata/{name}"), "value": value})
            });
            operations.splice(0..0, tests);
        }
        (_, Value::Object(_)) => {
            for (name, value) in facts {
                body["metadata"][name] = json!(value);
            }
        }
        _ => {}
    }
    body
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

    fn held() -> Precondition {
        Precondition { uid: Some("u".to_owned()), resource_version: Some("7".to_owned()) }
    }

    #[test]
    fn preconditions_travel_inside_the_patch() {
        let merged = guarded(&json!({"status": {"phase": "Healthy"}}), PatchType::Merge, &held());
        let expected = json!({"metadata": {"uid": "u", "resourceVersion": "7"}, "status": {"phase": "Healthy"}});
        assert_eq!(merged, expected);
        let operations =
            guarded(&json!([{"op": "remove", "path": "/a"}]), PatchType::Json, &held());
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
