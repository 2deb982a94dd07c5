//! Planners: one per kind, each on its own kind's types.
//!
//! Start with [`rollout::plan`]. A planner takes what was observed and the time and returns a
//! [`vocab::Plan`]; a shell carries it out after [`laws::check`] has found nothing against it.
//!
//! **Invariant.** No IO, no clock, no randomness: the same input gives the same plan. Nothing is remembered here;
//! what a specification comes to may be kept by the shell, see [`rollout::Specification`].

pub mod analysis_run;
pub mod broken;
pub mod experiment;
pub mod laws;
pub mod rollout;
