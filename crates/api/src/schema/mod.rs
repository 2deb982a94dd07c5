//! Schemas of the shapes that Rust types alone do not describe.

pub(crate) mod shape;
