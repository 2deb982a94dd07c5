//! What a person does to a rollout, as the writes that every client makes for it.
//!
//! The command line, the page and the rehearsal all act through [`Action::writes`], so that a button
//! and a command can never mean different things. The patches are the ones that upstream's plugin and
//! Argo CD's resource actions make, which is why they work on a rollout that another controller runs.
//!
//! Objects are raw JSON here: a client must hand back fields it does not know.
//!
//! **Invariant.** Nothing here reads or writes anything, and nothing here decides what the controller does next.

mod image;
mod promote;
mod run;
mod undo;

pub use run::{retry_experiment, terminate};

use serde_json::{Value, json};
use vocab::{ObjectRef, PatchType, Precondition, Subresource, Write};

/// The API version of every Argo Rollouts kind.
pub const ARGO_API_VERSION: &str = "argoproj.io/v1alpha1";

/// Something a person does to a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Goes on: ends a pause, or skips the running step.
    Promote,
    /// Skips every step, pause and analysis.
    PromoteFull,
    /// Goes on with the next step and leaves a pause as it is; upstream's former `--skip-current-step`.
    SkipStep,
    /// Goes on behind the last step and leaves a pause as it is; upstream's former `--skip-all-steps`.
    SkipAllSteps,
    /// Takes the release back.
    Abort,
    /// Tries an aborted release again.
    Retry,
    /// Sets `spec.paused`.
    Pause,
    /// Clears `spec.paused`.
    Resume,
    /// Has every pod that is older than `at` (RFC 3339) replaced.
    Restart {
        /// Value of `spec.restartAt`.
        at: String,
    },
    /// Changes a container's image; `*` names every container.
    SetImage {
        /// Container name or `*`.
        container: String,
        /// The new image.
        image: String,
    },
    /// Goes back to the revision before the newest, or to the one given.
    Undo {
        /// Revision to go back to.
        to_revision: Option<u64>,
    },
}

/// The objects an action looks at.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The Rollout.
    pub rollout: &'a Value,
    /// Its ReplicaSets; only [`Action::Undo`] looks at them.
    pub replica_sets: &'a [Value],
    /// The object that `spec.workloadRef` names, if it does.
    pub workload: Option<&'a Value>,
}

/// Why an action makes no sense now; the user acts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No container has that name.
    #[error("unable to find container named \"{0}\"")]
    ContainerNotFound(String),
    /// There is no such revision.
    #[error("unable to find specified revision {0} in history")]
    RevisionNotFound(u64),
    /// There is no revision before the newest.
    #[error("no revision found for rollout \"{0}\"")]
    NoEarlierRevision(String),
    /// The template is that revision's already; upstream reports it and changes nothing.
    #[error("skipped rollback (current template already matches revision {0})")]
    AlreadyAtRevision(u64),
    /// Only a canary has steps to skip.
    #[error("Cannot skip steps of a bluegreen rollout. Run without a flags")]
    BlueGreenHasNoSteps,
    /// There are no steps to skip.
    #[error("Cannot skip steps of a rollout without steps")]
    NoSteps,
    /// `spec.workloadRef` names a Deployment that was not found.
    #[error("deployments.apps \"{0}\" not found")]
    WorkloadNotFound(String),
}

impl Action {
    /// The writes that carry the action out, in order; none when there is nothing to do.
    ///
    /// # Errors
    /// [`Refused`] when the action makes no sense for these objects.
    pub fn writes(&self, subject: Subject<'_>) -> Result<Vec<Write>, Refused> {
        let rollout = subject.rollout;
        Ok(match self {
            Self::Promote => promote::next(rollout),
            Self::PromoteFull => promote::full(rollout),
            Self::SkipStep => promote::skip_step(rollout)?,
            Self::SkipAllSteps => promote::skip_all_steps(rollout)?,
            Self::Abort => vec![status(rollout, &json!({ "abort": true }))],
            Self::Retry => vec![status(rollout, &json!({ "abort": false }))],
            Self::Pause => vec![spec(rollout, &json!({ "paused": true }))],
            Self::Resume => vec![spec(rollout, &json!({ "paused": false }))],
            Self::Restart { at } => vec![spec(rollout, &json!({ "restartAt": at }))],
            Self::SetImage { container, image } => vec![image::set(subject, container, image)?],
            Self::Undo { to_revision } => vec![undo::to(subject, *to_revision)?],
        })
    }
}

fn status(rollout: &Value, status: &Value) -> Write {
    merge(rollout, Subresource::Status, json!({ "status": status }))
}

fn spec(rollout: &Value, spec: &Value) -> Write {
    merge(rollout, Subresource::Main, json!({ "spec": spec }))
}

fn merge(rollout: &Value, subresource: Subresource, body: Value) -> Write {
    Write::Patch {
        target: ObjectRef::of(rollout),
        subresource,
        patch_type: PatchType::Merge,
        body,
        precondition: Precondition::default(),
    }
}

/// The object whose template an action changes: the rollout's own, or its workload's.
fn templated(subject: Subject<'_>) -> Result<&Value, Refused> {
    let Some(name) = subject.rollout.pointer("/spec/workloadRef/name") else {
        return Ok(subject.rollout);
    };
    let missing = || Refused::WorkloadNotFound(name.as_str().unwrap_or_default().to_owned());
    subject.workload.ok_or_else(missing)
}

fn resource_version(object: &Value) -> Precondition {
    let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    Precondition { uid: None, resource_version: version.map(str::to_owned) }
}
