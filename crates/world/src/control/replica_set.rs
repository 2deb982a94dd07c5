//! ReplicaSet: as many pods as asked for, the least useful ones going first.

use crate::{
    effect::{Decision, Effect, Grace, Part},
    objects::{
        available_from, contains_all, controlled_by, controller_of, created_at, has_ended,
        is_active, is_controlled_by, labels_of, name_of, phase_of, pod_from, ready_since,
        reference, selector, uid_of, whole,
    },
};
use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{ReplicaSet, ReplicaSetStatus},
    core::v1::Pod,
};
use kube::core::SelectorExt;
use serde_json::json;
use std::cmp::Reverse;

/// Pods created or deleted in one go, as upstream bounds its bursts.
const BURST: usize = 500;
/// The annotation that says how much a pod's deletion costs.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Decides for one ReplicaSet, given the pods of its namespace.
pub(crate) fn decide(set: &ReplicaSet, pods: &[&Pod], now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    adopt_and_release(set, pods, &mut decision);
    if !decision.effects.is_empty() {
        return decision;
    }
    let owned: Vec<&Pod> = owned_pods(set, pods);
    let active: Vec<&Pod> = owned.iter().copied().filter(|pod| is_active(pod)).collect();
    if set.metadata.deletion_timestamp.is_none() {
        match_count(set, &active, &mut decision);
    }
    let old = set.status.clone().unwrap_or_default();
    let new = status(set, &owned, &active, now, &mut decision);
    let creates = decision.effects.iter().any(|effect| matches!(effect, Effect::Create(_)));
    if !creates || old.observed_generation != new.observed_generation {
        decision.settle(&reference(set), &old, &new);
    }
    decision
}

fn owned_pods<'a>(set: &ReplicaSet, pods: &[&'a Pod]) -> Vec<&'a Pod> {
    pods.iter()
        .copied()
        .filter(|pod| is_controlled_by(&pod.metadata, uid_of(&set.metadata)))
        .collect()
}

fn adopt_and_release(set: &ReplicaSet, pods: &[&Pod], decision: &mut Decision) {
    let selector = set.spec.as_ref().and_then(|spec| selector(&spec.selector));
    for pod in pods {
        let owned = is_controlled_by(&pod.metadata, uid_of(&set.metadata));
        let orphan = controller_of(&pod.metadata).is_none() && is_active(pod);
        let wanted = selector.as_ref().is_some_and(|s| s.matches(labels_of(&pod.metadata)));
        if wanted && orphan && set.metadata.deletion_timestamp.is_none() {
            decision.push(owners(pod, &json!([controlled_by(set)])));
        } else if owned && !wanted && pod.metadata.deletion_timestamp.is_none() {
            decision.push(owners(pod, &json!(null)));
        }
    }
}

fn owners(pod: &Pod, references: &serde_json::Value) -> Effect {
    let body = json!({"metadata": {"uid": pod.metadata.uid, "ownerReferences": references}});
    Effect::Patch { target: reference(pod), part: Part::Main, body }
}

fn match_count(set: &ReplicaSet, active: &[&Pod], decision: &mut Decision) {
    let wanted = usize::try_from(wanted(set)).unwrap_or(0);
    if active.len() < wanted {
        create(set, (wanted - active.len()).min(BURST), decision);
    } else if active.len() > wanted {
        delete(set, active, (active.len() - wanted).min(BURST), decision);
    }
}

