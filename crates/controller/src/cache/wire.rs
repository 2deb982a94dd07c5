//! An object as the API server sends it, read no further than to tell which it is.
//!
//! Most of what watches bring are pods and ReplicaSets, in which a planner reads a few fields of
//! hundreds. So the text is kept as it came and read once, straight into the type of its kind
//! (see [`Kind::read`](super::Kind::read)).

use super::{Owner, kind::LABELS};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{
    Resource,
    api::ObjectMeta,
    core::{ApiResource, DynamicResourceScope},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::{RawValue, to_raw_value};
use std::{borrow::Cow, fmt, ops::Range};

/// An object of a kind that only the watch knows it by.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    /// What tells it from others, and whether it changed.
    pub(crate) metadata: ObjectMeta,
    /// Those of its labels that some kind is found by.
    pub(crate) labels: Vec<(&'static str, Box<str>)>,
    /// Its controlling owner.
    pub(crate) owner: Option<Owner>,
    /// All of it.
    pub(crate) text: Box<str>,
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
    labels: Option<Labels>,
    owner_references: Option<Vec<OwnerReference>>,
    deletion_timestamp: Option<Time>,
    #[serde(borrow)]
    managed_fields: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OwnerReference {
    kind: String,
    name: String,
    uid: String,
    controller: Option<bool>,
}

/// Labels that some kind is found by; an object may have dozens of others.
struct Labels(Vec<(&'static str, Box<str>)>);

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
        let owners = metadata.owner_references.into_iter().flatten();
        let owner = owners.into_iter().find(|owner| owner.controller == Some(true));
        let labels = metadata.labels.map_or_else(Vec::new, |Labels(labels)| labels);
        let metadata = ObjectMeta {
            name: metadata.name,
            namespace: metadata.namespace,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            generation: metadata.generation,
            deletion_timestamp: metadata.deletion_timestamp,
            ..ObjectMeta::default()
        };
        let text = match managers {
            Some(managers) => without(text.get(), managers),
            None => text.into(),
        };
        Ok(Self { metadata, labels, owner: owner.map(OwnerReference::into_owner), text })
    }
}

impl OwnerReference {
    fn into_owner(self) -> Owner {
        Owner { kind: self.kind, name: self.name, uid: self.uid }
    }
}

/// Where `part` lies, which is a part of `whole`.
fn place(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

/// `text` with nothing where the value at `place` was. Who manages which field is half of a small object,
/// and nobody asks.
fn without(text: &str, place: Range<usize>) -> Box<str> {
    [&text[..place.start], "null", &text[place.end..]].concat().into()
}

impl<'de> Deserialize<'de> for Wire {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        Self::read(Box::deserialize(source)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_map(Self(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Labels {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match LABELS.into_iter().find(|known| *known == key) {
                Some(known) => self.0.push((known, map.next_value()?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(self)
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
