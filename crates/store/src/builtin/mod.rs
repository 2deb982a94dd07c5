//! The kinds a Kubernetes server is born with: their names, schemas, defaults and rules.

pub(crate) mod allocate;
pub(crate) mod convert;
pub(crate) mod defaults;
pub(crate) mod fields;
pub(crate) mod kinds;
pub(crate) mod list_keys;
pub(crate) mod metadata;
pub(crate) mod names;
pub(crate) mod pod_defaults;
pub(crate) mod quantity;
pub(crate) mod schemas;
pub(crate) mod strategy;
pub(crate) mod validation;
pub(crate) mod warnings;
pub(crate) mod zero;
