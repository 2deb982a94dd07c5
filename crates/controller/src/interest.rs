//! Whom a change concerns.
//!
//! Children name their owner. Everything else that a plan rested on (services, routes, templates,
//! workloads, also those that were missing) is noted when it is gathered, so that its change or
//! appearance brings the key back.
//!
//! **Invariant.** Nothing here decides what to do; it only names keys.

use crate::{
    cache::{Cache, Changed, Entry, Kind},
    key::{Key, Name},
};
use std::collections::{BTreeMap, BTreeSet};
use vocab::ObjectRef;

/// Which keys rest on which objects.
#[derive(Debug, Default)]
pub(crate) struct Interests {
    by_key: BTreeMap<Key, BTreeSet<ObjectRef>>,
    by_object: BTreeMap<ObjectRef, BTreeSet<Key>>,
}

impl Interests {
    /// Notes that the latest plan for `key` rests on `objects`.
    pub(crate) fn note(&mut self, key: &Key, objects: BTreeSet<ObjectRef>) {
        if self.by_key.get(key) == Some(&objects) {
            return;
        }
        self.forget(key);
        for object in &objects {
            self.by_object.entry(object.clone()).or_default().insert(key.clone());
        }
        self.by_key.insert(key.clone(), objects);
    }

    /// Forgets a key that is gone.
    pub(crate) fn forget(&mut self, key: &Key) {
        for object in self.by_key.remove(key).into_iter().flatten() {
            if let Some(keys) = self.by_object.get_mut(&object) {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_object.remove(&object);
                }
            }
        }
    }

    /// The keys that rest on objects of a kind.
    pub(crate) fn in_kind(&self, kind: Kind) -> BTreeSet<Key> {
        let objects = self.by_object.iter().filter(|(object, _)| Kind::of(object) == Some(kind));
        objects.flat_map(|(_, keys)| keys).cloned().collect()
    }

    /// The keys that a change concerns.
    pub(crate) fn concerned(&self, changed: &Changed, cache: &Cache) -> BTreeSet<Key> {
        let name = &changed.name;
        let target = changed.kind.reference(&name.namespace, &name.name);
        let mut keys = self.by_object.get(&target).cloned().unwrap_or_default();
        let now = cache.get(changed.kind, name);
        for entry in changed.before.iter().chain(now) {
            keys.extend(self.by_lineage(changed, entry, cache));
        }
        keys
    }

    fn by_lineage(&self, changed: &Changed, entry: &Entry, cache: &Cache) -> Vec<Key> {
        let name = &changed.name;
        match changed.kind {
            Kind::Rollout => vec![Key::Rollout(name.clone())],
            Kind::AnalysisRun => {
                let own = Key::Run(name.clone());
                owning_key(entry, name).into_iter().chain([own]).collect()
            }
            Kind::Experiment => {
                let own = Key::Experiment(name.clone());
                owning_key(entry, name).into_iter().chain([own]).collect()
            }
            Kind::ReplicaSet if entry.owner.is_none() => all_rollouts(cache, name),
            Kind::ReplicaSet | Kind::Service => owning_key(entry, name).into_iter().collect(),
            Kind::Pod => key_of_pod(entry, name, cache).into_iter().collect(),
            Kind::Job => key_of_job(entry, name).into_iter().collect(),
            Kind::JobPod => key_of_job_pod(entry, name, cache).into_iter().collect(),
            Kind::EndpointSlice => {
                let service = entry.label.as_deref().unwrap_or_default();
                let service = Kind::Service.reference(&name.namespace, service);
                self.by_object.get(&service).into_iter().flatten().cloned().collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The rollout or experiment that an object belongs to.
fn owning_key(entry: &Entry, name: &Name) -> Option<Key> {
    let owner = entry.owner.as_ref()?;
    let name = Name::new(&name.namespace, &owner.name);
    match owner.kind.as_str() {
        "Rollout" => Some(Key::Rollout(name)),
        "Experiment" => Some(Key::Experiment(name)),
        _ => None,
    }
}

/// An orphan may be adopted by any rollout of its namespace whose selector matches.
fn all_rollouts(cache: &Cache, name: &Name) -> Vec<Key> {
    let rollouts = cache.in_namespace(Kind::Rollout, &name.namespace);
    rollouts.map(|(name, _)| Key::Rollout(name.clone())).collect()
}

fn key_of_pod(entry: &Entry, name: &Name, cache: &Cache) -> Option<Key> {
    let owner = entry.owner.as_ref().filter(|owner| owner.kind == "ReplicaSet")?;
    let replica_set = cache.get(Kind::ReplicaSet, &Name::new(&name.namespace, &owner.name))?;
    owning_key(replica_set, name)
}

/// The run whose measurement a Job is.
fn key_of_job(entry: &Entry, name: &Name) -> Option<Key> {
    let owner = entry.owner.as_ref().filter(|owner| owner.kind == "AnalysisRun")?;
    Some(Key::Run(Name::new(&name.namespace, &owner.name)))
}

fn key_of_job_pod(entry: &Entry, name: &Name, cache: &Cache) -> Option<Key> {
    let owner = entry.owner.as_ref().filter(|owner| owner.kind == "Job")?;
    let job = cache.get(Kind::Job, &Name::new(&name.namespace, &owner.name))?;
    key_of_job(job, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{News, Wire};
    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};

    fn put(cache: &mut Cache, kind: Kind, mut object: Value) -> Changed {
        object["metadata"]["namespace"] = json!("shop");
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        cache.heal(&kind.reference("shop", &name), Some(object)).unwrap()
    }

    fn owned(name: &str, kind: &str, owner: &str) -> Value {
        let owner = json!({"apiVersion": "v1", "kind": kind, "name": owner, "uid": "u", "controller": true});
        json!({"metadata": {"name": name, "ownerReferences": [owner]}})
    }

    fn web() -> BTreeSet<Key> {
        BTreeSet::from([Key::Rollout(Name::new("shop", "web"))])
    }

    #[test]
    fn a_pod_concerns_the_rollout_above_its_replica_set() {
        let mut cache = Cache::default();
        let set = put(&mut cache, Kind::ReplicaSet, owned("web-1", "Rollout", "web"));
        let pod = put(&mut cache, Kind::Pod, owned("web-1-a", "ReplicaSet", "web-1"));
        let interests = Interests::default();
        assert_eq!(interests.concerned(&set, &cache), web());
        assert_eq!(interests.concerned(&pod, &cache), web());
    }

    #[test]
    fn an_experiment_concerns_itself_and_the_rollout_above_and_its_pods_concern_it() {
        let mut cache = Cache::default();
        let experiment = put(&mut cache, Kind::Experiment, owned("web-1", "Rollout", "web"));
        let set = put(&mut cache, Kind::ReplicaSet, owned("web-1-a", "Experiment", "web-1"));
        let pod = put(&mut cache, Kind::Pod, owned("web-1-a-x", "ReplicaSet", "web-1-a"));
        let service = put(&mut cache, Kind::Service, owned("web-1-a", "Experiment", "web-1"));
        let interests = Interests::default();
        let own = Key::Experiment(Name::new("shop", "web-1"));
        let mut both = web();
        both.insert(own.clone());
        assert_eq!(interests.concerned(&experiment, &cache), both);
        for change in [set, pod, service] {
            assert_eq!(interests.concerned(&change, &cache), BTreeSet::from([own.clone()]));
        }
    }

    #[test]
    fn a_job_and_its_pods_concern_the_run_above() {
        let mut cache = Cache::default();
        let job = put(&mut cache, Kind::Job, owned("uid.m.1", "AnalysisRun", "web-1"));
        let mut pod = owned("uid.m.1-x", "Job", "uid.m.1");
        pod["metadata"]["namespace"] = json!("shop");
        let news = News::Event(Box::new(Event::Apply(Wire::of(&pod).unwrap())));
        let pod = cache.apply(Kind::JobPod, news).remove(0);
        let run = BTreeSet::from([Key::Run(Name::new("shop", "web-1"))]);
        assert_eq!(Interests::default().concerned(&job, &cache), run);
        assert_eq!(Interests::default().concerned(&pod, &cache), run);
    }

    #[test]
    fn a_service_that_was_missing_brings_the_key_back_when_it_appears() {
        let mut cache = Cache::default();
        let mut interests = Interests::default();
        let service = Kind::Service.reference("shop", "web-canary");
        let key = Key::Rollout(Name::new("shop", "web"));
        interests.note(&key, BTreeSet::from([service]));
        let object = json!({"metadata": {"name": "web-canary"}});
        let appeared = put(&mut cache, Kind::Service, object);
        assert_eq!(interests.concerned(&appeared, &cache), web());
        let labels = json!({"kubernetes.io/service-name": "web-canary"});
        let slice = json!({"metadata": {"name": "web-canary-x", "labels": labels}});
        let slice = put(&mut cache, Kind::EndpointSlice, slice);
        assert_eq!(interests.concerned(&slice, &cache), web());
        interests.forget(&key);
        assert!(interests.concerned(&appeared, &cache).is_empty());
    }
}
