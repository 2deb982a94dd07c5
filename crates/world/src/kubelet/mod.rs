//! The kubelet stand-in: it binds pods to the one node, starts and stops them, and reports on them.
//!
//! [`lifecycle::decide`] is the pure part: a pod, what is known of it and the time give the next status.
//! Orders to misbehave come as annotations, see [`orders`].

pub(crate) mod addresses;
pub(crate) mod containers;
pub(crate) mod house;
pub(crate) mod lifecycle;
pub(crate) mod logs;
pub(crate) mod node;
pub mod orders;
pub(crate) mod quality;
pub(crate) mod readiness;
