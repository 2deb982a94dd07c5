//! Planning one Rollout: what is there in, what to do next out.
//!
//! Start with [`plan`]. [`reads`] says what has to be gathered into an [`Observed`] beforehand. One
//! call makes at most one step of progress: it returns the writes that are safe to carry out now, in an
//! order in which any prefix is safe too, and the reasons for everything that has to wait.
//!
//! **Invariant.** Nothing here remembers anything: the same observation and time give the same plan.

mod reads;
pub mod replicas;
mod sets;
mod waits;

pub use reads::{Reads, nested_templates, reads};
pub use waits::Wait;

use api::argo::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Rollout};
use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{Pod, Service},
};
use std::collections::BTreeMap;
use vocab::Plan;

/// Everything a plan for one rollout rests on. What was not gathered counts as missing, and the plan holds.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The rollout with its `resourceVersion` and uid.
    pub rollout: Rollout,
    /// ReplicaSets of the namespace that have the hash label, that the rollout owns, or that its selector matches.
    pub replica_sets: Vec<ReplicaSet>,
    /// The services of [`Reads::services`]; absent ones as `None`.
    pub services: BTreeMap<String, Option<Service>>,
    /// Ready endpoints per service and pod template hash, according to the EndpointSlices.
    pub endpoints: BTreeMap<String, BTreeMap<String, i32>>,
    /// The objects of [`Reads::objects`]; absent ones as `None`.
    pub objects: routers::Objects,
    /// Analysis runs that the rollout owns.
    pub analysis_runs: Vec<AnalysisRun>,
    /// Analysis templates of the namespace by name; absent ones as `None`.
    pub templates: BTreeMap<String, Option<AnalysisTemplate>>,
    /// Cluster analysis templates by name; absent ones as `None`.
    pub cluster_templates: BTreeMap<String, Option<ClusterAnalysisTemplate>>,
    /// The Deployment of `spec.workloadRef`.
    pub workload: Option<Deployment>,
    /// Pods of the rollout's ReplicaSets, as evidence of why they are not ready.
    pub pods: Vec<Pod>,
}

/// What to do next for one rollout.
pub fn plan(observed: &Observed, now: Timestamp) -> Plan {
    let _ = (observed, now);
    Plan::default()
}

/// A time as Kubernetes writes it, in whole seconds.
pub(crate) fn seconds_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
