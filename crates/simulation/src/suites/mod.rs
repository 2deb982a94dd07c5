//! What goes wrong, suite by suite.
//!
//! A suite makes cases for a story from its reference; each is one run. A case prints as one word, by
//! which it can be run again.

mod actors;
mod adversaries;
mod clocks;
mod crash;
mod demands;
mod denied;
mod disorder;
mod leaders;
mod numbers;
mod plain;
mod random;
mod refusals;
mod routers;
mod stale;
mod upgrade;
mod users;

pub use demands::Demand;

use crate::{
    divergence::Divergence,
    examine::{Against, examine},
    run::{Ran, Reference, run},
    story::Story,
};
use rehearsal::{Conditions, Seat, script::Line};
use std::time::Duration;

/// How much longer expectations may take when a controller was away for seconds.
const PATIENCE: Duration = Duration::from_mins(2);
/// How much longer they may take when it was blind or refused for minutes.
const LONG_PATIENCE: Duration = Duration::from_mins(15);

/// One run with one thing going wrong.
#[derive(Clone)]
pub struct Case {
    /// The word that names it within its suite and story.
    pub name: String,
    /// The conditions.
    pub conditions: Conditions,
    /// How strictly it is held against the reference.
    pub against: Against,
    /// The script that is played in place of the story's own.
    pub lines: Option<Vec<Line>>,
    /// What else must be true of the run.
    pub demands: Vec<Demand>,
    /// What no controller could have avoided under these conditions.
    pub excuse: Option<Excuse>,
}

/// Whether a divergence is one that no controller could have avoided.
pub type Excuse = fn(&Divergence) -> bool;

impl Case {
    fn new(name: impl Into<String>, conditions: Conditions, against: Against) -> Self {
        Self {
            name: name.into(),
            conditions,
            against,
            lines: None,
            demands: Vec::new(),
            excuse: None,
        }
    }

    fn demanding(mut self, demand: Demand) -> Self {
        self.demands.push(demand);
        self
    }

    /// Plays it.
    ///
    /// # Errors
    /// Why the script could not be played to its end.
    pub fn run(&self, story: &Story) -> Result<Ran, String> {
        let mut story = story.clone();
        if let Some(lines) = &self.lines {
            story.play.lines.clone_from(lines);
        }
        run(&story, self.conditions.clone())
    }

    /// Plays it and says everything that was not as it had to be.
    pub fn judge(&self, story: &Story, reference: &Reference) -> Vec<Divergence> {
        let ran = match self.run(story) {
            Ok(ran) => ran,
            Err(why) => return vec![Divergence::Broken { why }],
        };
        let mut found = examine(&ran, reference, self.against);
        found.extend(self.demands.iter().flat_map(|demand| demand(&ran, reference)));
        found.retain(|divergence| self.excuse.is_none_or(|is_excused| !is_excused(divergence)));
        found.retain(|divergence| !was_never_seen(story, divergence));
        found
    }
}

/// A version that comes and goes while nobody looks leaves no ReplicaSet.
fn was_never_seen(story: &Story, divergence: &Divergence) -> bool {
    let is_quick = SUCCESSIVE.iter().any(|quick| story.name.starts_with(quick));
    let is_missing = |found: &str| {
        found.starts_with("replicasets ") && found.contains(": null, not {\"replicas\":0,")
    };
    is_quick && matches!(divergence, Divergence::Ending { found } if is_missing(found))
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Stories in which versions follow each other at once.
const SUCCESSIVE: [&str; 2] = ["argo_1774", "argo_3354"];

/// A sort of thing that goes wrong.
#[derive(Clone, Copy)]
pub struct Suite {
    /// Its name, such as `T1`.
    pub name: &'static str,
    /// What goes wrong, in a sentence.
    pub about: &'static str,
    /// Every case for a story; `seed` decides what is left to chance.
    pub cases: fn(&Story, &Reference, u64) -> Vec<Case>,
    /// How many runs stand for it.
    pub runs: Runs,
}

/// How many runs stand for a suite, spread over its stories and cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runs {
    /// In CI.
    pub ci: usize,
    /// When everything is played.
    pub whole: usize,
}

impl std::fmt::Debug for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Suite").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Every suite.
pub const SUITES: &[Suite] = &[
    crash::AFTER_EVERY_WRITE,
    crash::TWICE,
    stale::STALE,
    disorder::HIDDEN,
    disorder::DISORDER,
    refusals::REFUSED,
    clocks::CLOCKS,
    leaders::LEADERS,
    denied::DENIED,
    adversaries::ADVERSARIES,
    users::USERS,
    routers::ROUTERS,
    numbers::NUMBERS,
    plain::PLAIN,
    random::RANDOM,
    upgrade::UPGRADE,
];

/// Conditions of one controller that bears something.
fn one(seat: Seat, patience: Duration) -> Conditions {
    Conditions { seats: vec![seat], patience, ..Conditions::default() }
}
