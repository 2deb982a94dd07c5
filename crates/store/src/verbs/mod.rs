//! The verbs of the API, one file each. Reads share what is stored; writes make new objects.

pub(crate) mod apply;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod patch;
pub(crate) mod read;
pub(crate) mod update;
pub(crate) mod write;

use std::sync::Arc;

use crate::object::Object;

/// What a write did.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object, in the version asked for.
    pub object: Arc<Object>,
    /// Whether the object is new (201 instead of 200).
    pub created: bool,
    /// Texts for `Warning` headers.
    pub warnings: Vec<String>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct List {
    /// The objects, sorted by namespace and name.
    pub items: Vec<Arc<Object>>,
    /// The version the list is true at.
    pub resource_version: u64,
    /// Token for the next page; `None` on the last.
    pub continue_token: Option<String>,
    /// How many are left after this page, where that is known.
    pub remaining: Option<usize>,
}

/// What a delete did.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// The object is gone; this is what it was.
    Gone(Arc<Object>),
    /// The object is marked and waits for its grace period or finalizers.
    Marked(Arc<Object>),
}

impl Deleted {
    /// The object, gone or marked.
    pub fn object(&self) -> &Arc<Object> {
        match self {
            Self::Gone(object) | Self::Marked(object) => object,
        }
    }
}
