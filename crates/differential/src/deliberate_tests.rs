//! Checks of what differs on purpose.

use super::*;
use serde_json::json;

fn check(place: &str, events: &Value, expected: Option<&str>) {
    let difference = Difference { place: place.to_owned(), peer: None, ours: Some(json!(1)) };
    let found = find(&Case::of_seed(1), &difference, (&json!({ "events": events }), &json!({})));
    assert_eq!(found.map(|known| known.name), expected, "{place}");
}

#[test]
fn only_what_is_listed_is_meant() {
    check("rollout.status.phase", &json!({}), None);
    check("events.Rollout Normal RolloutPaused: Rollout is paused (a)", &json!({}), None);
    check("events.Experiment Normal ExperimentPending: x", &json!({}), None);
}

#[test]
fn a_peer_that_told_too_much_of_an_object_drops_what_is_told_of_it_and_nothing_else() {
    let much = json!({ "Rollout Normal ScalingReplicaSet: x": 25 });
    check("events.Rollout Normal RolloutPaused: x", &much, Some("told-too-often"));
    check("events.Experiment Normal ExperimentPending: x", &much, None);
    check("rollout.status.phase", &much, None);
}

#[test]
fn what_a_side_tells_more_often_is_not_dropped_by_it() {
    let much = json!({ "events": { "Rollout Normal ScalingReplicaSet: x": 25 } });
    let dropped = |place: &str, (peer, ours): (&Value, &Value)| {
        let difference =
            Difference { place: place.to_owned(), peer: Some(json!(2)), ours: Some(json!(1)) };
        find(&Case::of_seed(1), &difference, (peer, ours)).is_some()
    };
    let paused = "events.Rollout Normal RolloutPaused: x";
    assert!(!dropped(paused, (&much, &json!({}))));
    assert!(dropped(paused, (&json!({}), &much)));
    assert!(!dropped("events.Rollout Warning RolloutAborted: x", (&json!({}), &much)));
}

/// A difference in the number of pods of version 1, which the weights of `peer` may still name.
fn after_an_exchange(peer: &Value, place: &str) -> Option<&'static str> {
    let exchanged = |case: &Case| case.kind != Kind::BlueGreen && case.is_given("blueGreen");
    let case = (1000..2000).map(Case::of_seed).find(exchanged)?;
    let ours = json!({ "rollout": { "status": { "blueGreen": { "activeSelector": "<2>" } } } });
    // A whole ReplicaSet and its past are the peer's alone.
    let is_alone = place.ends_with('>') || place.ends_with("revision-history");
    let own = (!is_alone).then(|| json!(0));
    let difference = Difference { place: place.to_owned(), peer: Some(json!(1)), ours: own };
    find(&case, &difference, (peer, &ours)).map(|known| known.name)
}

#[test]
fn only_what_an_exchange_leaves_behind_is_meant_of_it() {
    let weights = json!({ "canary": { "podTemplateHash": "<1>" } });
    let left = json!({ "rollout": { "status": { "canary": { "weights": weights } } } });
    let row = Some("weights-of-a-former-strategy");
    assert_eq!(after_an_exchange(&left, "replicaSets.it-<1>.spec.replicas"), row);
    assert_eq!(after_an_exchange(&left, "rollout.status.replicas"), row);
    assert_eq!(after_an_exchange(&left, "replicaSets.it-<1>"), row);
    let past = "replicaSets.it-<1>.annotations.rollout.argoproj.io/revision-history";
    assert_eq!(after_an_exchange(&left, past), row);
    assert_eq!(after_an_exchange(&left, "replicaSets.it-<2>"), row);
    assert_eq!(after_an_exchange(&json!({}), "replicaSets.it-<2>"), None);
    assert_eq!(after_an_exchange(&left, "replicaSets.it-<2>.spec.replicas"), None);
    assert_eq!(after_an_exchange(&left, "rollout.status.phase"), None);
    assert_eq!(after_an_exchange(&json!({}), "replicaSets.it-<1>.spec.replicas"), None);
}

/// The entry that a difference at `place` belongs to, once the peer alone has completed version 2, of which both
/// judged as `phase`, and `stable` is the stable version here.
fn after_an_early_end(phase: &str, stable: &str, place: &str) -> Option<&'static str> {
    let line = "Rollout Normal RolloutCompleted: Rollout completed update to revision 2 (<2>): Completed all 2 canary steps";
    let side = |stable: &str, events: Value| {
        json!({
            "rollout": { "status": { "stableRS": stable } },
            "runs": { "it-<2>-2": { "status": { "phase": phase } } },
            "events": events,
        })
    };
    let (peer, ours) = (side("<2>", json!({ line: 1 })), side(stable, json!({})));
    let difference = Difference { place: place.to_owned(), peer: Some(json!(1)), ours: None };
    find(&Case::of_seed(361), &difference, (&peer, &ours)).map(|known| known.name)
}

#[test]
fn a_release_that_the_peer_alone_completed_is_meant_only_where_it_was_inconclusive() {
    let row = Some("completed-although-inconclusive");
    assert_eq!(after_an_early_end("Inconclusive", "<1>", "rollout.status.phase"), row);
    assert_eq!(after_an_early_end("Successful", "<1>", "rollout.status.phase"), None);
}

#[test]
fn what_the_peer_told_of_an_early_end_stays_when_both_are_at_one_version_again() {
    let completed = "events.Rollout Normal RolloutCompleted: x";
    let row = Some("completed-although-inconclusive");
    assert_eq!(after_an_early_end("Inconclusive", "<2>", completed), row);
    assert_eq!(after_an_early_end("Inconclusive", "<2>", "rollout.status.phase"), None);
}

#[test]
fn every_entry_has_a_name_of_its_own_a_reason_and_a_seed() {
    let names: std::collections::BTreeSet<_> = DELIBERATE.iter().map(|known| known.name).collect();
    assert_eq!(names.len(), DELIBERATE.len());
    assert!(DELIBERATE.iter().all(|known| known.reason.len() > 20 && !known.seeds.is_empty()));
}
