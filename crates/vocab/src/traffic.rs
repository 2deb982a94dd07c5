//! Who gets how much traffic.

use crate::ManagedRoute;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// A share of traffic in whole parts of a maximum (100 unless the rollout says otherwise).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Weight(u32);

/// A weight above its maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("weight {weight} is above its maximum {max}")]
pub struct WeightOutOfRange {
    /// The weight asked for.
    pub weight: u32,
    /// The greatest weight allowed.
    pub max: u32,
}

impl Weight {
    /// No traffic.
    pub const ZERO: Self = Self(0);
    /// All traffic under the default maximum.
    pub const HUNDRED: Self = Self(100);

    /// Takes `weight` if it is not above `max`.
    ///
    /// # Errors
    /// [`WeightOutOfRange`] when it is.
    pub fn parse(weight: u32, max: Self) -> Result<Self, WeightOutOfRange> {
        if weight > max.0 {
            return Err(WeightOutOfRange { weight, max: max.0 });
        }
        Ok(Self(weight))
    }

    /// A maximum other than the default, as `maxTrafficWeight` sets it.
    pub fn max_of(parts: u32) -> Self {
        Self(parts)
    }

    /// The parts as a number.
    pub fn parts(self) -> u32 {
        self.0
    }

    /// What is left of `max`; zero when nothing is.
    #[must_use]
    pub fn rest_of(self, max: Self) -> Self {
        Self(max.0.saturating_sub(self.0))
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The value of the `rollouts-pod-template-hash` label: the identity of one revision's pods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PodHash(pub String);

impl fmt::Display for PodHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A rollout's revision number, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

/// One place traffic can go to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Destination {
    /// The Service in the rollout's namespace.
    pub service: String,
    /// The revision behind it.
    pub pod_hash: Option<PodHash>,
    /// The Service's port, for routers that have to name one.
    pub port: Option<i32>,
}

/// The split a router shall carry out, or was seen to carry out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Where stable traffic goes.
    pub stable: Destination,
    /// Where canary traffic goes.
    pub canary: Destination,
    /// The canary's share; experiments' shares are in `additional`; stable has the rest.
    pub canary_weight: Weight,
    /// Shares of further destinations.
    pub additional: BTreeMap<Destination, Weight>,
    /// The managed routes that shall stand, in order of precedence; as they are when absent.
    pub managed: Option<Vec<ManagedRoute>>,
    /// What the weights add up to.
    pub max: Weight,
}

impl Traffic {
    /// What is left for stable after the canary and every further destination.
    pub fn stable_weight(&self) -> Weight {
        let further = self.additional.values().map(|weight| weight.parts());
        let taken = further.fold(self.canary_weight.parts(), u32::saturating_add);
        Weight(self.max.parts().saturating_sub(taken))
    }
}
