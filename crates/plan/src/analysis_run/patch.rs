//! Writing the status of a run.

use api::argo::{API_VERSION, AnalysisRun, AnalysisRunStatus};
use serde_json::{Map, Value, json};
use vocab::{ObjectRef, PatchType, Precondition, Subresource, Write};

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
    let json =
        |status: Option<&AnalysisRunStatus>| serde_json::to_value(status).unwrap_or_default();
    let patch = merge_patch(&json(run.status.as_ref()), &json(Some(new)))?;
    Some(Write::Patch {
        target: reference(run),
        subresource: Subresource::Main,
        patch_type: PatchType::Merge,
        body: json!({ "status": patch }),
        precondition: precondition(run),
    })
}

/// The merge patch from one value to another; `None` when they are equal.
fn merge_patch(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return Some(new.clone()) };
    let mut patch: Map<String, Value> = old
        .keys()
        .filter(|key| !new.contains_key(*key))
        .map(|key| (key.clone(), Value::Null))
        .collect();
    for (key, value) in new {
        if let Some(difference) = merge_patch(old.get(key).unwrap_or(&Value::Null), value) {
            patch.insert(key.clone(), difference);
        }
    }
    Some(Value::Object(patch))
}
