//! Kubernetes API semantics without a server.
//!
//! A [`Store`] holds objects and answers the verbs of the Kubernetes API as values: no socket, no clock,
//! no task. The API server is a thin shell around it. Start at [`Store`]; its verbs are in `verbs/`.
//!
//! **Invariant.** Every verb either happens whole, with one new resourceVersion and one watch event per
//! object touched, or not at all.

pub mod error;
pub mod json;
pub mod object;
pub mod options;
pub mod resource;
pub mod schema;
pub mod selector;
pub mod watch;

mod builtin;
mod catalogue;
mod definition;
mod garbage;
mod generate;
mod links;
mod managed_fields;
mod patch;
mod path;
mod pods;
mod scale;
mod store;
mod verbs;

pub use error::{ApiError, Cause, Details, FieldProblem, unregistered};
pub use garbage::{COLLECT_LIMIT, Collected, EVENT_LIFETIME};
pub use object::Object;
pub use options::{
    DeleteOptions, DryRun, FieldValidation, Force, ListOptions, Patch, Preconditions, Propagation,
    WriteOptions,
};
pub use resource::{
    Address, Column, GroupResource, Gvr, OpenApi, Origin, Reach, Resource, Scope, Subresource,
    Subresources,
};
pub use schema::decode::go_kind;
pub use selector::{FieldSelector, LabelSelector, Selectors};
pub use store::{Change, FIRST_NAMESPACES, RestoredChange, Store};
pub use verbs::read::no_version;
pub use verbs::{Deleted, List, Written};
pub use watch::{EventKind, Since, WatchCursor, WatchEvent};
