//! Measurements that are Jobs: one Job a measurement, and its end is the result.
//!
//! Start with [`start`], then [`resume`] whenever anything changes. Names, labels and annotations are
//! upstream's, so that a Job survives a change of controllers.
//!
//! **Invariant.** A Job is never made twice for one measurement: its name says which it is.

use super::{Observed, measuring::seconds};
use crate::rollout::{hash, sets};
use api::argo::{AnalysisPhase, AnalysisRun, Measurement, Metric, MetricResult, keys};
use jiff::Timestamp;
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{ContainerStatus, Pod},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vocab::{ObjectRef, Precondition, Propagation, Write};

/// The provider whose measurements are Jobs.
pub(super) const PROVIDER: &str = "job";
/// Where a measurement's Job is named within its metadata.
const JOB_NAME: &str = "job-name";
/// Where the namespace of a measurement's Job is named.
const JOB_NAMESPACE: &str = "job-namespace";
/// Longest name of a Job: it becomes a label of its pods.
const MAX_NAME: usize = 63;
/// Reasons for which a container will not start until somebody acts.
const STUCK: [&str; 3] = ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"];

/// Begins a measurement; one whose Job is there already goes on with it.
pub(super) fn start(
    observed: &Observed,
    metric: &Metric,
    result: Option<&MetricResult>,
    now: Timestamp,
) -> (Measurement, Option<Write>) {
    let run = &observed.run;
    let name = job_name(run, &metric.name, result);
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let target = ObjectRef::new("batch/v1", "Job", &namespace, &name);
    if let Some(why) = observed.refused.get(&target) {
        let begun = Measurement { started_at: Some(seconds(now)), ..Measurement::default() };
        return (finished(begun, AnalysisPhase::Error, Some(why.clone()), now), None);
    }
    let is_there = find(observed, &name).is_some();
    let write = (!is_there).then(|| Write::Create { object: job(run, metric, &name) });
    let measurement = Measurement {
        phase: AnalysisPhase::Running,
        started_at: Some(seconds(now)),
        resume_at: Some(seconds(now)),
        metadata: BTreeMap::from([
            (JOB_NAME.to_owned(), name),
            (JOB_NAMESPACE.to_owned(), namespace),
        ]),
        ..Measurement::default()
    };
    (measurement, write)
}

/// The Jobs whose end `run` waits for. One that is gone is an error: better make sure that it is.
pub fn awaited_jobs(run: &AnalysisRun) -> Vec<ObjectRef> {
    let phase = run.status.as_ref().map(|status| status.phase);
    if run.metadata.deletion_timestamp.is_some() || phase.is_some_and(AnalysisPhase::completed) {
        return Vec::new();
    }
    let results = run.status.iter().flat_map(|status| &status.metric_results);
    let last = results.filter_map(|result| result.measurements.last());
    let running = last.filter(|measurement| measurement.finished_at.is_none());
    let named = running.filter_map(|measurement| measurement.metadata.get(JOB_NAME));
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    named.map(|name| ObjectRef::new("batch/v1", "Job", namespace, name)).collect()
}

/// What became of a measurement's Job; `None` while it runs.
pub(super) fn resume(
    observed: &Observed,
    measurement: Measurement,
    now: Timestamp,
) -> Option<Measurement> {
    let Some(name) = measurement.metadata.get(JOB_NAME) else {
        let message = "job metadata reference missing".to_owned();
        return Some(finished(measurement, AnalysisPhase::Error, Some(message), now));
    };
    let Some(job) = find(observed, name) else {
        let message = format!("job.batch \"{name}\" not found");
        return Some(finished(measurement, AnalysisPhase::Error, Some(message), now));
    };
    if let Some(phase) = outcome(job) {
        return Some(finished(measurement, phase, None, now));
    }
    let message = observed.job_pods.iter().filter(|pod| is_of(pod, name)).find_map(stuck)?;
    Some(finished(measurement, AnalysisPhase::Inconclusive, Some(message), now))
}

/// Ends a measurement whose Job runs, and the Job; `None` when it has none.
pub(super) fn end(
    observed: &Observed,
    measurement: &Measurement,
    now: Timestamp,
) -> Option<(Measurement, Write)> {
    let job = find(observed, measurement.metadata.get(JOB_NAME)?)?;
    let message = Some("Metric Terminated".to_owned());
    let ended = finished(measurement.clone(), AnalysisPhase::Inconclusive, message, now);
    Some((ended, delete(job)))
}

