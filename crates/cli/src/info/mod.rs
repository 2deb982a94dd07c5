//! What is shown of a rollout, worked out from its objects, purely.

mod age;
mod experiment;
mod images;
mod phase;
mod pod;
mod replica_set;
mod runs;

pub use age::human_duration;
pub(crate) use age::since;
pub use experiment::{ExperimentInfo, ExperimentObjects};
pub use images::{ImageInfo, experiment_images, images};
pub use pod::PodInfo;
pub use replica_set::{ReplicaSetInfo, Tag};
pub use runs::{JobInfo, RunInfo};

use api::argo::{AnalysisRun, Experiment, Rollout, keys};
use jiff::Timestamp;
use k8s_openapi::{
    api::{apps::v1::ReplicaSet, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// The objects that a rollout is shown from.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// The rollout.
    pub rollout: Rollout,
    /// ReplicaSets of its namespace.
    pub replica_sets: Vec<ReplicaSet>,
    /// Pods of its namespace.
    pub pods: Vec<Pod>,
    /// `AnalysisRuns` of its namespace.
    pub runs: Vec<AnalysisRun>,
    /// Experiments of its namespace.
    pub experiments: Vec<Experiment>,
}

impl Objects {
    fn pool(&self) -> Pool<'_> {
        Pool { replica_sets: &self.replica_sets, pods: &self.pods, runs: &self.runs }
    }
}

/// The objects among which those of one owner are found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pool<'a> {
    pub(crate) replica_sets: &'a [ReplicaSet],
    pub(crate) pods: &'a [Pod],
    pub(crate) runs: &'a [AnalysisRun],
}

/// What is shown of a rollout.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutInfo {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Phase as clients see it.
    pub status: String,
    /// Message as clients see it.
    pub message: String,
    /// `Canary` or `BlueGreen`.
    pub strategy: String,
    /// `i/n`, with canary steps.
    pub step: String,
    /// The weight wanted.
    pub set_weight: String,
    /// The weight in force.
    pub actual_weight: String,
    /// Pods wanted.
    pub desired: i32,
    /// Pods that exist.
    pub current: i32,
    /// Pods of the newest version.
    pub updated: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// Pods that are available.
    pub available: i32,
    /// How old it is.
    pub age: String,
    /// ReplicaSets, newest revision first.
    pub replica_sets: Vec<ReplicaSetInfo>,
    /// Experiments, newest revision first.
    pub experiments: Vec<ExperimentInfo>,
    /// `AnalysisRuns`, oldest first.
    pub analysis_runs: Vec<RunInfo>,
}

impl RolloutInfo {
    /// Works out what is shown at `now`.
    pub fn new(objects: &Objects, now: Timestamp) -> Self {
        let rollout = &objects.rollout;
        let status = rollout.status.clone().unwrap_or_default();
        let uid = rollout.metadata.uid.as_deref();
        let replica_sets = replica_set::all(uid, Some(rollout), objects.pool(), now);
        let (phase, message) = phase::of(rollout);
        let canary = rollout.spec.strategy.canary.is_some();
        Self {
            name: rollout.metadata.name.clone().unwrap_or_default(),
            namespace: rollout.metadata.namespace.clone().unwrap_or_default(),
            status: phase,
            message,
            strategy: strategy(rollout).to_owned(),
            step: step(rollout),
            set_weight: if canary { set_weight(rollout).to_string() } else { String::new() },
            actual_weight: if canary {
                actual_weight(rollout, &replica_sets).to_string()
            } else {
                String::new()
            },
            desired: rollout.spec.replicas.unwrap_or(1),
            current: status.replicas,
            updated: status.updated_replicas,
            ready: status.ready_replicas,
            available: status.available_replicas,
            age: since(rollout.metadata.creation_timestamp.as_ref(), now),
            replica_sets,
            experiments: experiment::all(objects, now),
            analysis_runs: runs::all(uid, objects.runs.as_slice(), now),
        }
    }

    /// Every revision that something belongs to, newest first.
    pub fn revisions(&self) -> Vec<u64> {
        let sets = self.replica_sets.iter().map(|set| set.revision);
        let experiments = self.experiments.iter().map(|experiment| experiment.revision);
        let runs = self.analysis_runs.iter().map(|run| run.revision);
        sets.chain(experiments).chain(runs).collect::<BTreeSet<_>>().into_iter().rev().collect()
    }
}

/// `Canary`, `BlueGreen` or `unknown`.
pub fn strategy(rollout: &Rollout) -> &'static str {
    if rollout.spec.strategy.canary.is_some() {
        "Canary"
    } else if rollout.spec.strategy.blue_green.is_some() {
        "BlueGreen"
    } else {
        "unknown"
    }
}

/// `i/n`, or nothing without canary steps.
pub fn step(rollout: &Rollout) -> String {
    let steps = rollout.spec.strategy.canary.as_ref().map_or(0, |canary| canary.steps.len());
    let index = rollout.status.as_ref().and_then(|status| status.current_step_index);
    index.filter(|_| steps > 0).map(|index| format!("{index}/{steps}")).unwrap_or_default()
}

/// Phase and message as clients see them.
pub fn phase(rollout: &Rollout) -> (String, String) {
    phase::of(rollout)
}

/// The weight that the steps so far ask for; none after an abort, all after the last step.
pub fn set_weight(rollout: &Rollout) -> i32 {
    if rollout.status.as_ref().is_some_and(|status| status.abort) {
        return 0;
    }
    let Some(canary) = &rollout.spec.strategy.canary else { return 0 };
    let Some(index) = current_step(rollout) else { return weight_max(rollout) };
    // Upstream's client counts a step that is wrong because it has more than its weight.
    canary.steps[..=index].iter().rev().find_map(|step| step.set_weight).unwrap_or(0)
}

fn actual_weight(rollout: &Rollout, sets: &[ReplicaSetInfo]) -> i32 {
    let status = rollout.status.clone().unwrap_or_default();
    let max = weight_max(rollout);
    if current_step(rollout).is_none() {
        return max;
    }
    if status.available_replicas == 0 {
        return 0;
    }
    let is_routed = rollout
        .spec
        .strategy
        .canary
        .as_ref()
        .is_some_and(|canary| canary.traffic_routing.is_some());
    if is_routed {
        return status
            .canary
            .weights
            .map_or_else(|| set_weight(rollout), |weights| weights.canary.weight);
    }
    let canary = sets.iter().find(|set| set.tags.contains(&Tag::Canary));
    canary.map_or(0, |set| set.available * max / status.available_replicas)
}

/// The step under way; `None` without steps and after the last.
fn current_step(rollout: &Rollout) -> Option<usize> {
    let canary = rollout.spec.strategy.canary.as_ref()?;
    let index = rollout.status.as_ref().and_then(|status| status.current_step_index).unwrap_or(0);
    usize::try_from(index).ok().filter(|index| *index < canary.steps.len())
}

fn weight_max(rollout: &Rollout) -> i32 {
    let routing =
        rollout.spec.strategy.canary.as_ref().and_then(|canary| canary.traffic_routing.as_ref());
    routing.and_then(|routing| routing.max_traffic_weight).unwrap_or(100)
}

/// The revision that an object's annotations name; 0 when they name none.
fn revision(metadata: &ObjectMeta) -> u64 {
    let annotation = metadata.annotations.as_ref().and_then(|all| all.get(keys::REVISION));
    annotation.and_then(|text| text.parse().ok()).unwrap_or(0)
}
