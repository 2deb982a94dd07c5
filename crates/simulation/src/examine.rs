//! Holding a run against the invariants and against its reference.

use crate::{
    divergence::Divergence,
    ending::differences,
    invariants,
    run::{Ran, Reference},
    weights::weights,
};
use rehearsal::Unmet;

/// How many more writes what goes wrong may cost at least; a fifth more in long stories.
const EXTRA_WRITES: usize = 20;
/// Differences shown of each sort.
const SHOWN: usize = 3;

/// How strictly a run is held against its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// It must end the same, and send traffic the same way in between.
    SameStory,
    /// It must end the same; the way there may differ.
    SameEnding,
    /// It may end otherwise; only the invariants hold.
    InvariantsOnly,
}

/// Everything that was not as it had to be.
pub fn examine(ran: &Ran, reference: &Reference, against: Against) -> Vec<Divergence> {
    let mut found = invariants::check(&ran.history);
    found.extend(restless(ran));
    if against != Against::InvariantsOnly {
        found.extend(unserved(ran, reference));
        found.extend(unmet(ran));
        found.extend(other_ending(ran, reference));
        found.extend(more_writes(ran, reference));
    }
    if against == Against::SameStory {
        found.extend(other_weights(ran, reference));
    }
    found
}

/// I10: some time after the script nothing is written any more.
fn restless(ran: &Ran) -> Option<Divergence> {
    let late: Vec<_> = ran.writes().filter(|write| write.at > ran.quiet_from).collect();
    let last = late.last()?;
    let found = format!("{} writes long after the end, the last to {}", late.len(), last.path);
    Some(Divergence::Breach { invariant: "I10", at: last.at.to_string(), found })
}

/// Requests that found nobody, where in the reference all are served. How many are lost to a stable
/// version that is broken depends on how long its repair takes, which may be longer.
pub(crate) fn unserved(ran: &Ran, reference: &Reference) -> Option<Divergence> {
    let lost = |ran: &Ran| ran.report.blast_radius.unserved;
    let is_news = lost(ran) > 0 && lost(&reference.ran) == 0;
    is_news.then(|| Divergence::Unserved { requests: lost(ran) })
}

fn other_ending(ran: &Ran, reference: &Reference) -> Vec<Divergence> {
    let differences = differences(&reference.ending, &ran.ending());
    differences.into_iter().take(SHOWN).map(|found| Divergence::Ending { found }).collect()
}

fn other_weights(ran: &Ran, reference: &Reference) -> Vec<Divergence> {
    let seen = weights(&ran.history);
    let differs = |(route, expected): (&String, &Vec<String>)| {
        let found = seen.get(route).cloned().unwrap_or_default();
        (found != *expected).then(|| Divergence::Weights {
            found: format!("{route}: {}, not {}", found.join(", "), expected.join(", ")),
        })
    };
    reference.weights.iter().filter_map(differs).collect()
}

fn more_writes(ran: &Ran, reference: &Reference) -> Option<Divergence> {
    let (writes, expected) = (ran.writes().count(), reference.writes);
    let bound = expected + EXTRA_WRITES.max(expected / 5);
    (writes > bound).then(|| Divergence::Writes {
        found: format!("{writes}, where {expected} did before and at most {bound} may"),
    })
}

fn unmet(ran: &Ran) -> Vec<Divergence> {
    ran.report.failures.iter().filter(|unmet| binds(unmet)).map(Divergence::unmet).collect()
}

/// Whether an expectation must come true whatever goes wrong: a controller that dies may not live to tell
/// of an event, and users may meet a bad version for longer.
fn binds(unmet: &Unmet) -> bool {
    let words = unmet.expectation.split_whitespace().collect::<Vec<_>>();
    let subject = words.iter().find(|word| !matches!(**word, "expect" | "never" | "always"));
    !matches!(subject, Some(&("event" | "events" | "failed" | "met-bad" | "reason" | "message")))
}
