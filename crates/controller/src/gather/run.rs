//! Gathering what the plan for an analysis run rests on beside its calls.

use crate::cache::{Cache, Kept, Kind};
use api::argo::AnalysisRun;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use std::sync::Arc;

/// The Jobs that were made for a run.
pub(crate) fn jobs(cache: &Cache, run: &AnalysisRun) -> Vec<Job> {
    let kept = labelled(cache, Kind::Job, run);
    kept.filter_map(|kept| match kept {
        Kept::Job(job) => Some(Arc::unwrap_or_clone(job)),
        _ => None,
    })
    .collect()
}

/// The pods of those Jobs.
pub(crate) fn job_pods(cache: &Cache, run: &AnalysisRun) -> Vec<Pod> {
    let kept = labelled(cache, Kind::JobPod, run);
    kept.filter_map(|kept| match kept {
        Kept::Pod(pod) => Some(Arc::unwrap_or_clone(pod)),
        _ => None,
    })
    .collect()
}

fn labelled<'a>(
    cache: &'a Cache,
    kind: Kind,
    run: &'a AnalysisRun,
) -> impl Iterator<Item = Kept> + use<'a> {
    let uid = run.metadata.uid.as_deref().unwrap_or_default();
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    cache.in_group(kind, namespace, uid).filter_map(move |(name, _)| cache.object(kind, name))
}
