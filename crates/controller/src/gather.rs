//! Gathering what a plan rests on.
//!
//! [`rollout`] takes all it can from the cache and names what has to be read from the server, because
//! nobody watches it.
//!
//! **Invariant.** Nothing here decides; an absent object is handed on as absent.

mod experiment;
mod run;

pub(crate) use experiment::{GatheredExperiment, experiment};
pub(crate) use run::{job_pods, jobs};

use crate::{
    cache::{Cache, Entry, Kept, Kind, Need},
    key::Name,
};
use api::argo::{
    AnalysisRun, AnalysisTemplate, AnalysisTemplateSpec, ClusterAnalysisTemplate, Experiment,
    Rollout,
};
use k8s_openapi::api::{
    core::v1::{Pod, Service},
    discovery::v1::EndpointSlice,
};
use plan::{
    broken::Broken,
    rollout::{Observed, Reads, nested_templates, reads, unseen_stable},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use vocab::ObjectRef;

/// How many templates one rollout may draw in, nested ones counted.
const TEMPLATES_MAX: usize = 200;

/// What was gathered for one rollout.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// The planner's input, but for `unread`.
    pub(crate) observed: Observed,
    /// Objects that have to be read from the server into `observed.objects`.
    pub(crate) unread: Vec<ObjectRef>,
    /// What should be there and is not to be seen.
    pub(crate) missed: Option<ObjectRef>,
    /// Everything the plan rests on by name.
    pub(crate) rests_on: BTreeSet<ObjectRef>,
}

/// Gathers for one rollout.
pub(crate) fn rollout(cache: &Cache, name: &Name, rollout: &Arc<Rollout>) -> Gathered {
    let mut wanted = reads(rollout);
    let namespace = &name.namespace;
    let mut observed = Observed { rollout: Arc::clone(rollout), ..Observed::default() };
    (observed.templates, observed.cluster_templates) = templates(cache, namespace, &mut wanted);
    experiments(cache, name, &mut wanted, &mut observed);
    for service in &wanted.services {
        observed
            .services
            .insert(service.clone(), self::service(cache, &Name::new(namespace, service)));
        observed.endpoints.insert(service.clone(), endpoints(cache, namespace, service));
    }
    observed.services.extend(managed(cache, name, rollout));
    let unread = objects(cache, &wanted, &mut observed.objects);
    if let Some(workload) = &wanted.workload
        && let Some(Kept::Deployment(found)) = object(cache, workload)
    {
        observed.workload = Some(Arc::unwrap_or_clone(found));
    }
    children(cache, name, &mut observed);
    let rests_on = names(namespace, &wanted);
    observed.broken.extend(broken(cache, &rests_on));
    let missed = unseen_stable(&observed).filter(|set| cache.find(set).is_none());
    Gathered { observed, unread, missed, rests_on }
}

/// The kinds that a rollout refers to and that are watched only on demand.
pub(crate) fn on_demand(rollout: &Rollout) -> BTreeSet<Kind> {
    let canary = rollout.spec.strategy.canary.as_ref();
    if canary.is_none_or(|canary| canary.traffic_routing.is_none()) {
        return BTreeSet::new();
    }
    let kinds = reads(rollout).objects.into_iter().filter_map(|target| Kind::of(&target));
    kinds.filter(|kind| kind.need() == Need::OnDemand).collect()
}

/// Analysis templates of both scopes, by name.
type Templates =
    (BTreeMap<String, Option<AnalysisTemplate>>, BTreeMap<String, Option<ClusterAnalysisTemplate>>);

/// Templates may take in further templates, from either scope.
fn templates(cache: &Cache, namespace: &str, wanted: &mut Reads) -> Templates {
    let (mut own, mut cluster) = Templates::default();
    loop {
        let before = own.len() + cluster.len();
        for name in wanted.templates.clone() {
            let found = match cache.object(Kind::AnalysisTemplate, &Name::new(namespace, &name)) {
                Some(Kept::AnalysisTemplate(template)) => Some(Arc::unwrap_or_clone(template)),
                _ => None,
            };
            draw_in(found.as_ref().map(|template| &template.spec), wanted);
            own.insert(name, found);
        }
        for name in wanted.cluster_templates.clone() {
            let found = match cache.object(Kind::ClusterAnalysisTemplate, &Name::new("", &name)) {
                Some(Kept::ClusterAnalysisTemplate(template)) => {
                    Some(Arc::unwrap_or_clone(template))
                }
                _ => None,
            };
            draw_in(found.as_ref().map(|template| &template.spec), wanted);
            cluster.insert(name, found);
        }
        let after = own.len() + cluster.len();
        if after == before || after > TEMPLATES_MAX {
            return (own, cluster);
        }
    }
}

