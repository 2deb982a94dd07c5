//! Holding expectations against what is the case.

use crate::{
    resources::{UnknownResource, kind_of},
    scene::{RolloutName, Scene},
    script::{Comparison, Expectation, FieldValue},
};
use api::argo::{Rollout, RolloutStatus};
use k8s_openapi::api::apps::v1::ReplicaSet;
use serde_json::Value;

/// What was the case: as expected, or what instead.
pub(crate) type Found = Result<(), String>;

/// Names that stand for the objects of a version, whose own names nobody knows beforehand.
const OF_STABLE: &str = "@stable";
const OF_CANARY: &str = "@canary";
const NEWEST: &str = "@newest";

/// Holds one expectation about a rollout against one moment.
pub(crate) fn check(
    scene: &Scene,
    of: &RolloutName,
    expectation: &Expectation,
) -> Result<Found, UnknownResource> {
    let rollout = scene.rollout(of);
    if let Expectation::Field { resource, name, pointer, value } = expectation {
        let objects = meant(scene, (of, rollout.as_ref()), kind_of(resource)?, name);
        return Ok(field(&objects, pointer, value));
    }
    let Some(rollout) = rollout else { return Ok(Err("there is no such rollout".to_owned())) };
    let status = rollout.status.clone().unwrap_or_default();
    let (stable, newest) = (status.stable_rs.as_deref(), status.current_pod_hash.as_deref());
    Ok(match expectation {
        Expectation::StableImage(image) => {
            equal(&image_of(scene.set_of(&rollout, stable).as_ref()), image)
        }
        Expectation::Pods(bound) => {
            compare(scene.sets_of(&rollout).iter().map(ready).sum::<i32>(), *bound)
        }
        Expectation::StablePods(bound) => {
            compare(scene.set_of(&rollout, stable).as_ref().map_or(0, ready), *bound)
        }
        Expectation::CanaryPods(bound) => {
            compare(scene.set_of(&rollout, newest).as_ref().map_or(0, ready), *bound)
        }
        Expectation::ReplicaSets(bound) => compare(scene.sets_of(&rollout).len(), *bound),
        Expectation::AnalysisRuns(bound) => compare(scene.runs_of(&rollout).len(), *bound),
        Expectation::Load(bound) => {
            let load = scene.load(&rollout);
            is(bound.holds(load.round()), || format!("{load:.0}"))
        }
        Expectation::Analysis(phase) => {
            let run = scene.runs_of(&rollout).pop().and_then(|run| run.status);
            equal(&run.map_or_else(|| "no run".to_owned(), |run| run.phase.to_string()), phase)
        }
        expectation => about_status(&rollout, &status, expectation),
    })
}

fn about_status(rollout: &Rollout, status: &RolloutStatus, expectation: &Expectation) -> Found {
    match expectation {
        Expectation::Phase(phase) => {
            let (found, message) = observed_phase(rollout, status);
            is(found == *phase, || format!("{found} ({message})"))
        }
        Expectation::Message(text) => {
            let message = status.message.clone().unwrap_or_default();
            is(message.contains(text), || format!("\"{message}\""))
        }
        Expectation::Step(step) => {
            let found = status.current_step_index.unwrap_or(0);
            is(i64::from(found) == i64::from(*step), || format!("step {found}"))
        }
        Expectation::Weight(weight) => {
            let found = status.canary.weights.as_ref().map_or(0, |weights| weights.canary.weight);
            is(i64::from(found) == i64::from(*weight), || format!("weight {found}"))
        }
        Expectation::Reason(code) => {
            let codes: Vec<_> = status.reasons.iter().map(|reason| reason.code.as_str()).collect();
            is(codes.contains(&code.as_str()), || format!("[{}]", codes.join(", ")))
        }
        Expectation::Condition { kind, status: wanted, reason } => {
            let found = status.conditions.iter().find(|condition| condition.type_ == *kind);
            let Some(found) = found else { return equal("absent", wanted) };
            let meant = reason.as_ref().is_none_or(|reason| found.reason == *reason);
            is(found.status == *wanted && meant, || format!("{} {}", found.status, found.reason))
        }
        _ => Err("this cannot be looked up".to_owned()),
    }
}

/// A status that speaks of an older generation says nothing about this one.
pub(crate) fn observed_phase(rollout: &Rollout, status: &RolloutStatus) -> (String, String) {
    if !rollout.is_observed() {
        return ("Progressing".to_owned(), "the latest change was not observed yet".to_owned());
    }
    (
        status.phase.map(|phase| phase.to_string()).unwrap_or_default(),
        status.message.clone().unwrap_or_default(),
    )
}

fn image_of(set: Option<&ReplicaSet>) -> String {
    let container = set
        .and_then(|set| set.spec.as_ref()?.template.as_ref()?.spec.as_ref())
        .and_then(|pod| pod.containers.first());
    container.and_then(|container| container.image.clone()).unwrap_or_else(|| "none".to_owned())
}

fn ready(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0)
}

/// The objects that a name means: one, or all that belong to a version.
fn meant(
    scene: &Scene,
    (of, rollout): (&RolloutName, Option<&Rollout>),
    kind: &str,
    name: &str,
) -> Vec<Value> {
    let status = rollout.and_then(|rollout| rollout.status.clone()).unwrap_or_default();
    let hash = match name {
        OF_STABLE => status.stable_rs,
        OF_CANARY => status.current_pod_hash,
        NEWEST => {
            let run = rollout.and_then(|rollout| scene.runs_of(rollout).pop());
            let name = run.and_then(|run| run.metadata.name).unwrap_or_default();
            return scene.raw(kind, &of.namespace, &name).cloned().into_iter().collect();
        }
        name => return scene.raw(kind, &of.namespace, name).cloned().into_iter().collect(),
    };
    let is_of = |object: &&Value| {
        let label = object.pointer("/metadata/labels/rollouts-pod-template-hash");
        let gone = object.pointer("/metadata/deletionTimestamp").is_some();
        label.is_some() && label.and_then(Value::as_str) == hash.as_deref() && !gone
    };
    scene.raw_all(kind, &of.namespace).filter(is_of).cloned().collect()
}

/// Holds a field of every one of `objects` against `wanted`; without objects the field is absent.
fn field(objects: &[Value], pointer: &str, wanted: &FieldValue) -> Found {
    if objects.is_empty() {
        return field_is(None, wanted);
    }
    objects.iter().try_for_each(|object| field_is(object.pointer(pointer), wanted))
}

fn field_is(found: Option<&Value>, wanted: &FieldValue) -> Found {
    let text = match found {
        None => "absent".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let holds = match wanted {
        FieldValue::Text(wanted) => text == *wanted,
        FieldValue::Containing(part) => found.is_some() && text.contains(part),
        FieldValue::Number(bound) => text.parse().is_ok_and(|number| bound.holds(number)),
    };
    is(holds, || text)
}

/// Holds a number against a bound.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn compare(found: impl TryInto<u64>, bound: Comparison) -> Found {
    let found = found.try_into().unwrap_or(u64::MAX);
    is(bound.holds(found as f64), || found.to_string())
}

/// As expected, or what was found instead.
pub(crate) fn is(holds: bool, found: impl FnOnce() -> String) -> Found {
    if holds { Ok(()) } else { Err(found()) }
}

fn equal(found: &str, wanted: &str) -> Found {
    is(found == wanted, || found.to_owned())
}
