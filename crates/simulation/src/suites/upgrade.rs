//! T16: another version of the controller takes over in the middle of a release.

use super::{Case, PATIENCE, Runs, Suite, actors, demands, one};
use crate::{examine::Against, run::Reference, story::Story};
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
    ("unknown-fields", add_unknown_fields),
    ("nulls", add_nulls),
    ("without-our-own", remove_our_own),
    ("text-generation", write_generation_as_text),
];

/// Another identity takes over after each write, and finds a status as others write it.
pub(super) const UPGRADE: Suite = Suite {
    name: "T16",
    about: "a controller of another version takes over after a write and finds a status unlike its own",
    cases,
    runs: Runs { ci: 25, whole: 400 },
};

fn cases(_: &Story, reference: &Reference, _: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for (write, at) in (1..).zip(reference.times_of_work()) {
        for (word, rewrite) in REWRITES {
            let seat = Seat { cuts: vec![Cut { write, moment: Moment::After }], ..Seat::default() };
            let companions = vec![actors::rewrites_status(at + DEAD_FOR, rewrite)];
            let conditions = Conditions { companions, ..one(seat, PATIENCE) };
            let case = Case::new(format!("{word}-after-{write}"), conditions, Against::SameEnding);
            cases.push(case.demanding(demands::settles()));
        }
    }
    cases
}

fn add_unknown_fields(status: &mut Value) {
    status["aFieldOfTomorrow"] = json!({ "since": "2027", "list": [1, 2, 3] });
    status["canary"]["aWeightOfTomorrow"] = json!(7);
}

fn add_nulls(status: &mut Value) {
    for field in ["message", "alb", "albs", "workloadObservedGeneration", "restartedAt"] {
        status[field] = Value::Null;
    }
}

/// Another product's controller does not know what we add.
fn remove_our_own(status: &mut Value) {
    status["reasons"] = Value::Null;
}

fn write_generation_as_text(status: &mut Value) {
    let generation = match &status["observedGeneration"] {
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    status["observedGeneration"] = json!(generation);
}
