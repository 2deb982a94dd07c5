//! Why pods are not ready, in the kubelet's own words.

use super::sets::{self, SetExt};
use k8s_openapi::api::{
    apps::v1::ReplicaSet,
    core::v1::{ContainerStatus, Pod},
};
use std::collections::BTreeMap;

/// Pods named as evidence; more would only repeat themselves.
const NAMED_PODS: usize = 10;

/// The pods of `set` that are not ready, each with its cause.
pub(crate) fn why_not_ready(pods: &[Pod], set: &ReplicaSet) -> BTreeMap<String, String> {
    let uid = set.metadata.uid.as_deref();
    let of_set = |pod: &&Pod| {
        uid.is_some() && sets::controller_uid(&pod.metadata) == uid
            || sets::label(&pod.metadata, api::argo::keys::POD_TEMPLATE_HASH)
                .is_some_and(|hash| hash == set.hash())
    };
    let named = |pod: &Pod| Some((pod.metadata.name.clone()?, cause(pod)?));
    pods.iter().filter(of_set).filter_map(named).take(NAMED_PODS).collect()
}

/// Why a pod is not ready; `None` when it is.
fn cause(pod: &Pod) -> Option<String> {
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
    let waiting = first.iter().chain(containers).find_map(container_cause);
    let unscheduled = condition("PodScheduled").filter(|scheduled| scheduled.status == "False");
    let why = waiting.or_else(|| unscheduled.and_then(|scheduled| scheduled.reason.clone()));
    Some(why.unwrap_or_else(|| "NotReady".to_owned()))
}

fn container_cause(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.clone());
    let ended = state.terminated.as_ref().filter(|ended| ended.exit_code != 0);
    waiting
        .or_else(|| ended.map(|ended| ended.reason.clone().unwrap_or_else(|| "Error".to_owned())))
}
