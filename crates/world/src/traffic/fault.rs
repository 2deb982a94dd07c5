//! Faults that users meet on top of what an image does by itself.

use std::{fmt, time::Duration};

/// Whom a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Every version.
    All,
    /// Versions whose image contains this text.
    Image(String),
    /// The version with this pod template hash.
    Hash(String),
    /// The version under test of every Rollout.
    Canary,
    /// The version of every Rollout that users were on before.
    Stable,
}

/// Errors and latency added to some versions.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Whom it strikes.
    pub target: Target,
    /// Share of requests that fail, 0 to 1, in place of the image's own.
    pub errors: Option<f64>,
    /// Time added to every answer.
    pub latency: Option<Duration>,
}

/// A version as faults see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Struck<'a> {
    pub(super) image: &'a str,
    pub(super) hash: &'a str,
    pub(super) role: Role,
}

/// The part a version plays in its Rollout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    /// It belongs to no Rollout, or its Rollout says nothing of it.
    #[default]
    None,
    Stable,
    Canary,
}

impl Fault {
    /// Whether it strikes a version.
    pub(super) fn strikes(&self, version: &Struck<'_>) -> bool {
        match &self.target {
            Target::All => true,
            Target::Image(text) => version.image.contains(text),
            Target::Hash(hash) => version.hash == hash,
            Target::Canary => version.role == Role::Canary,
            Target::Stable => version.role == Role::Stable,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all versions"),
            Self::Image(text) => write!(f, "image {text}"),
            Self::Hash(hash) => write!(f, "hash {hash}"),
            Self::Canary => f.write_str("the canary"),
            Self::Stable => f.write_str("the stable version"),
        }
    }
}
