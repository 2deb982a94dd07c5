//! What is wrong with a specification, all of it, with field paths and in the words users know.
//!
//! Start with [`problems`]. What the program does not do yet is refused here too, so that no step is ever
//! passed over in silence.

use super::{
    reads,
    resolve::is_template_empty,
    sets,
    subject::{Subject, int_or_percent, selects},
    validate_analyses, validate_experiment, validate_routes, validate_selector,
};
use crate::broken::{absence, sentence};
use api::argo::{
    AntiAffinity, CanaryStep, CanaryStrategy, RolloutPause, RolloutSpec, StepKind, keys,
};
use k8s_openapi::{
    api::core::v1::{Container, Service},
    apimachinery::pkg::util::intstr::IntOrString,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vocab::Reason;

const UNSUPPORTED: &str = "Forbidden: not supported yet";
const STEP_MESSAGE: &str = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause";

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The field.
    pub(crate) path: String,
    /// What is wrong, after the path: `Invalid value: 120: SetWeight needs to be …`.
    pub(crate) text: String,
}

impl Problem {
    /// A value that is wrong.
    pub(crate) fn invalid(path: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self { path: path.into(), text: format!("Invalid value: {value}: {detail}") }
    }

    /// A value that is missing.
    pub(crate) fn required(path: impl Into<String>, detail: &str) -> Self {
        let separator = if detail.is_empty() { "" } else { ": " };
        Self { path: path.into(), text: format!("Required value{separator}{detail}") }
    }

    fn of_router(reason: &Reason) -> Self {
        let path = reason.evidence.get("path").cloned().unwrap_or_default();
        let text = reason.message.strip_prefix(&path).unwrap_or(&reason.message).trim().to_owned();
        Self { path, text }
    }

    /// A field that asks for what this program cannot do yet.
    pub(super) fn unsupported(path: impl Into<String>) -> Self {
        Self { path: path.into(), text: UNSUPPORTED.to_owned() }
    }

