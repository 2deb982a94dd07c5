//! The controller: watches in, plans carried out.
//!
//! ```text
//! watches ─▶ cache ─▶ gather ─▶ Observed ─▶ plan ─▶ laws ─▶ writes, status, events ─▶ wake
//! ```
//!
//! Start with [`Controller::start`]. The loop is `engine.rs`, one piece of work is `job.rs`. What is
//! decided is decided by the pure crate `plan`; this crate fetches, writes and waits.
//!
//! **Invariant.** No decision about a rollout is made here, no key is planned on a picture older than
//! its own writes, and no write happens without a held lease.

mod asked;
mod authority;
mod cache;
mod calls;
mod cluster_reader;
mod config;
mod controller;
mod endpoints;
mod engine;
mod events;
mod failure;
mod fault;
mod fence;
mod gather;
mod http_caller;
mod interest;
mod job;
mod key;
mod last_status;
mod lease;
mod lull;
mod metered;
mod metrics;
mod pace;
mod planner;
mod quarrel;
mod queue;
mod release;
mod remembered;
mod rights;
mod secrets;
mod surroundings;
mod writer;

pub use asked::{Asked, Verb};
pub use config::{ControllerConfig, Work};
pub use controller::{Controller, ControllerHandle, StartFailed};
pub use events::{EVIDENCE_ANNOTATION, EventLimit};
pub use fault::Fault;
pub use http_caller::{BODY_MAX, ByAddress, HttpCaller, HttpSetUpFailed, RealHttp, TIMEOUT_MAX};
pub use lease::{LEASE_NAME, LeaderElection, LeaseConfig};
pub use metered::{Meter, Metered};
pub use pace::Pace;
pub use planner::{Planner, Product};
pub use providers::egress::{Allowed, Egress};
pub use rights::{RIGHTS, Reach, Right, right_to};
pub use surroundings::Surroundings;
pub use writer::FIELD_MANAGER;
