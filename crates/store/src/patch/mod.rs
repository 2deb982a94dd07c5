//! Patch bodies applied to values.

pub(crate) mod json;
pub(crate) mod strategic;
