//! T9: the controller may not do something, or a kind is not there.

use super::{Case, LONG_PATIENCE, Runs, Suite, demands, one};
use crate::{divergence::Divergence, examine::Against, run::Reference, story::Story};
use faults::{Refusal, Requests, Rule, Trouble, Verb, Which};
use rehearsal::{Conditions, Refusals, Seat};
use std::{collections::BTreeSet, time::Duration};

/// When permissions are granted or kinds appear.
const HEALS_AFTER: Duration = Duration::from_mins(6);
/// Kinds that a cluster may lack.
const OPTIONAL: [&str; 2] = ["httproutes", "clusteranalysistemplates"];

/// Each verb on each kind is denied, and each optional kind is absent, for a while or all along.
pub(super) const DENIED: Suite = Suite {
    name: "T9",
    about: "a verb on a kind is forbidden or a kind is absent, for a while or all along",
    cases,
    runs: Runs { ci: 25, whole: 220 },
};

fn cases(story: &Story, reference: &Reference, _: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for (verb, kind) in asked(reference) {
        let word = format!("{verb:?}-{kind}").to_lowercase();
        let requests = Requests::all(Which::Only(verb)).about(&kind);
        let rule = Rule { requests, trouble: Trouble::Refused(Refusal::Forbidden) };
        let against = if ends_for_good(story, verb, &kind) {
            Against::InvariantsOnly
        } else {
            Against::SameEnding
        };
        cases.push(for_a_while(format!("no-{word}-at-first"), rule.clone(), against));
        let half = reference.count(verb, &kind) / 2;
        let later = Rule { requests: rule.requests.clone().from(1 + half), ..rule.clone() };
        if half > 0 {
            cases.push(all_along(format!("no-{word}-from-{}", 1 + half), later, verb, &kind));
        }
        cases.push(all_along(format!("no-{word}"), rule, verb, &kind));
    }
    for kind in OPTIONAL {
        let requests = Requests::all(Which::Reads).about(kind);
        let rule = Rule { requests, trouble: Trouble::Refused(Refusal::NoSuchKind) };
        let name = format!("{kind}-appear-late");
        cases.push(for_a_while(name, rule.clone(), Against::SameEnding));
        cases.push(all_along(format!("{kind}-absent"), rule, Verb::Read, kind));
    }
    cases.extend(of_one_alone(story, reference));
    cases
}

/// What the controller asks for: verbs and kinds.
fn asked(reference: &Reference) -> BTreeSet<(Verb, String)> {
    let passed = reference.ran.trace.passed.iter();
    passed
        .filter(|passed| !passed.resource.is_empty())
        .map(|passed| (passed.verb, passed.resource.clone()))
        .collect()
}

/// Whether somebody is ended by it, as upstream ends them: a run whose Jobs may not be made, and an experiment
/// whose objects may not.
fn ends_for_good(story: &Story, verb: Verb, kind: &str) -> bool {
    let of_experiments = ["services", "replicasets", "analysisruns"].contains(&kind);
    let has_experiments = story.name.contains("experiment");
    verb == Verb::Create && (kind == "jobs" || (of_experiments && has_experiments))
}

fn for_a_while(name: String, rule: Rule, against: Against) -> Case {
    let seat = Seat { rules: vec![rule], ..Seat::default() };
    let conditions = Conditions { heals_after: Some(HEALS_AFTER), ..one(seat, LONG_PATIENCE) };
    Case::new(name, conditions, against).demanding(demands::bounded_requests())
}

fn all_along(name: String, rule: Rule, verb: Verb, kind: &str) -> Case {
    let seat = Seat { rules: vec![rule], ..Seat::default() };
    let conditions = Conditions { refusals: Refusals::PassOver, ..one(seat, Duration::ZERO) };
    let case =
        Case::new(name, conditions, Against::InvariantsOnly).demanding(demands::bounded_requests());
    let case = Case { excuse: Some(is_beyond_us), ..case };
    let is_told = verb.is_write() && !matches!(kind, "events" | "leases");
    if is_told { case.demanding(demands::tells_what_is_forbidden()) } else { case }
}

/// Whoever may not read does not learn of a new generation; and a release that is kept from its end goes on
/// being measured in the background.
fn is_beyond_us(divergence: &Divergence) -> bool {
    let Divergence::Breach { invariant, found, .. } = divergence else { return false };
    *invariant == "I9" || (*invariant == "I10" && found.contains("/analysisruns/"))
}

/// Where there are two rollouts, all that concerns the first is denied; the other must not notice.
fn of_one_alone(story: &Story, reference: &Reference) -> Vec<Case> {
    let names = reference.rollouts();
    let [first, others @ ..] = names.as_slice() else { return Vec::new() };
    let are_apart = others.iter().all(|other| !other.contains(first.as_str()));
    if others.is_empty() || !are_apart || story.name.contains("namespace") {
        return Vec::new();
    }
    let requests = Requests::all(Which::Writes).along(&format!("/{first}"));
    let rule = Rule { requests, trouble: Trouble::Refused(Refusal::Forbidden) };
    let seat = Seat { rules: vec![rule], ..Seat::default() };
    let conditions = Conditions { refusals: Refusals::PassOver, ..one(seat, Duration::ZERO) };
    let case = Case::new("no-writes-for-one", conditions, Against::InvariantsOnly);
    vec![case.demanding(demands::same_ending_of(others.to_vec()))]
}
