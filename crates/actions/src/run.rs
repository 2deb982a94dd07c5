//! What people do to an analysis run or to an experiment.

use serde_json::{Value, json};
use vocab::{ObjectRef, PatchType, Precondition, Subresource, Write};

/// Ends an analysis run, or an experiment, before its time.
pub fn terminate(target: ObjectRef) -> Write {
    merge(target, json!({ "spec": { "terminate": true } }))
}

/// Has an experiment begin again, by taking away all that is known of it.
pub fn retry_experiment(experiment: ObjectRef) -> Write {
    merge(experiment, json!({ "status": null }))
}

fn merge(target: ObjectRef, body: Value) -> Write {
    Write::Patch {
        target,
        subresource: Subresource::Main,
        patch_type: PatchType::Merge,
        body,
        precondition: Precondition::default(),
    }
}
