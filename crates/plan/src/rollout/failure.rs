//! What a status says of a look that could not be carried out.
//!
//! Start with [`told`]. A status is written last, so what the API server refuses keeps it from being
//! written; without this, people would go on seeing how the release before stood. As with upstream, a
//! ReplicaSet that cannot be made is a condition; other than there the rollout is `Degraded` then, not as
//! healthy as before. A pod template is judged by the API server alone, which knows its version's fields:
//! what it finds wrong with the ReplicaSet's is wrong with the rollout's, at the same paths.
//!
//! **Invariant.** The next plan that is carried out replaces all of it.

use super::{conditions, readiness, sets};
use api::argo::{
    GenerationForm, ObservedGeneration, RolloutCondition, RolloutPhase, RolloutStatus, keys,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, from_value, json};
use vocab::{ObjectRef, PatchType, Reason, Subresource, Write};

/// Why a look at a rollout did not get to its end.
#[derive(Clone, Debug)]
pub struct Failed<'a> {
    /// What is said of it, with a stable code.
    pub reason: Reason,
    /// What kind of failure it is.
    pub kind: Kind<'a>,
    /// Whether the API server drops `status.reasons`, as it does under upstream's definition.
    pub drops_reasons: bool,
}

/// What the rest of the status makes of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// The object is none that we can read.
    Unreadable,
    /// An object could not be made, in the API server's words.
    NotCreated(&'a ObjectRef, &'a str),
    /// An object that is there could not be changed.
    NotChanged,
    /// Anything else.
    Other,
}

/// The write that tells a failure in the status of the rollout `live`, which need not be one that we can read;
/// `None` where the status says it already.
pub fn told(
    target: ObjectRef,
    live: &Value,
    failed: &Failed<'_>,
    as_of: (GenerationForm, Timestamp),
) -> Option<Write> {
    let metadata: ObjectMeta = from_value(live["metadata"].clone()).unwrap_or_default();
    let noted = |generation: Option<i64>| generation.map(|it| ObservedGeneration::of(it, as_of.0));
    let mut status = json!({});
    if let Some(condition) = condition(&target.name, failed, as_of.1) {
        status = stopped(live, condition, as_of);
        status["observedGeneration"] = json!(noted(metadata.generation));
        status["workloadObservedGeneration"] = json!(noted(workload_generation(live, &metadata)));
    } else if let Some(moving) = moving(live, failed, as_of) {
        status = moving;
    } else if let Some(message) = message(live, &failed.reason.message) {
        status["message"] = json!(message);
    }
    if !failed.drops_reasons {
        status["reasons"] = json!([failed.reason]);
    }
    let mut after = live["status"].clone();
    json_patch::merge(&mut after, &status);
    (after != live["status"]).then(|| Write::Patch {
        target,
        subresource: Subresource::Status,
        patch_type: PatchType::Merge,
        body: json!({ "status": status }),
        precondition: sets::precondition(&metadata),
    })
}

/// Upstream's sentence for a ReplicaSet that could not be made.
pub fn set_not_created(set: &ObjectRef, why: &str) -> String {
    format!("Failed to create new replica set \"{}\": {why}", set.name)
}

/// What stops a rollout until somebody acts.
fn condition(rollout: &str, failed: &Failed<'_>, now: Timestamp) -> Option<RolloutCondition> {
    let invalid = |problems: &str| {
        let message = format!("The Rollout \"{rollout}\" is invalid: {problems}");
        (keys::CONDITION_INVALID_SPEC, conditions::TRUE, ("InvalidSpec", message))
    };
    let (kind, status, text) = match failed.kind {
        Kind::Unreadable => invalid(&failed.reason.message),
        Kind::NotCreated(set, why) if set.kind == "ReplicaSet" => template_problems(why)
            .map_or_else(
                || {
                    let text = (keys::SET_CREATE_ERROR, set_not_created(set, why));
                    (keys::CONDITION_PROGRESSING, conditions::FALSE, text)
                },
                invalid,
            ),
        Kind::NotCreated(..) | Kind::NotChanged | Kind::Other => return None,
    };
    Some(conditions::condition(kind, status, text, now))
}

/// What the API server found wrong with a ReplicaSet's pod template, as `path: problem`.
fn template_problems(why: &str) -> Option<&str> {
    let (object, problems) = why.split_once(" is invalid: ")?;
    let problems =
        problems.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(problems);
    let is_ours = object.starts_with("ReplicaSet.apps ") && problems.starts_with("spec.template.");
    is_ours.then_some(problems)
}

/// The generation of the workload that was looked at, where clients wait for it to be noted.
fn workload_generation(live: &Value, metadata: &ObjectMeta) -> Option<i64> {
    let text = sets::annotation(metadata, keys::WORKLOAD_GENERATION);
    text.filter(|_| live["spec"]["workloadRef"].is_object())?.parse().ok()
}

