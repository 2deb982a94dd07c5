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

/// Stories in which users find nobody, how many at most, and why.
const UNSERVED: &[(&str, u64, &str)] = &[
    ("argo_845", 760, "the only pod of a version is restarted, as somebody asked"),
    (
        "flagger_639",
        8642,
        "every stable pod is broken until the release that repairs them is through",
    ),
];

fn cases(story: &Story, _: &Reference, _: u64) -> Vec<Case> {
    let conditions = Conditions { afterwards: AFTERWARDS, ..Conditions::default() };
    let case = Case::new("again", conditions, Against::SameStory);
    let known = UNSERVED.iter().find(|(name, ..)| story.name.starts_with(name));
    let most = known.map_or(0, |(_, most, _)| *most);
    let demands = [demands::as_scripted(), demands::repeats(), demands::leaves_unserved(most)];
    vec![demands.into_iter().fold(case, Case::demanding)]
}
