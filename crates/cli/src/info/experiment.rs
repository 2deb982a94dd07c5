//! What is shown of an Experiment.

use super::{Objects, Pool, ReplicaSetInfo, RunInfo, age, replica_set, revision, runs};
use api::argo::{AnalysisRun, Experiment};
use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Pod};
use serde::Serialize;
use std::cmp::Reverse;

/// The objects that an experiment is shown from.
#[derive(Clone, Debug)]
pub struct ExperimentObjects {
    /// The experiment.
    pub experiment: Experiment,
    /// ReplicaSets of its namespace.
    pub replica_sets: Vec<ReplicaSet>,
    /// Pods of its namespace.
    pub pods: Vec<Pod>,
    /// `AnalysisRuns` of its namespace.
    pub runs: Vec<AnalysisRun>,
}

/// What is shown of an experiment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentInfo {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Revision it belongs to; 0 when it belongs to none.
    pub revision: u64,
    /// Phase.
    pub status: String,
    /// Why, in a sentence.
    pub message: String,
    /// How old it is.
    pub age: String,
    /// Its ReplicaSets.
    pub replica_sets: Vec<ReplicaSetInfo>,
    /// Its `AnalysisRuns`, oldest first.
    pub analysis_runs: Vec<RunInfo>,
}

impl ExperimentInfo {
    /// Works out what is shown at `now`.
    pub fn new(objects: &ExperimentObjects, now: Timestamp) -> Self {
        let pool =
            Pool { replica_sets: &objects.replica_sets, pods: &objects.pods, runs: &objects.runs };
        info(&objects.experiment, pool, now)
    }
}

/// The rollout's experiments, newest revision first, then oldest first.
pub(crate) fn all(objects: &Objects, now: Timestamp) -> Vec<ExperimentInfo> {
    let uid = objects.rollout.metadata.uid.as_deref();
    let owned = |experiment: &&Experiment| {
        replica_set::is_owned(experiment.metadata.owner_references.as_deref(), uid)
    };
    let mut owned: Vec<_> = objects.experiments.iter().filter(owned).collect();
    owned.sort_by_key(|experiment| {
        let metadata = &experiment.metadata;
        let born = metadata.creation_timestamp.as_ref().map(|time| time.0);
        (Reverse(revision(metadata)), born, metadata.name.clone())
    });
    owned.into_iter().map(|experiment| info(experiment, objects.pool(), now)).collect()
}

fn info(experiment: &Experiment, pool: Pool<'_>, now: Timestamp) -> ExperimentInfo {
    let metadata = &experiment.metadata;
    let status = experiment.status.clone().unwrap_or_default();
    let uid = metadata.uid.as_deref();
    ExperimentInfo {
        name: metadata.name.clone().unwrap_or_default(),
        namespace: metadata.namespace.clone().unwrap_or_default(),
        revision: revision(metadata),
        status: status.phase.map(|phase| phase.to_string()).unwrap_or_default(),
        message: status.message.unwrap_or_default(),
        age: age::since(metadata.creation_timestamp.as_ref(), now),
        replica_sets: replica_set::all(uid, None, pool, now),
        analysis_runs: runs::all(uid, pool.runs, now),
    }
}