/// What is stored, stopped by `condition`.
fn stopped(live: &Value, condition: RolloutCondition, as_of: (GenerationForm, Timestamp)) -> Value {
    let mut status = RolloutStatus {
        phase: Some(RolloutPhase::Degraded),
        message: Some(format!("{}: {}", condition.reason, condition.message)),
        conditions: conditions_of(live),
        ..RolloutStatus::default()
    };
    // What stopped it before does so no more.
    status.conditions.retain(|it| !it.stops() || it.type_ == condition.type_);
    let before = conditions::get(&status, &condition.type_);
    let says = |it: &RolloutCondition| [&it.status, &it.reason, &it.message].map(String::clone);
    if before.map(says) != Some(says(&condition)) {
        let condition = conditions::in_place_of(before, condition);
        conditions::remove(&mut status, &condition.type_);
        conditions::set(&mut status, condition);
    }
    shown(status, as_of)
}

/// What is stored, no longer stopped by what stopped it, where the failure is one of a plan that went past
/// that. Its generation was noted although no look at it came to its end, so that is taken back.
fn moving(live: &Value, failed: &Failed<'_>, as_of: (GenerationForm, Timestamp)) -> Option<Value> {
    if !matches!(failed.kind, Kind::NotCreated(..) | Kind::NotChanged) {
        return None;
    }
    let (stops, others): (Vec<_>, Vec<_>) =
        conditions_of(live).into_iter().partition(RolloutCondition::stops);
    if stops.is_empty() {
        return None;
    }
    let status = RolloutStatus {
        phase: Some(RolloutPhase::Progressing),
        message: Some(failed.reason.message.clone()),
        conditions: others,
        ..RolloutStatus::default()
    };
    let mut status = shown(status, as_of);
    status["observedGeneration"] = Value::Null;
    Some(status)
}

/// The fields that say how a rollout stands.
fn shown(mut status: RolloutStatus, as_of: (GenerationForm, Timestamp)) -> Value {
    readiness::set(&mut status, as_of);
    let RolloutStatus { phase, message, conditions, .. } = status;
    json!({"phase": phase, "message": message, "conditions": conditions})
}

/// What is said beside the phase: while things move why they do not, and after an abort what keeps it from
/// ending. What is paused or healthy says so.
fn message(live: &Value, failure: &str) -> Option<String> {
    match from_value(live["status"]["phase"].clone()).ok()? {
        RolloutPhase::Progressing => Some(failure.to_owned()),
        RolloutPhase::Degraded => {
            let stops = [conditions::ABORTED, conditions::TIMED_OUT];
            let why =
                conditions_of(live).into_iter().find(|it| stops.contains(&it.reason.as_str()))?;
            Some(format!("{}: {}: {failure}", why.reason, why.message))
        }
        _ => None,
    }
}