    /// Whether nothing is wrong with the field but that this program cannot do what it asks for.
    pub(super) fn is_unsupported(&self) -> bool {
        self.text == UNSUPPORTED
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

/// Everything that is wrong with the specification by itself and with those services and routes that it
/// names and that are known. A template that a workload supplies is not known, so nothing is said of it.
pub(super) fn problems_by_itself(subject: &Subject<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    general(subject, &mut problems);
    if subject.rollout.spec.workload_ref.is_none() {
        template(subject, &mut problems);
    } else if !is_template_empty(subject.rollout) {
        let text = "Internal error: template must be empty for workload reference rollout";
        problems.push(Problem { path: "spec.template".to_owned(), text: text.to_owned() });
    }
    strategy(subject, &mut problems);
    for (path, name) in reads::named_services(subject.rollout) {
        if let Some(service) = super::services::find(subject, name) {
            check_service(subject, (path, name), service, &mut problems);
        }
    }
    let absent = reads::object_problems(subject.rollout, &routers::Objects::new());
    let found = reads::object_problems(subject.rollout, &subject.observed.objects);
    let found = found.iter().filter(|reason| !absent.contains(reason));
    problems.extend(found.map(Problem::of_router));
    problems
}

/// Everything that is wrong with the specification and what it refers to.
pub(crate) fn problems(subject: &Subject<'_>) -> Vec<Problem> {
    let mut problems = subject.resolved.problems(|| of_specification(subject)).to_vec();
    if problems.is_empty() {
        sets_of_its_own(subject, &mut problems);
        services(subject, &mut problems);
        let found = reads::object_problems(subject.rollout, &subject.observed.objects);
        problems.extend(found.iter().map(Problem::of_router));
        validate_analyses::check(subject, &mut problems);
    }
    problems
}

/// Everything that is wrong with the specification, whatever there is besides.
fn of_specification(subject: &Subject<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    general(subject, &mut problems);
    template(subject, &mut problems);
    strategy(subject, &mut problems);
    problems
}

/// Everything that is wrong with the analysis that the specification asks for.
pub(crate) fn of_analyses(subject: &Subject<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    validate_analyses::check(subject, &mut problems);
    problems
}

fn not_negative(path: &str, value: i32, problems: &mut Vec<Problem>) {
    if value < 0 {
        problems.push(Problem::invalid(path, &json!(value), "must be greater than or equal to 0"));
    }
}

fn general(subject: &Subject<'_>, problems: &mut Vec<Problem>) {
    let spec = &subject.rollout.spec;
    not_negative("spec.replicas", subject.replicas(), problems);
    check_selector(spec, problems);
    not_negative("spec.minReadySeconds", spec.min_ready_seconds, problems);
    not_negative("spec.revisionHistoryLimit", spec.revision_history_limit.unwrap_or(0), problems);
    let deadline = i32::try_from(subject.progress_deadline().as_secs()).unwrap_or(i32::MAX);
    not_negative("spec.progressDeadlineSeconds", deadline, problems);
    if deadline <= spec.min_ready_seconds {
        let detail = "must be greater than minReadySeconds";
        problems.push(Problem::invalid("spec.progressDeadlineSeconds", &json!(deadline), detail));
    }
}

fn check_selector(spec: &RolloutSpec, problems: &mut Vec<Problem>) {
    const PATH: &str = "spec.selector";
    match (&spec.selector, &spec.workload_ref) {
        (None, Some(_)) => {}
        (Some(selector), Some(_)) if validate_selector::is_valid(selector) => {}
        (Some(selector), Some(_)) => {
            problems.push(Problem::invalid(PATH, &json!(selector), "invalid label selector"));
        }
        (None, None) => {
            let detail = "Rollout has missing field '.spec.selector'";
            problems.push(Problem::required(PATH, detail));
        }
        (Some(selector), None) => {
            validate_selector::check(selector, PATH, problems);
            let empty = selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
                && selector.match_expressions.as_ref().is_none_or(Vec::is_empty);
            if empty {
                let detail = "empty selector is invalid for deployment";
                problems.push(Problem::invalid(PATH, &json!({}), detail));
            }
        }
    }
}

fn template(subject: &Subject<'_>, problems: &mut Vec<Problem>) {
    if !validate_selector::is_valid(subject.selector()) {
        return;
    }
    let labels = subject.template().metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
    if !selects(subject.selector(), labels) {
        let detail = "`selector` does not match template `labels`";
        problems.push(Problem::invalid("spec.template.metadata.labels", &json!(labels), detail));
    }
    let Some(pods) = &subject.template().spec else {
        return problems.push(Problem::required("spec.template.spec.containers", ""));
    };
    if pods.containers.is_empty() {
        problems.push(Problem::required("spec.template.spec.containers", ""));
    }
    for (index, container) in pods.containers.iter().enumerate() {
        check_container(&format!("spec.template.spec.containers[{index}]"), container, problems);
    }
    if let Some(policy) = pods.restart_policy.as_deref().filter(|policy| *policy != "Always") {
        let text = format!("Unsupported value: {policy:?}: supported values: \"Always\"");
        problems.push(Problem { path: "spec.template.spec.restartPolicy".to_owned(), text });
    }
}

fn check_container(path: &str, container: &Container, problems: &mut Vec<Problem>) {
    if container.name.is_empty() {
        problems.push(Problem::required(format!("{path}.name"), ""));
    }
    if container.image.as_deref().unwrap_or_default().is_empty() {
        problems.push(Problem::required(format!("{path}.image"), ""));
    }
}

fn strategy(subject: &Subject<'_>, problems: &mut Vec<Problem>) {
    const PATH: &str = "spec.strategy";
    match (subject.blue_green(), subject.canary()) {
        (None, None) => {
            let detail =
                "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'";
            problems.push(Problem::required(format!("{PATH}.strategy"), detail));
        }
        (Some(_), Some(_)) => {
            let value = json!("blueGreen: true canary: true");
            problems.push(Problem::invalid(
                format!("{PATH}.strategy"),
                &value,
                "Multiple Strategies can not be listed",
            ));
        }
        (Some(blue_green), None) => {
            let preview = blue_green.preview_service.as_deref().unwrap_or_default();
            if preview == blue_green.active_service {
                let detail = "This rollout uses the same service for the active and preview services, but two different services are required.";
                problems.push(Problem::invalid(
                    format!("{PATH}.activeService"),
                    &json!(blue_green.active_service),
                    detail,
                ));
            }
            if blue_green.active_service.is_empty() {
                problems.push(Problem::required(format!("{PATH}.blueGreen.activeService"), ""));
            }
            let history = subject.rollout.spec.revision_history_limit.unwrap_or(10);
            if let Some(limit) =
                blue_green.scale_down_delay_revision_limit.filter(|limit| history < *limit)
            {
                let detail = "This rollout's revision history limit can not be smaller than the rollout's scale down limit";
                problems.push(Problem::invalid(
                    format!("{PATH}.scaleDownDelayRevisionLimit"),
                    &json!(limit),
                    detail,
                ));
            }
            anti_affinity(blue_green.anti_affinity.as_ref(), problems);
        }
        (None, Some(strategy)) => canary(subject, strategy, problems),
    }
}

fn canary(subject: &Subject<'_>, canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    const PATH: &str = "spec.strategy";
    let numbers = [&canary.max_surge, &canary.max_unavailable]
        .map(|value| int_or_percent(value.as_ref()).number());
    if numbers == [0, 0] {
        let surge = canary.max_surge.clone().unwrap_or(IntOrString::Int(0));
        let detail = "MaxSurge and MaxUnavailable both can not be zero";
        problems.push(Problem::invalid(format!("{PATH}.maxSurge"), &json!(surge), detail));
    }
    if let Some(stable) = canary
        .stable_service
        .as_ref()
        .filter(|stable| Some(*stable) == canary.canary_service.as_ref())
    {
        let detail = "This rollout uses the same service for the stable and canary services, but two different services are required.";
        problems.push(Problem::invalid(format!("{PATH}.stableService"), &json!(stable), detail));
    }
    if canary.ping_pong.is_some() {
        problems.push(Problem::unsupported("spec.strategy.canary.pingPong"));
    }
    routing(subject, canary, problems);
    for (index, step) in canary.steps.iter().enumerate() {
        check_step(subject, step, &format!("{PATH}.steps[{index}]"), problems);
        validate_experiment::check(subject, canary, (index, step), problems);
        validate_routes::check(subject, canary, (index, step), problems);
        validate_analyses::check_arguments((index, step), problems);
        if step.plugin.is_some() {
            problems.push(Problem::unsupported(format!("{PATH}.canary.steps[{index}].plugin")));
        }
    }
    anti_affinity(canary.anti_affinity.as_ref(), problems);
}

fn routing(subject: &Subject<'_>, canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    const PATH: &str = "spec.strategy";
    let mut invalid = |field: &str, value: Value, detail: &str| {
        problems.push(Problem::invalid(format!("{PATH}.{field}"), &value, detail));
    };
    match (&canary.traffic_routing, canary.scale_down_delay_seconds, canary.dynamic_stable_scale) {
        (None, delay, dynamic) => {
            if let Some(delay) = delay {
                let detail = "Canary scaleDownDelaySeconds can only be used with traffic routing";
                invalid("scaleDownDelaySeconds", json!(delay), detail);
            }
            if dynamic {
                let detail = "Canary dynamicStableScale can only be used with traffic routing";
                invalid("dynamicStableScale", json!(true), detail);
            }
        }
        (Some(_), Some(_), true) => {
            let detail = "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds";
            invalid("dynamicStableScale", json!(true), detail);
        }
        (Some(_), _, _) => {}
    }
    let Some(config) = reads::routing_config(subject.rollout) else { return };
    let found = reads::router_problems(subject.rollout, &config);
    problems.extend(found.iter().map(Problem::of_router));
    unsupported_routers(&config, problems);
    if let Some(max) = config.get("maxTrafficWeight")
        && config.get("nginx").is_none()
        && config.get("plugins").is_none()
    {
        let detail =
            "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins";
        let path = format!("{PATH}.trafficRouting.maxTrafficWeight");
        problems.push(Problem::invalid(path, max, detail));
    }
    if let Some(max) = canary
        .traffic_routing
        .as_ref()
        .and_then(|routing| routing.max_traffic_weight)
        .filter(|max| *max <= 0)
    {
        problems.push(Problem::invalid(
            format!("{PATH}.trafficRouting.maxTrafficWeight"),
            &json!(max),
            "must be greater than 0",
        ));
    }
}

/// Routers that the spec names and no router of this program answers to.
fn unsupported_routers(config: &Value, problems: &mut Vec<Problem>) {
    const PATH: &str = "spec.strategy.canary.trafficRouting";
    const SETTINGS: [&str; 3] = ["managedRoutes", "maxTrafficWeight", "plugins"];
    let answered = |config: Value| !reads::configured_routers(&config).is_empty();
    for (key, value) in config.as_object().into_iter().flatten() {
        if !SETTINGS.contains(&key.as_str()) && !answered(json!({ key.clone(): value })) {
            problems.push(Problem::unsupported(format!("{PATH}.{key}")));
        }
    }
    for (key, value) in config["plugins"].as_object().into_iter().flatten() {
        if !answered(json!({"plugins": {key.clone(): value}})) {
            problems.push(Problem::unsupported(format!("{PATH}.plugins[{key}]")));
        }
    }
}

fn check_step(subject: &Subject<'_>, step: &CanaryStep, path: &str, problems: &mut Vec<Problem>) {
    if matches!(step.kind(), StepKind::Empty | StepKind::Ambiguous) {
        problems.push(Problem::invalid(path, &json!(asked(step)), STEP_MESSAGE));
    }
    let max = subject.max_weight();
    if let Some(weight) = step.set_weight.filter(|weight| !(0..=max).contains(weight)) {
        let detail = format!("SetWeight needs to be between 0 and {max}");
        problems.push(Problem::invalid(format!("{path}.setWeight"), &json!(weight), &detail));
    }
    let lasts = |pause: &&RolloutPause| {
        pause.seconds().is_ok_and(|seconds| seconds.is_none_or(|seconds| seconds >= 0))
    };
    if let Some(pause) = step.pause.as_ref().filter(|pause| !lasts(pause)) {
        let detail = "Duration needs to be greater than 0";
        let path = format!("{path}.pause.duration");
        problems.push(Problem::invalid(path, &json!(pause.duration), detail));
    }
    if step.set_canary_scale.is_some() && !subject.is_routed() {
        let detail = "SetCanaryScale requires TrafficRouting to be set";
        problems.push(Problem::required("spec.strategy.trafficRouting", detail));
    }
}

/// What a step asks for, as upstream words it: what is missing where nothing is there, and which of four
/// kinds are there where there are several.
fn asked(step: &CanaryStep) -> String {
    if step.kind() == StepKind::Empty {
        return "step.Experiment: true step.Pause: true step.SetWeight: true step.Analysis: true step.SetCanaryScale: true step.SetHeaderRoute: true step.SetMirrorRoute: true step.Plugin: true".to_owned();
    }
    format!(
        "step.Experiment: {} step.Pause: {} step.SetWeight: {} step.Analysis: {}",
        step.experiment.is_some(),
        step.pause.is_some(),
        step.set_weight.is_some(),
        step.analysis.is_some()
    )
}

fn anti_affinity(rule: Option<&AntiAffinity>, problems: &mut Vec<Problem>) {
    const PATH: &str = "spec.strategy.antiAffinity";
    let Some(rule) = rule else { return };
    let preferred = rule.preferred_during_scheduling_ignored_during_execution.as_ref();
    let required = rule.required_during_scheduling_ignored_during_execution.as_ref();
    if preferred.is_some() == required.is_some() {
        let asked = format!(
            "antiAffinity.PreferredDuringSchedulingIgnoredDuringExecution: {} antiAffinity.RequiredDuringSchedulingIgnoredDuringExecution: {}",
            preferred.is_some(),
            required.is_some()
        );
        problems.push(Problem::invalid(
            PATH,
            &json!(asked),
            "AntiAffinity must have exactly one strategy listed",
        ));
    }
    if let Some(preferred) = preferred.filter(|preferred| !(1..=100).contains(&preferred.weight)) {
        let detail = "AntiAffinity weight must be between 1-100";
        problems.push(Problem::invalid(format!("{PATH}.weight"), &json!(preferred.weight), detail));
    }
}

/// Versions whose pods nobody can count would be made again, or left without traffic.
fn sets_of_its_own(subject: &Subject<'_>, problems: &mut Vec<Problem>) {
    let broken = subject.observed.broken.iter();
    for (set, why) in broken.filter(|(target, _)| target.kind == "ReplicaSet") {
        let text = format!("replicaset.apps {:?} {}", set.name, sentence(why));
        problems.push(Problem { path: "spec.template".to_owned(), text });
    }
}

fn services(subject: &Subject<'_>, problems: &mut Vec<Problem>) {
    for (path, name) in reads::named_services(subject.rollout) {
        let Some(service) = super::services::find(subject, name) else {
            let why = absence(&subject.observed.broken, ("Service", name));
            let detail = format!("service {name:?} {why}");
            problems.push(Problem::invalid(path, &json!(name), &detail));
            continue;
        };
        check_service(subject, (path, name), service, problems);
    }
}

fn check_service(
    subject: &Subject<'_>,
    (path, name): (&str, &str),
    service: &Service,
    problems: &mut Vec<Problem>,
) {
    let labels = subject.template().metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    for (key, value) in
        selector.into_iter().flatten().filter(|(key, _)| *key != keys::POD_TEMPLATE_HASH)
    {
        if labels.and_then(|labels| labels.get(key)) != Some(value) {
            let detail = format!("Service {name:?} has unmatch label {key:?} in rollout");
            problems.push(Problem::invalid(path, &json!(name), &detail));
        }
    }
    let manager = sets::annotation(&service.metadata, keys::MANAGED_BY_ROLLOUTS);
    if manager.is_some_and(|manager| manager != subject.name()) {
        let detail = format!("Service {name:?} is managed by another Rollout");
        problems.push(Problem::invalid(path, &json!(name), &detail));
    }
}
