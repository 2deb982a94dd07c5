//! Restarting pods that are older than `spec.restartAt`, a few at a time.
//!
//! Pods go by eviction, so that disruption budgets are kept, and only when nothing else is to be done: a
//! refused eviction then holds up nothing.
//!
//! Users leave the only pod of a new version before it goes: the weights module gives the version nothing
//! while [`empties`] says so, and [`next`] waits until that is in force.

use super::{
    draft::Draft,
    sets::{self, SetExt, total_wanted},
    subject::Subject,
    traffic::View,
    waits::Wait,
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
    let Some(asked) = under_way(subject) else { return Restart::None };
    if asked.0 >= subject.now {
        return Restart::At(asked.0 + SignedDuration::from_secs(1));
    }
    let pods = ours(subject);
    let is_old = |pod: &&Pod| sets::created(&pod.metadata) < asked.0;
    let all: i32 = subject.sets().map(SetExt::actual).sum();
    let are_all = i32::try_from(pods.len()).unwrap_or(i32::MAX) >= all;
    if are_all && !pods.iter().any(is_old) {
        return Restart::Done(asked.clone());
    }
    if !subject.sets().all(is_settled) {
        return Restart::Evict(Vec::new(), subject.now + LOOK_AGAIN);
    }
    let view = View::of(subject);
    let is_used = |set: &ReplicaSet| {
        is_shared(subject, set)
            && view.as_ref().is_some_and(|view| !view.has_left(subject, set.hash()))
    };
    let spare = spare(subject, &pods, is_used);
    let going = due(subject, asked.0, &pods, spare);
    Restart::Evict(going.into_iter().map(evict).collect(), subject.now + LOOK_AGAIN)
}

/// Whether users have to be with the stable version while the pods of the new one, `hash`, are restarted:
/// its only pod is about to go, or is gone and no other is ready.
pub(crate) fn empties(subject: &Subject<'_>, hash: &str) -> bool {
    let Some(asked) = under_way(subject).filter(|asked| asked.0 < subject.now) else {
        return false;
    };
    let new = subject.new_set().filter(|set| set.hash() == hash && is_replaceable(subject, set));
    let Some(new) = new else { return false };
    let pods = ours(subject);
    let uid = new.metadata.uid.as_deref();
    let own: Vec<&Pod> =
        pods.iter().filter(|pod| sets::controller_uid(&pod.metadata) == uid).copied().collect();
    let mut ready = own.iter().filter(|pod| is_ready(pod));
    let (first, second) = (ready.next(), ready.next());
    match (first, second) {
        (None, _) => !own.is_empty(),
        (Some(_), Some(_)) => false,
        (Some(only), None) => {
            let spare = spare(subject, &pods, |_| false);
            due(subject, asked.0, &pods, spare).iter().any(|pod| std::ptr::eq(*pod, *only))
        }
    }
}

/// Says which pod stays because users would find nobody in its place.
pub(crate) fn explain(subject: &Subject<'_>, draft: &mut Draft) {
    let Some(asked) = under_way(subject).filter(|asked| asked.0 < subject.now) else { return };
    let stable =
        subject.distinct_stable().filter(|set| set.wanted() == 1 && is_shared(subject, set));
    let Some(stable) = stable else { return };
    let view = View::of(subject);
    let Some(through) = view.and_then(|view| view.leads_to(subject, stable.hash())) else { return };
    let uid = stable.metadata.uid.as_deref();
    let pods = ours(subject);
    let mut own = pods.iter().filter(|pod| sets::controller_uid(&pod.metadata) == uid);
    if own.any(|pod| is_ready(pod) && sets::created(&pod.metadata) < asked.0) {
        draft.wait(Wait::Traffic { replica_set: stable.name().to_owned(), through });
    }
}

/// The restart that is asked for and not done.
fn under_way<'a>(subject: &'a Subject<'_>) -> Option<&'a Time> {
    let asked = subject.rollout.spec.restart_at.as_ref();
    asked.filter(|asked| subject.status.restarted_at.as_ref() != Some(asked))
}

/// Whether a ReplicaSet has no more pods than it is asked for; which of them go is for it to say.
fn is_settled(set: &ReplicaSet) -> bool {
    let seen = set.status.as_ref().and_then(|status| status.observed_generation);
    set.actual() <= set.wanted()
        && (set.metadata.generation.is_none() || seen >= set.metadata.generation)
}

/// Whether the last pod of `set` stays while users are led there: they are shared with another version, and
/// either go there meanwhile or, as stable's, stay. A rollout of one pod has nobody to keep it up.
fn is_shared(subject: &Subject<'_>, set: &ReplicaSet) -> bool {
    let is_stable = subject.distinct_stable().is_some_and(|stable| stable.hash() == set.hash());
    is_replaceable(subject, set) || (is_stable && subject.is_routed() && subject.replicas() > 1)
}

/// Whether stable has pods that can take the users of `set`, the new version. The other way users never go:
/// nobody has found the new version good yet.
fn is_replaceable(subject: &Subject<'_>, set: &ReplicaSet) -> bool {
    let is_new = subject.new_set().is_some_and(|new| new.hash() == set.hash());
    is_new && subject.is_routed() && subject.distinct_stable().is_some_and(|set| set.wanted() > 0)
}