fn conditions_of(live: &Value) -> Vec<RolloutCondition> {
    from_value(live["status"]["conditions"].clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(phase: &str, conditions: &Value) -> Value {
        json!({
            "metadata": {"name": "web", "generation": 4, "resourceVersion": "7"},
            "spec": {"replicas": "three"},
            "status": {"phase": phase, "conditions": conditions, "observedGeneration": "3"},
        })
    }

    /// The status that is written, without its reasons; of conditions what they are and why.
    fn told_of(live: &Value, kind: Kind<'_>) -> Value {
        let reason = Reason::new("Forbidden", "could not do it: no".to_owned(), []);
        let failed = Failed { reason, kind, drops_reasons: false };
        let target = ObjectRef::new("argoproj.io/v1alpha1", "Rollout", "shop", "web");
        let as_of = (GenerationForm::Number, Timestamp::UNIX_EPOCH);
        let write = told(target.clone(), live, &failed, as_of);
        let Some(Write::Patch { mut body, precondition, .. }) = write else { panic!("no patch") };
        let mut after = live.clone();
        json_patch::merge(&mut after, &body);
        assert_eq!(told(target, &after, &failed, as_of), None, "it is told once");
        assert_eq!(precondition.resource_version.as_deref(), Some("7"));
        assert_eq!(body["status"]["reasons"][0]["code"], "Forbidden");
        body["status"].as_object_mut().unwrap().remove("reasons");
        let conditions = body.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
        for condition in conditions.into_iter().flatten() {
            *condition = json!(["type", "status", "reason"].map(|field| condition[field].clone()));
        }
        body["status"].take()
    }

    fn progressing(status: &str, reason: &str, message: &str) -> Value {
        let time = "1970-01-01T00:00:00Z";
        json!([{
            "type": "Progressing", "status": status, "reason": reason, "message": message,
            "lastUpdateTime": time, "lastTransitionTime": time,
        }])
    }

    #[test]
    fn a_replica_set_that_cannot_be_made_is_upstreams_condition_and_degrades_the_rollout() {
        let set = ObjectRef::new("apps/v1", "ReplicaSet", "shop", "web-5f");
        let before = live("Healthy", &progressing("True", "NewReplicaSetAvailable", "done"));
        let message = "ReplicaSetCreateError: Failed to create new replica set \"web-5f\": no room";
        assert_eq!(
            told_of(&before, Kind::NotCreated(&set, "no room")),
            json!({
                "phase": "Degraded",
                "message": message,
                "observedGeneration": 4,
                "workloadObservedGeneration": null,
                "conditions": [
                    ["Progressing", "False", "ReplicaSetCreateError"],
                    ["Ready", "False", "Degraded"],
                    ["Stalled", "True", "Degraded"],
                ],
            })
        );
    }

    #[test]
    fn a_pod_template_that_the_api_server_finds_wrong_is_an_invalid_specification() {
        let set = ObjectRef::new("apps/v1", "ReplicaSet", "shop", "web-5f");
        let one = "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"typo\"";
        let two = format!("[{one}, {one}]");
        for (found, shown) in [(one, one.to_owned()), (&two, format!("{one}, {one}"))] {
            let why = format!("ReplicaSet.apps \"web-5f\" is invalid: {found}");
            let told = told_of(&live("Healthy", &Value::Null), Kind::NotCreated(&set, &why));
            let message = format!("InvalidSpec: The Rollout \"web\" is invalid: {shown}");
            assert_eq!((&told["phase"], &told["message"]), (&json!("Degraded"), &json!(message)));
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_invalid_specification() {
        assert_eq!(
            told_of(&live("Healthy", &Value::Null), Kind::Unreadable),
            json!({
                "phase": "Degraded",
                "message": "InvalidSpec: The Rollout \"web\" is invalid: could not do it: no",
                "observedGeneration": 4,
                "workloadObservedGeneration": null,
                "conditions": [
                    ["InvalidSpec", "True", "InvalidSpec"],
                    ["Ready", "False", "Degraded"],
                    ["Stalled", "True", "Degraded"],
                ],
            })
        );
    }

    /// A rollout whose ReplicaSet `web-5f` was refused.
    fn refused() -> Value {
        let message = "Failed to create new replica set \"web-5f\": no room";
        let mut live = live("Degraded", &progressing("False", "ReplicaSetCreateError", message));
        live["status"]["message"] = json!(format!("ReplicaSetCreateError: {message}"));
        live["status"]["observedGeneration"] = json!("4");
        live
    }

    #[test]
    fn a_refusal_that_is_over_is_no_longer_told_when_another_write_fails() {
        let service = ObjectRef::new("v1", "Service", "shop", "web");
        let expected = json!({
            "phase": "Progressing",
            "message": "could not do it: no",
            "observedGeneration": null,
            "conditions": [["Ready", "False", "Progressing"], ["Reconciling", "True", "Progressing"]],
        });
        for kind in [Kind::NotChanged, Kind::NotCreated(&service, "no")] {
            assert_eq!(told_of(&refused(), kind), expected);
        }
        assert_eq!(told_of(&refused(), Kind::Other), json!({}), "nothing shows that it is over");
    }

    #[test]
    fn what_stopped_a_rollout_before_is_not_told_beside_what_stops_it_now() {
        let told = told_of(&refused(), Kind::Unreadable);
        assert_eq!(told["conditions"][0], json!(["InvalidSpec", "True", "InvalidSpec"]));
        assert_eq!(told["conditions"].as_array().map(Vec::len), Some(3), "{told}");
    }

    #[test]
    fn a_refusal_notes_the_generation_of_the_workload_too() {
        let set = ObjectRef::new("apps/v1", "ReplicaSet", "shop", "web-5f");
        let mut live = live("Healthy", &Value::Null);
        live["metadata"]["annotations"] = json!({keys::WORKLOAD_GENERATION: "9"});
        live["status"]["workloadObservedGeneration"] = json!("8");
        let mut noted = |spec: Value| {
            live["spec"] = spec;
            told_of(&live, Kind::NotCreated(&set, "no"))["workloadObservedGeneration"].take()
        };
        assert_eq!(noted(json!({"workloadRef": {"kind": "Deployment"}})), json!(9));
        assert_eq!(noted(json!({})), Value::Null);
    }

    #[test]
    fn any_other_failure_is_told_beside_the_phase() {
        let service = ObjectRef::new("v1", "Service", "shop", "web");
        let aborted = live("Degraded", &progressing("False", "RolloutAborted", "Rollout aborted"));
        let message = "RolloutAborted: Rollout aborted: could not do it: no";
        assert_eq!(told_of(&aborted, Kind::Other), json!({ "message": message }));
        let moving = live("Progressing", &Value::Null);
        let refused = Kind::NotCreated(&service, "no");
        assert_eq!(told_of(&moving, refused), json!({"message": "could not do it: no"}));
        assert_eq!(told_of(&live("Healthy", &Value::Null), Kind::Other), json!({}));
    }
}
