//! What is shown of an AnalysisRun.

use super::{Objects, age, replica_set::is_owned};
use api::argo::AnalysisRun;
use jiff::Timestamp;
use serde::Serialize;

/// What is shown of an AnalysisRun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunInfo {
    /// Name.
    pub name: String,
    /// Revision it belongs to; 0 when unknown.
    pub revision: u64,
    /// Phase.
    pub status: String,
    /// How old it is.
    pub age: String,
    /// Measurements that passed.
    pub successful: i32,
    /// Measurements that failed.
    pub failed: i32,
    /// Measurements that decided nothing.
    pub inconclusive: i32,
    /// Measurements that could not be made.
    pub error: i32,
}

/// The rollout's runs, oldest first.
pub(crate) fn all(objects: &Objects, now: Timestamp) -> Vec<RunInfo> {
    let uid = objects.rollout.metadata.uid.as_deref();
    let mut owned: Vec<_> = objects
        .runs
        .iter()
        .filter(|run| is_owned(run.metadata.owner_references.as_deref(), uid))
        .collect();
    owned.sort_by_key(|run| {
        (run.metadata.creation_timestamp.as_ref().map(|time| time.0), run.metadata.name.clone())
    });
    owned.into_iter().map(|run| info(run, now)).collect()
}

fn info(run: &AnalysisRun, now: Timestamp) -> RunInfo {
    let revision =
        run.metadata.annotations.as_ref().and_then(|all| all.get("rollout.argoproj.io/revision"));
    let status = run.status.clone().unwrap_or_default();
    let sum =
        |count: fn(&api::argo::MetricResult) -> i32| status.metric_results.iter().map(count).sum();
    RunInfo {
        name: run.metadata.name.clone().unwrap_or_default(),
        revision: revision.and_then(|text| text.parse().ok()).unwrap_or(0),
        status: if run.status.is_some() { status.phase.to_string() } else { String::new() },
        age: age::since(run.metadata.creation_timestamp.as_ref(), now),
        successful: sum(|result| result.successful),
        failed: sum(|result| result.failed),
        inconclusive: sum(|result| result.inconclusive),
        error: sum(|result| result.error),
    }
}