/// Deletes the oldest Jobs of a metric beyond those that are kept; none that runs.
pub(super) fn surplus(observed: &Observed, metric: &str, kept: usize) -> Vec<Write> {
    let of_metric = |job: &&Job| {
        let annotations = job.metadata.annotations.as_ref();
        let name = annotations.and_then(|found| found.get(keys::ANALYSIS_RUN_METRIC_NAME));
        name.is_some_and(|name| name == metric)
    };
    let mut jobs = observed.jobs.iter().filter(of_metric).collect::<Vec<_>>();
    jobs.sort_by_key(|job| job.metadata.creation_timestamp.as_ref().map(|made| made.0));
    let over = jobs.len().saturating_sub(kept);
    let old = jobs.into_iter().take(over);
    old.filter(|job| outcome(job).is_some() && job.metadata.deletion_timestamp.is_none())
        .map(delete)
        .collect()
}

/// Upstream's name, which counts measurements. A metric's name that is too long keeps its beginning
/// and a hash, so that two metrics that begin alike do not share a Job.
fn job_name(run: &AnalysisRun, metric: &str, result: Option<&MetricResult>) -> String {
    let uid = run.metadata.uid.as_deref().unwrap_or_default();
    let number = result.map_or(0, |result| result.count + result.error) + 1;
    let name = format!("{uid}.{metric}.{number}");
    if name.len() <= MAX_NAME {
        return name;
    }
    let mark = format!("-{:08x}", hash::fnv(metric.as_bytes()));
    let room = MAX_NAME.saturating_sub(uid.len() + 2 + number.to_string().len() + mark.len());
    let begin = &metric[..metric.floor_char_boundary(room)];
    format!("{uid}.{begin}{mark}.{number}")
}

fn job(run: &AnalysisRun, metric: &Metric, name: &str) -> Value {
    let mut job = serde_json::to_value(&metric.provider.job).unwrap_or_default();
    let (metadata, mut spec) = (job["metadata"].take(), job["spec"].take());
    let uid = &run.metadata.uid;
    spec["template"]["metadata"]["labels"][keys::ANALYSIS_RUN_UID] = json!(uid);
    let mut object = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": run.metadata.namespace,
            "labels": {},
            "annotations": {},
            "ownerReferences": [sets::owner("AnalysisRun", &run.metadata)],
        },
        "spec": spec,
    });
    for field in ["labels", "annotations"] {
        for (key, value) in metadata[field].as_object().into_iter().flatten() {
            object["metadata"][field][key] = value.clone();
        }
    }
    object["metadata"]["labels"][keys::ANALYSIS_RUN_UID] = json!(uid);
    let annotations = &mut object["metadata"]["annotations"];
    annotations[keys::ANALYSIS_RUN_NAME] = json!(run.metadata.name);
    annotations[keys::ANALYSIS_RUN_NAMESPACE] = json!(run.metadata.namespace);
    annotations[keys::ANALYSIS_RUN_METRIC_NAME] = json!(metric.name);
    object
}

fn find<'a>(observed: &'a Observed, name: &str) -> Option<&'a Job> {
    observed.jobs.iter().find(|job| job.metadata.name.as_deref() == Some(name))
}

fn outcome(job: &Job) -> Option<AnalysisPhase> {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut holding = conditions.filter(|condition| condition.status == "True");
    holding.find_map(|condition| match condition.type_.as_str() {
        "Complete" => Some(AnalysisPhase::Successful),
        "Failed" => Some(AnalysisPhase::Failed),
        _ => None,
    })
}

fn is_of(pod: &Pod, job: &str) -> bool {
    let mut owners = pod.metadata.owner_references.iter().flatten();
    owners.any(|owner| owner.kind == "Job" && owner.name == job)
}

/// Why a pod will never start by itself.
fn stuck(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    let mut containers = init.chain(status.container_statuses.iter().flatten());
    containers.find_map(|container| {
        let (reason, message) = waits(container)?;
        let pod = pod.metadata.name.as_deref().unwrap_or_default();
        let name = &container.name;
        Some(format!("Pod {pod}, container {name} has terminal error ({reason}): {message}"))
    })
}

fn waits(container: &ContainerStatus) -> Option<(&str, &str)> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().filter(|reason| STUCK.contains(reason))?;
    Some((reason, waiting.message.as_deref().unwrap_or_default()))
}

fn finished(
    measurement: Measurement,
    phase: AnalysisPhase,
    message: Option<String>,
    now: Timestamp,
) -> Measurement {
    Measurement { phase, message, finished_at: Some(seconds(now)), ..measurement }
}

fn delete(job: &Job) -> Write {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let metadata = &job.metadata;
    Write::Delete {
        target: ObjectRef::new(
            "batch/v1",
            "Job",
            &text(&metadata.namespace),
            &text(&metadata.name),
        ),
        propagation: Propagation::Foreground,
        precondition: Precondition { uid: metadata.uid.clone(), resource_version: None },
    }
}
