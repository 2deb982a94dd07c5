//! Steps as the page words them.

use crate::snapshot::{StepState, StepView};
use api::argo::{CanaryStep, Rollout, StepKind};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The rollout's steps and where each stands.
pub(crate) fn steps(rollout: &Rollout) -> Vec<StepView> {
    let Some(canary) = &rollout.spec.strategy.canary else { return Vec::new() };
    let index = rollout.status.as_ref().and_then(|status| status.current_step_index);
    let current = index.and_then(|index| usize::try_from(index).ok());
    let view = |(at, step)| StepView { label: label(step), state: state(at, current) };
    canary.steps.iter().enumerate().map(view).collect()
}

fn state(at: usize, current: Option<usize>) -> StepState {
    match current.map(|current| at.cmp(&current)) {
        Some(std::cmp::Ordering::Less) => StepState::Done,
        Some(std::cmp::Ordering::Equal) => StepState::Current,
        Some(std::cmp::Ordering::Greater) | None => StepState::Next,
    }
}

fn label(step: &CanaryStep) -> String {
    match step.kind() {
        StepKind::SetWeight(weight) => format!("{weight} %"),
        StepKind::Pause(pause) => match &pause.duration {
            Some(duration) => format!("pause {}", text(duration)),
            None => "pause until promoted".to_owned(),
        },
        StepKind::Analysis(_) => "analysis".to_owned(),
        StepKind::Experiment(_) => "experiment".to_owned(),
        StepKind::SetCanaryScale(_) => "canary scale".to_owned(),
        StepKind::SetHeaderRoute(route) => {
            format!("header route {}", route.name.as_deref().unwrap_or_default())
        }
        StepKind::SetMirrorRoute(route) => {
            format!("mirror route {}", route.name)
        }
        StepKind::Plugin(plugin) => format!("plugin {}", plugin.name),
        StepKind::Empty | StepKind::Ambiguous => "invalid step".to_owned(),
    }
}

fn text(duration: &IntOrString) -> String {
    match duration {
        IntOrString::Int(seconds) => format!("{seconds}s"),
        IntOrString::String(text) => text.clone(),
    }
}
