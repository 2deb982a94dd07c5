//! The workload controllers: one pure function from objects and time to a decision each.
//!
//! **Invariant.** Nothing here performs a write, keeps a memory or looks at a clock.

pub(crate) mod autoscaler;
pub(crate) mod daemon_set;
pub(crate) mod deployment;
pub(crate) mod endpoints;
pub(crate) mod gateway;
pub(crate) mod job;
pub(crate) mod replica_set;
pub(crate) mod stateful_set;
