//! The objects as last heard of, and who has to look again when one of them changes.

use crate::{
    concerns::{Desk, Kept, Key},
    feed::News,
    kinds::Kind,
    objects::{controller_of, name_of, namespace_of},
};
use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
        autoscaling::v2::HorizontalPodAutoscaler,
        batch::v1::Job,
        core::v1::{Endpoints, Node, Pod, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::core::DynamicObject;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Objects of one kind by namespace and name.
#[derive(Debug)]
pub(crate) struct Shelf<K>(BTreeMap<(String, String), Arc<K>>);

impl<K> Default for Shelf<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K> Shelf<K> {
    /// One object.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<&K> {
        self.0.get(&(namespace.to_owned(), name.to_owned())).map(AsRef::as_ref)
    }

    /// All objects of a namespace by name.
    pub(crate) fn within(&self, namespace: &str) -> impl Iterator<Item = &K> {
        let from = (namespace.to_owned(), String::new());
        let namespace = namespace.to_owned();
        self.0
            .range(from..)
            .take_while(move |((of, _), _)| *of == namespace)
            .map(|(_, object)| object.as_ref())
    }

    /// All objects.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &K> {
        self.0.values().map(AsRef::as_ref)
    }
}

/// Everything heard of.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) nodes: Shelf<Node>,
    pub(crate) pods: Shelf<Pod>,
    pub(crate) services: Shelf<Service>,
    pub(crate) endpoints: Shelf<Endpoints>,
    pub(crate) slices: Shelf<EndpointSlice>,
    pub(crate) replica_sets: Shelf<ReplicaSet>,
    pub(crate) deployments: Shelf<Deployment>,
    pub(crate) stateful_sets: Shelf<StatefulSet>,
    pub(crate) daemon_sets: Shelf<DaemonSet>,
    pub(crate) jobs: Shelf<Job>,
    pub(crate) autoscalers: Shelf<HorizontalPodAutoscaler>,
    /// Objects of kinds that have no Rust type, named `Kind/name`.
    pub(crate) custom: Shelf<DynamicObject>,
    /// How many pods each node has.
    pub(crate) burdens: BTreeMap<String, usize>,
    /// The names of pods by namespace and the uid of their controller; that of orphans is empty.
    owned: BTreeMap<(String, String), BTreeSet<String>>,
    heard: BTreeSet<&'static str>,
    touched: BTreeSet<Key>,
}

/// What happened to one object.
#[derive(Clone, Copy)]
enum Change {
    Put,
    Gone,
}

impl Cluster {
    /// Takes in news from a watch.
    pub(crate) fn hear(&mut self, news: News) {
        match news {
            News::All(kind, objects) => self.replace(kind, objects),
            News::Put(kind, object) => self.sort(kind.name, object, Change::Put),
            News::Gone(kind, object) => self.sort(kind.name, object, Change::Gone),
        }
    }

    /// Takes in an object that the server answered a write with.
    pub(crate) fn put(&mut self, object: Value) {
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.sort(&kind, object, Change::Put);
    }

    /// Takes in that a write removed an object.
    pub(crate) fn gone(&mut self, kind: &str, object: Value) {
        self.sort(kind, object, Change::Gone);
    }

    /// Whether every kind of `kinds` was listed at least once.
    pub(crate) fn has_heard(&self, kinds: &[Kind]) -> bool {
        kinds.iter().all(|kind| self.heard.contains(kind.name))
    }

