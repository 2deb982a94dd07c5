//! What is shown of an AnalysisRun.

use super::{age, replica_set::is_owned, revision};
use api::argo::{AnalysisRun, Measurement};
use jiff::Timestamp;
use serde::Serialize;
use std::cmp::Reverse;

/// Key of a measurement's metadata under which the name of its Job stands.
const JOB_NAME: &str = "job-name";

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
    /// Jobs that measured, in the order of the metrics.
    pub jobs: Vec<JobInfo>,
}

/// What is shown of a Job that measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobInfo {
    /// Name.
    pub name: String,
    /// Phase of its measurement.
    pub status: String,
    /// How long ago its measurement began.
    pub age: String,
}

/// An owner's runs, oldest first; those of one second in the order that upstream gives them.
pub(crate) fn all(owner: Option<&str>, runs: &[AnalysisRun], now: Timestamp) -> Vec<RunInfo> {
    let mut of_owner: Vec<_> = runs
        .iter()
        .filter(|run| is_owned(run.metadata.owner_references.as_deref(), owner))
        .collect();
    of_owner.sort_by_key(|run| {
        let born = run.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (born, Reverse(run.metadata.name.clone()))
    });
    of_owner.into_iter().map(|run| info(run, now)).collect()
}

fn info(run: &AnalysisRun, now: Timestamp) -> RunInfo {
    let status = run.status.clone().unwrap_or_default();
    let sum =
        |count: fn(&api::argo::MetricResult) -> i32| status.metric_results.iter().map(count).sum();
    let measurements = status.metric_results.iter().flat_map(|result| &result.measurements);
    RunInfo {
        name: run.metadata.name.clone().unwrap_or_default(),
        revision: revision(&run.metadata),
        status: if run.status.is_some() { status.phase.to_string() } else { String::new() },
        age: age::since(run.metadata.creation_timestamp.as_ref(), now),
        successful: sum(|result| result.successful),
        failed: sum(|result| result.failed),
        inconclusive: sum(|result| result.inconclusive),
        error: sum(|result| result.error),
        jobs: measurements.filter_map(|measurement| job(measurement, now)).collect(),
    }
}

fn job(measurement: &Measurement, now: Timestamp) -> Option<JobInfo> {
    Some(JobInfo {
        name: measurement.metadata.get(JOB_NAME)?.clone(),
        status: measurement.phase.to_string(),
        age: age::since(measurement.started_at.as_ref(), now),
    })
}
