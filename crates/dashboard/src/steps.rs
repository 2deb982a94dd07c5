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
    let header = step.set_header_route.as_ref();
    let mirror = step.set_mirror_route.as_ref();
    let header =
        header.map(|route| format!("header route {}", route.name.as_deref().unwrap_or_default()));
    let mirror = mirror.map(|route| format!("mirror route {}", route.name));
    let routes = header.into_iter().chain(mirror);
    main_label(step).into_iter().chain(routes).collect::<Vec<_>>().join(", ")
}

/// What a step asks for beside routes.
fn main_label(step: &CanaryStep) -> Option<String> {
    let label = match step.title_kind() {
        StepKind::SetWeight(weight) => format!("{weight} %"),
        StepKind::Pause(pause) => match &pause.duration {
            Some(duration) => format!("pause {}", text(duration)),
            None => "pause until promoted".to_owned(),
        },
        StepKind::Analysis(_) => "analysis".to_owned(),
        StepKind::Experiment(_) => "experiment".to_owned(),
        StepKind::SetCanaryScale(_) => "canary scale".to_owned(),
        StepKind::SetHeaderRoute(_) | StepKind::SetMirrorRoute(_) => return None,
        StepKind::Plugin(plugin) => format!("plugin {}", plugin.name),
        StepKind::Empty | StepKind::Ambiguous => "invalid step".to_owned(),
    };
    Some(label)
}

fn text(duration: &IntOrString) -> String {
    match duration {
        IntOrString::Int(seconds) => format!("{seconds}s"),
        IntOrString::String(text) => text.clone(),
    }
}
