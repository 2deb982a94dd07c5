//! The status to be: counts, reset, and writing the difference.
//!
//! Start with [`finish`], which turns a draft into an outcome. The status is written last and only if it
//! changes, as a merge patch computed from what is stored.

use super::{
    conditions,
    draft::Draft,
    duration,
    outcome::Outcome,
    pause, phase, progress, readiness, reads,
    restart::{self, Restart},
    sets::{self, SetExt, total_actual, total_available},
    subject::Subject,
    workload,
};
use api::argo::{CanaryStatus, Rollout, RolloutStatus, keys};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use serde_json::json;
use vocab::{PatchType, Subresource, Write, merge_patch_between};

/// Begins the status of a complete pass: what is carried over and what every strategy counts.
pub(crate) fn begin(subject: &Subject<'_>, draft: &mut Draft) {
    let before = &subject.status;
    let mut status = RolloutStatus {
        restarted_at: before.restarted_at.clone(),
        alb: before.alb.clone(),
        albs: before.albs.clone(),
        duration: before.duration.clone(),
        collision_count: before.collision_count,
        conditions: before.conditions.clone(),
        stable_rs: before.stable_rs.clone(),
        current_pod_hash: Some(subject.new_hash()),
        current_step_hash: subject.canary().map(|_| subject.steps_hash().to_owned()),
        current_step_index: before.current_step_index.filter(|_| subject.canary().is_some()),
        replicas: total_actual(subject.sets()),
        updated_replicas: subject.new_set().map_or(0, SetExt::actual),
        ready_replicas: subject.sets().map(SetExt::ready).sum(),
        canary: CanaryStatus {
            weights: before.canary.weights.clone().filter(|_| subject.canary().is_some()),
            stable_ping_pong: before.canary.stable_ping_pong.clone(),
            step_plugin_statuses: before.canary.step_plugin_statuses.clone(),
            ..CanaryStatus::default()
        },
        phase: before.phase,
        message: before.message.clone(),
        ..RolloutStatus::default()
    };
    status.promote_full = before.promote_full && status.current_pod_hash != status.stable_rs;
    draft.status = status;
}

/// Counts the pods of all versions of a canary.
pub(crate) fn count_canary(subject: &Subject<'_>, draft: &mut Draft) {
    draft.status.available_replicas = total_available(subject.sets());
    draft.status.hpa_replicas = total_actual(subject.sets());
    draft.status.selector = Some(selector_text(subject.selector()));
}

/// Begins a new update.
pub(crate) fn reset(subject: &Subject<'_>, draft: &mut Draft) {
    draft.pause.clear();
    draft.pause.remove_abort();
    let status = &mut draft.status;
    status.promote_full = false;
    status.blue_green.pre_promotion_analysis_run_status = None;
    status.blue_green.post_promotion_analysis_run_status = None;
    status.blue_green.scale_up_preview_check_point = false;
    status.canary.current_step_analysis_run_status = None;
    status.canary.current_background_analysis_run_status = None;
    status.canary.step_plugin_statuses = Vec::new();
    status.current_step_index = Some(0).filter(|_| subject.step_count() > 0);
}

/// A selector as the scale subresource has it, in the order of its keys.
pub(crate) fn selector_text(selector: &LabelSelector) -> String {
    let labels = selector.match_labels.iter().flatten();
    let labels = labels.map(|(key, value)| (key, format!("{key}={value}")));
    let expressions = selector.match_expressions.iter().flatten();
    let expressions = expressions.map(|expression| (&expression.key, expression_text(expression)));
    let mut parts: Vec<(&String, String)> = labels.chain(expressions).collect();
    parts.sort_by_key(|(key, _)| *key);
    parts.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(",")
}

fn expression_text(expression: &LabelSelectorRequirement) -> String {
    let key = &expression.key;
    let mut values = expression.values.clone().unwrap_or_default();
    values.sort();
    let values = values.join(",");
    match expression.operator.as_str() {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} notin ({values})"),
        "Exists" => key.clone(),
        _ => format!("!{key}"),
    }
}

