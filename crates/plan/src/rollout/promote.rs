//! When the new version becomes the stable one, and what that changes.

use super::{
    analysis::{current, phase},
    analysis_run::Part,
    draft::Draft,
    sets::SetExt,
    subject::Subject,
    traffic::View,
};
use api::argo::AnalysisPhase;

/// Why the new version becomes stable now; `None` while the update is under way.
pub(crate) fn reason(subject: &Subject<'_>, view: Option<&View>, draft: &Draft) -> Option<String> {
    if subject.stable_set().is_none() {
        return Some("Initial deploy".to_owned());
    }
    if subject.canary().is_some() {
        canary(subject, view, draft)
    } else {
        blue_green(subject, draft)
    }
}

fn canary(subject: &Subject<'_>, view: Option<&View>, draft: &Draft) -> Option<String> {
    let new = subject.new_set()?;
    let enough = new.available() >= subject.replicas()
        || subject.threshold().is_met(new.count(), subject.replicas());
    if draft.pause.is_aborted(&subject.status) || !enough || !has_all_traffic(subject, view) {
        return None;
    }
    if let Some(reason) = shortcut(subject) {
        return Some(reason);
    }
    let done = subject.current_step().is_none();
    done.then(|| format!("Completed all {} canary steps", subject.steps().len()))
}

/// Whether the router sends everything to the new version, as far as one splits at all.
fn has_all_traffic(subject: &Subject<'_>, view: Option<&View>) -> bool {
    // A rollout of no pods has no traffic to move.
    let moot = subject.distinct_stable().is_none() || subject.replicas() == 0;
    moot || view.is_none_or(|view| view.is_in_force(subject.max_weight()))
}

fn shortcut(subject: &Subject<'_>) -> Option<String> {
    let reason = if subject.status.promote_full {
        "Full promotion requested"
    } else if subject.is_rollback_within_window() {
        "Rollback within window"
    } else if subject.is_fast_rollback() {
        "Fast rollback"
    } else {
        return None;
    };
    Some(reason.to_owned())
}

fn blue_green(subject: &Subject<'_>, draft: &Draft) -> Option<String> {
    let strategy = subject.blue_green()?;
    let Some(active) = draft.status.blue_green.active_selector.as_deref() else {
        // Active follows only once something is stable; when another version is, as after a change of
        // strategy, users are still there.
        return subject.distinct_stable().is_none().then(|| "Initial deploy".to_owned());
    };
    if Some(active) != draft.status.current_pod_hash.as_deref() {
        return None;
    }
    if let Some(reason) = shortcut(subject) {
        return Some(reason);
    }
    if draft.pause.is_aborted(&subject.status) {
        return None;
    }
    let judged = current(subject, Part::PostPromotion)
        .is_some_and(|run| phase(run) == AnalysisPhase::Successful);
    let done = strategy.post_promotion_analysis.is_none() || judged;
    done.then(|| "Completed blue-green update".to_owned())
}

/// Makes the new version the stable one.
pub(crate) fn promote(subject: &Subject<'_>, reason: &str, draft: &mut Draft) {
    draft.pause.clear();
    draft.pause.remove_abort();
    draft.status.promote_full = false;
    draft.status.blue_green.scale_up_preview_check_point = false;
    if subject.canary().is_some() {
        draft.status.current_step_index = Some(subject.step_count()).filter(|count| *count > 0);
    }
    if draft.status.stable_rs != draft.status.current_pod_hash {
        draft.status.stable_rs.clone_from(&draft.status.current_pod_hash);
        let hash = draft.status.current_pod_hash.clone().unwrap_or_default();
        let revision = subject.revision();
        let message = format!("Rollout completed update to revision {revision} ({hash}): {reason}");
        draft.note(subject, super::conditions::COMPLETED, message);
    }
}
