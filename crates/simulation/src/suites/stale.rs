//! T3: the controller decides on an old picture.

use super::{Case, LONG_PATIENCE, PATIENCE, Runs, Suite, one};
use crate::{divergence::Divergence, examine::Against, run::Reference, story::Story};
use chance::Chance;
use faults::{Cut, Disorder, Moment, Past, WatchTrouble};
use rehearsal::Seat;
use std::time::Duration;

/// How long a watch is silent: about as long as the controller waits for its own writes, and far longer.
const SPANS: [Duration; 2] = [Duration::from_secs(7), Duration::from_mins(3)];
/// Stories in which a release is taken back after so many seconds without progress.
const IMPATIENT: [(&str, u64); 3] = [("argo_3120", 30), ("argo_3457", 30), ("flagger_1898", 60)];
/// Stories in which a version is judged on its first users, who come later while nobody sees the route.
const JUDGED_AT_ONCE: [&str; 1] = ["flagger_883"];
/// How long a restarted controller's watches tell nothing.
const LAG: Duration = Duration::from_secs(20);
/// How many returns to the past are made up for each story.
const RETURNS: usize = 30;

/// One kind's watch is silent from some event on, or a restarted controller meets the past.
pub(super) const STALE: Suite = Suite {
    name: "T3",
    about: "watches of one kind fall silent for a while, or a restarted controller is shown the past",
    cases,
    runs: Runs { ci: 30, whole: 280 },
};

fn cases(story: &Story, reference: &Reference, seed: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    let is_judged_at_once = JUDGED_AT_ONCE.iter().any(|name| story.name.starts_with(name));
    for (kind, events) in reference.watched() {
        if is_judged_at_once && kind == "httproutes" {
            continue;
        }
        for from in 1..=events {
            let spans = SPANS.into_iter().filter(|span| span <= &patience(story));
            cases.extend(spans.map(|span| held(&kind, from, span)));
        }
    }
    cases.extend(returns(story, reference, seed));
    cases
}

/// How long a release of the story may stand still before it is rightly taken back.
fn patience(story: &Story) -> Duration {
    let found = IMPATIENT.iter().find(|(name, _)| story.name.starts_with(name));
    found.map_or(Duration::MAX, |(_, seconds)| Duration::from_secs(*seconds))
}

fn held(kind: &str, from: usize, span: Duration) -> Case {
    let trouble = WatchTrouble::Held { from, span };
    let disorder = Disorder { resource: Some(kind.to_owned()), trouble };
    let seat = Seat { disorders: vec![disorder], ..Seat::default() };
    let name = format!("{kind}-held-from-{from}-for-{}s", span.as_secs());
    let case = Case::new(name, one(seat, LONG_PATIENCE), Against::SameEnding);
    Case { excuse: Some(was_not_seen), ..case }
}

/// Users are not sent to pods that are not seen, whatever a script wants by then, and so an analysis that is about to find a version bad
/// finds no data instead; either takes the release back. A rollout whose health nobody saw does not say
/// that it lost it, and what is seen late disturbs the quiet that is to follow it.
fn was_not_seen(divergence: &Divergence) -> bool {
    let is_withheld = matches!(divergence, Divergence::Unmet { found }
        if found.contains(": expect weight ") && found.ends_with(": weight 0"));
    if comes_late(divergence) || is_withheld {
        return true;
    }
    let Divergence::Ending { found } = divergence else { return false };
    let is_blind =
        found.starts_with("analysisruns ") && found.ends_with(r#""Error", not "Failed""#);
    is_blind || found.ends_with(r#".conditions .Healthy: null, not ["False","RolloutHealthy"]"#)
}

/// Whether it was not quiet as soon as it had to be; that it becomes so, I10 sees.
pub(super) fn comes_late(divergence: &Divergence) -> bool {
    matches!(divergence, Divergence::Unmet { found } if found.contains(": expect quiet for "))
}

/// The server that a restarted controller speaks to lags behind the one that it spoke to before.
fn returns(story: &Story, reference: &Reference, seed: u64) -> Vec<Case> {
    let mut chance = Chance::named(seed, &story.name);
    let kinds: Vec<_> = reference.watched().into_keys().map(Some).chain([None]).collect();
    let writes = reference.work();
    let mut case = || {
        let death = 1 + chance.below(writes);
        let write = 1 + chance.below(death);
        let resource = chance.pick(&kinds).cloned().flatten();
        let what = resource.clone().unwrap_or_else(|| "everything".to_owned());
        let seat = Seat {
            cuts: vec![Cut { write: death, moment: Moment::After }],
            past: Some(Past { write, resource, lag: LAG }),
            ..Seat::default()
        };
        let name = format!("{what}-of-{write}-after-{death}");
        Case::new(name, one(seat, PATIENCE), Against::SameEnding)
    };
    (0..RETURNS.min(writes)).map(|_| case()).collect()
}
