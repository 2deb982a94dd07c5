//! One write to the Kubernetes API, complete in itself.

use crate::ObjectRef;
use serde_json::Value;

/// A write that leaves the executor no choice: what, where, and on which condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Creates `object`; an object of that name that already exists fails the plan, and the next plan looks again.
    Create {
        /// The whole object with apiVersion, kind, name and namespace.
        object: Value,
    },
    /// Patches an object or one of its subresources.
    Patch {
        /// What is patched.
        target: ObjectRef,
        /// Main resource or subresource.
        subresource: Subresource,
        /// How `body` is to be understood.
        patch_type: PatchType,
        /// The patch itself.
        body: Value,
        /// What must still hold for the write to happen.
        precondition: Precondition,
    },
    /// Deletes an object.
    Delete {
        /// What is deleted.
        target: ObjectRef,
        /// What becomes of its dependents.
        propagation: Propagation,
        /// What must still hold for the write to happen.
        precondition: Precondition,
    },
    /// Evicts a pod through its eviction subresource, so that disruption budgets are kept.
    Evict {
        /// The pod.
        target: ObjectRef,
        /// What must still hold for the write to happen.
        precondition: Precondition,
    },
}

impl Write {
    /// The object it is about.
    pub fn target(&self) -> ObjectRef {
        match self {
            Self::Create { object } => ObjectRef::of(object),
            Self::Patch { target, .. }
            | Self::Delete { target, .. }
            | Self::Evict { target, .. } => target.clone(),
        }
    }

    /// Whether it creates an object of a kind.
    pub fn creates(&self, kind: &str) -> bool {
        matches!(self, Self::Create { object } if object["kind"] == kind)
    }

    /// The same write to its object in another version.
    #[must_use]
    pub fn resting_on(mut self, version: &str) -> Self {
        match &mut self {
            Self::Create { .. } => {}
            Self::Patch { precondition, .. }
            | Self::Delete { precondition, .. }
            | Self::Evict { precondition, .. } => {
                precondition.resource_version = Some(version.to_owned());
            }
        }
        self
    }
}

/// The part of an object that a patch addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subresource {
    /// The main resource.
    Main,
    /// `/status`.
    Status,
}

/// The four patch formats of the Kubernetes API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 7386 merge patch.
    Merge,
    /// RFC 6902 JSON patch.
    Json,
    /// Kubernetes strategic merge patch.
    Strategic,
    /// Server-side apply under the controller's field manager.
    Apply,
}

/// What must hold of the live object for a write to go through; the server checks it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    /// The object's uid.
    pub uid: Option<String>,
    /// The object's resourceVersion.
    pub resource_version: Option<String>,
}

/// What happens to the dependents of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Dependents are collected afterwards.
    Background,
    /// Dependents go first.
    Foreground,
    /// Dependents stay.
    Orphan,
}