    /// The pods of a namespace that a controller has or may adopt, by name.
    pub(crate) fn pods_of(&self, namespace: &str, uid: &str) -> Vec<&Pod> {
        let names = |uid: &str| self.owned.get(&(namespace.to_owned(), uid.to_owned()));
        let mut names: Vec<&String> =
            [names(uid), names("")].into_iter().flatten().flatten().collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|name| self.pods.get(namespace, name)).collect()
    }

    /// Notes that a pod is bound, before the server tells of it.
    pub(crate) fn bound(&mut self, namespace: &str, name: &str, node: &str) {
        let Some(pod) = self.pods.get(namespace, name) else { return };
        let mut new = pod.clone();
        if let Some(spec) = &mut new.spec {
            spec.node_name = Some(node.to_owned());
        }
        let new = Arc::new(new);
        let old = self.pods.0.insert(new.shelf_key(), new.clone());
        self.count_pod(old.as_deref(), Some(&new));
        self.touched.insert(Key::of(Desk::Kubelet, &new.metadata));
    }

    /// Keeps the indexes of pods up to date.
    pub(crate) fn count_pod(&mut self, old: Option<&Pod>, new: Option<&Pod>) {
        let node = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        let owner = |pod: &Pod| {
            let uid = controller_of(&pod.metadata).map(|owner| owner.uid.clone());
            (namespace_of(&pod.metadata).to_owned(), uid.unwrap_or_default())
        };
        if let Some(pod) = old {
            if let Some(count) = node(pod).and_then(|node| self.burdens.get_mut(&node)) {
                *count = count.saturating_sub(1);
            }
            if let Some(names) = self.owned.get_mut(&owner(pod)) {
                names.remove(name_of(&pod.metadata));
                if names.is_empty() {
                    self.owned.remove(&owner(pod));
                }
            }
        }
        if let Some(pod) = new {
            if let Some(node) = node(pod) {
                *self.burdens.entry(node).or_default() += 1;
            }
            self.owned.entry(owner(pod)).or_default().insert(name_of(&pod.metadata).to_owned());
        }
    }

    /// All objects of a kind that has no Rust type.
    pub(crate) fn custom<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a DynamicObject> {
        let same = move |object: &&DynamicObject| {
            object.types.as_ref().is_some_and(|types| types.kind == kind)
        };
        self.custom.iter().filter(same)
    }

    /// Who has to look again since this was last asked.
    pub(crate) fn touched(&mut self) -> BTreeSet<Key> {
        std::mem::take(&mut self.touched)
    }

    fn sort(&mut self, kind: &str, object: Value, change: Change) {
        match kind {
            "Pod" => self.shelve::<Pod>(object, change),
            "Node" => self.shelve::<Node>(object, change),
            "Service" => self.shelve::<Service>(object, change),
            "Endpoints" => self.shelve::<Endpoints>(object, change),
            "EndpointSlice" => self.shelve::<EndpointSlice>(object, change),
            "ReplicaSet" => self.shelve::<ReplicaSet>(object, change),
            "Deployment" => self.shelve::<Deployment>(object, change),
            "StatefulSet" => self.shelve::<StatefulSet>(object, change),
            "DaemonSet" => self.shelve::<DaemonSet>(object, change),
            "Job" => self.shelve::<Job>(object, change),
            "HorizontalPodAutoscaler" => self.shelve::<HorizontalPodAutoscaler>(object, change),
            "GatewayClass" | "Gateway" | "HTTPRoute" | "Ingress" | "Rollout" => {
                self.shelve::<DynamicObject>(object, change);
            }
            _ => {}
        }
    }

    fn shelve<K: Kept>(&mut self, object: Value, change: Change) {
        let object = match serde_json::from_value::<K>(object) {
            Ok(object) => Arc::new(object),
            Err(error) => return tracing::warn!(%error, "an object could not be read"),
        };
        let key = object.shelf_key();
        let objects = &mut K::shelf(self).0;
        let stale = |old: &Arc<K>| version(old.meta()) >= version(object.meta());
        let (old, new) = match change {
            Change::Put if objects.get(&key).is_some_and(stale) => return,
            Change::Put => (objects.insert(key, object.clone()), Some(&object)),
            Change::Gone => (objects.remove(&key), None),
        };
        K::count(self, old.as_deref(), new.map(AsRef::as_ref));
        let mut touched = object.concerns(self);
        touched.extend(old.iter().flat_map(|old| old.concerns(self)));
        self.touched.extend(touched);
    }

    fn replace(&mut self, kind: &'static Kind, mut objects: Vec<Value>) {
        self.heard.insert(kind.name);
        for object in &mut objects {
            // Items of a list do not say what they are.
            object["apiVersion"] = kind.version.into();
            object["kind"] = kind.name.into();
        }
        let name = |object: &Value, field: &str| {
            object["metadata"][field].as_str().unwrap_or_default().to_owned()
        };
        let present: BTreeSet<(String, String)> = objects
            .iter()
            .map(|object| (name(object, "namespace"), name(object, "name")))
            .collect();
        for (namespace, name) in self.names(kind.name).difference(&present) {
            let gone = serde_json::json!({
                "apiVersion": kind.version,
                "kind": kind.name,
                "metadata": {"namespace": namespace, "name": name},
            });
            self.sort(kind.name, with_spec(gone), Change::Gone);
        }
        for object in objects {
            self.sort(kind.name, object, Change::Put);
        }
    }

    fn names(&self, kind: &str) -> BTreeSet<(String, String)> {
        fn all<K: Kept>(shelf: &Shelf<K>) -> BTreeSet<(String, String)> {
            let name = |object: &K| {
                (namespace_of(object.meta()).to_owned(), name_of(object.meta()).to_owned())
            };
            shelf.iter().map(name).collect()
        }
        match kind {
            "Pod" => all(&self.pods),
            "Node" => all(&self.nodes),
            "Service" => all(&self.services),
            "Endpoints" => all(&self.endpoints),
            "EndpointSlice" => all(&self.slices),
            "ReplicaSet" => all(&self.replica_sets),
            "Deployment" => all(&self.deployments),
            "StatefulSet" => all(&self.stateful_sets),
            "DaemonSet" => all(&self.daemon_sets),
            "Job" => all(&self.jobs),
            "HorizontalPodAutoscaler" => all(&self.autoscalers),
            _ => {
                let same = |object: &&DynamicObject| {
                    object.types.as_ref().is_some_and(|types| types.kind == kind)
                };
                let objects = self.custom.iter().filter(same);
                objects
                    .map(|o| {
                        (namespace_of(&o.metadata).to_owned(), name_of(&o.metadata).to_owned())
                    })
                    .collect()
            }
        }
    }
}

/// Some kinds cannot be read without the fields that their schema requires.
fn with_spec(mut object: Value) -> Value {
    object["addressType"] = "IPv4".into();
    object["endpoints"] = Value::Array(Vec::new());
    object
}

fn version(meta: &ObjectMeta) -> u64 {
    meta.resource_version.as_ref().and_then(|version| version.parse().ok()).unwrap_or(0)
}