/// The pods to evict next: those older than `asked`, as far as availability and `spare` allow.
fn due<'a>(
    subject: &Subject<'_>,
    asked: Timestamp,
    pods: &[&'a Pod],
    mut spare: BTreeMap<String, usize>,
) -> Vec<&'a Pod> {
    let concurrent = subject.size().max_unavailable.max(1);
    let least = subject.replicas().max(total_wanted(subject.sets())) - concurrent;
    let available = i32::try_from(pods.iter().filter(|pod| is_available(subject, pod)).count())
        .unwrap_or(i32::MAX);
    let room = usize::try_from(available - least).unwrap_or(0);
    let old = pods.iter().copied().filter(|pod| sets::created(&pod.metadata) < asked);
    let going = old.filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let going = going.filter(|pod| {
        let left = sets::controller_uid(&pod.metadata).and_then(|uid| spare.get_mut(uid));
        left.is_none_or(|left| {
            let counts = is_available(subject, pod);
            let may_go = !counts || *left > 0;
            *left -= usize::from(counts && may_go);
            may_go
        })
    });
    going.take(room).collect()
}

/// How many available pods a ReplicaSet can do without, by its uid, if it has several or is used: a service may
/// lead users to that version alone, however many pods there are of others. Where every pod may be unavailable
/// and no router splits, nobody has asked for one to stay.
fn spare(
    subject: &Subject<'_>,
    pods: &[&Pod],
    is_used: impl Fn(&ReplicaSet) -> bool,
) -> BTreeMap<String, usize> {
    let may_all_go = subject.canary().is_some()
        && !subject.is_routed()
        && subject.size().max_unavailable >= subject.replicas();
    let kept = subject.sets().filter(|set| (set.wanted() > 1 && !may_all_go) || is_used(set));
    let uids = kept.filter_map(|set| set.metadata.uid.clone());
    uids.map(|uid| {
        let of_set = |pod: &&&Pod| sets::controller_uid(&pod.metadata) == Some(uid.as_str());
        let of_set = pods.iter().filter(of_set);
        let available = of_set.filter(|pod| is_available(subject, pod)).count();
        (uid, available.saturating_sub(1))
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

/// Whether a pod is ready and stays.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref());
    let ready = conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}

/// Whether a pod has been ready for `minReadySeconds`, as a ReplicaSet counts.
fn is_available(subject: &Subject<'_>, pod: &Pod) -> bool {
    let least = SignedDuration::from_secs(i64::from(subject.rollout.spec.min_ready_seconds));
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref());
    let since = conditions.into_iter().flatten().find(|condition| condition.type_ == "Ready");
    let since = since.and_then(|condition| condition.last_transition_time.as_ref());
    is_ready(pod) && (least.is_zero() || since.is_some_and(|since| since.0 + least <= subject.now))
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
                let rollout = &observed.rollout;
                let restarted = &rollout.status.as_ref().unwrap().restarted_at;
                return (names, *restarted == rollout.spec.restart_at);
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
    fn a_pod_counts_once_it_has_been_ready_for_as_long_as_is_asked_for() {
        let (old, young) = ("2026-01-01T00:00:00Z", "2026-01-01T00:50:00Z");
        for (since, expected) in [("00:59:31", &[][..]), ("00:59:30", &["p0"][..])] {
            let mut observed =
                observed("2026-01-01T00:30:00Z", &[(old, true), (old, true), (young, true)]);
            Arc::make_mut(&mut observed.rollout).spec.min_ready_seconds = 30;
            let set = Arc::make_mut(&mut observed.replica_sets[0]).spec.as_mut().unwrap();
            set.min_ready_seconds = Some(30);
            for (index, pod) in observed.pods.iter_mut().enumerate() {
                let ready_since = if index == 2 { since } else { "00:01:00" };
                let ready_since = format!("2026-01-01T{ready_since}Z").parse().unwrap();
                let status = Arc::make_mut(pod).status.as_mut().unwrap();
                for condition in status.conditions.iter_mut().flatten() {
                    condition.last_transition_time = Some(Time(ready_since));
                }
            }
            assert_eq!(evicted(observed).0, expected, "{since}");
        }
    }

    #[test]
    fn all_pods_go_at_once_where_every_one_may_be_unavailable() {
        let old = "2026-01-01T00:00:00Z";
        let mut observed = observed("2026-01-01T00:30:00Z", &[(old, true), (old, true)]);
        let canary = Arc::make_mut(&mut observed.rollout).spec.strategy.canary.as_mut().unwrap();
        canary.max_unavailable = Some(IntOrString::String("100%".to_owned()));
        assert_eq!(evicted(observed).0, ["p0", "p1"]);
    }

    #[test]
    fn nothing_is_evicted_while_a_version_is_about_to_shrink() {
        let mut observed = observed("2026-01-01T00:30:00Z", &[("2026-01-01T00:00:00Z", true); 3]);
        assert_eq!(evicted(observed.clone()).0, ["p0"]);
        let set = Arc::make_mut(&mut observed.replica_sets[0]);
        set.metadata.generation = Some(2);
        set.status.as_mut().unwrap().observed_generation = Some(1);
        assert_eq!(evicted(observed).0, [""; 0]);
    }

    #[test]
    fn a_restart_in_the_future_waits_for_its_time() {
        let (names, done) =
            evicted(observed("2026-01-01T02:00:00Z", &[("2026-01-01T00:00:00Z", true)]));
        assert_eq!((names.len(), done), (0, false));
    }
}
