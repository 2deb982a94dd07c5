//! One pass over a canary.
//!
//! Start with [`pass`]. The order is the safety: services, then traffic, then analysis, then pods, and the
//! status last; each decides on what was read back, never on what this same pass has just written.

use super::{
    analysis,
    analysis_run::Part,
    draft::Draft,
    experiment, old_sets, pause, promote, roles, routes, scaling,
    scaling::Scaled,
    services,
    sets::{self, SetExt},
    status,
    subject::Subject,
    targets::{InForce, at_desired_counts, canary_targets, current_set_weight, leaving},
    traffic::{self, View},
    waits::Wait,
};
use api::argo::{AnalysisPhase, CanaryStep, StepKind, keys};

/// Plans a canary.
pub(crate) fn pass(subject: &Subject<'_>, draft: &mut Draft) {
    status::begin(subject, draft);
    let view = View::of(subject);
    if subject.template_or_steps_changed() {
        return restart(subject, draft);
    }
    old_sets::retain(subject, draft);
    services::reconcile_canary(subject, view.as_ref(), draft);
    traffic::steer(subject, view.as_ref(), draft);
    experiment::reconcile(subject, draft);
    analysis::reconcile(subject, draft);
    roles::prepare(subject, draft);
    if !draft.pause.adds() && scaling::reconcile_canary(subject, view.as_ref(), draft) == Scaled::No
    {
        pause::reconcile_step(subject, draft);
    }
    roles::reconcile(subject, draft);
    advance(subject, view.as_ref(), draft);
}

/// Scales only, because the number of pods wanted changed.
pub(crate) fn rescale(subject: &Subject<'_>, draft: &mut Draft) {
    let view = View::of(subject);
    draft.status = subject.status.clone();
    draft.pause.leave();
    scaling::reconcile_canary(subject, view.as_ref(), draft);
    status::count_canary(subject, draft);
}

/// Begins the steps afresh for a new template or new steps.
fn restart(subject: &Subject<'_>, draft: &mut Draft) {
    status::count_canary(subject, draft);
    status::reset(subject, draft);
    let Some(new) = subject.new_set() else { return };
    if subject.steps().is_empty() {
        return;
    }
    if subject.stable_hash() == new.hash() {
        draft.note(subject, "SkipSteps", "Rollback to stable ReplicaSets".to_owned());
    } else if subject.is_rollback_within_window() && new.wanted() > 0 {
        let message = "Rollback to active ReplicaSets within RollbackWindow";
        draft.note(subject, "SkipSteps", message.to_owned());
    } else {
        return;
    }
    draft.status.current_step_index = Some(subject.step_count());
}

/// Moves on by at most one step, or says what keeps it.
fn advance(subject: &Subject<'_>, view: Option<&View>, draft: &mut Draft) {
    status::count_canary(subject, draft);
    let count = subject.step_count();
    let mut index = Some(subject.step_index()).filter(|_| count > 0);
    if subject.status.promote_full || subject.is_rollback_within_window() {
        draft.pause.clear();
        draft.pause.remove_abort();
        index = index.map(|_| count);
    }
    if let Some(reason) = promote::reason(subject, view, draft) {
        return promote::promote(subject, &reason, draft);
    }
    if draft.pause.is_aborted(&subject.status) {
        let stable = draft.status.stable_rs == draft.status.current_pod_hash;
        draft.status.current_step_index = index.map(|_| if stable { count } else { 0 });
        return explain_size(subject, view, draft);
    }
    if let Some(step) = subject.current_step().filter(|_| index != Some(count)) {
        if is_completed(subject, view, step) {
            index = index.map(|index| index + 1);
            complete(subject, step, draft);
        } else {
            explain_step(subject, view, step, draft);
        }
    } else {
        explain_size(subject, view, draft);
    }
    draft.status.current_step_index = index;
}

fn complete(subject: &Subject<'_>, step: &CanaryStep, draft: &mut Draft) {
    draft.status.canary.current_step_analysis_run_status = None;
    draft.status.canary.current_experiment = None;
    draft.pause.remove(keys::PAUSE_CANARY_STEP);
    let (number, count) = (subject.step_index() + 1, subject.step_count());
    let message = format!("Rollout step {number}/{count} completed ({})", describe(step));
    draft.note(subject, "RolloutStepCompleted", message);
}

