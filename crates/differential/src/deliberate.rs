//! What differs on purpose: defects of the peer and what we tell better, each with the reason.

use crate::{case::Case, compare::Difference};
use serde_json::Value;

/// A difference that is meant.
pub struct Deliberate {
    /// A short name.
    pub name: &'static str,
    /// Why it is meant.
    pub reason: &'static str,
    /// A seed that shows it.
    pub seed: u64,
    applies: fn(&Situation<'_>) -> bool,
}

/// What is known when a difference is judged.
struct Situation<'a> {
    #[expect(dead_code, reason = "the first entry that needs it will read it")]
    case: &'a Case,
    difference: &'a Difference,
    #[expect(dead_code, reason = "the first entry that needs it will read it")]
    pictures: (&'a Value, &'a Value),
}

/// Everything that differs on purpose.
pub const DELIBERATE: &[Deliberate] = &[Deliberate {
    name: "added-to-informer",
    reason: "it is told of every rollout whenever a controller starts, and says nothing of the rollout",
    seed: 0,
    applies: |at| at.tells_of("RolloutAddedToInformer"),
}];

impl Situation<'_> {
    /// Whether it is about an event with that reason.
    fn tells_of(&self, reason: &str) -> bool {
        let rest = self.difference.place.strip_prefix("events.");
        rest.is_some_and(|rest| rest.contains(&format!(" {reason}: ")))
    }
}

/// Why a difference is meant, if it is.
pub(crate) fn find(
    case: &Case,
    difference: &Difference,
    pictures: (&Value, &Value),
) -> Option<&'static Deliberate> {
    let situation = Situation { case, difference, pictures };
    DELIBERATE.iter().find(|known| (known.applies)(&situation))
}
