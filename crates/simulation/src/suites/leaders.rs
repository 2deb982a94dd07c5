//! T8: two controllers contend for a lease, and the one that leads is lost, frozen or cut off.

use super::{Case, PATIENCE, Runs, Suite};
use crate::{divergence::Divergence, examine::Against, run::Reference, story::Story};
use faults::{Cut, Moment, Outage, OutageSort};
use rehearsal::{Conditions, Seat};
use std::time::Duration;

/// Stories that take longer than this are left out: a lease is renewed every two seconds.
const LONGEST: Duration = Duration::from_mins(30);
/// How long the leader is frozen or cut off: shorter than its patience, longer than the lease, and so
/// long that everything is over before.
const SPANS: [u64; 3] = [8, 20, 120];

/// The leader dies, freezes or is cut off at each of its writes.
pub(super) const LEADERS: Suite = Suite {
    name: "T8",
    about: "of two controllers the one that leads dies, freezes or is cut off at a write",
    cases,
    runs: Runs { ci: 20, whole: 150 },
};

fn cases(_: &Story, reference: &Reference, _: u64) -> Vec<Case> {
    if reference.length() > LONGEST {
        return Vec::new();
    }
    let mut cases = vec![case("undisturbed".to_owned(), Seat::default())];
    for write in 1..=reference.work() {
        for (word, moment) in [("before", Moment::Before), ("after", Moment::After)] {
            let seat = Seat { cuts: vec![Cut { write, moment }], ..Seat::default() };
            cases.push(case(format!("dies-{word}-{write}"), seat));
        }
        for seconds in SPANS {
            for (word, sort) in
                [("frozen", OutageSort::Frozen), ("partitioned", OutageSort::Partitioned)]
            {
                let outage = Outage { write, span: Duration::from_secs(seconds), sort };
                let seat = Seat { outages: vec![outage], ..Seat::default() };
                cases.push(case(format!("{word}-{seconds}s-at-{write}"), seat));
            }
        }
    }
    cases
}

fn case(name: String, leader: Seat) -> Case {
    let conditions = Conditions {
        seats: vec![leader, Seat::default()],
        patience: PATIENCE,
        ..Conditions::default()
    };
    let case = Case::new(name, conditions, Against::SameEnding);
    Case { excuse: Some(is_a_late_event), ..case }
}

/// An event that was sent by a leader and held up on its way arrives when another leads; unlike all other
/// writes it rests on no version of anything.
fn is_a_late_event(divergence: &Divergence) -> bool {
    matches!(divergence, Divergence::Breach { invariant: "I6", found, .. } if found.contains("writes events "))
}
