//! An object as the API server sends it, read no further than to tell which it is.
//!
//! Most of what watches bring are pods and ReplicaSets, in which a planner reads a few fields of
//! hundreds. So the text is kept as it came and read once, straight into the type of its kind
//! (see [`Kind::read`](super::Kind::read)).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::{
    Resource,
    api::ObjectMeta,
    core::{ApiResource, DynamicResourceScope},
};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::{RawValue, to_raw_value};
use std::{borrow::Cow, collections::BTreeMap, ops::Range};

/// An object of a kind that only the watch knows it by.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    /// What tells it from others; without its annotations, finalizers and managers.
    pub(crate) metadata: ObjectMeta,
    /// All of it.
    pub(crate) text: Box<RawValue>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(default, borrow)]
    metadata: Identifying<'a>,
}

/// The metadata that says which object it is, and whom it concerns.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Identifying<'a> {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
    deletion_timestamp: Option<Time>,
    #[serde(borrow)]
    managed_fields: Option<&'a RawValue>,
}

impl Wire {
    /// Takes in an object that was read by itself.
    ///
    /// # Errors
    /// When its metadata is none.
    pub(crate) fn of<T: serde::Serialize>(object: &T) -> serde_json::Result<Self> {
        Self::read(to_raw_value(object)?)
    }

    fn read(text: Box<RawValue>) -> serde_json::Result<Self> {
        let Head { metadata } = serde_json::from_str(text.get())?;
        let managers = metadata.managed_fields.map(|managers| place(text.get(), managers.get()));
        let metadata = ObjectMeta {
            name: metadata.name,
            namespace: metadata.namespace,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            generation: metadata.generation,
            labels: metadata.labels,
            owner_references: metadata.owner_references,
            deletion_timestamp: metadata.deletion_timestamp,
            ..ObjectMeta::default()
        };
        let text = match managers {
            Some(managers) => RawValue::from_string(without(text.get(), managers))?,
            None => text,
        };
        Ok(Self { metadata, text })
    }
}

/// Where `part` lies, which is a part of `whole`.
fn place(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

/// `text` with nothing where the value at `place` was. Who manages which field is half of a small object,
/// and nobody asks.
fn without(text: &str, place: Range<usize>) -> String {
    [&text[..place.start], "null", &text[place.end..]].concat()
}

impl<'de> Deserialize<'de> for Wire {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        Self::read(Box::deserialize(source)?).map_err(D::Error::custom)
    }
}

impl Resource for Wire {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
