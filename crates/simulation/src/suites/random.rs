//! T15: everything goes wrong at once for a while, and then nothing any more.

use super::{Case, LONG_PATIENCE, Runs, Suite, actors, demands};
use crate::{divergence::Divergence, examine::Against, run::Reference, story::Story};
use chance::Chance;
use faults::{
    Cut, Disorder, Moment, Outage, OutageSort, Refusal, Requests, Rule, Trouble, WatchTrouble,
    Which,
};
use rehearsal::{Conditions, Refusals, Seat};
use std::time::Duration;

/// How many mixtures are made up for each story.
const MIXTURES: usize = 30;

/// Random trouble, then quiet.
pub(super) const RANDOM: Suite = Suite {
    name: "T15",
    about: "trouble of all sorts for minutes, then quiet: everything settles and stays so",
    cases,
    runs: Runs { ci: 30, whole: 280 },
};

fn cases(story: &Story, reference: &Reference, seed: u64) -> Vec<Case> {
    let mut chance = Chance::named(seed, &story.name);
    (1..=MIXTURES).map(|number| case(number, reference, &mut chance)).collect()
}

fn case(number: usize, reference: &Reference, chance: &mut Chance) -> Case {
    let mut seat = Seat::default();
    for _ in 0..=chance.below(3) {
        seat.cuts.push(cut(reference, chance));
    }
    for _ in 0..=chance.below(4) {
        seat.rules.push(rule(reference, chance));
    }
    for _ in 0..=chance.below(3) {
        seat.disorders.push(disorder(reference, chance));
    }
    let span = Duration::from_secs(5 + u64::try_from(chance.below(60)).unwrap_or_default());
    let write = 1 + chance.below(reference.work());
    seat.outages.push(Outage { write, span, sort: OutageSort::Partitioned });
    let every = Duration::from_secs(10);
    let companions = [actors::loses_pods(3, every), actors::annotates(5, every)];
    let heals = Duration::from_mins(3 + u64::try_from(chance.below(8)).unwrap_or_default());
    let conditions = Conditions {
        seats: vec![seat],
        patience: LONG_PATIENCE,
        heals_after: Some(heals),
        refusals: Refusals::PassOver,
        companions: companions.into_iter().take(chance.below(3)).collect(),
        ..Conditions::default()
    };
    let case = Case::new(format!("mixture-{number}"), conditions, Against::InvariantsOnly);
    let case = case.demanding(demands::settles()).demanding(demands::bounded_requests());
    Case { excuse: Some(is_too_soon), ..case }
}

/// A controller that cannot read does not learn of a new generation; that it does when the trouble is
/// over shows in what settles.
fn is_too_soon(divergence: &Divergence) -> bool {
    matches!(divergence, Divergence::Breach { invariant: "I9", .. })
}

fn cut(reference: &Reference, chance: &mut Chance) -> Cut {
    let moment = if chance.below(2) == 0 { Moment::Before } else { Moment::After };
    Cut { write: 1 + chance.below(reference.work()), moment }
}

fn rule(reference: &Reference, chance: &mut Chance) -> Rule {
    let trouble = chance.one([
        Trouble::Refused(Refusal::Conflict),
        Trouble::Refused(Refusal::Unavailable),
        Trouble::Refused(Refusal::TooManyRequests(3)),
        Trouble::TimedOut,
        Trouble::ResetAfter,
        Trouble::ResetBefore,
        Trouble::Lost,
        Trouble::Unanswered,
        Trouble::Slow(Duration::from_secs(4)),
    ]);
    let which = chance.one([Which::Any, Which::Writes, Which::Reads, Which::Watches]);
    let requests = Requests::all(which).from(1 + chance.below(reference.requests()));
    Rule { requests: requests.at_most(1 + chance.below(20)), trouble }
}

fn disorder(reference: &Reference, chance: &mut Chance) -> Disorder {
    let kinds: Vec<_> = reference.watched().into_keys().collect();
    let trouble = chance.one([
        WatchTrouble::Held { from: 1 + chance.clone().below(20), span: Duration::from_secs(40) },
        WatchTrouble::Coalesced(Duration::from_secs(5)),
        WatchTrouble::Doubled,
        WatchTrouble::Late(Duration::from_secs(6)),
        WatchTrouble::Expired { after: 3 },
        WatchTrouble::Closed { after: 2 },
    ]);
    Disorder { resource: chance.pick(&kinds).cloned(), trouble }
}
