//! T7: the controller's clock is not the cluster's, or was set between two lives.

use super::{Case, PATIENCE, Runs, Suite, one};
use crate::{divergence::Divergence, examine::Against, run::Reference, story::Story};
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

/// Stories of what has a time of its own: an experiment, and comparisons, which are without a verdict then.
const TIMED: [&str; 2] = ["experiment-by-itself", "judge-"];
/// A story in which numbers are waited for, but not for ever: where a clock is set forward meanwhile, that time is
/// up and the release is taken back.
const WAITED_FOR: &str = "flagger_883";
/// Clocks that were set back further than this are not played.
const LASTING: SignedDuration = SignedDuration::from_mins(-30);

/// Clocks that are wrong all along, and clocks that were set while the controller was away.
pub(super) const CLOCKS: Suite = Suite {
    name: "T7",
    about: "the controller's clock is ahead or behind, all along or since it was started again",
    cases,
    runs: Runs { ci: 25, whole: 220 },
};

fn cases(story: &Story, reference: &Reference, _: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, jump) in JUMPS {
        for (sign, jump) in [("ahead", jump), ("behind", -jump)] {
            let seat = Seat { ahead: vec![jump], ..Seat::default() };
            let name = format!("{sign}-{word}");
            let case = Case::new(name, one(seat, PATIENCE), Against::SameEnding);
            cases.push(Case { excuse: Some(is_measured_by_another_clock), ..case });
            // What is kept as a deadline, the end of old pods, waits until a clock that was set back has
            // caught up; that it does is seen within the two hours that are played.
            let is_lasting = jump < LASTING;
            for write in (1..=reference.work()).filter(|_| !is_lasting) {
                let case = jumped(write, &format!("{sign}-{word}-since-{write}"), jump);
                let case = if sign == "ahead" && story.name.starts_with(WAITED_FOR) {
                    Case { against: Against::InvariantsOnly, ..case }
                } else {
                    case
                };
                let is_timed = TIMED.iter().any(|name| story.name.starts_with(name));
                let ends_early = is_timed && sign == "ahead";
                cases.push(if ends_early {
                    Case { excuse: Some(ended_early), ..case }
                } else {
                    case
                });
            }
        }
    }
    cases
}

/// A clock set forward ends what is timed early, which nobody can know; nothing else may come of it.
fn jumped(write: usize, name: &str, jump: SignedDuration) -> Case {
    let cuts = vec![Cut { write, moment: Moment::After }];
    let seat = Seat { cuts, ahead: vec![SignedDuration::ZERO, jump], ..Seat::default() };
    let case = Case::new(name, one(seat, PATIENCE), Against::SameEnding);
    Case { excuse: Some(is_measured_by_another_clock), ..case }
}

/// An experiment, the delay after it and a comparison end early where a clock was set forward, as pauses do.
fn ended_early(divergence: &Divergence) -> bool {
    let is_early = match divergence {
        Divergence::Unmet { found } => {
            [" for 4m: ", " for 5m: ", " for 25s: "].iter().any(|words| found.contains(words))
        }
        Divergence::Ending { found } => {
            found.starts_with("analysisruns ")
                && found.ends_with(r#""Inconclusive", not "Successful""#)
        }
        _ => false,
    };
    is_early || is_measured_by_another_clock(divergence)
}

/// Pauses are kept as the moment they began, by the controller's clock; the cluster's clock, by which
/// they are looked at here, says something else.
fn is_measured_by_another_clock(divergence: &Divergence) -> bool {
    matches!(divergence, Divergence::Breach { found, .. }
        if found.starts_with("pause ") && found.contains(" s is left after "))
}
