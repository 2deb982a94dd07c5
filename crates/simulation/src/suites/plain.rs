//! T14: nothing goes wrong.

use super::{Case, Runs, Suite, demands};
use crate::{examine::Against, run::Reference, story::Story};
use rehearsal::Conditions;

/// The stories as they are, a second time.
pub(super) const PLAIN: Suite = Suite {
    name: "T14",
    about: "nothing goes wrong: not one request finds nobody, and a second run is like the first",
    cases,
    runs: Runs { ci: 40, whole: usize::MAX },
};

fn cases(_: &Story, _: &Reference, _: u64) -> Vec<Case> {
    let case = Case::new("again", Conditions::default(), Against::SameStory);
    vec![case.demanding(demands::as_scripted())]
}
