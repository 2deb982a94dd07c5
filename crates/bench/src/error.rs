//! Why there are no figures.

use differential::{Side, StageError};
use std::io;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// There is nothing to measure on.
    #[error("no control plane to measure on")]
    Stage(#[from] StageError),
    /// An object could not be written.
    #[error("the load could not be written")]
    Write(#[from] kube::Error),
    /// The system's accounts or the audit log could not be read.
    #[error("an account could not be read")]
    Account(#[from] io::Error),
    /// The controller took too long.
    #[error("{side} did not come to it: {what}", side = .0.name(), what = .1)]
    Stuck(Side, &'static str),
    /// The controller ended by itself, which its log explains.
    #[error("{side} has ended by itself; `--logs FOLDER` keeps what it said", side = .0.name())]
    Ended(Side),
}