fn wanted(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

fn create(set: &ReplicaSet, count: usize, decision: &mut Decision) {
    let Some(template) = set.spec.as_ref().and_then(|spec| spec.template.as_ref()) else { return };
    let pod = whole(&pod_from(set, template, name_of(&set.metadata)));
    decision.effects.extend(std::iter::repeat_n(Effect::Create(pod), count));
}

fn delete(set: &ReplicaSet, active: &[&Pod], count: usize, decision: &mut Decision) {
    let mut ranked = active.to_vec();
    ranked.sort_by_key(|pod| usefulness(pod));
    for pod in ranked.into_iter().take(count) {
        let uid = pod.metadata.uid.clone();
        decision.push(Effect::Delete { target: reference(pod), uid, grace: Grace::Asked });
        let message = format!("Deleted pod: {}", name_of(&pod.metadata));
        decision.tell(set, "SuccessfulDelete", message);
    }
}

/// Sorts the pods to delete first to the front: unassigned, pending, not ready, cheap, newly ready,
/// often restarted, young.
fn usefulness(pod: &Pod) -> impl Ord + use<> {
    let assigned = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    let running = match phase_of(pod) {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    };
    let cost = crate::objects::annotation(&pod.metadata, DELETION_COST);
    let cost: i64 = cost.and_then(|cost| cost.parse().ok()).unwrap_or(0);
    let since = ready_since(pod);
    let restarts = Reverse(restarts(pod));
    let created = Reverse(created_at(&pod.metadata));
    (
        assigned,
        running,
        since.is_some(),
        cost,
        Reverse(since),
        restarts,
        created,
        pod.metadata.name.clone(),
    )
}

/// How often the busiest container of a pod was restarted.
pub(crate) fn restarts(pod: &Pod) -> i32 {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    statuses.into_iter().flatten().map(|status| status.restart_count).max().unwrap_or(0)
}

fn status(
    set: &ReplicaSet,
    owned: &[&Pod],
    active: &[&Pod],
    now: Timestamp,
    decision: &mut Decision,
) -> ReplicaSetStatus {
    let spec = set.spec.clone().unwrap_or_default();
    let template = spec.template.and_then(|template| template.metadata).unwrap_or_default();
    let labels = labels_of(&template);
    let mut available = 0;
    for from in
        active.iter().filter_map(|pod| available_from(pod, spec.min_ready_seconds.unwrap_or(0)))
    {
        if from <= now {
            available += 1;
        } else {
            decision.wake_at(from);
        }
    }
    let labelled =
        |pod: &&&Pod| labels.is_empty() || contains_all(labels, labels_of(&pod.metadata));
    let leaving = |pod: &&&Pod| pod.metadata.deletion_timestamp.is_some() && !has_ended(pod);
    ReplicaSetStatus {
        replicas: count(active.len()),
        fully_labeled_replicas: some(active.iter().filter(labelled).count()),
        ready_replicas: some(active.iter().filter(|pod| ready_since(pod).is_some()).count()),
        available_replicas: some(available),
        terminating_replicas: Some(count(owned.iter().filter(leaving).count())),
        observed_generation: set.metadata.generation,
        conditions: set.status.as_ref().and_then(|status| status.conditions.clone()),
    }
}

fn count(pods: usize) -> i32 {
    i32::try_from(pods).unwrap_or(i32::MAX)
}

fn some(pods: usize) -> Option<i32> {
    (pods > 0).then(|| count(pods))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{pod, replica_set, second};

    fn deleted(decision: &Decision) -> Vec<String> {
        let name = |effect: &Effect| match effect {
            Effect::Delete { target, .. } => Some(target.name.clone()),
            _ => None,
        };
        decision.effects.iter().filter_map(name).collect()
    }

    #[test]
    fn missing_pods_are_created_with_their_controller() {
        let decision = decide(&replica_set("web", 3), &[], second(0));
        let created: Vec<_> = decision
            .effects
            .iter()
            .filter_map(|effect| if let Effect::Create(pod) = effect { Some(pod) } else { None })
            .collect();
        assert_eq!(created.len(), 3);
        assert_eq!(created[0]["metadata"]["generateName"], "web-");
        assert_eq!(created[0]["metadata"]["ownerReferences"][0]["controller"], true);
    }

    #[test]
    fn pods_that_are_not_ready_go_first_then_the_youngest() {
        let set = replica_set("web", 1);
        let pods = [
            pod("old", &set).ready(5).created(1).done(),
            pod("young", &set).ready(9).created(2).done(),
            pod("unready", &set).created(0).done(),
        ];
        let decision = decide(&set, &pods.iter().collect::<Vec<_>>(), second(10));
        assert_eq!(deleted(&decision), ["unready", "young"]);
    }

    #[test]
    fn a_pod_is_available_only_after_its_minimum_time() {
        let mut set = replica_set("web", 1);
        set.spec.as_mut().unwrap().min_ready_seconds = Some(10);
        let pods = [pod("a", &set).ready(5).done()];
        let decision = decide(&set, &pods.iter().collect::<Vec<_>>(), second(6));
        assert_eq!(decision.wake, Some(second(15)));
        let Effect::Patch { body, .. } = &decision.effects[0] else { panic!("no status") };
        assert_eq!(body["status"]["readyReplicas"], 1);
        assert_eq!(body["status"].get("availableReplicas"), None);
    }

    #[test]
    fn orphans_are_adopted_and_strangers_released() {
        let set = replica_set("web", 1);
        let mut orphan = pod("orphan", &set).done();
        orphan.metadata.owner_references = None;
        let mut stranger = pod("stranger", &set).done();
        stranger.metadata.labels = None;
        let decision = decide(&set, &[&orphan, &stranger], second(0));
        let Effect::Patch { target, body, .. } = &decision.effects[0] else {
            panic!("no adoption")
        };
        assert_eq!(
            (target.name.as_str(), &body["metadata"]["ownerReferences"][0]["name"]),
            ("orphan", &json!("web"))
        );
        let Effect::Patch { target, body, .. } = &decision.effects[1] else { panic!("no release") };
        assert_eq!(
            (target.name.as_str(), &body["metadata"]["ownerReferences"]),
            ("stranger", &json!(null))
        );
    }
}
