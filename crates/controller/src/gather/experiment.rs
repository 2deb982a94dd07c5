//! Gathering what a plan for an experiment rests on.

use super::{broken, names, objects, pods, run, service, templates};
use crate::{
    cache::{Cache, Entry, Kept, Kind},
    key::Name,
};
use api::argo::{Experiment, Rollout};
use plan::{
    experiment::{Observed, names as own_names, owning_rollout, reads},
    rollout,
};
use std::{collections::BTreeSet, sync::Arc};
use vocab::ObjectRef;

/// What was gathered for one experiment.
#[derive(Debug)]
pub(crate) struct GatheredExperiment {
    /// The planner's input, but for `unread`.
    pub(crate) observed: Observed,
    /// Objects that have to be read from the server into `observed.objects`.
    pub(crate) unread: Vec<ObjectRef>,
    /// Everything the plan rests on by name.
    pub(crate) rests_on: BTreeSet<ObjectRef>,
}

/// Gathers for one experiment.
pub(crate) fn experiment(
    cache: &Cache,
    name: &Name,
    experiment: &Arc<Experiment>,
) -> GatheredExperiment {
    let mut wanted = reads(experiment);
    let namespace = &name.namespace;
    let mut observed =
        Observed { experiment: Experiment::clone(experiment), ..Observed::default() };
    (observed.templates, observed.cluster_templates) = templates(cache, namespace, &mut wanted);
    observed.rollout = rollout_above(cache, namespace, experiment);
    let above = observed.rollout.as_ref().map(rollout::reads).unwrap_or_default();
    wanted.objects = above.objects;
    wanted.services = own_names(experiment).services;
    let unread = objects(cache, &wanted, &mut observed.objects);
    children(cache, namespace, &mut observed);
    let mut rests_on = names(namespace, &wanted);
    observed.broken = broken(cache, &rests_on);
    let above = owning_rollout(experiment).map(|name| Kind::Rollout.reference(namespace, name));
    rests_on.extend(above);
    GatheredExperiment { observed, unread, rests_on }
}

fn rollout_above(cache: &Cache, namespace: &str, experiment: &Experiment) -> Option<Rollout> {
    let name = Name::new(namespace, owning_rollout(experiment)?);
    match cache.object(Kind::Rollout, &name)? {
        Kept::Rollout(rollout) => Some(Arc::unwrap_or_clone(rollout)),
        _ => None,
    }
}

/// What the experiment owns, and what has a name that it would take.
fn children(cache: &Cache, namespace: &str, observed: &mut Observed) {
    let uid = observed.experiment.metadata.uid.clone();
    let own = observed.experiment.metadata.name.clone().unwrap_or_default();
    let wanted = own_names(&observed.experiment);
    let is_own =
        |entry: &Entry| entry.owner.as_ref().is_some_and(|owner| Some(&owner.uid) == uid.as_ref());
    for (name, entry) in cache.in_namespace(Kind::ReplicaSet, namespace) {
        if (is_own(entry) || wanted.replica_sets.contains(&name.name))
            && let Some(Kept::ReplicaSet(set)) = cache.object(Kind::ReplicaSet, name)
        {
            observed.replica_sets.push(set);
            observed.pods.extend(pods(cache, name));
        } else {
            observed.hashes.extend(entry.label.as_deref().map(str::to_owned));
        }
    }
    for (name, entry) in cache.in_namespace(Kind::Service, namespace) {
        if is_own(entry) || wanted.services.contains(&name.name) {
            observed.services.extend(service(cache, name));
        }
    }
    for (name, entry) in cache.in_namespace(Kind::AnalysisRun, namespace) {
        let is_meant = is_own(entry) || name.name.starts_with(&own);
        if is_meant {
            observed.analysis_runs.extend(run(cache, name));
        }
    }
}
