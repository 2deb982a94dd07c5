//! Restarting pods that are older than `spec.restartAt`, a few at a time.
//!
//! Pods go by eviction, so that disruption budgets are kept, and only when nothing else is to be done: a
//! refused eviction then holds up nothing.

use super::{
    sets::{self, SetExt, total_wanted},
    subject::Subject,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{apps::v1::ReplicaSet, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::Time,
};
use std::{collections::BTreeMap, sync::Arc};
use vocab::{ObjectRef, Precondition, Write};

/// When to look again while pods remain.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// What a restart asks for now.
#[derive(Debug, PartialEq)]
pub(crate) enum Restart {
    /// Nothing.
    None,
    /// Nothing before this time.
    At(Timestamp),
    /// These evictions, and another look later.
    Evict(Vec<Write>, Timestamp),
    /// All pods are young enough.
    Done(Time),
}

/// Works out the next evictions.
pub(crate) fn next(subject: &Subject<'_>) -> Restart {
    let Some(asked) = &subject.rollout.spec.restart_at else { return Restart::None };
    if subject.status.restarted_at.as_ref() == Some(asked) {
        return Restart::None;
    }
    if asked.0 >= subject.now {
        return Restart::At(asked.0 + SignedDuration::from_secs(1));
    }
    let pods = ours(subject);
    let old: Vec<&Pod> =
        pods.iter().filter(|pod| sets::created(&pod.metadata) < asked.0).copied().collect();
    let all: i32 = subject.sets().map(SetExt::actual).sum();
    if old.is_empty() && i32::try_from(pods.len()).unwrap_or(i32::MAX) >= all {
        return Restart::Done(asked.clone());
    }
    let concurrent = subject.size().max_unavailable.max(1);
    let least = subject.replicas().max(total_wanted(subject.sets())) - concurrent;
    let available =
        i32::try_from(pods.iter().filter(|pod| is_ready(pod)).count()).unwrap_or(i32::MAX);
    let room = usize::try_from(available - least).unwrap_or(0);
    let mut spare = spare(subject, &pods);
    let going = old.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let going = going.filter(|pod| {
        let left = sets::controller_uid(&pod.metadata).and_then(|uid| spare.get_mut(uid));
        left.is_none_or(|left| {
            let may_go = !is_ready(pod) || *left > 0;
            *left -= usize::from(is_ready(pod) && may_go);
            may_go
        })
    });
    Restart::Evict(going.take(room).map(evict).collect(), subject.now + LOOK_AGAIN)
}

/// How many ready pods each ReplicaSet of several pods can do without, by its uid: a service may lead users
/// to that version alone, however many pods there are of others.
fn spare<'a>(subject: &'a Subject<'_>, pods: &[&Pod]) -> BTreeMap<&'a str, usize> {
    let several = subject.sets().filter(|set| set.wanted() > 1);
    let uids = several.filter_map(|set| set.metadata.uid.as_deref());
    uids.map(|uid| {
        let of_set = |pod: &&&Pod| sets::controller_uid(&pod.metadata) == Some(uid);
        let ready = pods.iter().filter(of_set).filter(|pod| is_ready(pod)).count();
        (uid, ready.saturating_sub(1))
    })
    .collect()
}

/// Pods of the rollout's ReplicaSets: stable first, then new, then the others by age.
fn ours<'a>(subject: &'a Subject<'_>) -> Vec<&'a Pod> {
    let mut sets: Vec<&ReplicaSet> =
        subject.stable_set().into_iter().chain(subject.new_set()).collect();
    sets.extend(subject.other_sets());
    sets.dedup_by_key(|set| set.name().to_owned());
    let of_set = |set: &&'a ReplicaSet| {
        let uid = set.metadata.uid.clone();
        let pods = subject.observed.pods.iter().map(Arc::as_ref);
        pods.filter(move |pod| {
            uid.is_some() && sets::controller_uid(&pod.metadata) == uid.as_deref()
        })
    };
    sets.iter().flat_map(of_set).collect()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref());
    let ready = conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}

