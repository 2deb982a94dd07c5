//! Judging measurements: conditions, counting and limits, and the templates runs are made of.
//!
//! Start with [`template::merge`] for what a run is made of, and with [`condition::holds`] for how one
//! value is judged.
//!
//! **Invariant.** Nothing here knows a provider, HTTP, a clock or a Kubernetes client, and missing
//! data is never a success and never a failure.

pub mod arguments;
pub mod assess;
pub mod condition;
pub mod counting;
pub mod duration;
pub mod field_ref;
pub mod rules;
pub mod template;
pub mod validate;
pub mod verdict;