/// The rollout's experiments; their services may get traffic, so those are wanted too.
fn experiments(cache: &Cache, name: &Name, wanted: &mut Reads, observed: &mut Observed) {
    let uid = observed.rollout.metadata.uid.clone();
    for (found, entry) in cache.in_group(Kind::Experiment, &name.namespace, &name.name) {
        if entry.owner.as_ref().is_some_and(|owner| Some(&owner.uid) == uid.as_ref())
            && let Some(found) = experiment_at(cache, found)
        {
            let status = found.status.as_ref();
            let templates = status.into_iter().flat_map(|status| &status.template_statuses);
            let services = templates.filter_map(|template| template.service_name.clone());
            wanted.services.extend(services.filter(|name| !name.is_empty()));
            observed.experiments.push(found);
        }
    }
}

/// While the specification is new: the services that the rollout managed before, whether or not it still
/// names them.
fn managed(cache: &Cache, name: &Name, rollout: &Rollout) -> Vec<(String, Option<Service>)> {
    if rollout.is_taken_in() {
        return Vec::new();
    }
    let held = cache.in_group(Kind::Service, &name.namespace, &name.name);
    held.map(|(name, _)| (name.name.clone(), service(cache, name))).collect()
}

fn draw_in(spec: Option<&AnalysisTemplateSpec>, wanted: &mut Reads) {
    if let Some(spec) = spec {
        let mut nested = nested_templates(spec);
        wanted.templates.append(&mut nested.templates);
        wanted.cluster_templates.append(&mut nested.cluster_templates);
    }
}

/// The object that a reference speaks of, in its own type.
fn object(cache: &Cache, target: &ObjectRef) -> Option<Kept> {
    cache.object(Kind::of(target)?, &target.into())
}

fn service(cache: &Cache, name: &Name) -> Option<Service> {
    match cache.object(Kind::Service, name)? {
        Kept::Service(service) => Some(Arc::unwrap_or_clone(service)),
        _ => None,
    }
}

