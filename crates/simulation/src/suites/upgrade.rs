//! T16: another version of the controller takes over in the middle of a release.

use super::{Case, Excuse, PATIENCE, Runs, Suite, actors, demands, one};
use crate::{divergence::Divergence, examine::Against, run::Reference, story::Story};
use faults::{Cut, Moment};
use rehearsal::{Conditions, Seat};
use serde_json::{Value, json};
use std::time::Duration;

/// How long after a death the status is rewritten, before the next life begins.
const DEAD_FOR: Duration = Duration::from_secs(2);

/// Changes a status.
type Rewrite = fn(&mut Value);

/// What another controller may have left in a status.
const REWRITES: [(&str, Rewrite); 4] = [
    ("leftovers", leave_what_we_do_not_write),
    ("stale-summary", tell_of_the_past),
    ("without-our-own", remove_our_own),
    ("without-weights", remove_weights),
];

/// Conditions that upstream does not have.
const OURS: [&str; 3] = ["Ready", "Reconciling", "Stalled"];

/// A story that ends with a specification nobody can carry out: its pods are not counted, as upstream's are not.
const UNCOUNTED: &str = "argo_1832";

/// Another identity takes over after each write, and finds a status as others write it.
pub(super) const UPGRADE: Suite = Suite {
    name: "T16",
    about: "a controller of another version takes over after a write and finds a status unlike its own",
    cases,
    runs: Runs { ci: 25, whole: 220 },
};

fn cases(story: &Story, reference: &Reference, _: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for (write, at) in (1..).zip(reference.times_of_work()) {
        for (word, rewrite) in REWRITES {
            let seat = Seat { cuts: vec![Cut { write, moment: Moment::After }], ..Seat::default() };
            let companions = vec![actors::rewrites_status(at + DEAD_FOR, rewrite)];
            let conditions = Conditions { companions, ..one(seat, PATIENCE) };
            let case = Case::new(format!("{word}-after-{write}"), conditions, Against::SameEnding);
            let is_uncounted = story.name.starts_with(UNCOUNTED);
            let excuse = is_uncounted.then_some(is_of_counts as Excuse);
            cases.push(Case { excuse, ..case.demanding(demands::settles()) });
        }
    }
    cases
}

fn is_of_counts(divergence: &Divergence) -> bool {
    matches!(divergence, Divergence::Ending { found }
        if found.starts_with("rollouts ") && found.to_lowercase().contains("replicas: 1, not "))
}

/// Fields of routers and features that the release does not use.
fn leave_what_we_do_not_write(status: &mut Value) {
    status["alb"] =
        json!({ "loadBalancer": { "name": "edge", "arn": "arn:1", "fullName": "edge/1" } });
    status["workloadObservedGeneration"] = json!("7");
    status["canary"]["stablePingPong"] = json!("ping");
}

/// Counts, phase and message as they were some time ago.
fn tell_of_the_past(status: &mut Value) {
    status["phase"] = json!("Progressing");
    status["message"] = json!("more replicas need to be updated, as somebody saw it once");
    for count in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
        status[count] = json!(1);
    }
    status["HPAReplicas"] = json!(1);
}

/// Another product's controller does not know what we add.
fn remove_our_own(status: &mut Value) {
    status["reasons"] = Value::Null;
    let conditions = status["conditions"].as_array_mut();
    if let Some(conditions) = conditions {
        conditions.retain(|condition| !OURS.iter().any(|ours| condition["type"] == *ours));
    }
}

/// Older versions did not write down where traffic is sent.
fn remove_weights(status: &mut Value) {
    status["canary"]["weights"] = Value::Null;
}
