//! Writing the status of a run.

use api::argo::{API_VERSION, AnalysisRun, AnalysisRunStatus};
use serde_json::{Value, json};
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
    let patch = match &run.status {
        Some(old) => difference(old, new),
        None => serde_json::to_value(new).ok(),
    }?;
    Some(Write::Patch {
        target: reference(run),
        subresource: Subresource::Main,
        patch_type: PatchType::Merge,
        body: json!({ "status": patch }),
        precondition: precondition(run),
    })
}

/// The merge patch between two statuses. Lists are replaced whole, so that measurements that were there before are
/// not made JSON to be compared.
fn difference(old: &AnalysisRunStatus, new: &AnalysisRunStatus) -> Option<Value> {
    let json = |status| serde_json::to_value(status).unwrap_or_default();
    let patch = merge_patch_between(&json(without_results(old)), &json(without_results(new)));
    if old.metric_results == new.metric_results {
        return patch;
    }
    let mut patch = patch.unwrap_or_else(|| json!({}));
    patch["metricResults"] = match new.metric_results.as_slice() {
        [] => Value::Null,
        results => serde_json::to_value(results).ok()?,
    };
    Some(patch)
}

fn without_results(status: &AnalysisRunStatus) -> AnalysisRunStatus {
    AnalysisRunStatus {
        phase: status.phase,
        message: status.message.clone(),
        metric_results: Vec::new(),
        started_at: status.started_at.clone(),
        run_summary: status.run_summary.clone(),
        dry_run_summary: status.dry_run_summary.clone(),
        completed_at: status.completed_at.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(fields: &Value) -> AnalysisRunStatus {
        let mut status = json!({"phase": "Running", "startedAt": "2026-01-01T00:00:00Z"});
        json_patch::merge(&mut status, fields);
        serde_json::from_value(status).unwrap()
    }

    /// The patch is what two statuses differ by when both are made JSON whole.
    #[track_caller]
    fn check(old: &Value, new: &Value) {
        let (old, new) = (status(old), status(new));
        let json = |status| serde_json::to_value(status).unwrap();
        assert_eq!(difference(&old, &new), merge_patch_between(&json(&old), &json(&new)));
    }

    #[test]
    fn a_patch_holds_what_changed_and_measurements_whole() {
        let result = json!([{"name": "rate", "phase": "Running", "count": 1}]);
        let more = json!([{"name": "rate", "phase": "Successful", "count": 2, "successful": 2}]);
        let ended = json!({
            "phase": "Successful", "message": "good", "completedAt": "2026-01-01T00:01:00Z",
            "metricResults": more, "runSummary": {"count": 1, "successful": 1},
        });
        let states = [json!({}), json!({"metricResults": result}), json!({"metricResults": more})];
        let states = [&states[..], &[ended, json!({"dryRunSummary": {"count": 1}})]].concat();
        for old in &states {
            for new in &states {
                check(old, new);
            }
        }
    }
}
