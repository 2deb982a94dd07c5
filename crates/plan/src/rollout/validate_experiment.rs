//! What is wrong with an experiment step, in the words users know.
//!
//! Its analyses are judged by the experiment when it comes to them: a version that never takes that step,
//! such as the first, is released all the same.

use super::{reads, subject::Subject, validate::Problem};
use api::argo::{CanaryStep, CanaryStrategy, RolloutExperimentStep, RolloutExperimentTemplate};
use k8s_openapi::api::core::v1::Container;
use serde_json::json;
use std::collections::BTreeSet;

/// Adds what is wrong with a step that asks for an experiment.
pub(super) fn check(
    subject: &Subject<'_>,
    canary: &CanaryStrategy,
    (index, step): (usize, &CanaryStep),
    problems: &mut Vec<Problem>,
) {
    let Some(experiment) = &step.experiment else { return };
    let path = format!("spec.strategy.steps[{index}].experiment");
    let mut names = BTreeSet::new();
    for (place, template) in experiment.templates.iter().enumerate() {
        let path = format!("{path}.templates[{place}]");
        check_name(&path, &template.name, &mut names, problems);
        if !["canary", "stable"].contains(&template.spec_ref.as_str()) {
            let detail = "Invalid template step SpecRef: must be canary or stable";
            let path = format!("{path}.specRef");
            problems.push(Problem::invalid(path, &json!(template.spec_ref), detail));
        }
        check_weight(subject, template, &path, problems);
    }
    check_sum(subject, canary, (index, experiment), &path, problems);
    let mut names = BTreeSet::new();
    for (place, analysis) in experiment.analyses.iter().enumerate() {
        check_name(&format!("{path}.analyses[{place}]"), &analysis.name, &mut names, problems);
    }
    let duration = experiment.duration.as_deref().filter(|text| !text.is_empty());
    if let Some(Err(error)) = duration.map(api::go_duration::parse) {
        let path = format!("{path}.duration");
        problems.push(Problem::invalid(path, &json!(duration), &error.to_string()));
    }
}

fn check_name<'a>(
    path: &str,
    name: &'a str,
    seen: &mut BTreeSet<&'a str>,
    problems: &mut Vec<Problem>,
) {
    if name.is_empty() {
        problems.push(Problem::required(format!("{path}.name"), ""));
    } else if !seen.insert(name) {
        problems.push(Problem {
            path: format!("{path}.name"),
            text: format!("Duplicate value: {}", json!(name)),
        });
    }
}

/// A share of traffic needs a router that can give it and a port that it can go to.
fn check_weight(
    subject: &Subject<'_>,
    template: &RolloutExperimentTemplate,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let Some(weight) = template.weight else { return };
    let path = format!("{path}.weight");
    let mut refuse =
        |detail: &str| problems.push(Problem::invalid(path.clone(), &json!(weight), detail));
    let config = reads::routing_config(subject.rollout);
    match &config {
        None => refuse("Experiment template weight cannot be set unless TrafficRouting is enabled"),
        Some(config) => {
            let routers = reads::configured_routers(config);
            let can_all =
                routers.iter().all(|router| router.capabilities().additional_destinations);
            if routers.is_empty() || !can_all {
                refuse(
                    "Experiment template weight is only available for TrafficRouting with SMI, ALB, Istio and Plugins at this time",
                );
            }
        }
    }
    let max = subject.max_weight();
    if !(0..=max).contains(&weight) {
        refuse(&format!("weight needs to be between 0 and {max}"));
    }
    let has_port = |container: &Container| container.ports.iter().flatten().next().is_some();
    // A template that is not known here is judged elsewhere.
    let is_closed =
        subject.template().spec.as_ref().is_some_and(|pods| !pods.containers.iter().any(has_port));
    if weight > 0 && is_closed {
        refuse("no container of the pod template has a port that traffic could go to");
    }
}

/// What canary and experiment get together is there to be given.
fn check_sum(
    subject: &Subject<'_>,
    canary: &CanaryStrategy,
    (index, experiment): (usize, &RolloutExperimentStep),
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let before = canary.steps.iter().take(index).rev().find_map(|step| step.set_weight);
    let weights = experiment.templates.iter().filter_map(|template| template.weight);
    let sum = weights.fold(0_i32, i32::saturating_add);
    let (before, max) = (before.unwrap_or(0), subject.max_weight());
    if sum > 0 && sum.saturating_add(before) > max {
        let detail = format!(
            "the weights of its templates and the canary's {before} add up to more than {max}"
        );
        problems.push(Problem::invalid(format!("{path}.templates"), &json!(sum), &detail));
    }
}
