//! One case, played on both sides at the same time.

use crate::{
    act::Act,
    case::Case,
    compare::{Difference, compare},
    deliberate::{self, Deliberate},
    manifest::METRICS,
    picture::picture,
    stage::{Side, Stage},
};
use actions::Subject;
use api::argo::keys::CONTROLLER_INSTANCE_ID;
use effects::Actor;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::{Instant, sleep};
use vocab::{ObjectRef, PatchType, Precondition, Propagation, Subresource, Write};

/// Nothing may have changed for so long before two sides are compared; longer than every short duration.
pub(crate) const QUIET: Duration = Duration::from_millis(3_800);
/// A side that has not become quiet after this is compared as it is.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long a difference must last to count.
const GRACE: Duration = Duration::from_secs(12);
/// How long, if only events differ: a controller writes them one after the other.
const EVENT_GRACE: Duration = Duration::from_secs(40);
/// How often it is looked whether all is quiet.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long objects that nobody owns any more take to go.
const GONE_WITHIN: Duration = Duration::from_secs(20);
/// How long controllers take to see what a Rollout refers to.
const SEEN_WITHIN: Duration = Duration::from_millis(700);

const ACTOR: Actor = Actor { field_manager: "differential", user_agent: "differential" };

/// How one case ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// How many acts were compared.
    pub acts: usize,
    /// The act after which something differed that should not.
    pub after: Option<String>,
    /// What differed that should not; the case ends there.
    pub differences: Vec<Difference>,
    /// What differed on purpose, each place once for each entry.
    pub meant: Vec<Meant>,
    /// Whether a side did not become quiet.
    pub restless: bool,
}

impl Outcome {
    /// The names of the entries of [`DELIBERATE`](crate::DELIBERATE) that were needed, in order.
    pub fn rows(&self) -> BTreeSet<&'static str> {
        self.meant.iter().map(|meant| meant.row).collect()
    }

    fn note(&mut self, meant: Vec<Meant>) {
        for one in meant {
            let known = |meant: &Meant| {
                meant.row == one.row && meant.difference.place == one.difference.place
            };
            if !self.meant.iter().any(known) {
                self.meant.push(one);
            }
        }
    }
}

/// A difference that is meant.
#[derive(Clone, Debug)]
pub struct Meant {
    /// The name of the entry that says so.
    pub row: &'static str,
    /// What differs.
    pub difference: Difference,
}

/// What differs at one time.
#[derive(Default)]
struct Look {
    found: Vec<Difference>,
    meant: Vec<Meant>,
}

/// Plays a case and clears up behind it.
pub async fn play(stage: &Stage, case: &Case) -> Outcome {
    let mut outcome = Outcome { seed: case.seed, ..Outcome::default() };
    // What came late of the same case played before.
    for side in Side::BOTH {
        stage.sight.forget(side.name(), &case.name);
    }
    for (place, act) in case.acts.iter().enumerate() {
        let mut said = Vec::new();
        let (now, begin) = (Timestamp::now(), Instant::now());
        let [peer, ours] = Side::BOTH.map(|side| perform(stage, case, side, (act, now)));
        let (peer, ours) = tokio::join!(peer, ours);
        said.extend([peer.err(), ours.err()]);
        outcome.restless |= !settle(stage, &case.name, &Side::BOTH, begin).await;
        outcome.acts = place + 1;
        let Look { found, meant } = lasting(stage, case, &said).await;
        outcome.note(meant);
        if !found.is_empty() {
            outcome.after = Some(format!("{place}: {act}"));
            outcome.differences = found;
            break;
        }
    }
    for side in Side::BOTH {
        clear(stage, case, side).await;
    }
    outcome
}

/// What differs and, if it should not, still does after a while: a controller may tell its events late.
async fn lasting(stage: &Stage, case: &Case, said: &[Option<String>]) -> Look {
    let begin = Instant::now();
    let mut only_told = begin;
    loop {
        let look = look(stage, case, said);
        let late = look.found.iter().all(Difference::is_of_events);
        if late {
            only_told = Instant::now();
        }
        let lasts = if late { begin.elapsed() > EVENT_GRACE } else { only_told.elapsed() > GRACE };
        if look.found.is_empty() || lasts {
            return look;
        }
        sleep(LOOK_EVERY * 5).await;
    }
}

/// What differs now.
fn look(stage: &Stage, case: &Case, said: &[Option<String>]) -> Look {
    let [peer, ours] =
        Side::BOTH.map(|side| picture(&stage.sight.objects(side.name(), &case.name)));
    let mut all = compare(&peer, &ours);
    if let [peer, ours] = said
        && peer != ours
    {
        let [peer, ours] = [peer, ours].map(|said| said.as_ref().map(|said| json!(said)));
        all.push(Difference { place: "act".to_owned(), peer, ours });
    }
    let mut look = Look::default();
    for difference in all {
        match deliberate::find(case, &difference, (&peer, &ours)) {
            None => look.found.push(difference),
            Some(Deliberate { name, .. }) => look.meant.push(Meant { row: name, difference }),
        }
    }
    look
}

