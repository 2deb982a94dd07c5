//! T1 and T2: the controller dies at its writes.

use super::{Case, Excuse, PATIENCE, Runs, Suite, one};
use crate::{divergence::Divergence, examine::Against, run::Reference, story::Story};
use chance::Chance;
use faults::{Cut, Moment};
use rehearsal::{Conditions, Seat};

/// How many pairs of crashes are made up for each story.
const PAIRS: usize = 40;

/// A crash before and after each single write.
pub(super) const AFTER_EVERY_WRITE: Suite = Suite {
    name: "T1",
    about: "the controller dies before or after one of its writes and is started again",
    cases,
    runs: Runs { ci: 90, whole: 6_500 },
};

/// Two crashes.
pub(super) const TWICE: Suite = Suite {
    name: "T2",
    about: "the controller dies at a write, is started again, and dies at another",
    cases: pairs,
    runs: Runs { ci: 20, whole: 180 },
};

/// Stories in which more than one sequence of weights is right after a crash.
const FREE_ORDER: &[(&str, &str)] = &[
    ("argo_3256", "pods that were ready when the controller came back take their share at once"),
    ("argo_3372", "the stable pods and those of the third version get ready in either order"),
    ("argo_3669", "the rollback may find all users at the service that is switched to it already"),
    ("flagger_1407", "the manifests that are applied again bring the old version back, too"),
    ("argo_4390", "users come back in as many steps as looks were taken while stable grows"),
    ("route-comes-late", "a route that is gone for a second may not be seen to be gone"),
    ("rollback-window", "as in argo_3669"),
    ("route-is-deleted", "whoever creates the route anew sets weights too"),
];

/// A story in which a run was made, but not written down yet, when the size changed: it is ended, and another
/// one judges once all pods are there.
const JUDGED_ANEW: &str = "argo_3663";

fn cases(story: &Story, reference: &Reference, _: u64) -> Vec<Case> {
    reference.deaths().into_iter().map(|cut| case(story, reference, &[cut])).collect()
}

fn pairs(story: &Story, reference: &Reference, seed: u64) -> Vec<Case> {
    let mut chance = Chance::named(seed, &story.name);
    let writes = reference.work();
    let mut cut = |most: usize| {
        let moment = if chance.below(2) == 0 { Moment::Before } else { Moment::After };
        Cut { write: 1 + chance.below(most), moment }
    };
    let mut pair = || {
        let first = cut(writes);
        [first, cut((writes + 3).saturating_sub(first.write))]
    };
    (0..PAIRS.min(writes * writes)).map(|_| case(story, reference, &pair())).collect()
}

fn case(story: &Story, reference: &Reference, cuts: &[Cut]) -> Case {
    let word = |cut: &Cut| {
        let moment = if cut.moment == Moment::Before { "before" } else { "after" };
        format!("{moment}-{}", cut.write)
    };
    let name = cuts.iter().map(word).collect::<Vec<_>>().join("-");
    let seat = Seat { cuts: cuts.to_vec(), ..Seat::default() };
    let is_free = FREE_ORDER.iter().any(|(free, _)| story.name.starts_with(free));
    let against = if is_free { Against::SameEnding } else { Against::SameStory };
    let conditions = Conditions { afterwards: reference.rest(), ..one(seat, PATIENCE) };
    let is_judged_anew = story.name.starts_with(JUDGED_ANEW);
    let excuse: Excuse = if is_judged_anew { is_one_run_more } else { was_never_healthy };
    Case { excuse: Some(excuse), ..Case::new(name, conditions, against) }
}

fn is_one_run_more(divergence: &Divergence) -> bool {
    let is_more = matches!(divergence, Divergence::Ending { found }
        if found.starts_with("analysisruns ") && found.ends_with(r#".1: "Successful", not null"#));
    is_more || was_never_healthy(divergence)
}

/// A rollout whose health nobody saw does not say that it lost it.
fn was_never_healthy(divergence: &Divergence) -> bool {
    matches!(divergence, Divergence::Ending { found }
        if found.ends_with(r#".conditions .Healthy: null, not ["False","RolloutHealthy"]"#))
}
