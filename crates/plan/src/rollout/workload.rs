//! Taking down the Deployment whose template a rollout took over.
//!
//! Start with [`scale_down`]. It concerns the first version only: a rollout that has been through an
//! update no longer shares its users with the Deployment, and whoever scales that up then means it.

use super::{
    draft::Draft,
    sets::{self, SetExt},
    subject::Subject,
};
use api::argo::{ObjectRef as WorkloadRef, RolloutPhase};
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::json;
use vocab::ObjectRef;

/// `scaleDown` of a Deployment that goes once the rollout is healthy.
const ON_SUCCESS: &str = "onsuccess";
/// `scaleDown` of a Deployment that goes as the rollout's pods come.
const PROGRESSIVELY: &str = "progressively";

/// Asks the workload for the pods that it has still to provide.
pub(crate) fn scale_down(subject: &Subject<'_>, draft: &mut Draft) {
    let spec = &subject.rollout.spec;
    let first = subject.new_set().is_some_and(|set| set.revision() == 1);
    let (Some(workload), Some(deployment)) = (&spec.workload_ref, &subject.observed.workload)
    else {
        return;
    };
    let Some(wanted) = wanted(subject, workload, draft).filter(|_| first) else { return };
    let has = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    if wanted != has {
        let precondition = sets::precondition(&deployment.metadata);
        draft.patch(target(deployment), precondition, json!({"spec": {"replicas": wanted}}));
    }
}

fn wanted(subject: &Subject<'_>, workload: &WorkloadRef, draft: &Draft) -> Option<i32> {
    let is_healthy = draft.status.phase == Some(RolloutPhase::Healthy);
    match workload.scale_down.as_deref() {
        Some(ON_SUCCESS | PROGRESSIVELY) if is_healthy => Some(0),
        Some(PROGRESSIVELY) if !subject.is_halted() => still_missing(subject),
        _ => None,
    }
}

/// What the rollout cannot serve yet; nothing changes before its first pod.
fn still_missing(subject: &Subject<'_>) -> Option<i32> {
    let available = sets::total_available(subject.sets());
    (available > 0).then(|| (subject.replicas() - available).max(0))
}

fn target(deployment: &Deployment) -> ObjectRef {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let metadata = &deployment.metadata;
    ObjectRef::new("apps/v1", "Deployment", &text(&metadata.namespace), &text(&metadata.name))
}
