//! StatefulSet: numbered pods, one after another; an update goes from the highest number down.
//!
//! Volumes, partitions beyond the plain rule and parallel start are as upstream only in their counts:
//! there is no storage in this world.

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
    apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetStatus},
    core::v1::Pod,
};
use std::collections::BTreeMap;

/// The label that tells which template a pod is of.
const REVISION_HASH: &str = "controller-revision-hash";

struct Look<'a> {
    set: &'a StatefulSet,
    spec: &'a StatefulSetSpec,
    /// Owned pods by number.
    pods: BTreeMap<i32, &'a Pod>,
    hash: String,
    now: Timestamp,
}

/// Decides for one StatefulSet, given the pods of its namespace.
pub(crate) fn decide(set: &StatefulSet, pods: &[&Pod], now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    let Some(spec) = &set.spec else { return decision };
    if set.metadata.deletion_timestamp.is_some() {
        return decision;
    }
    let hash = format!("{}-{}", name_of(&set.metadata), template_hash(&spec.template));
    let owned = pods.iter().filter(|pod| is_controlled_by(&pod.metadata, uid_of(&set.metadata)));
    let number = |pod: &Pod| name_of(&pod.metadata).rsplit_once('-')?.1.parse().ok();
    let pods = owned.filter_map(|pod| Some((number(pod)?, *pod))).collect();
    let look = Look { set, spec, pods, hash, now };
    look.step(&mut decision);
    look.report(&mut decision);
    decision
}

impl Look<'_> {
    fn wanted(&self) -> i32 {
        self.spec.replicas.unwrap_or(1)
    }

    fn is_parallel(&self) -> bool {
        self.spec.pod_management_policy.as_deref() == Some("Parallel")
    }

    fn is_fresh(&self, pod: &Pod) -> bool {
        labels_of(&pod.metadata).get(REVISION_HASH) == Some(&self.hash)
    }

    /// Makes the first missing pod, removes the last surplus one, or replaces the last stale one.
    fn step(&self, decision: &mut Decision) {
        for number in 0..self.wanted() {
            match self.pods.get(&number) {
                None => decision.push(Effect::Create(whole(&self.pod(number)))),
                Some(pod) if has_ended(pod) && pod.metadata.deletion_timestamp.is_none() => {
                    decision.push(deletion(pod));
                }
                Some(pod) if is_active(pod) && ready_since(pod).is_some() => continue,
                Some(_) => {}
            }
            if !self.is_parallel() {
                return;
            }
        }
        if self.pods.values().any(|pod| !is_active(pod)) || !decision.effects.is_empty() {
            return;
        }
        let surplus = self.pods.range(self.wanted()..).next_back();
        let strategy = self.spec.update_strategy.as_ref();
        let rolls = strategy.and_then(|strategy| strategy.type_.as_deref()) != Some("OnDelete");
        let partition = strategy.and_then(|s| s.rolling_update.as_ref()?.partition).unwrap_or(0);
        let mut stale = self
            .pods
            .range(partition.max(0)..)
            .rev()
            .filter(|(_, pod)| rolls && !self.is_fresh(pod));
        if let Some((_, pod)) = surplus.or_else(|| stale.next()) {
            decision.push(deletion(pod));
        }
    }

    fn pod(&self, number: i32) -> Pod {
        let name = format!("{}-{number}", name_of(&self.set.metadata));
        let mut pod = pod_from(self.set, &self.spec.template, &name);
        pod.metadata.generate_name = None;
        pod.metadata.name = Some(name.clone());
        let labels = pod.metadata.labels.get_or_insert_with(Words::new);
        labels.insert("statefulset.kubernetes.io/pod-name".into(), name.clone());
        labels.insert("apps.kubernetes.io/pod-index".into(), number.to_string());
        labels.insert(REVISION_HASH.into(), self.hash.clone());
        if let Some(spec) = &mut pod.spec {
            spec.hostname = Some(name);
            spec.subdomain.clone_from(&self.spec.service_name);
        }
        pod
    }

    fn report(&self, decision: &mut Decision) {
        let wait = self.spec.min_ready_seconds.unwrap_or(0);
        let active: Vec<&Pod> = self.pods.values().copied().filter(|pod| is_active(pod)).collect();
        let from: Vec<Timestamp> =
            active.iter().filter_map(|pod| available_from(pod, wait)).collect();
        from.iter().filter(|at| **at > self.now).for_each(|at| decision.wake_at(*at));
        let count = |pods: usize| i32::try_from(pods).unwrap_or(i32::MAX);
        let fresh = count(active.iter().filter(|pod| self.is_fresh(pod)).count());
        let old = self.set.status.clone().unwrap_or_default();
        let done = fresh == self.wanted() && count(active.len()) == self.wanted();
        let current = if done { None } else { old.current_revision.clone() };
        let new = StatefulSetStatus {
            replicas: count(active.len()),
            ready_replicas: Some(count(
                active.iter().filter(|pod| ready_since(pod).is_some()).count(),
            )),
            available_replicas: Some(count(from.iter().filter(|at| **at <= self.now).count())),
            updated_replicas: Some(fresh),
            current_replicas: Some(if done { fresh } else { count(active.len()) - fresh }),
            update_revision: Some(self.hash.clone()),
            current_revision: current.or_else(|| Some(self.hash.clone())),
            observed_generation: self.set.metadata.generation,
            collision_count: Some(0),
            conditions: old.conditions.clone(),
        };
        decision.settle(&reference(self.set), &old, &new);
    }
}

fn deletion(pod: &Pod) -> Effect {
    Effect::Delete { target: reference(pod), uid: pod.metadata.uid.clone(), grace: Grace::Asked }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{self, second};
    use serde_json::json;

    fn check(pods: &[(&str, bool)], wanted: &str) {
        let set: StatefulSet = serde_json::from_value(json!({
            "metadata": {"name": "db", "namespace": "default", "uid": "uid-db"},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "db"}},
                "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": []}}},
        }))
        .unwrap();
        let hash = format!("db-{}", template_hash(&set.spec.as_ref().unwrap().template));
        let pods: Vec<Pod> = pods
            .iter()
            .map(|(name, ready)| {
                let pod = build::pod(name, &set);
                let mut pod = if *ready { pod.ready(0).done() } else { pod.done() };
                pod.metadata.labels.as_mut().unwrap().insert(REVISION_HASH.into(), hash.clone());
                pod
            })
            .collect();
        let decision = decide(&set, &pods.iter().collect::<Vec<_>>(), second(1));
        let first = match &decision.effects[0] {
            Effect::Create(pod) => format!("create {}", pod["metadata"]["name"].as_str().unwrap()),
            Effect::Delete { target, .. } => format!("delete {}", target.name),
            _ => String::new(),
        };
        assert_eq!(first, wanted);
    }

    #[test]
    fn pods_come_in_order_and_go_in_reverse() {
        check(&[], "create db-0");
        check(&[("db-0", false)], "");
        check(&[("db-0", true)], "create db-1");
        check(&[("db-0", true), ("db-1", true), ("db-2", true)], "delete db-2");
    }
}
