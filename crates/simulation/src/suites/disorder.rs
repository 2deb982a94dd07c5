//! T4 and T5: watches hide states, repeat themselves, overtake each other and break off.

use super::{Case, LONG_PATIENCE, PATIENCE, Runs, Suite, one, stale};
use crate::{divergence::Divergence, examine::Against, run::Reference, story::Story};
use chance::Chance;
use faults::{Disorder, Refusal, Requests, Rule, Trouble, WatchTrouble, Which};
use rehearsal::Seat;
use std::time::Duration;

/// Within these times overwritten states are never told.
const WINDOWS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(20)];
/// How late events are told at most.
const LATE: Duration = Duration::from_secs(8);
/// After how many events a stream breaks off.
const BREAKS: [usize; 3] = [1, 2, 7];
/// How many combinations are made up for each story.
const MIXTURES: usize = 20;
/// How many watches are told that their version is forgotten.
const STORM: usize = 60;

/// States that are overwritten soon are never seen.
pub(super) const HIDDEN: Suite = Suite {
    name: "T4",
    about: "states that are overwritten soon are never seen, for one kind or for all",
    cases: hidden,
    runs: Runs { ci: 20, whole: 180 },
};

/// Events come twice, late, out of order across kinds, or not at all until the list is read again.
pub(super) const DISORDER: Suite = Suite {
    name: "T5",
    about: "events come twice, late and out of order, and streams expire or break off",
    cases: disordered,
    runs: Runs { ci: 25, whole: 220 },
};

fn hidden(_: &Story, reference: &Reference, _: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for window in WINDOWS {
        for kind in kinds(reference) {
            let name = format!("{}-hidden-for-{}s", word(kind.as_ref()), window.as_secs());
            cases.push(case(name, vec![(kind, WatchTrouble::Coalesced(window))]));
        }
    }
    cases
}

fn disordered(story: &Story, reference: &Reference, seed: u64) -> Vec<Case> {
    let mut cases = vec![storm()];
    let mut sorts = vec![("doubled", WatchTrouble::Doubled), ("late", WatchTrouble::Late(LATE))];
    for after in BREAKS {
        sorts.push(("expired", WatchTrouble::Expired { after }));
        sorts.push(("closed", WatchTrouble::Closed { after }));
    }
    for (index, (sort, trouble)) in sorts.iter().enumerate() {
        for kind in kinds(reference) {
            let name = format!("{}-{sort}-{index}", word(kind.as_ref()));
            cases.push(case(name, vec![(kind, *trouble)]));
        }
    }
    let mut chance = Chance::named(seed, &story.name);
    let kinds = kinds(reference);
    let troubles: Vec<_> = sorts.into_iter().map(|(_, trouble)| trouble).collect();
    for number in 1..=MIXTURES {
        let mut draw = || Some((chance.pick(&kinds).cloned()?, chance.pick(&troubles).copied()?));
        let mixture = (0..3).filter_map(|_| draw()).collect();
        cases.push(case(format!("mixture-{number}"), mixture));
    }
    cases
}

/// Every watch is told again and again that its version is forgotten.
fn storm() -> Case {
    let requests = Requests::all(Which::Watches).from(12).at_most(STORM);
    let rule = Rule { requests, trouble: Trouble::Refused(Refusal::Gone) };
    let seat = Seat { rules: vec![rule], ..Seat::default() };
    Case::new("storm", one(seat, LONG_PATIENCE), Against::SameEnding)
}

fn case(name: String, troubles: Vec<(Option<String>, WatchTrouble)>) -> Case {
    let disorder = |(resource, trouble)| Disorder { resource, trouble };
    let seat = Seat { disorders: troubles.into_iter().map(disorder).collect(), ..Seat::default() };
    let case = Case::new(name, one(seat, PATIENCE), Against::SameEnding);
    Case { excuse: Some(was_never_seen), ..case }
}

/// A version that is overtaken before anybody heard of it has no ReplicaSet, and what is seen late disturbs
/// the quiet that is to follow it.
fn was_never_seen(divergence: &Divergence) -> bool {
    if stale::comes_late(divergence) {
        return true;
    }
    let Divergence::Ending { found } = divergence else { return false };
    found.starts_with("replicasets ") && found.contains(r#": null, not {"replicas":0,"#)
}

fn kinds(reference: &Reference) -> Vec<Option<String>> {
    reference.watched().into_keys().map(Some).chain([None]).collect()
}

fn word(kind: Option<&String>) -> &str {
    kind.map_or("everything", String::as_str)
}
