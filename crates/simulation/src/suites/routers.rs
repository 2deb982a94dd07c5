//! T12: the data plane follows its routes late, and others write to them.

use super::{Case, LONG_PATIENCE, Runs, Suite, actors, demands};
use crate::{divergence::Divergence, examine::Against, run::Reference, story::Story};
use faults::{Disorder, WatchTrouble};
use rehearsal::{Companion, Conditions};
use std::time::Duration;

/// How late the data plane may be without a request lost: less than the 30 s that old pods are kept.
const LAGS: [u64; 3] = [1, 5, 20];
/// Stories in which no route can be steered, or a specification is invalid, so that nobody can give back what is
/// edited.
const UNSTEERED: [&str; 3] = [
    "nginx-ingress-of-somebody-else",
    "nginx-ingress-that-does-not-exist",
    "one-budget-that-is-overdrawn",
];
/// A story in which stable has no pods for a while: without a route users go there, whoever removed it.
const STABLE_IS_EMPTY: &str = "argo_3888";
/// Stories, the greatest lag that they bear, and why: nothing in a route's status says when the data plane
/// follows it, and what a late one still sends to pods that are gone is lost.
const HASTY: [(&str, u64, &str); 5] = [
    ("experiment-gets-a-share-of-the-route", 0, "its pods are kept for no moment"),
    ("experiment-that-fails-aborts", 0, "an experiment that failed gives its pods back at once"),
    ("experiment-ends-when-the-release-is-aborted", 5, "an abort ends an experiment at once"),
    ("argo_3888", 5, "stable has no pods for a while"),
    ("argo_4221", 5, "a pod is restarted as soon as nobody is led to it"),
];
/// How many times, and with what pauses in seconds, somebody writes to the routes.
const EDITS: [(usize, u64); 3] = [(1, 20), (2, 60), (3, 25)];

/// The data plane lags, weights are edited, routes vanish and come back.
pub(super) const ROUTERS: Suite = Suite {
    name: "T12",
    about: "the data plane follows late, and somebody edits, deletes and recreates routes",
    cases,
    runs: Runs { ci: 20, whole: 150 },
};

fn cases(story: &Story, reference: &Reference, _: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    let routes: Vec<String> = reference.weights.keys().cloned().collect();
    for kind in ["httproutes", "ingresses", "services"] {
        if !routes.iter().any(|route| route.starts_with(kind)) {
            continue;
        }
        let hasty = HASTY.iter().find(|(name, ..)| story.name.starts_with(name));
        let most = hasty.map_or(u64::MAX, |(_, most, _)| *most);
        for seconds in LAGS.into_iter().filter(|seconds| *seconds <= most) {
            let trouble = WatchTrouble::Late(Duration::from_secs(seconds));
            let lag = Disorder { resource: Some(kind.to_owned()), trouble };
            let conditions = Conditions { data_plane: vec![lag], ..Conditions::default() };
            let case =
                Case::new(format!("{kind}-late-{seconds}s"), conditions, Against::InvariantsOnly);
            cases.push(case.demanding(demands::serves_everybody()));
        }
    }
    let is_weighed = |route: &String| !route.starts_with("services");
    if routes.iter().any(is_weighed) && !UNSTEERED.contains(&story.name.as_str()) {
        for (times, seconds) in EDITS {
            let every = Duration::from_secs(seconds);
            let tamperer = actors::tampers_with_weights(times, every);
            cases.push(case(format!("weights-edited-{times}"), tamperer));
            if !story.name.starts_with(STABLE_IS_EMPTY) {
                let remover = actors::recreates_routes(times, every);
                cases.push(case(format!("routes-recreated-{times}"), remover));
            }
        }
    }
    cases
}

/// People may see other weights for a moment, but in the end it is as if nobody had meddled.
fn case(name: String, companion: Companion) -> Case {
    let companions = vec![companion];
    let conditions = Conditions { companions, patience: LONG_PATIENCE, ..Conditions::default() };
    let case = Case::new(name, conditions, Against::SameEnding);
    Case { excuse: Some(tells_of_the_meddling), ..case }
}

/// A list of all weights that there were has those that somebody else wrote, and their load, and pods are there
/// for the users whom they send. A route that is gone has no weights.
fn tells_of_the_meddling(divergence: &Divergence) -> bool {
    let of_meddling = [
        ": expect weights ",
        ": expect always load ",
        ": expect always field replicaset @canary ",
        ": expect always field httproute ",
    ];
    matches!(divergence, Divergence::Unmet { found }
        if of_meddling.iter().any(|words| found.contains(words)))
}
