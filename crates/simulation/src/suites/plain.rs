//! T14: nothing goes wrong.

use super::{Case, Runs, Suite, demands};
use crate::{examine::Against, run::Reference, story::Story};
use rehearsal::Conditions;
use std::time::Duration;

/// How long the cluster is left alone: what comes late must not come at all.
const AFTERWARDS: Duration = Duration::from_hours(24);

/// The stories as they are, a second time.
pub(super) const PLAIN: Suite = Suite {
    name: "T14",
    about: "nothing goes wrong: not one request finds nobody, and a second run is like the first",
    cases,
    runs: Runs { ci: 40, whole: usize::MAX },
};

fn cases(_: &Story, _: &Reference, _: u64) -> Vec<Case> {
    let conditions = Conditions { afterwards: AFTERWARDS, ..Conditions::default() };
    let case = Case::new("again", conditions, Against::SameStory);
    vec![case.demanding(demands::as_scripted()).demanding(demands::repeats())]
}
