//! Known bugs of others, built into our planner to see that they would be noticed.
//!
//! Start with [`mutants`] and [`hunt`]. A mutant bends what the planner sees or what it plans; its laws
//! are off, so that observation has to catch it.
//!
//! **Invariant.** Nothing of this is within reach of the product.

mod bent;
mod hunt;
mod judging;
mod progress;
mod traffic;

pub use hunt::{Caught, hunt, hunt_one};

use bent::{Bend, Bent, Judges, Plans, judge};
use controller::Planner;
use rehearsal::{Conditions, Election};
use std::sync::Arc;

/// A bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// Where it is known from, and its name.
    pub name: &'static str,
    /// What goes wrong, in a sentence.
    pub about: &'static str,
    /// Parts of the names of stories that are likely to notice, likeliest first.
    pub stories: &'static [&'static str],
    bend: Bend,
    election: Election,
}

impl Mutant {
    /// Conditions under which the bug is there.
    pub fn within(&self, conditions: Conditions) -> Conditions {
        let planner: Arc<dyn Planner> = Arc::new(Bent::new(self.bend));
        Conditions { planner, election: self.election, ..conditions }
    }
}

/// Every mutant.
pub fn mutants() -> impl Iterator<Item = &'static Mutant> {
    [traffic::MUTANTS, progress::MUTANTS, judging::MUTANTS].into_iter().flatten()
}

const fn bug(
    name: &'static str,
    about: &'static str,
    stories: &'static [&'static str],
    plans: Plans,
) -> Mutant {
    Mutant { name, about, stories, bend: Bend { plans, judges: judge }, election: Election::Lease }
}

const fn misjudging(
    name: &'static str,
    about: &'static str,
    stories: &'static [&'static str],
    judges: Judges,
) -> Mutant {
    let bend = Bend { plans: plan::rollout::plan, judges };
    Mutant { name, about, stories, bend, election: Election::Lease }
}

/// Several controllers that work at the same time.
const fn leaderless(
    name: &'static str,
    about: &'static str,
    stories: &'static [&'static str],
) -> Mutant {
    let bend = Bend { plans: plan::rollout::plan, judges: judge };
    Mutant { name, about, stories, bend, election: Election::None }
}
