//! T7: the controller's clock is not the cluster's, or was set between two lives.

use super::{Case, PATIENCE, Runs, Suite, one};
use crate::{examine::Against, run::Reference, story::Story};
use faults::{Cut, Moment};
use jiff::SignedDuration;
use rehearsal::Seat;

/// How far clocks are apart.
const JUMPS: [(&str, SignedDuration); 6] = [
    ("1s", SignedDuration::from_secs(1)),
    ("30s", SignedDuration::from_secs(30)),
    ("10m", SignedDuration::from_mins(10)),
    ("1h", SignedDuration::from_hours(1)),
    ("6h", SignedDuration::from_hours(6)),
    ("1d", SignedDuration::from_hours(24)),
];

/// Clocks that are wrong all along, and clocks that were set while the controller was away.
pub(super) const CLOCKS: Suite = Suite {
    name: "T7",
    about: "the controller's clock is ahead or behind, all along or since it was started again",
    cases,
    runs: Runs { ci: 25, whole: 400 },
};

fn cases(_: &Story, reference: &Reference, _: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, jump) in JUMPS {
        for (sign, jump) in [("ahead", jump), ("behind", -jump)] {
            let seat = Seat { ahead: vec![jump], ..Seat::default() };
            let name = format!("{sign}-{word}");
            cases.push(Case::new(name, one(seat, PATIENCE), Against::SameEnding));
            for write in 1..=reference.work() {
                cases.push(jumped(write, &format!("{sign}-{word}-since-{write}"), jump));
            }
        }
    }
    cases
}

/// A clock set forward ends what is timed early, which nobody can know; nothing else may come of it.
fn jumped(write: usize, name: &str, jump: SignedDuration) -> Case {
    let cuts = vec![Cut { write, moment: Moment::After }];
    let seat = Seat { cuts, ahead: vec![SignedDuration::ZERO, jump], ..Seat::default() };
    Case::new(name, one(seat, PATIENCE), Against::SameEnding)
}
