//! T6: requests are refused, lost, answered late or not at all.

use super::{Case, LONG_PATIENCE, Runs, Suite, demands, one};
use crate::{divergence::Divergence, examine::Against, run::Reference, story::Story};
use chance::Chance;
use faults::{Refusal, Requests, Rule, Trouble, Which};
use rehearsal::Seat;
use std::time::Duration;

/// What may become of one request.
const TROUBLES: [(&str, Trouble); 8] = [
    ("409", Trouble::Refused(Refusal::Conflict)),
    ("429", Trouble::Refused(Refusal::TooManyRequests(5))),
    ("500", Trouble::Refused(Refusal::Internal)),
    ("503", Trouble::Refused(Refusal::Unavailable)),
    ("timed-out", Trouble::TimedOut),
    ("reset-before", Trouble::ResetBefore),
    ("reset-after", Trouble::ResetAfter),
    ("slow", Trouble::Slow(Duration::from_secs(29))),
];
/// How many requests a burst befalls.
const BURST: usize = 25;
/// How many bursts are made up for each story.
const BURSTS: usize = 16;

/// Each request fares ill in each way, alone and in bursts.
pub(super) const REFUSED: Suite = Suite {
    name: "T6",
    about: "a request, or a burst of them, is refused, lost, late, or carried out without an answer",
    cases,
    runs: Runs { ci: 40, whole: 450 },
};

fn cases(story: &Story, reference: &Reference, seed: u64) -> Vec<Case> {
    let requests = reference.requests();
    let mut cases = Vec::new();
    for number in 1..=requests {
        for (word, trouble) in TROUBLES {
            let rule = Rule { requests: Requests::nth(Which::Any, number), trouble };
            cases.push(case(format!("{word}-{number}"), vec![rule]));
        }
    }
    let mut chance = Chance::named(seed, &story.name);
    for number in 1..=BURSTS {
        let from = 1 + chance.below(requests);
        let Some((word, trouble)) = chance.pick(&TROUBLES).copied() else { continue };
        let requests = Requests::all(Which::Any).from(from).at_most(BURST);
        cases.push(case(format!("burst-{number}-{word}-{from}"), vec![Rule { requests, trouble }]));
    }
    cases
}

fn case(name: String, rules: Vec<Rule>) -> Case {
    let seat = Seat { rules, ..Seat::default() };
    let case = Case::new(name, one(seat, LONG_PATIENCE), Against::SameEnding);
    Case { excuse: Some(tells_of_the_trouble), ..case.demanding(demands::bounded_requests()) }
}

/// A write that is refused is told to people, whatever a script says of quieter days.
fn tells_of_the_trouble(divergence: &Divergence) -> bool {
    matches!(divergence, Divergence::Unmet { found }
        if found.contains(": expect no event ReconciliationError: "))
}