/// Ready endpoints of a service by the hash of their pods.
fn endpoints(cache: &Cache, namespace: &str, service: &str) -> BTreeMap<String, i32> {
    let mut ready = BTreeSet::new();
    for (name, _) in cache.in_group(Kind::EndpointSlice, namespace, service) {
        if let Some(Kept::EndpointSlice(slice)) = cache.object(Kind::EndpointSlice, name) {
            ready.extend(ready_pods(&slice).map(str::to_owned));
        }
    }
    let mut counts = BTreeMap::new();
    for pod in ready {
        let pod = cache.get(Kind::Pod, &Name::new(namespace, &pod));
        if let Some(hash) = pod.and_then(|pod| pod.label.as_deref()) {
            *counts.entry(hash.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// Names, so that a pod in two slices of a dual-stack service counts once.
fn ready_pods(slice: &EndpointSlice) -> impl Iterator<Item = &str> {
    let ready = slice.endpoints.iter().flatten().filter(|endpoint| {
        endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
    });
    let targets = ready.filter_map(|endpoint| endpoint.target_ref.as_ref());
    targets.filter_map(|target| target.name.as_deref())
}

/// Fills in the objects that routers read and names those that no watch covers.
fn objects(
    cache: &Cache,
    wanted: &Reads,
    found: &mut BTreeMap<ObjectRef, Option<Value>>,
) -> Vec<ObjectRef> {
    let mut unread = Vec::new();
    for target in &wanted.objects {
        let kind = Kind::of(target).filter(|kind| cache.serves(*kind));
        if kind.is_some() {
            found.insert(target.clone(), object(cache, target).and_then(as_value));
        } else {
            unread.push(target.clone());
        }
    }
    unread
}

fn as_value(object: Kept) -> Option<Value> {
    match object {
        Kept::Raw(value) => Some(Arc::unwrap_or_clone(value)),
        Kept::Service(service) => serde_json::to_value(service.as_ref()).ok(),
        Kept::Deployment(deployment) => serde_json::to_value(deployment.as_ref()).ok(),
        _ => None,
    }
}

/// What a plan rests on by name that is there and cannot be understood.
fn broken(cache: &Cache, rests_on: &BTreeSet<ObjectRef>) -> Broken {
    let why = |target: &ObjectRef| match object(cache, target)? {
        Kept::Broken(broken) => Some((target.clone(), broken.why.clone())),
        _ => None,
    };
    rests_on.iter().filter_map(why).collect()
}

/// An analysis run, also one that cannot be understood.
fn run(cache: &Cache, name: &Name) -> Option<Arc<AnalysisRun>> {
    match cache.object(Kind::AnalysisRun, name)? {
        Kept::AnalysisRun(run) => Some(run),
        Kept::Broken(broken) => Some(Arc::new(plan::broken::run(&broken.object, &broken.why))),
        _ => None,
    }
}

/// An experiment, also one that cannot be understood.
fn experiment_at(cache: &Cache, name: &Name) -> Option<Arc<Experiment>> {
    match cache.object(Kind::Experiment, name)? {
        Kept::Experiment(found) => Some(found),
        Kept::Broken(broken) => {
            Some(Arc::new(plan::broken::experiment(&broken.object, &broken.why)))
        }
        _ => None,
    }
}

/// ReplicaSets, analysis runs and pods of the rollout. ReplicaSets that nobody owns may be adopted; those of a
/// rollout that was called the same, and runs that somebody left behind, have taken their names.
fn children(cache: &Cache, Name { namespace, name }: &Name, observed: &mut Observed) {
    let uid = observed.rollout.metadata.uid.clone();
    let is_own = |entry: &Entry| {
        let owner = entry.owner.as_ref();
        owner.is_none_or(|owner| Some(&owner.uid) == uid.as_ref())
    };
    let owned = cache.in_group(Kind::ReplicaSet, namespace, name);
    let sets =
        owned.chain(cache.in_group(Kind::ReplicaSet, namespace, "")).collect::<BTreeMap<_, _>>();
    for (set_name, entry) in sets {
        match cache.object(Kind::ReplicaSet, set_name) {
            Some(Kept::ReplicaSet(set)) => {
                observed.replica_sets.push(set);
                if is_own(entry) {
                    observed.pods.extend(pods(cache, set_name));
                }
            }
            Some(Kept::Broken(broken)) if entry.owner.is_some() && is_own(entry) => {
                let target = Kind::ReplicaSet.reference(namespace, &set_name.name);
                observed.broken.insert(target, broken.why.clone());
            }
            _ => {}
        }
    }
    let runs = cache.in_group(Kind::AnalysisRun, namespace, name);
    for (found, entry) in runs.chain(cache.in_group(Kind::AnalysisRun, namespace, "")) {
        if entry.owner.is_some() && is_own(entry) {
            observed.analysis_runs.extend(run(cache, found));
        } else if found.name.starts_with(name) {
            observed.taken_runs.insert(found.name.clone());
        }
    }
}

/// The pods of a ReplicaSet.
fn pods<'a>(cache: &'a Cache, set: &'a Name) -> impl Iterator<Item = Arc<Pod>> + use<'a> {
    cache.in_group(Kind::Pod, &set.namespace, &set.name).filter_map(|(name, _)| {
        match cache.object(Kind::Pod, name)? {
            Kept::Pod(pod) => Some(pod),
            _ => None,
        }
    })
}

fn names(namespace: &str, wanted: &Reads) -> BTreeSet<ObjectRef> {
    let services = wanted.services.iter().map(|name| Kind::Service.reference(namespace, name));
    let templates =
        wanted.templates.iter().map(|name| Kind::AnalysisTemplate.reference(namespace, name));
    let cluster = wanted
        .cluster_templates
        .iter()
        .map(|name| Kind::ClusterAnalysisTemplate.reference("", name));
    let others = wanted.objects.iter().chain(&wanted.workload).cloned();
    services.chain(templates).chain(cluster).chain(others).collect()
}
