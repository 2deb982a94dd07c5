//! T1: the controller dies at a write.

use super::{Case, Suite};
use crate::{examine::Against, run::Reference, story::Story};
use faults::{Cut, Moment};
use rehearsal::{Conditions, Seat};
use std::time::Duration;

/// How much longer expectations may take when a controller was away.
const PATIENCE: Duration = Duration::from_mins(2);

/// A crash before and after each single write.
pub(super) const AFTER_EVERY_WRITE: Suite = Suite {
    name: "T1",
    about: "the controller dies before or after one of its writes and is started again",
    cases,
};

fn cases(_: &Story, reference: &Reference, _: u64) -> Vec<Case> {
    let writes = reference.ran.trace.passed.iter().filter(|passed| passed.verb.is_write()).count();
    let both = |write| [Moment::Before, Moment::After].map(|moment| Cut { write, moment });
    (1..=writes).flat_map(both).map(case).collect()
}

fn case(cut: Cut) -> Case {
    let moment = if cut.moment == Moment::Before { "before" } else { "after" };
    let seat = Seat { cuts: vec![cut], ..Seat::default() };
    Case {
        name: format!("{moment}-{}", cut.write),
        conditions: Conditions { seats: vec![seat], patience: PATIENCE, ..Conditions::default() },
        against: Against::SameStory,
    }
}
