//! The `argoproj.io/v1alpha1` kinds: Rollout, AnalysisTemplate, `ClusterAnalysisTemplate`,
//! AnalysisRun and Experiment.
//!
//! Start at [`Rollout`]. Field names are those of the wire in Rust's case; type names are those
//! that users of the Go types know. Text that is absent or empty is `None`; counts and switches
//! that mean nothing when absent are plain numbers and booleans.

mod analysis;
mod blue_green;
mod canary;
mod canary_step;
mod experiment;
mod generation;
pub mod keys;
pub mod lenient;
mod metric;
mod phase;
mod provider_value;
mod providers;
mod resource;
mod rollout;
mod rollout_status;
mod traffic_routing;

pub use analysis::*;
pub use blue_green::*;
pub use canary::*;
pub use canary_step::StepKind;
pub use experiment::*;
pub use generation::{GenerationForm, ObservedGeneration};
pub use metric::*;
pub use phase::{AnalysisPhase, RolloutPhase, TemplateStatusCode};
pub use providers::*;
pub use resource::{
    API_VERSION, AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Experiment, GROUP,
    Rollout, VERSION,
};
pub use rollout::*;
pub use rollout_status::*;
pub use traffic_routing::*;