/// Completes the status and turns the draft into an outcome.
pub(super) fn finish(subject: &Subject<'_>, mut draft: Draft) -> Outcome {
    draft.status.observed_generation = subject.noted(subject.rollout.metadata.generation);
    conditions::remove(&mut draft.status, keys::CONDITION_INVALID_SPEC);
    let workload =
        subject.observed.workload.as_ref().filter(|_| subject.rollout.spec.workload_ref.is_some());
    draft.status.workload_observed_generation =
        subject.noted(workload.and_then(|workload| workload.metadata.generation));
    progress::abort_when_stuck(subject, &mut draft);
    pause::apply(subject, &mut draft);
    pause::lift(subject, &mut draft);
    pause::explain(subject, &mut draft);
    restart::explain(subject, &mut draft);
    progress::set_conditions(subject, &mut draft);
    draft.waits.sort_by_key(super::Wait::rank);
    phase::set(subject, &mut draft);
    readiness::set(&mut draft.status, (subject.observed.generation_form, subject.now));
    workload::scale_down(subject, &mut draft);
    duration::set(subject, &mut draft);
    tell_pauses(subject, &mut draft);
    restart(subject, into_outcome(subject, draft))
}

/// Adds what a restart asks for to an outcome that has nothing else to do.
fn restart(subject: &Subject<'_>, mut outcome: Outcome) -> Outcome {
    let mut wake_at =
        |time: Timestamp| outcome.wake = Some(outcome.wake.map_or(time, |wake| wake.min(time)));
    match restart::next(subject) {
        Restart::None => {}
        Restart::At(time) => wake_at(time),
        Restart::Evict(..) | Restart::Done(_)
            if !outcome.writes.is_empty() || outcome.status.is_some() => {}
        Restart::Evict(writes, look_again) => {
            wake_at(look_again);
            outcome.writes = writes;
        }
        Restart::Done(time) => {
            let mut status = subject.rollout.status.clone().unwrap_or_default();
            status.restarted_at = Some(time);
            return outcome.with_status(subject.rollout, status);
        }
    }
    outcome
}

fn tell_pauses(subject: &Subject<'_>, draft: &mut Draft) {
    let before = !subject.status.pause_conditions.is_empty();
    let after = draft.status.pause_conditions.first().map(|pause| pause.reason.clone());
    match (before, after) {
        (false, Some(reason)) => {
            draft.note(subject, conditions::PAUSED, format!("Rollout is paused ({reason})"));
        }
        (true, None) if draft.status.aborted_at.is_none() => {
            draft.note(subject, conditions::RESUMED, "Rollout is resumed".to_owned());
        }
        _ => {}
    }
}

/// The outcome of a draft whose status is as it should be written.
pub(super) fn into_outcome(subject: &Subject<'_>, mut draft: Draft) -> Outcome {
    let reasons: Vec<_> = draft.waits.iter().map(super::Wait::reason).collect();
    // Written in vain again and again, they would keep the plan from ever having nothing else to do.
    draft.status.reasons =
        if subject.observed.drops_reasons { Vec::new() } else { reasons.clone() };
    // Right before the status that notes them: were a write between the two refused again and again, one run
    // or experiment would be made after the other.
    draft.writes.sort_by_key(|write| write.creates("AnalysisRun") || write.creates("Experiment"));
    let Draft { writes, events, wake, status, .. } = draft;
    let outcome = Outcome { writes, events, reasons, wake, ..Outcome::default() };
    outcome.with_status(subject.rollout, status)
}

/// The patch from the stored status of `rollout` to `status`; none when they are equal.
pub(super) fn patch_to(rollout: &Rollout, status: &RolloutStatus) -> Option<Write> {
    if rollout.status.as_ref() == Some(status) {
        return None;
    }
    let stored = serde_json::to_value(rollout.status.clone().unwrap_or_default()).ok()?;
    let wanted = serde_json::to_value(status).ok()?;
    let difference = merge_patch_between(&stored, &wanted)?;
    Some(Write::Patch {
        target: reads::rollout_ref(rollout),
        subresource: Subresource::Status,
        patch_type: PatchType::Merge,
        body: json!({"status": difference}),
        precondition: sets::precondition(&rollout.metadata),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_written_as_the_scale_subresource_has_it() {
        let selector: LabelSelector = serde_json::from_value(json!({
            "matchLabels": {"app": "a", "tier": "b"},
            "matchExpressions": [{"key": "x", "operator": "In", "values": ["2", "1"]}, {"key": "b", "operator": "Exists"}],
        }))
        .unwrap();
        assert_eq!(selector_text(&selector), "app=a,b,tier=b,x in (1,2)");
    }
}
