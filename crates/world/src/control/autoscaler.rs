//! HorizontalPodAutoscaler: as many pods as the CPU use that pods are said to have asks for.

use crate::{
    effect::{Decision, Effect, Part},
    objects::{annotation, is_active, labels_of, reference, stamp},
    spans,
};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        autoscaling::v2::{
            HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition,
            HorizontalPodAutoscalerStatus, MetricSpec, MetricStatus, MetricValueStatus,
            ResourceMetricStatus,
        },
        core::v1::Pod,
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::core::{Selector, SelectorExt};
use serde_json::json;
use std::time::Duration;
use vocab::ObjectRef;

/// The annotation on a pod that says how much CPU it uses.
pub const CPU: &str = "ringfence.dev/cpu";
/// How far use may be off its target before anything is done.
const TOLERANCE: f64 = 0.1;
/// How long the highest recent recommendation holds against scaling down.
const STABILISATION: Duration = Duration::from_mins(5);

/// What the scale subresource of the target says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scale {
    pub(crate) replicas: i32,
    pub(crate) selector: String,
}

/// What is looked at for one autoscaler.
pub(crate) struct Look<'a> {
    pub(crate) autoscaler: &'a HorizontalPodAutoscaler,
    /// The target's scale; `None` when the target has none.
    pub(crate) scale: Option<Scale>,
    /// The pods of the namespace.
    pub(crate) pods: Vec<&'a Pod>,
    /// Earlier recommendations with their times, oldest first.
    pub(crate) earlier: &'a [(Timestamp, i32)],
    pub(crate) now: Timestamp,
}

/// The object whose scale an autoscaler sets.
pub(crate) fn target(autoscaler: &HorizontalPodAutoscaler) -> ObjectRef {
    let target = &autoscaler.spec.scale_target_ref;
    let version = target.api_version.as_deref().unwrap_or("v1");
    let namespace = autoscaler.metadata.namespace.as_deref().unwrap_or_default();
    ObjectRef::new(version, &target.kind, namespace, &target.name)
}

/// Decides for one autoscaler; also returns what it recommends now, to be remembered.
pub(crate) fn decide(look: &Look<'_>) -> (Decision, Option<i32>) {
    let mut decision = Decision::default();
    let old = look.autoscaler.status.clone().unwrap_or_default();
    let mut new = HorizontalPodAutoscalerStatus {
        observed_generation: look.autoscaler.metadata.generation,
        ..old.clone()
    };
    let recommended = match &look.scale {
        None => {
            set(
                &mut new,
                look,
                ("AbleToScale", "False", "FailedGetScale", "the target has no scale"),
            );
            None
        }
        Some(scale) => Some(act(look, scale, &mut new, &mut decision)),
    };
    decision.settle(&reference(look.autoscaler), &old, &new);
    (decision, recommended)
}

fn act(
    look: &Look<'_>,
    scale: &Scale,
    status: &mut HorizontalPodAutoscalerStatus,
    decision: &mut Decision,
) -> i32 {
    status.current_replicas = Some(scale.replicas);
    set(
        status,
        look,
        ("AbleToScale", "True", "ReadyForNewScale", "the scale of the target can be set"),
    );
    if scale.replicas == 0 {
        let off = (
            "ScalingActive",
            "False",
            "ScalingDisabled",
            "scaling is disabled since the replica count of the target is zero",
        );
        set(status, look, off);
        status.desired_replicas = 0;
        return 0;
    }
    let asked = by_metrics(look, scale, status).unwrap_or(scale.replicas);
    let spec = &look.autoscaler.spec;
    let bounded = asked.clamp(spec.min_replicas.unwrap_or(1), spec.max_replicas.max(1));
    let held = stabilised(look, bounded, scale.replicas, decision);
    let within = if asked == bounded {
        ("False", "DesiredWithinRange")
    } else {
        ("True", "LimitedByBounds")
    };
    set(
        status,
        look,
        ("ScalingLimited", within.0, within.1, "the desired count against the bounds"),
    );
    status.desired_replicas = held;
    if held != scale.replicas {
        rescale(look, scale.replicas, held, decision);
        status.last_scale_time = stamp(look.now);
    }
    bounded
}

