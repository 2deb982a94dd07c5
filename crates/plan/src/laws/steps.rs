//! Laws on steps and pauses.

use super::{Case, Law, Violation, progress::Progress, violation};
use crate::rollout::{onward::is_weight_by_pods, pause, services, sets::SetExt};
use api::argo::keys;
use jiff::SignedDuration;

pub(super) fn check(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let (before, after) = case.progress();
    check_order(case, &before, &after, violations);
    check_pause(case, &before, &after, violations);
    check_switch(case, violations);
}

/// Whether the steps are rightly left behind: everything is to be promoted, or an older version is wanted again.
fn is_shortcut(case: &Case<'_>) -> bool {
    let status = case.subject.rollout.status.as_ref();
    status.is_some_and(|status| status.promote_full)
        || case.subject.is_rollback()
        || case.subject.stable_set().is_none()
}

fn check_order(
    case: &Case<'_>,
    before: &Progress,
    after: &Progress,
    violations: &mut Vec<Violation>,
) {
    let (Some(from), Some(to)) = (before.current_step_index, after.current_step_index) else {
        return;
    };
    let detail = format!("step {from} to {to}");
    let renewed = before.current_pod_hash != after.current_pod_hash
        || before.current_step_hash != after.current_step_hash;
    if !(from + 1..to).all(|step| is_weight_by_pods(case.subject.rollout, step))
        && !is_shortcut(case)
        && !renewed
    {
        violations.push(violation(Law::StepsComeInOrder, detail));
    } else if to < from && !renewed && !before.abort && !after.abort {
        violations.push(violation(Law::FinishedStepsStayFinished, detail));
    }
}

fn check_pause(
    case: &Case<'_>,
    before: &Progress,
    after: &Progress,
    violations: &mut Vec<Violation>,
) {
    let (Some(from), Some(to)) = (before.current_step_index, after.current_step_index) else {
        return;
    };
    let same = before.current_pod_hash == after.current_pod_hash
        && before.current_step_hash == after.current_step_hash;
    if to <= from || is_shortcut(case) || !same {
        return;
    }
    let step = usize::try_from(from).ok().and_then(|index| case.subject.steps().get(index));
    let pause = step.and_then(|step| step.pause.as_ref());
    let open = pause.is_some_and(|pause| !pause::is_step_over(&case.subject, pause));
    let inconclusive = case.subject.pause(keys::PAUSE_INCONCLUSIVE_ANALYSIS).is_some();
    if open || inconclusive || case.subject.rollout.spec.paused {
        violations.push(violation(Law::PausesHold, format!("step {from} to {to} during a pause")));
    }
}

/// Users are not switched to the new version while the switch is paused.
fn check_switch(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let subject = &case.subject;
    let (Some(blue_green), Some(new)) = (subject.blue_green(), subject.new_set()) else { return };
    let active = blue_green.active_service.as_str();
    let switched = case.patches().any(|(_, target, _, body)| {
        target.kind == "Service"
            && target.name == active
            && body["spec"]["selector"][keys::POD_TEMPLATE_HASH] == new.hash()
    });
    let forward =
        switched && services::selected(subject, active).is_some_and(|hash| hash != new.hash());
    let started = subject.pause(keys::PAUSE_BLUE_GREEN);
    let delay = SignedDuration::from_secs(i64::from(blue_green.auto_promotion_seconds));
    let timed = blue_green.auto_promotion_enabled != Some(false);
    let open = started.is_some_and(|started| !timed || started + delay > subject.now);
    let skips = subject.status.promote_full || subject.is_fast_rollback();
    if forward && !skips && (open || subject.is_halted()) {
        violations.push(violation(
            Law::PausesHold,
            format!("service {active} is switched during a pause"),
        ));
    }
}
