//! The conditions of a pod, and what its init containers and readiness gates add to them.

use super::lifecycle::has_started;
use crate::objects::stamp;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, PodStatus};

/// A reason and a message why a condition does not hold.
type Because = (&'static str, String);

/// Sets the conditions that a kubelet sets; those of others stay as they are.
pub(super) fn set(pod: &Pod, initialised: bool, new: &mut PodStatus, now: Timestamp) {
    let statuses = new.container_statuses.clone().unwrap_or_default();
    let phase = new.phase.clone().unwrap_or_default();
    let ended = matches!(phase.as_str(), "Succeeded" | "Failed");
    let waits = unready(&statuses).map(|list| match phase.as_str() {
        "Succeeded" => ("PodCompleted", String::new()),
        "Failed" => ("PodFailed", String::new()),
        _ => ("ContainersNotReady", format!("containers with unready status: [{list}]")),
    });
    let waits = waits.filter(|_| ended || !statuses.is_empty());
    let gated = waits.clone().or_else(|| gates(pod, new));
    let init = new.init_container_statuses.as_deref();
    let creating = !has_started(Some(&statuses)) && !has_started(init);
    let creating = (creating && !ended).then(|| ("ContainersNotReady", String::new()));
    condition(new, "PodReadyToStartContainers", creating, now);
    let waiting = (!initialised && !ended).then(|| {
        let list = new.init_container_statuses.as_deref().and_then(unready).unwrap_or_default();
        ("ContainersNotInitialized", format!("containers with incomplete status: [{list}]"))
    });
    condition(new, "Initialized", waiting, now);
    condition(new, "Ready", gated, now);
    condition(new, "ContainersReady", waits, now);
    condition(new, "PodScheduled", None, now);
}

fn unready(statuses: &[ContainerStatus]) -> Option<String> {
    let names: Vec<&str> =
        statuses.iter().filter(|status| !status.ready).map(|status| status.name.as_str()).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// Why the readiness gates are shut; others open them.
fn gates(pod: &Pod, status: &PodStatus) -> Option<Because> {
    let gates = pod.spec.as_ref()?.readiness_gates.as_ref()?;
    let shut = gates.iter().filter_map(|gate| {
        let kind = &gate.condition_type;
        let found = status.conditions.iter().flatten().find(|c| c.type_ == *kind);
        match found {
            Some(condition) if condition.status == "True" => None,
            Some(condition) => Some(format!(
                "the status of pod readiness gate \"{kind}\" is not \"True\", but {}",
                condition.status
            )),
            None => Some(format!(
                "corresponding condition of pod readiness gate \"{kind}\" does not exist."
            )),
        }
    });
    let messages: Vec<String> = shut.collect();
    (!messages.is_empty()).then(|| ("ReadinessGatesNotReady", messages.join(", ")))
}

/// Sets a condition to true, or to false with its reason; its time moves only with its status.
pub(super) fn condition(status: &mut PodStatus, kind: &str, not: Option<Because>, now: Timestamp) {
    let value = if not.is_some() { "False" } else { "True" };
    let conditions = status.conditions.get_or_insert_default();
    let place = conditions.iter().position(|condition| condition.type_ == kind);
    let before = place.map(|place| conditions.remove(place));
    let since = before.as_ref().filter(|old| old.status == value);
    let since = since.and_then(|old| old.last_transition_time.clone());
    let (reason, message) = not.map_or((None, None), |(reason, message)| {
        (Some(reason.to_owned()), (!message.is_empty()).then_some(message))
    });
    let condition = PodCondition {
        type_: kind.into(),
        status: value.into(),
        reason,
        message,
        last_transition_time: since.or_else(|| stamp(now)),
        last_probe_time: before.as_ref().and_then(|old| old.last_probe_time.clone()),
        observed_generation: before.and_then(|old| old.observed_generation),
    };
    conditions.insert(place.unwrap_or(conditions.len()), condition);
}
