//! DaemonSet: one pod on the one node; an update replaces it.

use super::deployment::template_hash;
use crate::{
    effect::{Decision, Effect, Grace},
    objects::{
        Words, available_from, has_ended, is_active, is_controlled_by, labels_of, name_of,
        pod_from, ready_since, reference, uid_of, whole,
    },
};
use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetStatus},
    core::v1::Pod,
};

/// The label that tells which template a pod is of.
const REVISION_HASH: &str = "controller-revision-hash";

/// Decides for one DaemonSet, given the pods of its namespace.
pub(crate) fn decide(set: &DaemonSet, pods: &[&Pod], now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    let Some(spec) = &set.spec else { return decision };
    if set.metadata.deletion_timestamp.is_some() {
        return decision;
    }
    let hash = template_hash(&spec.template);
    let owned: Vec<&Pod> = pods
        .iter()
        .copied()
        .filter(|pod| is_controlled_by(&pod.metadata, uid_of(&set.metadata)))
        .collect();
    let fresh = |pod: &Pod| labels_of(&pod.metadata).get(REVISION_HASH) == Some(&hash);
    if owned.is_empty() {
        let mut pod = pod_from(set, &spec.template, name_of(&set.metadata));
        pod.metadata
            .labels
            .get_or_insert_with(Words::new)
            .insert(REVISION_HASH.into(), hash.clone());
        decision.push(Effect::Create(whole(&pod)));
    }
    let on_delete =
        spec.update_strategy.as_ref().and_then(|s| s.type_.as_deref()) == Some("OnDelete");
    let stale = |pod: &&&Pod| {
        pod.metadata.deletion_timestamp.is_none() && (has_ended(pod) || !(on_delete || fresh(pod)))
    };
    for pod in owned.iter().filter(stale) {
        let uid = pod.metadata.uid.clone();
        decision.push(Effect::Delete { target: reference(*pod), uid, grace: Grace::Asked });
    }
    let active: Vec<&Pod> = owned.into_iter().filter(|pod| is_active(pod)).collect();
    let updated = active.iter().filter(|pod| fresh(pod)).count();
    report(set, spec, &active, (updated, now), &mut decision);
    decision
}

fn report(
    set: &DaemonSet,
    spec: &DaemonSetSpec,
    active: &[&Pod],
    (updated, now): (usize, Timestamp),
    decision: &mut Decision,
) {
    let wait = spec.min_ready_seconds.unwrap_or(0);
    let available =
        active.iter().filter_map(|pod| available_from(pod, wait)).filter(|at| *at <= now).count();
    let later =
        active.iter().filter_map(|pod| available_from(pod, wait)).filter(|at| *at > now).min();
    if let Some(at) = later {
        decision.wake_at(at);
    }
    let count = |pods: usize| i32::try_from(pods.min(1)).unwrap_or(0);
    let some = |pods: usize| (pods > 0).then(|| count(pods));
    let new = DaemonSetStatus {
        current_number_scheduled: count(active.len()),
        desired_number_scheduled: 1,
        number_ready: count(active.iter().filter(|pod| ready_since(pod).is_some()).count()),
        number_available: some(available),
        number_unavailable: some(1 - available.min(1)),
        updated_number_scheduled: some(updated),
        observed_generation: set.metadata.generation,
        ..DaemonSetStatus::default()
    };
    decision.settle(&reference(set), &set.status.clone().unwrap_or_default(), &new);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::second;
    use serde_json::json;

    #[test]
    fn the_node_gets_its_pod() {
        let set: DaemonSet = serde_json::from_value(json!({
            "metadata": {"name": "agent", "namespace": "default", "uid": "uid-agent"},
            "spec": {"selector": {"matchLabels": {"app": "agent"}},
                "template": {"metadata": {"labels": {"app": "agent"}}, "spec": {"containers": []}}},
        }))
        .unwrap();
        let decision = decide(&set, &[], second(0));
        assert!(matches!(&decision.effects[0], Effect::Create(pod) if pod["kind"] == "Pod"));
    }
}
