//! What must be true after every single change, whatever went wrong.
//!
//! Each invariant looks at the changes one by one, with the picture before each, and says what it finds
//! wrong. The names I1 to I13 are those of `docs/testing.md`.

mod routing;

use crate::{divergence::Divergence, history::History, history::Step, picture::Picture};

/// One invariant at work on one history.
pub(crate) trait Invariant {
    /// Its name, such as `I3`.
    fn name(&self) -> &'static str;

    /// Looks at one change; `before` is the picture without it.
    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String>;
}

/// How many breaches of one invariant are told.
const TOLD: usize = 3;

/// Every breach of an invariant in a history.
pub fn check(history: &History) -> Vec<Divergence> {
    let mut invariants: Vec<Box<dyn Invariant>> = vec![Box::new(routing::WeightsAddUp)];
    let mut breaches = vec![0_usize; invariants.len()];
    let mut found = Vec::new();
    let mut picture = Picture::default();
    for step in &history.steps {
        for (invariant, told) in invariants.iter_mut().zip(&mut breaches) {
            for breach in invariant.see(&picture, step) {
                *told += 1;
                if *told <= TOLD {
                    let at = step.at.to_string();
                    found.push(Divergence::Breach {
                        invariant: invariant.name(),
                        at,
                        found: breach,
                    });
                }
            }
        }
        picture.apply(step);
    }
    found
}
