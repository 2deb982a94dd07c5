//! The controller under every fault we know, on virtual time.
//!
//! A [`Story`] is a script of `scenarios/`. It is played once undisturbed, which gives the
//! [`Reference`], and then again and again with one thing going wrong each time: a [`Case`] of a
//! [`Suite`]. [`examine`] holds what happened against the invariants and against the reference: same
//! ending, same weights seen by the router, no user request lost, a bounded number of extra writes.
//!
//! Start with [`suites`], then [`invariants`]; [`mutants`] proves that the suites bite.
//!
//! **Invariant.** A run depends on its story, case and seed alone; whatever is found can be found again.

mod chronicle;
mod divergence;
mod ending;
mod examine;
mod history;
pub mod invariants;
pub mod mutants;
mod picture;
mod run;
mod season;
mod story;
pub mod suites;
mod tally;
mod weights;

pub use chronicle::chronicle;
pub use divergence::Divergence;
pub use ending::ending;
pub use examine::{Against, examine};
pub use history::{History, Step};
pub use picture::{ObjectKey, Picture};
pub use run::{Ran, Reference, run};
pub use season::{Diverged, Extent, Known, Season};
pub use story::{Story, sample, stories};
pub use suites::{Case, Demand, Runs, SUITES, Suite};
pub use tally::{Mutants, Named, Regressions, SuiteTally, Tally};
pub use weights::weights;

/// A third of a run would be spent on memory otherwise.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
