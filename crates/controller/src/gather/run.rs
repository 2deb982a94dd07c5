//! Gathering what the plan for an analysis run rests on beside its calls.

use crate::cache::{Cache, Kept, Kind};
use api::argo::AnalysisRun;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};

/// The Jobs that were made for a run.
pub(crate) fn jobs(cache: &Cache, run: &AnalysisRun) -> Vec<Job> {
    let kept = labelled(cache, Kind::Job, run);
    kept.filter_map(|kept| match kept {
        Kept::Job(job) => Some(job.as_ref().clone()),
        _ => None,
    })
    .collect()
}

/// The pods of those Jobs.
pub(crate) fn job_pods(cache: &Cache, run: &AnalysisRun) -> Vec<Pod> {
    let kept = labelled(cache, Kind::JobPod, run);
    kept.filter_map(|kept| match kept {
        Kept::Pod(pod) => Some(pod.as_ref().clone()),
        _ => None,
    })
    .collect()
}

fn labelled<'a>(
    cache: &'a Cache,
    kind: Kind,
    run: &'a AnalysisRun,
) -> impl Iterator<Item = &'a Kept> {
    let uid = run.metadata.uid.as_deref().unwrap_or_default();
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    cache.in_group(kind, namespace, uid).map(|(_, entry)| &entry.object)
}
