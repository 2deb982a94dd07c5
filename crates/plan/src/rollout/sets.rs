//! Reading a ReplicaSet in the rollout's words.
//!
//! Start with [`SetExt`]. Nothing here changes a ReplicaSet.

use super::replicas::Count;
use api::argo::keys;
use jiff::Timestamp;
use k8s_openapi::{
    api::apps::v1::ReplicaSet,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use vocab::{ObjectRef, Precondition};

/// What the planner asks of a ReplicaSet; absent numbers count as zero, absent texts as empty.
pub(crate) trait SetExt {
    fn name(&self) -> &str;
    fn hash(&self) -> &str;
    fn annotation(&self, key: &str) -> Option<&str>;
    fn wanted(&self) -> i32;
    fn actual(&self) -> i32;
    fn ready(&self) -> i32;
    fn available(&self) -> i32;
    fn count(&self) -> Count;
    fn revision(&self) -> i64;
    fn desired_replicas(&self) -> Option<i32>;
    fn has_deadline(&self) -> bool;
    fn deadline(&self) -> Option<Timestamp>;
    fn created(&self) -> Timestamp;
    fn target(&self) -> ObjectRef;
    fn precondition(&self) -> Precondition;
}

impl SetExt for ReplicaSet {
    fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    fn hash(&self) -> &str {
        label(&self.metadata, keys::POD_TEMPLATE_HASH).unwrap_or_default()
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        annotation(&self.metadata, key)
    }

    fn wanted(&self) -> i32 {
        // An absent count means one pod to the ReplicaSet controller.
        self.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
    }

    fn actual(&self) -> i32 {
        self.status.as_ref().map_or(0, |status| status.replicas)
    }

    fn ready(&self) -> i32 {
        self.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0)
    }

    fn available(&self) -> i32 {
        self.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
    }

    fn count(&self) -> Count {
        Count { wanted: self.wanted(), available: self.available() }
    }

    fn revision(&self) -> i64 {
        revision_of(&self.metadata)
    }

    fn desired_replicas(&self) -> Option<i32> {
        self.annotation(keys::DESIRED_REPLICAS)?.parse().ok()
    }

    fn has_deadline(&self) -> bool {
        self.annotation(keys::SCALE_DOWN_DEADLINE).is_some_and(|text| !text.is_empty())
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.annotation(keys::SCALE_DOWN_DEADLINE)?.parse().ok()
    }

    fn created(&self) -> Timestamp {
        created(&self.metadata)
    }

    fn target(&self) -> ObjectRef {
        ObjectRef::new(
            "apps/v1",
            "ReplicaSet",
            self.metadata.namespace.as_deref().unwrap_or_default(),
            self.name(),
        )
    }

    fn precondition(&self) -> Precondition {
        precondition(&self.metadata)
    }
}

/// The conditions under which what was observed of an object still holds.
pub(crate) fn precondition(metadata: &ObjectMeta) -> Precondition {
    Precondition { uid: metadata.uid.clone(), resource_version: metadata.resource_version.clone() }
}

/// The reference of an object to the one that controls it, which is of the Argo kind named.
pub(crate) fn owner(kind: &str, owner: &ObjectMeta) -> OwnerReference {
    OwnerReference {
        api_version: api::argo::API_VERSION.to_owned(),
        kind: kind.to_owned(),
        name: owner.name.clone().unwrap_or_default(),
        uid: owner.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The revision in an object's annotations, zero when there is none.
pub(crate) fn revision_of(metadata: &ObjectMeta) -> i64 {
    annotation(metadata, keys::REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// When an object was made; the beginning of time when it does not say.
pub(crate) fn created(metadata: &ObjectMeta) -> Timestamp {
    metadata.creation_timestamp.as_ref().map_or(Timestamp::MIN, |time| time.0)
}

/// One annotation of an object.
pub(crate) fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

/// One label of an object.
pub(crate) fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// The uid of the controller that owns an object.
pub(crate) fn controller_uid(metadata: &ObjectMeta) -> Option<&str> {
    let owners = metadata.owner_references.as_ref()?;
    owners.iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str())
}

/// Pods asked for by all of `sets`.
pub(crate) fn total_wanted<'a>(sets: impl IntoIterator<Item = &'a ReplicaSet>) -> i32 {
    sets.into_iter().map(SetExt::wanted).sum()
}

/// Pods that exist of all of `sets`.
pub(crate) fn total_actual<'a>(sets: impl IntoIterator<Item = &'a ReplicaSet>) -> i32 {
    sets.into_iter().map(SetExt::actual).sum()
}

/// Pods available of all of `sets`.
pub(crate) fn total_available<'a>(sets: impl IntoIterator<Item = &'a ReplicaSet>) -> i32 {
    sets.into_iter().map(SetExt::available).sum()
}
