//! What every controller asks of Kubernetes objects: names, owners, selectors, readiness.

use crate::spans;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Pod, PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference, Time},
};
use kube::core::{Resource, Selector, SelectorExt};
use std::collections::BTreeMap;
use vocab::ObjectRef;

/// Labels or annotations.
pub(crate) type Words = BTreeMap<String, String>;

/// An empty set of labels, for objects that have none.
pub(crate) static NO_WORDS: Words = Words::new();

/// The name of an object; empty before the server named it.
pub(crate) fn name_of(meta: &ObjectMeta) -> &str {
    meta.name.as_deref().unwrap_or_default()
}

/// The namespace of an object; empty for cluster-scoped ones.
pub(crate) fn namespace_of(meta: &ObjectMeta) -> &str {
    meta.namespace.as_deref().unwrap_or_default()
}

/// The uid of an object; empty before the server gave one.
pub(crate) fn uid_of(meta: &ObjectMeta) -> &str {
    meta.uid.as_deref().unwrap_or_default()
}

/// The labels of an object.
pub(crate) fn labels_of(meta: &ObjectMeta) -> &Words {
    meta.labels.as_ref().unwrap_or(&NO_WORDS)
}

/// One annotation of an object.
pub(crate) fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}

/// Names an object for a write or an event.
pub(crate) fn reference<K: Resource<DynamicType = ()>>(object: &K) -> ObjectRef {
    let meta = object.meta();
    ObjectRef::new(&K::api_version(&()), &K::kind(&()), namespace_of(meta), name_of(meta))
}

/// The owner reference that makes `owner` the controller of another object.
pub(crate) fn controlled_by<K: Resource<DynamicType = ()>>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: name_of(owner.meta()).to_owned(),
        uid: uid_of(owner.meta()).to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The owner that controls an object, if any.
pub(crate) fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// Whether the object with `uid` controls this one.
pub(crate) fn is_controlled_by(meta: &ObjectMeta, uid: &str) -> bool {
    controller_of(meta).is_some_and(|owner| owner.uid == uid)
}

/// A selector ready for use; `None` when it cannot be read or would choose everything.
pub(crate) fn selector(selector: &LabelSelector) -> Option<Selector> {
    Selector::try_from(selector.clone()).ok().filter(|selector| !selector.selects_all())
}

/// Whether a selector chooses these labels; one that cannot be read or is empty chooses none.
pub(crate) fn selects(wanted: &LabelSelector, labels: &Words) -> bool {
    selector(wanted).is_some_and(|selector| selector.matches(labels))
}

/// Whether every pair of `wanted` is among `labels`; an empty `wanted` chooses none.
pub(crate) fn contains_all(wanted: &Words, labels: &Words) -> bool {
    !wanted.is_empty() && wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// The phase a pod reports; `Pending` before it reports any.
pub(crate) fn phase_of(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

/// Whether a pod has ended for good.
pub(crate) fn has_ended(pod: &Pod) -> bool {
    matches!(phase_of(pod), "Succeeded" | "Failed")
}

/// Whether a pod counts: it has neither ended nor been told to.
pub(crate) fn is_active(pod: &Pod) -> bool {
    !has_ended(pod) && pod.metadata.deletion_timestamp.is_none()
}

/// Since when a pod has been ready; `None` when it is not.
pub(crate) fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|c| c.type_ == "Ready" && c.status == "True")?;
    Some(ready.last_transition_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0))
}

/// When a ready pod becomes available; `None` when it is not ready.
pub(crate) fn available_from(pod: &Pod, min_ready_seconds: i32) -> Option<Timestamp> {
    ready_since(pod).map(|since| spans::after_seconds(since, i64::from(min_ready_seconds)))
}

/// When an object was created.
pub(crate) fn created_at(meta: &ObjectMeta) -> Timestamp {
    meta.creation_timestamp.as_ref().map_or(Timestamp::MAX, |time| time.0)
}

/// A time as the API carries it.
#[expect(clippy::unnecessary_wraps, reason = "every time field of the API is optional")]
pub(crate) fn stamp(at: Timestamp) -> Option<Time> {
    Some(Time(at))
}

/// The pod that `template` asks for, owned by `owner`, to be named by the server after `prefix`.
pub(crate) fn pod_from<K: Resource<DynamicType = ()>>(
    owner: &K,
    template: &PodTemplateSpec,
    prefix: &str,
) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{prefix}-")),
            namespace: owner.meta().namespace.clone(),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![controlled_by(owner)]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// The object as JSON with its apiVersion and kind.
pub(crate) fn whole<K: Resource<DynamicType = ()> + serde::Serialize>(
    object: &K,
) -> serde_json::Value {
    let mut value = crate::effect::wire(object);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("apiVersion".into(), K::api_version(&()).as_ref().into());
        fields.insert("kind".into(), K::kind(&()).as_ref().into());
    }
    value
}
