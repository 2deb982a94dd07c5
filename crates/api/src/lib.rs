//! The custom resources as Rust types, and the definitions a cluster needs to serve them.
//!
//! Start at [`argo`] for the five `argoproj.io/v1alpha1` kinds, and at [`crds`] for their
//! `CustomResourceDefinition`s. Reading is tolerant of what other clients write (see
//! [`argo::lenient`]); writing leaves out whatever is empty.
//!
//! Nothing here decides anything, and nothing reads a clock, a file or a socket.

pub mod argo;
mod definition;
pub mod go_duration;
pub mod go_json;
mod schema;

pub use definition::crds;
