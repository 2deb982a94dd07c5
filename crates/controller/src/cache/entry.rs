//! One object of the cache: its text, and what it is found by.
//!
//! There are tens of thousands, so no more of an object's metadata is kept beside the text than is asked for.

use super::{Kept, Kind, Wire};
use std::sync::Arc;

/// One object as last seen.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The object as it came, without what no planner looks at.
    pub(crate) text: Arc<str>,
    /// Its uid.
    pub(crate) uid: Option<String>,
    /// Its resourceVersion.
    pub(crate) version: Option<String>,
    /// Which state of its specification it is.
    pub(crate) generation: Option<i64>,
    /// Whether its deletion has begun.
    pub(crate) is_going: bool,
    /// The value of the label that its kind is found by; see [`Kind::label`].
    pub(crate) label: Option<Box<str>>,
    /// Its controlling owner.
    pub(crate) owner: Option<Box<Owner>>,
}

/// The object that another one belongs to, in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Its kind, without a group.
    pub(crate) kind: String,
    /// Its name.
    pub(crate) name: String,
    /// Its uid.
    pub(crate) uid: String,
}

impl Entry {
    /// An object as it came.
    pub(super) fn new(kind: Kind, wire: Wire) -> Self {
        let Wire { metadata, mut labels, owner, text } = wire;
        let own = kind.label().and_then(|key| labels.iter().position(|(known, _)| *known == key));
        Self {
            text: kind.slim(text),
            uid: metadata.uid,
            version: metadata.resource_version,
            generation: metadata.generation,
            is_going: metadata.deletion_timestamp.is_some(),
            label: own.map(|place| labels.swap_remove(place).1),
            owner: owner.map(Box::new),
        }
    }

    /// The object in its own type, read anew.
    pub(crate) fn read(&self, kind: Kind) -> Kept {
        kind.read(&self.text)
    }

    /// Whether `other` shows nothing newer: a single read may have shown us more than the watch has told yet.
    pub(super) fn is_same_or_newer(&self, other: &Self) -> bool {
        let wanted = other.version.as_deref().unwrap_or_default();
        self.uid == other.uid && !self.is_older(wanted)
    }

    /// Whether this is from before the version `wanted`. Versions are ordered numbers; those that are not are
    /// told apart only as equal or not.
    pub(super) fn is_older(&self, wanted: &str) -> bool {
        let Some(seen) = self.version.as_deref() else { return true };
        match (seen.parse::<u128>(), wanted.parse::<u128>()) {
            (Ok(seen), Ok(wanted)) => seen < wanted,
            _ => seen != wanted,
        }
    }
}
