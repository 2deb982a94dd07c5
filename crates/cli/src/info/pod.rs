//! What is shown of a pod: the word kubectl shows, worked out the same way.

use super::{age, replica_set::is_owned};
use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::ReplicaSet,
    core::v1::{Container, ContainerStatus, Pod},
};
use serde::Serialize;

/// What is shown of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PodInfo {
    /// Name.
    pub name: String,
    /// kubectl's word for its state.
    pub status: String,
    /// How old it is.
    pub age: String,
    /// `ready/all` containers.
    pub ready: String,
    /// Restarts of its containers.
    pub restarts: i32,
}

/// The pods of a ReplicaSet, oldest first.
pub(crate) fn of(set: &ReplicaSet, pods: &[Pod], now: Timestamp) -> Vec<PodInfo> {
    let uid = set.metadata.uid.as_deref();
    let mut owned: Vec<_> =
        pods.iter().filter(|pod| is_owned(pod.metadata.owner_references.as_deref(), uid)).collect();
    owned.sort_by_key(|pod| {
        (pod.metadata.creation_timestamp.as_ref().map(|time| time.0), pod.metadata.name.clone())
    });
    owned.into_iter().map(|pod| info(pod, now)).collect()
}

fn info(pod: &Pod, now: Timestamp) -> PodInfo {
    let status = pod.status.clone().unwrap_or_default();
    let all = pod.spec.as_ref().map_or(0, |spec| spec.containers.len());
    let containers = status.container_statuses.unwrap_or_default();
    let is_up = |container: &&ContainerStatus| {
        container.ready && container.state.as_ref().is_some_and(|state| state.running.is_some())
    };
    let init = init_word(pod);
    let restarts = match &init {
        Some(_) => status
            .init_container_statuses
            .unwrap_or_default()
            .iter()
            .map(|container| container.restart_count)
            .sum(),
        None => containers.iter().map(|container| container.restart_count).sum(),
    };
    let ready = if init.is_some() { 0 } else { containers.iter().filter(is_up).count() };
    PodInfo {
        name: pod.metadata.name.clone().unwrap_or_default(),
        status: word(pod, init, ready > 0),
        age: age::since(pod.metadata.creation_timestamp.as_ref(), now),
        ready: format!("{ready}/{all}"),
        restarts,
    }
}

fn word(pod: &Pod, init: Option<String>, has_running: bool) -> String {
    let status = pod.status.clone().unwrap_or_default();
    if pod.metadata.deletion_timestamp.is_some() {
        let is_lost = status.reason.as_deref() == Some("NodeLost");
        return if is_lost { "Unknown" } else { "Terminating" }.to_owned();
    }
    let plain = status.reason.or(status.phase).unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    // The first container has the last word, as in kubectl.
    let word = init.or_else(|| containers.iter().find_map(container_word)).unwrap_or(plain);
    if word == "Completed" && has_running { "Running".to_owned() } else { word }
}

fn container_word(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    if let Some(reason) = state
        .waiting
        .as_ref()
        .and_then(|waiting| waiting.reason.clone())
        .filter(|reason| !reason.is_empty())
    {
        return Some(reason);
    }
    let ended = state.terminated.as_ref()?;
    Some(end_word(ended.reason.as_deref(), ended.signal, ended.exit_code))
}

fn end_word(reason: Option<&str>, signal: Option<i32>, exit_code: i32) -> String {
    match (reason.filter(|reason| !reason.is_empty()), signal.filter(|signal| *signal != 0)) {
        (Some(reason), _) => reason.to_owned(),
        (None, Some(signal)) => format!("Signal:{signal}"),
        (None, None) => format!("ExitCode:{exit_code}"),
    }
}

/// The word for the first init container that is not through; `None` when all are, or a sidecar among them has
/// started and only is not ready.
fn init_word(pod: &Pod) -> Option<String> {
    let specs = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_deref());
    let specs = specs.unwrap_or_default();
    let all = specs.len();
    let statuses = pod.status.as_ref()?.init_container_statuses.as_ref()?;
    let (index, container) =
        statuses.iter().enumerate().find(|(_, container)| !is_through(container))?;
    let is_sidecar = |spec: &Container| {
        spec.name == container.name && spec.restart_policy.as_deref() == Some("Always")
    };
    if container.started == Some(true) && specs.iter().any(is_sidecar) {
        return None;
    }
    let state = container.state.clone().unwrap_or_default();
    if let Some(ended) = &state.terminated {
        return Some(format!(
            "Init:{}",
            end_word(ended.reason.as_deref(), ended.signal, ended.exit_code)
        ));
    }
    let waiting = state
        .waiting
        .and_then(|waiting| waiting.reason)
        .filter(|reason| reason != "PodInitializing");
    Some(waiting.map_or_else(|| format!("Init:{index}/{all}"), |reason| format!("Init:{reason}")))
}

/// Ended well, or a sidecar that has started and is ready.
fn is_through(container: &ContainerStatus) -> bool {
    let ended = container.state.as_ref().and_then(|state| state.terminated.as_ref());
    ended.map_or(container.started == Some(true) && container.ready, |ended| ended.exit_code == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_sidecar_that_has_started_keeps_no_pod_initializing() {
        for (policy, started, expected) in [
            ("Always", true, None),
            ("Always", false, Some("Init:0/1")),
            ("", true, Some("Init:0/1")),
        ] {
            let pod: Pod = serde_json::from_value(json!({
                "spec": {
                    "containers": [{"name": "main"}],
                    "initContainers": [{"name": "side", "restartPolicy": policy}],
                },
                "status": {"initContainerStatuses": [{
                    "name": "side", "started": started, "ready": false, "image": "", "imageID": "",
                    "restartCount": 0, "state": {"running": {}},
                }]},
            }))
            .unwrap();
            assert_eq!(init_word(&pod).as_deref(), expected, "{policy} {started}");
        }
    }
}
