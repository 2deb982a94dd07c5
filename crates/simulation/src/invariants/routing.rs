//! Invariants of weights.

use super::Invariant;
use crate::{history::Step, picture::Picture};

/// I3: the weights of a route lie between nothing and everything and add up to everything.
pub(super) struct WeightsAddUp;

impl Invariant for WeightsAddUp {
    fn name(&self) -> &'static str {
        "I3"
    }

    fn see(&mut self, _: &Picture, step: &Step) -> Vec<String> {
        if step.resource != "httproutes" || step.by.is_none() {
            return Vec::new();
        }
        let rules = step.after().and_then(|route| route["spec"]["rules"].as_array());
        let mut found = Vec::new();
        for rule in rules.into_iter().flatten() {
            let backends = rule["backendRefs"].as_array().into_iter().flatten();
            let weights: Vec<i64> =
                backends.map(|backend| backend["weight"].as_i64().unwrap_or(1)).collect();
            let is_split = weights.len() > 1;
            if is_split && (weights.iter().sum::<i64>() != 100 || weights.iter().any(|w| *w < 0)) {
                found.push(format!("weights {weights:?}"));
            }
        }
        found
    }
}