fn rescale(look: &Look<'_>, from: i32, to: i32, decision: &mut Decision) {
    let target = target(look.autoscaler);
    decision.push(Effect::Patch {
        target,
        part: Part::Scale,
        body: json!({"spec": {"replicas": to}}),
    });
    let way = if to > from { "above" } else { "below" };
    let message = format!(
        "New size: {to}; reason: cpu resource utilization (percentage of request) {way} target"
    );
    decision.tell(look.autoscaler, "SuccessfulRescale", message);
}

/// Scales down only to the highest recommendation of the stabilisation window.
fn stabilised(look: &Look<'_>, asked: i32, present: i32, decision: &mut Decision) -> i32 {
    if asked >= present {
        return asked;
    }
    let behaviour = look.autoscaler.spec.behavior.as_ref();
    let window = behaviour.and_then(|b| b.scale_down.as_ref()?.stabilization_window_seconds);
    let window = window
        .map_or(STABILISATION, |seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    let recent = look.earlier.iter().filter(|(at, _)| spans::after(*at, window) > look.now);
    let (mut highest, mut until) = (asked, None);
    for (at, replicas) in recent {
        highest = highest.max(*replicas);
        let gone = spans::after(*at, window);
        until = Some(until.map_or(gone, |first: Timestamp| first.min(gone)));
    }
    if let Some(until) = until.filter(|_| highest > asked) {
        decision.wake_at(until);
    }
    highest.min(present)
}

fn by_metrics(
    look: &Look<'_>,
    scale: &Scale,
    status: &mut HorizontalPodAutoscalerStatus,
) -> Option<i32> {
    let pods = pods_of(look, scale);
    let metrics = look.autoscaler.spec.metrics.as_ref();
    let measured: Vec<(i32, MetricStatus)> = metrics
        .into_iter()
        .flatten()
        .filter_map(|metric| measure(metric, &pods, scale.replicas))
        .collect();
    if measured.is_empty() {
        let missing = "no metric of the autoscaler is known; pods carry their CPU use in the annotation ringfence.dev/cpu";
        set(status, look, ("ScalingActive", "False", "FailedGetResourceMetric", missing));
        return None;
    }
    set(
        status,
        look,
        (
            "ScalingActive",
            "True",
            "ValidMetricFound",
            "the replica count was calculated from cpu use",
        ),
    );
    let highest = measured.iter().map(|(replicas, _)| *replicas).max();
    status.current_metrics = Some(measured.into_iter().map(|(_, metric)| metric).collect());
    highest
}

fn pods_of<'a>(look: &Look<'a>, scale: &Scale) -> Vec<&'a Pod> {
    let Ok(selector) = scale.selector.split(',').map(pair).collect::<Result<Selector, ()>>() else {
        return Vec::new();
    };
    let chosen = look.pods.iter().copied().filter(|pod| is_active(pod));
    chosen
        .filter(|pod| !selector.selects_all() && selector.matches(labels_of(&pod.metadata)))
        .collect()
}

fn pair(text: &str) -> Result<(String, String), ()> {
    let (key, value) = text.split_once('=').ok_or(())?;
    Ok((key.to_owned(), value.trim_start_matches('=').to_owned()))
}

fn measure(metric: &MetricSpec, pods: &[&Pod], replicas: i32) -> Option<(i32, MetricStatus)> {
    let resource = metric.resource.as_ref().filter(|resource| resource.name == "cpu")?;
    let uses: Vec<(i64, i64)> =
        pods.iter().filter_map(|pod| Some((used(pod)?, requested(pod)))).collect();
    let (spent, requested) = uses.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let many = i64::try_from(uses.len()).ok().filter(|many| *many > 0)?;
    let (ratio, percent) = if let Some(target) = resource.target.average_utilization {
        let percent = (requested > 0).then(|| spent * 100 / requested)?;
        (ratio(percent, i64::from(target.max(1))), i32::try_from(percent).ok())
    } else {
        let target = millicores(&resource.target.average_value.as_ref()?.0)?;
        (ratio(spent / many, target.max(1)), None)
    };
    let current = MetricValueStatus {
        average_utilization: percent,
        average_value: Some(Quantity(format!("{}m", spent / many))),
        value: None,
    };
    let status = MetricStatus {
        type_: "Resource".into(),
        resource: Some(ResourceMetricStatus { name: "cpu".into(), current }),
        ..MetricStatus::default()
    };
    Some((wanted(ratio, i32::try_from(many).unwrap_or(i32::MAX), replicas), status))
}

