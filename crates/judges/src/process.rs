//! E-processes: bets against a hypothesis, and the most they were ever worth.
//!
//! Each bet begins at 1 and is, while the hypothesis holds, a non-negative supermartingale. So is their
//! average E, and by Ville's inequality it ever reaches 1/α with a chance of at most α. That is why a
//! judge may be looked at after every interval.

use crate::numeric::ln_mean_exp;
use serde::{Deserialize, Serialize};

/// `N` bets with equal stakes, and the largest value that their average has had.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EProcess<const N: usize> {
    bets: Bets<N>,
    max_ln_e: f64,
}

impl<const N: usize> Default for EProcess<N> {
    fn default() -> Self {
        Self { bets: Bets([0.0; N]), max_ln_e: 0.0 }
    }
}

impl<const N: usize> EProcess<N> {
    /// Adds to the logarithm of each bet.
    pub fn add(&mut self, steps: [f64; N]) {
        for (bet, step) in self.bets.0.iter_mut().zip(steps) {
            *bet += step;
        }
        self.max_ln_e = self.max_ln_e.max(self.ln_e());
    }

    /// ln E now.
    pub fn ln_e(&self) -> f64 {
        ln_mean_exp(&self.bets.0)
    }

    /// The largest that ln E has been, and at least 0, where it began.
    pub fn max_ln_e(&self) -> f64 {
        self.max_ln_e
    }

    /// What the bets are worth.
    pub(crate) fn worth(&self) -> Worth {
        Worth { ln_e: self.ln_e(), max_ln_e: self.max_ln_e }
    }

    /// The logarithm of each bet.
    pub fn bets(&self) -> &[f64; N] {
        &self.bets.0
    }
}

/// What bets are worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Worth {
    /// ln E now.
    pub(crate) ln_e: f64,
    /// The largest that it has been.
    pub(crate) max_ln_e: f64,
}

/// The logarithms of `N` bets; written as a list.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
struct Bets<const N: usize>([f64; N]);

impl<const N: usize> TryFrom<Vec<f64>> for Bets<N> {
    type Error = BetsError;

    fn try_from(values: Vec<f64>) -> Result<Self, BetsError> {
        let found = values.len();
        values.try_into().map(Self).map_err(|_| BetsError { expected: N, found })
    }
}

impl<const N: usize> From<Bets<N>> for Vec<f64> {
    fn from(bets: Bets<N>) -> Self {
        bets.0.to_vec()
    }
}

/// A stored state has another number of bets than the judge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} bets: must be {expected}")]
pub struct BetsError {
    /// How many the judge has.
    pub expected: usize,
    /// How many were stored.
    pub found: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_another_judge_is_refused() {
        let error =
            serde_json::from_str::<EProcess<2>>(r#"{"bets":[0.0],"maxLnE":0.0}"#).unwrap_err();
        assert!(error.to_string().contains("1 bets: must be 2"), "{error}");
    }
}
