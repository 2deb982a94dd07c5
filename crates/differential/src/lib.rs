//! Two controllers of the same kinds side by side: random rollouts, random things done to them, and
//! whatever a client sees differently afterwards.
//!
//! A [`Case`] is made of a seed; [`play`] applies it to both on a real control plane with simulated nodes,
//! and compares the [`picture`] of each side whenever both have settled. What differs on purpose is listed
//! in [`DELIBERATE`].
//!
//! **Invariant.** A seed means the same case for ever; nothing that differs is passed over unless it is listed.

mod act;
mod additions;
mod analyses;
mod case;
mod compare;
mod deliberate;
mod edits;
mod experiments;
mod manifest;
mod metrics;
mod picture;
mod play;
mod program;
mod report;
mod sight;
mod situation;
mod stage;
mod steps;
mod takeover;
mod workloads;

pub use act::Act;
pub use case::{Case, EVERYTHING_FROM};
pub use compare::{Difference, compare};
pub use deliberate::{DELIBERATE, Deliberate};
pub use manifest::Kind;
pub use picture::{Objects, picture};
pub use play::{Meant, Outcome, play};
pub use program::{Binary, Controllers, Program};
pub use report::Report;
pub use sight::Sight;
pub use stage::{Ground, Side, Stage, StageError};
pub use takeover::{Handover, takeover};