/// Whether the present step is done.
fn is_completed(subject: &Subject<'_>, view: Option<&View>, step: &CanaryStep) -> bool {
    let makes_routes = step.set_header_route.is_some() || step.set_mirror_route.is_some();
    if subject.is_halted() || (makes_routes && !routes::are_made(subject, view)) {
        return false;
    }
    let in_force = || view.map_or_else(InForce::default, |view| view.in_force(subject));
    match step.kind() {
        StepKind::Pause(pause) => pause::is_step_over(subject, pause),
        StepKind::SetCanaryScale(_) | StepKind::SetWeight(_) => {
            let weight = current_set_weight(subject);
            // A weight beside a scale is waited for, as any other: the next step may judge the split.
            let split = step.set_weight.is_none()
                || subject.replicas() == 0
                || view.is_none_or(|view| view.is_in_force(weight));
            split && at_desired_counts(subject, in_force()) && has_succeeded(subject, step)
        }
        StepKind::Analysis(_) | StepKind::Experiment(_) => has_succeeded(subject, step),
        StepKind::SetHeaderRoute(_) | StepKind::SetMirrorRoute(_) => true,
        // Validation has refused the others; they never pass in silence.
        _ => false,
    }
}

/// Whether what tries a step has succeeded, be it the step itself or beside a scale: nothing passes unjudged.
fn has_succeeded(subject: &Subject<'_>, step: &CanaryStep) -> bool {
    let run = analysis::current(subject, Part::Step).filter(|run| is_of_step(subject, run));
    let is_judged = || run.is_some_and(|run| analysis::phase(run) == AnalysisPhase::Successful);
    (step.analysis.is_none() || is_judged())
        && (step.experiment.is_none() || experiment::has_succeeded(subject))
}

fn is_of_step(subject: &Subject<'_>, run: &api::argo::AnalysisRun) -> bool {
    let index = subject.step_index().to_string();
    sets::label(&run.metadata, keys::STEP_INDEX) == Some(&index)
}

fn explain_step(subject: &Subject<'_>, view: Option<&View>, step: &CanaryStep, draft: &mut Draft) {
    match step.kind() {
        StepKind::SetWeight(_)
        | StepKind::SetCanaryScale(_)
        | StepKind::SetHeaderRoute(_)
        | StepKind::SetMirrorRoute(_) => explain_size(subject, view, draft),
        _ => {}
    }
    if step.analysis.is_some() {
        analysis::explain(subject, Part::Step, draft);
    }
    if step.experiment.is_some() {
        experiment::explain(subject, draft);
    }
    analysis::explain(subject, Part::Background, draft);
}

/// Says which pods are missing for the split that is wanted.
fn explain_size(subject: &Subject<'_>, view: Option<&View>, draft: &mut Draft) {
    let in_force = view.map_or_else(InForce::default, |view| view.in_force(subject));
    let targets = canary_targets(subject, in_force);
    if let Some(new) = subject.new_set() {
        scaling::wait_for_pods(subject, new, targets.canary, draft);
    }
    if let Some(stable) = subject.distinct_stable() {
        scaling::wait_for_pods(subject, stable, targets.stable, draft);
    }
    if !subject.is_routed() {
        let left = leaving(subject);
        if left > 0 {
            draft.wait(Wait::OldPods { left });
        }
    }
}

/// A step in the words of events.
fn describe(step: &CanaryStep) -> String {
    match step.title_kind() {
        StepKind::SetWeight(weight) => format!("setWeight: {weight}"),
        StepKind::Pause(pause) => match &pause.duration {
            Some(k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int(seconds)) => {
                format!("pause: {seconds}")
            }
            Some(k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::String(text)) => {
                format!("pause: {text}")
            }
            None => "pause".to_owned(),
        },
        StepKind::Analysis(_) => "analysis".to_owned(),
        StepKind::Experiment(_) => "experiment".to_owned(),
        StepKind::SetCanaryScale(scale) => match (scale.weight, scale.replicas) {
            (Some(weight), _) => format!("setCanaryScale{{weight: {weight}}}"),
            (None, _) if scale.match_traffic_weight => {
                "setCanaryScale{matchTrafficWeight: true}".to_owned()
            }
            (None, Some(replicas)) => format!("setCanaryScale{{replicas: {replicas}}}"),
            (None, None) => "invalid".to_owned(),
        },
        StepKind::SetHeaderRoute(route) => {
            format!("setHeaderRoute: {}", route.name.as_deref().unwrap_or_default())
        }
        StepKind::SetMirrorRoute(route) => format!("setMirrorRoute: {}", route.name),
        _ => "invalid".to_owned(),
    }
}
