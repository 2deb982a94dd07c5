//! A run that has ended: how long it stays.

use super::{AnalysisPlan, measuring::seconds, patch};
use api::argo::{AnalysisPhase, AnalysisRun, AnalysisRunStatus};
use jiff::{Timestamp, ToSpan};
use vocab::{Plan, Propagation, Write};

/// Deletes a finished run when its time is over, or wakes when that will be.
pub(super) fn plan(run: &AnalysisRun, status: &AnalysisRunStatus, now: Timestamp) -> AnalysisPlan {
    let Some(kept) = kept_seconds(run, status.phase) else { return AnalysisPlan::default() };
    let Some(ended) = &status.completed_at else { return mark_ended(run, status, now) };
    // A whole second more than asked for, as upstream counts whole seconds and deletes beyond them.
    let over = ended.0.checked_add((i64::from(kept) + 1).seconds()).unwrap_or(Timestamp::MAX);
    if now < over {
        return Plan { wake: Some(over), ..Plan::default() }.into();
    }
    let delete = Write::Delete {
        target: patch::reference(run),
        propagation: Propagation::Background,
        precondition: patch::precondition(run),
    };
    Plan { writes: vec![delete], ..Plan::default() }.into()
}

impl From<Plan> for AnalysisPlan {
    fn from(plan: Plan) -> Self {
        Self { plan, ..Self::default() }
    }
}

fn kept_seconds(run: &AnalysisRun, phase: AnalysisPhase) -> Option<i32> {
    let ttl = run.spec.ttl_strategy.as_ref()?;
    let of_phase = match phase {
        AnalysisPhase::Successful => ttl.seconds_after_success,
        AnalysisPhase::Failed => ttl.seconds_after_failure,
        _ => None,
    };
    of_phase.or(ttl.seconds_after_completion)
}

/// A run that was ended without a time of it, as other controllers leave some, would stay for ever.
fn mark_ended(run: &AnalysisRun, status: &AnalysisRunStatus, now: Timestamp) -> AnalysisPlan {
    let ended = AnalysisRunStatus { completed_at: Some(seconds(now)), ..status.clone() };
    Plan { status: patch::status(run, &ended), ..Plan::default() }.into()
}