fn evict(pod: &Pod) -> Write {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    // Only the uid counts: a pod's version changes with every probe.
    let precondition = Precondition { uid: pod.metadata.uid.clone(), resource_version: None };
    Write::Evict { target: ObjectRef::new("v1", "Pod", namespace, name), precondition }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::{Observed, plan};
    use k8s_openapi::{
        api::core::v1::PodTemplateSpec, apimachinery::pkg::util::intstr::IntOrString,
    };
    use serde_json::{Value, json};

    const NOW: &str = "2026-01-01T01:00:00Z";

    fn observed(asked: &str, pods: &[(&str, bool)]) -> Observed {
        let read = |value: Value| serde_json::from_value(value).unwrap();
        let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let spec: PodTemplateSpec = serde_json::from_value(template.clone()).unwrap();
        let hash = crate::rollout::hash::template_hash(&spec, None);
        let pod = |(index, (created, ready)): (usize, &(&str, bool))| {
            serde_json::from_value(json!({
                "metadata": {"name": format!("p{index}"), "namespace": "d", "uid": format!("p{index}"), "creationTimestamp": created,
                    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "s", "uid": "s", "controller": true}]},
                "status": {"conditions": [{"type": "Ready", "status": if *ready { "True" } else { "False" }}]},
            }))
            .unwrap()
        };
        let count = pods.len();
        let rollout: Value = json!({
            "metadata": {"name": "a", "namespace": "d", "uid": "r", "generation": 1, "annotations": {"rollout.argoproj.io/revision": "1"}},
            "spec": {"replicas": count, "restartAt": asked, "selector": {"matchLabels": {"app": "a"}}, "template": template, "strategy": {"canary": {}}},
            "status": {"stableRS": hash, "currentPodHash": hash, "currentStepHash": crate::rollout::hash::steps_hash(&[])},
        });
        let set = json!({
            "metadata": {"name": "s", "namespace": "d", "uid": "s", "labels": {"app": "a", "rollouts-pod-template-hash": hash},
                "annotations": {"rollout.argoproj.io/revision": "1", "rollout.argoproj.io/desired-replicas": count.to_string()},
                "ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "a", "uid": "r", "controller": true}]},
            "spec": {"replicas": count, "selector": {}, "template": template},
            "status": {"replicas": count, "readyReplicas": count, "availableReplicas": count},
        });
        Observed {
            rollout: read(rollout),
            replica_sets: vec![serde_json::from_value(set).unwrap()],
            pods: pods.iter().enumerate().map(pod).collect(),
            ..Observed::default()
        }
    }

    /// Names of the pods evicted once the rollout has nothing else to do.
    fn evicted(mut observed: Observed) -> (Vec<String>, bool) {
        let now = NOW.parse().unwrap();
        for _ in 0..6 {
            let made = plan(&observed, now);
            let Some(Write::Patch { body, .. }) = &made.status else {
                let name = |write: &Write| match write {
                    Write::Evict { target, .. } => target.name.clone(),
                    other => panic!("{other:?}"),
                };
                let names = made.writes.iter().map(name).collect();
                let status = observed.rollout.status.unwrap();
                return (names, status.restarted_at == observed.rollout.spec.restart_at);
            };
            let mut rollout = serde_json::to_value(&observed.rollout).unwrap();
            json_patch::merge(&mut rollout, body);
            observed.rollout = serde_json::from_value(rollout).unwrap();
        }
        panic!("the status never rests");
    }

    #[test]
    fn old_pods_are_evicted_as_far_as_availability_allows() {
        let old = "2026-01-01T00:00:00Z";
        let young = "2026-01-01T00:50:00Z";
        let check = |pods: &[(&str, bool)], expected: &[&str], done: bool| {
            let (names, is_done) = evicted(observed("2026-01-01T00:30:00Z", pods));
            assert_eq!(
                (names, is_done),
                (expected.iter().map(|name| (*name).to_owned()).collect(), done)
            );
        };
        check(&[(old, true), (old, true), (young, true)], &["p0"], false);
        check(&[(old, true), (old, true), (young, false)], &[], false);
        check(&[(young, true), (young, true)], &[], true);
    }

    #[test]
    fn a_version_of_several_pods_keeps_one_that_is_ready() {
        let old = "2026-01-01T00:00:00Z";
        let mut observed = observed("2026-01-01T00:30:00Z", &[(old, true), (old, true)]);
        let canary = observed.rollout.spec.strategy.canary.as_mut().unwrap();
        canary.max_unavailable = Some(IntOrString::String("100%".to_owned()));
        assert_eq!(evicted(observed).0, ["p0"]);
    }

    #[test]
    fn a_restart_in_the_future_waits_for_its_time() {
        let (names, done) =
            evicted(observed("2026-01-01T02:00:00Z", &[("2026-01-01T00:00:00Z", true)]));
        assert_eq!((names.len(), done), (0, false));
    }
}
