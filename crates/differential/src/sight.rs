//! Everything that there is of all cases, kept up to date by watches.
//!
//! Objects belong to the case whose name theirs begins with; nothing else is kept.

use crate::picture::Objects;
use api::argo::keys::ANALYSIS_RUN_NAME;
use futures::{StreamExt, TryStreamExt};
use kube::{
    Api, Client,
    api::DynamicObject,
    core::{ApiResource, GroupVersionKind},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{task::JoinSet, time::Instant};

/// How many letters the name of a case has: a letter and five digits.
pub(crate) const CASE_NAME: usize = 6;
/// The label with a version's hash.
const HASH: &str = "/metadata/labels/rollouts-pod-template-hash";
/// What is watched.
const KINDS: [(&str, &str, &str); 10] = [
    ("argoproj.io", "v1alpha1", "Rollout"),
    ("argoproj.io", "v1alpha1", "AnalysisRun"),
    ("argoproj.io", "v1alpha1", "Experiment"),
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "ReplicaSet"),
    ("batch", "v1", "Job"),
    ("", "v1", "Pod"),
    ("", "v1", "Service"),
    ("networking.k8s.io", "v1", "Ingress"),
    ("", "v1", "Event"),
];

/// A view of all cases; it ends when this is dropped.
pub struct Sight {
    groups: Arc<Mutex<Groups>>,
    _watches: JoinSet<()>,
}

type Groups = BTreeMap<(String, String), Group>;

/// What there is of one case in one namespace.
struct Group {
    /// In the order in which they were first seen.
    objects: Vec<((String, String), Value)>,
    hashes: Vec<String>,
    trials: Vec<(String, String)>,
    changed: Instant,
}

impl Sight {
    /// Begins to look. Must be called within a tokio runtime.
    pub fn start(client: &Client) -> Self {
        let groups = Arc::new(Mutex::new(Groups::new()));
        let mut watches = JoinSet::new();
        for (group, version, kind) in KINDS {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            watches.spawn(watch(client.clone(), resource, Arc::clone(&groups)));
        }
        Self { groups, _watches: watches }
    }

    /// Everything of a case.
    pub fn objects(&self, namespace: &str, case: &str) -> Objects {
        let groups = locked(&self.groups);
        let group = groups.get(&(namespace.to_owned(), case.to_owned()));
        Objects {
            namespace: namespace.to_owned(),
            name: case.to_owned(),
            now: group
                .iter()
                .flat_map(|group| &group.objects)
                .map(|(_, object)| object.clone())
                .collect(),
            hashes: group.map(|group| group.hashes.clone()).unwrap_or_default(),
            trials: group.map(|group| group.trials.clone()).unwrap_or_default(),
        }
    }

    /// When something of a case last changed.
    pub fn changed(&self, namespace: &str, case: &str) -> Option<Instant> {
        let groups = locked(&self.groups);
        groups.get(&(namespace.to_owned(), case.to_owned())).map(|group| group.changed)
    }

    /// Lets go of a case.
    pub fn forget(&self, namespace: &str, case: &str) {
        locked(&self.groups).remove(&(namespace.to_owned(), case.to_owned()));
    }
}

fn locked(groups: &Mutex<Groups>) -> MutexGuard<'_, Groups> {
    groups.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn watch(client: Client, resource: ApiResource, groups: Arc<Mutex<Groups>>) {
    let api: Api<DynamicObject> = Api::all_with(client, &resource);
    let events = watcher(api, watcher::Config::default()).default_backoff().boxed();
    let mut events = events.map_ok(Some).or_else(async |_| Ok::<_, watcher::Error>(None)).boxed();
    while let Some(Ok(event)) = events.next().await {
        match event {
            Some(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                seen(&mut locked(&groups), &resource, object);
            }
            Some(watcher::Event::Delete(object)) => gone(&mut locked(&groups), &resource, &object),
            _ => {}
        }
    }
}

/// The namespace and the case an object belongs to.
fn place(object: &DynamicObject) -> Option<(String, String)> {
    // A Job is named after the uid of the analysis run that it measures for.
    let measured =
        object.metadata.annotations.as_ref().and_then(|notes| notes.get(ANALYSIS_RUN_NAME));
    let name = measured.or(object.metadata.name.as_ref())?.get(..CASE_NAME)?;
    let is_case = name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name[1..].bytes().all(|letter| letter.is_ascii_digit());
    is_case.then(|| (object.metadata.namespace.clone().unwrap_or_default(), name.to_owned()))
}

fn seen(groups: &mut Groups, resource: &ApiResource, object: DynamicObject) {
    let Some(place) = place(&object) else { return };
    let key = (resource.kind.clone(), object.metadata.name.clone().unwrap_or_default());
    let Ok(mut object) = serde_json::to_value(object) else { return };
    object["apiVersion"] = json!(resource.api_version);
    object["kind"] = json!(resource.kind);
    let group = groups.entry(place).or_insert_with(|| Group {
        objects: Vec::new(),
        hashes: Vec::new(),
        trials: Vec::new(),
        changed: Instant::now(),
    });
    if let Some(hash) = object.pointer(HASH).and_then(Value::as_str)
        && resource.kind == "ReplicaSet"
    {
        let is_trial = object["metadata"]["ownerReferences"][0]["kind"] == "Experiment";
        if is_trial && !group.trials.iter().any(|(known, _)| known == hash) {
            group.trials.push((hash.to_owned(), key.1.clone()));
        }
        if !is_trial && !group.hashes.iter().any(|known| known == hash) {
            group.hashes.push(hash.to_owned());
        }
    }
    let known = group.objects.iter_mut().find(|(known, _)| *known == key);
    match known {
        Some((_, known)) if version(known) == version(&object) => return,
        Some((_, known)) => *known = object,
        None => group.objects.push((key, object)),
    }
    group.changed = Instant::now();
}

fn version(object: &Value) -> &Value {
    &object["metadata"]["resourceVersion"]
}

fn gone(groups: &mut Groups, resource: &ApiResource, object: &DynamicObject) {
    let Some(group) = place(object).and_then(|place| groups.get_mut(&place)) else { return };
    let name = object.metadata.name.clone().unwrap_or_default();
    let key = (resource.kind.clone(), name);
    group.objects.retain(|(known, _)| *known != key);
    group.changed = Instant::now();
}