#[expect(clippy::cast_precision_loss, reason = "millicores are far below 2^52")]
fn ratio(value: i64, target: i64) -> f64 {
    value as f64 / target as f64
}

#[expect(clippy::cast_possible_truncation, reason = "pod counts are far below 2^31")]
fn wanted(ratio: f64, measured: i32, present: i32) -> i32 {
    if (ratio - 1.0).abs() <= TOLERANCE {
        return present;
    }
    (ratio * f64::from(measured)).ceil() as i32
}

fn used(pod: &Pod) -> Option<i64> {
    millicores(annotation(&pod.metadata, CPU)?)
}

fn requested(pod: &Pod) -> i64 {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let requests = containers.filter_map(|c| c.resources.as_ref()?.requests.as_ref()?.get("cpu"));
    requests.filter_map(|quantity| millicores(&quantity.0)).sum()
}

/// Reads `250m` or `0.5` as thousandths of a core.
pub(crate) fn millicores(text: &str) -> Option<i64> {
    let (number, scale) = text.strip_suffix('m').map_or((text, 1000.0), |number| (number, 1.0));
    let value = number.parse::<f64>().ok()? * scale;
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    (0.0..1e12).contains(&value).then_some(value.round() as i64)
}

fn set(
    status: &mut HorizontalPodAutoscalerStatus,
    look: &Look<'_>,
    facts: (&str, &str, &str, &str),
) {
    let (kind, value, reason, message) = facts;
    let conditions = status.conditions.get_or_insert_default();
    let place = conditions.iter().position(|condition| condition.type_ == kind);
    let before = place.map(|place| conditions.remove(place));
    let since = before.filter(|old| old.status == value).and_then(|old| old.last_transition_time);
    let condition = HorizontalPodAutoscalerCondition {
        type_: kind.into(),
        status: value.into(),
        reason: Some(reason.into()),
        message: Some(message.into()),
        last_transition_time: since.or_else(|| stamp(look.now)),
    };
    conditions.insert(place.unwrap_or(conditions.len()), condition);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{self, second};

    fn autoscaler() -> HorizontalPodAutoscaler {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "minReplicas": 2, "maxReplicas": 6,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
            },
        }))
        .unwrap()
    }

    fn check(cpu: &str, present: i32, earlier: &[(Timestamp, i32)], wanted: i32) {
        let autoscaler = autoscaler();
        let set = build::replica_set("web", present);
        let mut pod = build::pod("a", &set).annotated(CPU, cpu).done();
        pod.spec.as_mut().unwrap().containers[0].resources =
            serde_json::from_value(json!({"requests": {"cpu": "100m"}})).unwrap();
        let pods: Vec<&Pod> = (0..present).map(|_| &pod).collect();
        let scale = Some(Scale { replicas: present, selector: "app=web".into() });
        let look = Look { autoscaler: &autoscaler, scale, pods, earlier, now: second(100) };
        let (decision, _) = decide(&look);
        let scaled = decision.effects.iter().find_map(|effect| match effect {
            Effect::Patch { part: Part::Scale, body, .. } => body["spec"]["replicas"].as_i64(),
            _ => None,
        });
        assert_eq!(scaled.unwrap_or(i64::from(present)), i64::from(wanted), "{cpu} at {present}");
    }

    #[test]
    fn the_count_follows_cpu_use_within_bounds() {
        check("50m", 3, &[], 3);
        check("54m", 3, &[], 3);
        check("100m", 3, &[], 6);
        check("90m", 5, &[], 6);
        check("10m", 4, &[], 2);
    }

    #[test]
    fn scaling_down_waits_for_the_window() {
        check("10m", 4, &[(second(0), 4)], 4);
        check("10m", 4, &[(second(0), 3)], 3);
        check("10m", 4, &[(second(-300), 4)], 2);
    }
}
