//! What a status says of the way that a release has come.

use api::argo::{CanaryStatus, RolloutStatus};
use serde::{Deserialize, Serialize};
use serde_json::json;
use vocab::Write;

/// The fields of a status that laws look at, as on the wire.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Progress {
    /// The step under way.
    pub(super) current_step_index: Option<i32>,
    /// The version that is wanted.
    pub(super) current_pod_hash: Option<String>,
    /// The steps that it takes.
    pub(super) current_step_hash: Option<String>,
    /// Whether it is taken back.
    pub(super) abort: bool,
    /// The split in force, among others.
    pub(super) canary: CanaryStatus,
}

impl Progress {
    /// What `status` says.
    pub(super) fn of(status: &RolloutStatus) -> Self {
        Self {
            current_step_index: status.current_step_index,
            current_pod_hash: status.current_pod_hash.clone(),
            current_step_hash: status.current_step_hash.clone(),
            abort: status.abort,
            canary: status.canary.clone(),
        }
    }

    /// What is said once `written` is there, as the API server merges it.
    pub(super) fn after(&self, written: &Write) -> Self {
        let Write::Patch { body, .. } = written else { return self.clone() };
        let Some(changes) = body.get("status") else { return self.clone() };
        let mut status = json!(self);
        json_patch::merge(&mut status, changes);
        serde_json::from_value(status).unwrap_or_default()
    }
}
