//! Why pods are not ready, in the kubelet's own words.

use super::sets::{self, SetExt};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    apps::v1::{ReplicaSet, ReplicaSetCondition},
    core::v1::{ContainerStatus, Pod},
};
use std::{collections::BTreeMap, sync::Arc};

/// How long a container runs before the kubelet forgets that it crashed.
const CRASHES_FORGOTTEN: SignedDuration = SignedDuration::from_mins(10);
/// Pods named as evidence; more would only repeat themselves.
const NAMED_PODS: usize = 10;

/// Why `set` has too few pods: `pod/NAME` of those that are not ready, each with its cause, and
/// `replicaSet/NAME` when some cannot even be made.
pub(crate) fn why_not_ready(
    pods: &[Arc<Pod>],
    set: &ReplicaSet,
    now: Timestamp,
) -> BTreeMap<String, String> {
    let uid = set.metadata.uid.as_deref();
    let of_set = |pod: &&Pod| {
        uid.is_some() && sets::controller_uid(&pod.metadata) == uid
            || sets::label(&pod.metadata, api::argo::keys::POD_TEMPLATE_HASH)
                .is_some_and(|hash| hash == set.hash())
    };
    let named = |pod: &Pod| {
        let name = pod.metadata.name.as_deref()?;
        Some((format!("pod/{name}"), cause(pod, now)?))
    };
    let named = pods.iter().map(Arc::as_ref).filter(of_set).filter_map(named).take(NAMED_PODS);
    let unmade = why_not_made(set).map(|why| (format!("replicaSet/{}", set.name()), why));
    named.chain(unmade).collect()
}

/// Why no more pods can be made, as a quota or an admission webhook has it; `None` when all are there.
fn why_not_made(set: &ReplicaSet) -> Option<String> {
    let conditions = set.status.as_ref()?.conditions.as_ref()?;
    let is_failure = |condition: &&ReplicaSetCondition| {
        condition.type_ == api::argo::keys::CONDITION_REPLICA_FAILURE && condition.status == "True"
    };
    let failure = conditions.iter().find(is_failure).filter(|_| set.actual() < set.wanted())?;
    failure.message.clone().filter(|why| !why.is_empty())
}

/// Why a pod is not ready; `None` when it is.
fn cause(pod: &Pod, now: Timestamp) -> Option<String> {
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let condition = |name: &str| conditions.iter().find(|condition| condition.type_ == name);
    if condition("Ready").is_some_and(|ready| ready.status == "True") {
        return None;
    }
    let containers =
        status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let first =
        status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    let waiting =
        first.iter().chain(containers).find_map(|container| container_cause(container, now));
    let unscheduled = condition("PodScheduled").filter(|scheduled| scheduled.status == "False");
    let why = waiting.or_else(|| unscheduled.and_then(|scheduled| scheduled.reason.clone()));
    Some(why.unwrap_or_else(|| "NotReady".to_owned()))
}

fn container_cause(container: &ContainerStatus, now: Timestamp) -> Option<String> {
    let state = container.state.as_ref()?;
    let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.clone());
    let ended = state.terminated.as_ref().filter(|ended| ended.exit_code != 0);
    let ended = || ended.map(|ended| ended.reason.clone().unwrap_or_else(|| "Error".to_owned()));
    let crashes = || is_between_crashes(container, now).then(|| "CrashLoopBackOff".to_owned());
    waiting.or_else(ended).or_else(crashes)
}

/// Whether a container runs again after several crashes, and not for long enough to count as recovered: what
/// is said of it must not change with each try.
fn is_between_crashes(container: &ContainerStatus, now: Timestamp) -> bool {
    let running = container.state.as_ref().and_then(|state| state.running.as_ref());
    let since = running.and_then(|running| running.started_at.as_ref());
    let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    !container.ready
        && container.restart_count > 1
        && last.is_some_and(|last| last.exit_code != 0)
        && since.is_some_and(|since| now.duration_since(since.0) < CRASHES_FORGOTTEN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(restarts: i32, now: &str, expected: Option<&str>) {
        let container = json!({
            "name": "web", "image": "web", "imageID": "", "ready": false, "restartCount": restarts,
            "state": {"running": {"startedAt": "2026-01-05T09:05:00Z"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
        });
        let container = serde_json::from_value(container).unwrap();
        let found = container_cause(&container, now.parse().unwrap());
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn a_set_whose_pods_cannot_be_made_says_why() {
        let check = |there: i32, status: &str, expected: Option<&str>| {
            let failure = json!({"type": "ReplicaFailure", "status": status, "reason": "FailedCreate",
                "message": "pods \"web-1\" is forbidden: exceeded quota"});
            let set = json!({"metadata": {"name": "web"}, "spec": {"replicas": 2, "selector": {}},
                "status": {"replicas": there, "conditions": [failure]}});
            let set: ReplicaSet = serde_json::from_value(set).unwrap();
            let found = why_not_ready(&[], &set, "2026-01-05T09:05:01Z".parse().unwrap());
            assert_eq!(found.get("replicaSet/web").map(String::as_str), expected);
        };
        check(1, "True", Some("pods \"web-1\" is forbidden: exceeded quota"));
        check(2, "True", None);
        check(1, "False", None);
    }

    #[test]
    fn a_crash_loop_is_one_between_two_crashes_too() {
        check(1, "2026-01-05T09:05:01Z", None);
        check(2, "2026-01-05T09:05:01Z", Some("CrashLoopBackOff"));
        check(2, "2026-01-05T09:16:00Z", None);
    }
}
