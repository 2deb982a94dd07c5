//! What must not be, found in a run.

use rehearsal::Unmet;
use serde::Serialize;

/// One way in which a run was not as it had to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Divergence {
    /// An invariant was broken.
    Breach {
        /// Which, such as `I3`.
        invariant: &'static str,
        /// When, in virtual time.
        at: String,
        /// What broke it.
        found: String,
    },
    /// The cluster ended otherwise than in the reference.
    Ending {
        /// Path, what it was in the reference and what it was here.
        found: String,
    },
    /// The router saw other weights.
    Weights {
        /// Which route, what was expected and what was seen.
        found: String,
    },
    /// The controller wrote much more than in the reference.
    Writes {
        /// How many more.
        found: String,
    },
    /// An expectation of the script did not come true.
    Unmet {
        /// The line and what was the case.
        found: String,
    },
    /// Something else that a suite demands was not so.
    Demand {
        /// What was found.
        found: String,
    },
    /// A user's request was lost because no pod could take it.
    Unserved {
        /// How many.
        requests: u64,
    },
    /// The script could not be played to its end.
    Broken {
        /// Why.
        why: String,
    },
}

impl Divergence {
    /// Whether it is wrong only in comparison with a run in which nothing is.
    pub(crate) fn is_relative(&self) -> bool {
        matches!(self, Self::Ending { .. } | Self::Weights { .. } | Self::Writes { .. })
    }

    /// An expectation that did not come true.
    pub(crate) fn unmet(unmet: &Unmet) -> Self {
        let Unmet { place, expectation, found } = unmet;
        Self::Unmet { found: format!("{place}: {expectation}: {found}") }
    }
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Breach { invariant, at, found } => write!(f, "{invariant} at {at}: {found}"),
            Self::Ending { found } => write!(f, "other ending: {found}"),
            Self::Weights { found } => write!(f, "other weights: {found}"),
            Self::Writes { found } => write!(f, "other number of writes: {found}"),
            Self::Unmet { found } => write!(f, "not as expected: {found}"),
            Self::Demand { found } => write!(f, "{found}"),
            Self::Unserved { requests } => write!(f, "{requests} requests were not served"),
            Self::Broken { why } => write!(f, "cannot be played: {why}"),
        }
    }
}