/// Does one thing on one side.
pub(crate) async fn perform(
    stage: &Stage,
    case: &Case,
    side: Side,
    (act, now): (&Act, Timestamp),
) -> Result<(), String> {
    for write in writes(stage, case, side, (act, now))? {
        // A controller that has not seen a template yet would call the specification invalid.
        if matches!(&write, Write::Create { object } if object["kind"] == "Rollout") {
            sleep(SEEN_WITHIN).await;
        }
        effects::perform(&stage.ground.client, ACTOR, &write)
            .await
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn writes(
    stage: &Stage,
    case: &Case,
    side: Side,
    (act, now): (&Act, Timestamp),
) -> Result<Vec<Write>, String> {
    if *act == Act::Apply {
        let placed = case.objects.iter().map(|object| placed(stage, object, side));
        return Ok(placed.map(|object| Write::Create { object }).collect());
    }
    let objects = stage.sight.objects(side.name(), &case.name).now;
    let rollout =
        objects.iter().find(|object| object["kind"] == "Rollout").ok_or("there is no rollout")?;
    let named = |kind: &str, name: &Value| {
        objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == *name)
    };
    match act {
        Act::Edit(spec) => return Ok(vec![merge(rollout, json!({ "spec": spec }))]),
        Act::Amend { kind, name, patch } => {
            let object = named(kind, &json!(name)).ok_or("it is not there")?;
            return Ok(vec![merge(object, patch.clone())]);
        }
        _ => {}
    }
    let replica_sets: Vec<Value> =
        objects.iter().filter(|object| object["kind"] == "ReplicaSet").cloned().collect();
    let workload = named("Deployment", &rollout["spec"]["workloadRef"]["name"]);
    let subject = Subject { rollout, replica_sets: &replica_sets, workload };
    let action = act.action(now).ok_or("nothing to do")?;
    action.writes(subject).map_err(|refused| refused.to_string())
}

fn merge(object: &Value, body: Value) -> Write {
    Write::Patch {
        target: ObjectRef::of(object),
        subresource: Subresource::Main,
        patch_type: PatchType::Merge,
        body,
        precondition: Precondition::default(),
    }
}

/// An object of a case as it is applied on a side.
fn placed(stage: &Stage, object: &Value, side: Side) -> Value {
    let address = format!("http://{}", stage.metrics.address);
    let text = object.to_string().replace(METRICS, &address);
    let mut object: Value = serde_json::from_str(&text).unwrap_or_default();
    object["metadata"]["namespace"] = json!(side.name());
    if object["apiVersion"] == "argoproj.io/v1alpha1" {
        object["metadata"]["labels"] = json!({ CONTROLLER_INSTANCE_ID: side.name() });
    }
    object
}

/// Waits until nothing of the case has changed for a while and the controllers have seen what was done.
pub(crate) async fn settle(stage: &Stage, name: &str, sides: &[Side], begin: Instant) -> bool {
    while begin.elapsed() < PATIENCE {
        sleep(LOOK_EVERY).await;
        let quiet = |side: &Side| {
            let side = *side;
            let changed = stage.sight.changed(side.name(), name).unwrap_or(begin).max(begin);
            changed.elapsed() >= QUIET && observed(stage, name, side)
        };
        if sides.iter().all(quiet) {
            return true;
        }
    }
    false
}

/// Whether the controller of a side has seen the specification as it is now.
fn observed(stage: &Stage, name: &str, side: Side) -> bool {
    let objects = stage.sight.objects(side.name(), name).now;
    objects.iter().filter(|object| object["kind"] == "Rollout").any(|rollout| {
        let seen = &rollout["status"]["observedGeneration"];
        let seen = seen.as_str().map_or_else(|| seen.to_string(), str::to_owned);
        let now = rollout["metadata"]["generation"].to_string();
        seen == now
    })
}

/// Deletes everything of a case on a side, and waits until it is gone: a ReplicaSet that is left would be in
/// the way of the same case played again.
pub(crate) async fn clear(stage: &Stage, case: &Case, side: Side) {
    for object in case.objects.iter().rev() {
        let target = ObjectRef::of(&placed(stage, object, side));
        let delete = Write::Delete {
            target,
            propagation: Propagation::Background,
            precondition: Precondition::default(),
        };
        // What was never made need not be deleted.
        let _ = effects::perform(&stage.ground.client, ACTOR, &delete).await;
    }
    let begin = Instant::now();
    while begin.elapsed() < GONE_WITHIN && is_there(stage, case, side) {
        sleep(LOOK_EVERY).await;
    }
    stage.sight.forget(side.name(), &case.name);
}

/// Whether anything of a case is left but what was told of it.
fn is_there(stage: &Stage, case: &Case, side: Side) -> bool {
    let objects = stage.sight.objects(side.name(), &case.name).now;
    objects.iter().any(|object| object["kind"] != "Event")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_that_a_place_needs_is_noted_once() {
        let meant = |row| Meant {
            row,
            difference: Difference { place: "a".to_owned(), peer: None, ours: None },
        };
        let mut outcome = Outcome::default();
        outcome.note(vec![meant("first")]);
        outcome.note(vec![meant("second"), meant("first")]);
        assert_eq!(outcome.meant.len(), 2);
        assert_eq!(outcome.rows(), BTreeSet::from(["first", "second"]));
    }
}
