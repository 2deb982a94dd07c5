//! Writing the status of a run.

use api::argo::{API_VERSION, AnalysisRun, AnalysisRunStatus};
use serde_json::json;
use vocab::{ObjectRef, PatchType, Precondition, Subresource, Write, merge_patch_between};

/// Names a run.
pub(super) fn reference(run: &AnalysisRun) -> ObjectRef {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    ObjectRef::new(
        API_VERSION,
        "AnalysisRun",
        &text(&run.metadata.namespace),
        &text(&run.metadata.name),
    )
}

/// What must hold of a run for a write to go through.
pub(super) fn precondition(run: &AnalysisRun) -> Precondition {
    Precondition {
        uid: run.metadata.uid.clone(),
        resource_version: run.metadata.resource_version.clone(),
    }
}

/// The write that brings the stored status to the new one; `None` when nothing changes.
pub(super) fn status(run: &AnalysisRun, new: &AnalysisRunStatus) -> Option<Write> {
    if run.status.as_ref() == Some(new) {
        return None;
    }
    let json =
        |status: Option<&AnalysisRunStatus>| serde_json::to_value(status).unwrap_or_default();
    let patch = merge_patch_between(&json(run.status.as_ref()), &json(Some(new)))?;
    Some(Write::Patch {
        target: reference(run),
        subresource: Subresource::Main,
        patch_type: PatchType::Merge,
        body: json!({ "status": patch }),
        precondition: precondition(run),
    })
}
