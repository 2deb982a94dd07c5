//! What goes wrong, suite by suite.
//!
//! A suite makes cases for a story from its reference; each is one run. A case prints as one word, by
//! which it can be run again.

mod crash;

use crate::{examine::Against, run::Reference, story::Story};
use rehearsal::Conditions;

/// One run with one thing going wrong.
#[derive(Clone)]
pub struct Case {
    /// The word that names it within its suite and story.
    pub name: String,
    /// The conditions.
    pub conditions: Conditions,
    /// How strictly it is held against the reference.
    pub against: Against,
}

/// A sort of thing that goes wrong.
#[derive(Clone, Copy)]
pub struct Suite {
    /// Its name, such as `T1`.
    pub name: &'static str,
    /// What goes wrong, in a sentence.
    pub about: &'static str,
    /// Every case for a story; `seed` decides what is sampled.
    pub cases: fn(&Story, &Reference, u64) -> Vec<Case>,
}

impl std::fmt::Debug for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Suite").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Every suite.
pub const SUITES: &[Suite] = &[crash::AFTER_EVERY_WRITE];
