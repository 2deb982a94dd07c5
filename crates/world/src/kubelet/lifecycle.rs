//! A pod's life from binding to its last delete, as a pure function.

use super::{
    containers::{self, Look},
    node,
    orders::Orders,
    quality,
};
use crate::{
    app::Behaviour,
    effect::{Decision, Effect, Grace, Part},
    objects::{has_ended, reference, stamp},
    spans,
};
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        ContainerState, ContainerStateTerminated, ContainerStatus, HostIP, Pod, PodCondition,
        PodIP, PodStatus,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use serde_json::json;
use std::time::Duration;

/// What is known of a pod beyond its object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// The address it has or would get.
    pub(crate) address: String,
    /// When it was bound to the node.
    pub(crate) bound_at: Timestamp,
    /// When its containers first started, to the nanosecond.
    pub(crate) started_at: Option<Timestamp>,
    /// When it was told to go.
    pub(crate) leaving_since: Option<Timestamp>,
    /// How long containers take to start, unless ordered otherwise.
    pub(crate) start_delay: Duration,
    /// How long containers take to stop, unless ordered otherwise.
    pub(crate) stop_delay: Duration,
    /// How long containers that end by themselves run, unless ordered otherwise.
    pub(crate) run_for: Duration,
    /// The demo application, if the first image is one.
    pub(crate) serves: Option<Behaviour>,
    /// Whether the application says that it wants requests.
    pub(crate) accepting: bool,
}

/// Decides for one pod.
pub(crate) fn decide(pod: &Pod, facts: &Facts, now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    let bound = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    if pod.metadata.deletion_timestamp.is_some() {
        leave(pod, facts, now, &mut decision);
    } else if has_ended(pod) || bound.is_some_and(|name| name != node::NAME) {
        // Over, or another node's business.
    } else if bound.is_none() {
        bind(pod, now, &mut decision);
    } else {
        live(pod, facts, now, &mut decision);
    }
    decision
}

fn bind(pod: &Pod, now: Timestamp, decision: &mut Decision) {
    let gates = pod.spec.as_ref().and_then(|spec| spec.scheduling_gates.as_ref());
    if gates.is_some_and(|gates| !gates.is_empty()) {
        let old = pod.status.clone().unwrap_or_default();
        let mut new = old.clone();
        let message = "Scheduling is blocked due to non-empty scheduling gates".to_owned();
        condition(&mut new, "PodScheduled", Some(("SchedulingGated", message)), now);
        return decision.settle(&reference(pod), &old, &new);
    }
    let body = json!({"metadata": {"uid": pod.metadata.uid}, "spec": {"nodeName": node::NAME}});
    decision.push(Effect::Patch { target: reference(pod), part: Part::Main, body });
    let (namespace, name) = (pod.metadata.namespace.as_deref(), pod.metadata.name.as_deref());
    let place = format!("{}/{}", namespace.unwrap_or_default(), name.unwrap_or_default());
    decision.tell(pod, "Scheduled", format!("Successfully assigned {place} to {}", node::NAME));
}

fn leave(pod: &Pod, facts: &Facts, now: Timestamp, decision: &mut Decision) {
    let at = if runs(pod) { stops_at(pod, facts, now) } else { now };
    if at > now {
        return decision.wake_at(at);
    }
    let uid = pod.metadata.uid.clone();
    decision.push(Effect::Delete { target: reference(pod), uid, grace: Grace::None });
}

/// Whether any container of a pod runs.
pub(super) fn runs(pod: &Pod) -> bool {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    statuses
        .into_iter()
        .flatten()
        .any(|status| status.state.as_ref().is_some_and(|state| state.running.is_some()))
}

/// After the longest pre-stop sleep and the stop delay, but never after the grace period.
fn stops_at(pod: &Pod, facts: &Facts, now: Timestamp) -> Timestamp {
    let grace = u64::try_from(pod.metadata.deletion_grace_period_seconds.unwrap_or(0)).unwrap_or(0);
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let sleeps = containers.filter_map(|c| c.lifecycle.as_ref()?.pre_stop.as_ref()?.sleep.as_ref());
    let sleep = sleeps.map(|sleep| u64::try_from(sleep.seconds).unwrap_or(0)).max().unwrap_or(0);
    let orders = Orders::read(&pod.metadata).unwrap_or_default();
    let stop = orders.stop_delay.unwrap_or(facts.stop_delay);
    let takes = Duration::from_secs(sleep).saturating_add(stop).min(Duration::from_secs(grace));
    spans::after(facts.leaving_since.unwrap_or(now), takes)
}

fn live(pod: &Pod, facts: &Facts, now: Timestamp, decision: &mut Decision) {
    let old = pod.status.clone().unwrap_or_default();
    let mut new = old.clone();
    let statuses = match Orders::read(&pod.metadata) {
        Ok(orders) => {
            let look = Look { pod, orders: &orders, facts, now };
            run_containers(pod, &look, &old, decision)
        }
        Err(misread) => refuse(pod, &misread.to_string()),
    };
    new.phase = Some(phase(pod, &statuses).to_owned());
    init_containers(pod, &statuses, &mut new, now);
    tell_changes(pod, &old, &statuses, decision);
    new.container_statuses = Some(statuses);
    place(pod, facts, now, &mut new);
    conditions(pod, &mut new, now);
    decision.settle(&reference(pod), &old, &new);
}

fn run_containers(
    pod: &Pod,
    look: &Look<'_>,
    old: &PodStatus,
    decision: &mut Decision,
) -> Vec<ContainerStatus> {
    let mut statuses = Vec::new();
    for container in pod.spec.iter().flat_map(|spec| &spec.containers) {
        let before =
            old.container_statuses.iter().flatten().find(|status| status.name == container.name);
        let next = look.next(container, before);
        next.wake.into_iter().for_each(|at| decision.wake_at(at));
        statuses.push(next.status);
    }
    statuses
}

/// Every container waits because the pod's orders make no sense.
fn refuse(pod: &Pod, why: &str) -> Vec<ContainerStatus> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let status = |name: &String, image: &Option<String>| ContainerStatus {
        name: name.clone(),
        image: image.clone().unwrap_or_default(),
        started: Some(false),
        state: containers::waiting("CreateContainerConfigError", Some(why.to_owned())),
        ..ContainerStatus::default()
    };
    containers.map(|container| status(&container.name, &container.image)).collect()
}

fn phase(pod: &Pod, statuses: &[ContainerStatus]) -> &'static str {
    let state = |status: &ContainerStatus| status.state.clone().unwrap_or_default();
    let ended: Vec<ContainerStateTerminated> =
        statuses.iter().filter_map(|status| state(status).terminated).collect();
    let always =
        pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always")
            == "Always";
    if !statuses.is_empty() && ended.len() == statuses.len() && !always {
        return if ended.iter().all(|end| end.exit_code == 0) { "Succeeded" } else { "Failed" };
    }
    let lived = |status: &ContainerStatus| {
        state(status).running.is_some()
            || status.last_state.is_some()
            || state(status).terminated.is_some()
    };
    if !statuses.is_empty() && statuses.iter().all(lived) { "Running" } else { "Pending" }
}

/// Init containers are done at once when the others start; those that stay run along.
fn init_containers(pod: &Pod, statuses: &[ContainerStatus], new: &mut PodStatus, now: Timestamp) {
    let init = pod.spec.as_ref().and_then(|spec| spec.init_containers.clone()).unwrap_or_default();
    if init.is_empty()
        || (new.init_container_statuses.is_some()
            && has_started(new.init_container_statuses.as_deref()))
    {
        return;
    }
    let started = has_started(Some(statuses));
    let state = |stays: bool| match (started, stays) {
        (false, _) => containers::waiting("PodInitializing", None),
        (true, true) => Some(ContainerState {
            running: Some(k8s_openapi::api::core::v1::ContainerStateRunning {
                started_at: stamp(now),
            }),
            ..ContainerState::default()
        }),
        (true, false) => {
            Some(ContainerState { terminated: Some(completed(now)), ..ContainerState::default() })
        }
    };
    let all = init.into_iter().map(|container| ContainerStatus {
        state: state(container.restart_policy.as_deref() == Some("Always")),
        name: container.name,
        image: container.image.unwrap_or_default(),
        ready: started,
        started: Some(started),
        ..ContainerStatus::default()
    });
    new.init_container_statuses = Some(all.collect());
}

fn completed(now: Timestamp) -> ContainerStateTerminated {
    ContainerStateTerminated {
        exit_code: 0,
        reason: Some("Completed".into()),
        started_at: stamp(now),
        finished_at: stamp(now),
        ..ContainerStateTerminated::default()
    }
}

fn has_started(statuses: Option<&[ContainerStatus]>) -> bool {
    let left_waiting = |status: &ContainerStatus| {
        status.state.as_ref().is_some_and(|state| state.waiting.is_none())
    };
    statuses.is_some_and(|statuses| {
        statuses.iter().any(|status| left_waiting(status) || status.last_state.is_some())
    })
}

fn place(pod: &Pod, facts: &Facts, now: Timestamp, new: &mut PodStatus) {
    new.host_ip = Some(node::ADDRESS.into());
    new.host_ips = Some(vec![HostIP { ip: node::ADDRESS.into() }]);
    if has_started(new.container_statuses.as_deref()) && new.pod_ip.is_none() {
        let network = pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true);
        let address = if network { node::ADDRESS } else { &facts.address };
        new.pod_ip = Some(address.to_owned());
        new.pod_ips = Some(vec![PodIP { ip: address.to_owned() }]);
    }
    if new.start_time.is_none() {
        new.start_time = Some(Time(now));
    }
    new.qos_class = Some(quality::class(pod).to_owned());
    new.observed_generation = pod.metadata.generation;
}

fn conditions(pod: &Pod, new: &mut PodStatus, now: Timestamp) {
    let statuses = new.container_statuses.clone().unwrap_or_default();
    let ended = matches!(new.phase.as_deref(), Some("Succeeded" | "Failed"));
    let started = has_started(Some(&statuses));
    let unready: Vec<&str> =
        statuses.iter().filter(|status| !status.ready).map(|status| status.name.as_str()).collect();
    let waits = (!unready.is_empty()).then(|| {
        let reason = match new.phase.as_deref() {
            Some("Succeeded") => "PodCompleted",
            Some("Failed") => "PodFailed",
            _ => "ContainersNotReady",
        };
        let list = unready.join(" ");
        (
            reason,
            if ended { String::new() } else { format!("containers with unready status: [{list}]") },
        )
    });
    let gated = waits.clone().or_else(|| gate(pod, new));
    let creating = (!started).then(|| ("ContainersNotReady", String::new()));
    condition(new, "PodReadyToStartContainers", creating.filter(|_| !ended), now);
    condition(new, "Initialized", None, now);
    condition(new, "Ready", gated, now);
    condition(new, "ContainersReady", waits, now);
    condition(new, "PodScheduled", None, now);
}

fn gate(pod: &Pod, status: &PodStatus) -> Option<(&'static str, String)> {
    let gates = pod.spec.as_ref()?.readiness_gates.as_ref()?;
    let open = |kind: &str| {
        status
            .conditions
            .iter()
            .flatten()
            .any(|condition| condition.type_ == kind && condition.status == "True")
    };
    let shut = gates.iter().find(|gate| !open(&gate.condition_type))?;
    let message = format!(
        "corresponding condition of pod readiness gate \"{}\" does not exist.",
        shut.condition_type
    );
    Some(("ReadinessGatesNotReady", message))
}

/// Sets a condition to true, or to false with its reason; its time moves only with its status.
fn condition(status: &mut PodStatus, kind: &str, not: Option<(&str, String)>, now: Timestamp) {
    let value = if not.is_some() { "False" } else { "True" };
    let conditions = status.conditions.get_or_insert_default();
    let place = conditions.iter().position(|condition| condition.type_ == kind);
    let before = place.map(|place| conditions.remove(place));
    let since = before.filter(|old| old.status == value).and_then(|old| old.last_transition_time);
    let (reason, message) = not.map_or((None, None), |(reason, message)| {
        (Some(reason.to_owned()), (!message.is_empty()).then_some(message))
    });
    let condition = PodCondition {
        type_: kind.into(),
        status: value.into(),
        reason,
        message,
        last_transition_time: since.or_else(|| stamp(now)),
        ..PodCondition::default()
    };
    conditions.insert(place.unwrap_or(conditions.len()), condition);
}

/// Says what happened to containers, once each.
fn tell_changes(pod: &Pod, old: &PodStatus, new: &[ContainerStatus], decision: &mut Decision) {
    let running = |status: &ContainerStatus| {
        status.state.as_ref().is_some_and(|state| state.running.is_some())
    };
    let waits = |status: &ContainerStatus| {
        let waiting = status.state.as_ref().and_then(|state| state.waiting.clone());
        waiting.map(|waiting| {
            (waiting.reason.unwrap_or_default(), waiting.message.unwrap_or_default())
        })
    };
    for status in new {
        let before = old.container_statuses.iter().flatten().find(|old| old.name == status.name);
        let started = |before: &ContainerStatus| {
            running(before) && before.restart_count == status.restart_count
        };
        if running(status) && !before.is_some_and(started) {
            decision.tell(pod, "Started", format!("Started container {}", status.name));
        }
        let Some((reason, message)) =
            waits(status).filter(|now| before.and_then(waits).as_ref() != Some(now))
        else {
            continue;
        };
        match reason.as_str() {
            "CrashLoopBackOff" | "ImagePullBackOff" => decision.warn(pod, "BackOff", message),
            "ErrImagePull" | "CreateContainerConfigError" => decision.warn(pod, "Failed", message),
            "InvalidImageName" => decision.warn(pod, "InspectFailed", message),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{self, second};

    fn pod(annotations: &[(&str, &str)]) -> Pod {
        let owner = build::replica_set("web", 1);
        let pod = annotations
            .iter()
            .fold(build::pod("a", &owner), |pod, (key, value)| pod.annotated(key, value));
        let mut pod = pod.done();
        pod.status = None;
        pod
    }

    fn facts() -> Facts {
        Facts {
            address: "127.77.0.1".into(),
            bound_at: second(0),
            serves: Some(Behaviour::default()),
            accepting: true,
            ..Facts::default()
        }
    }

    fn status(pod: &Pod, at: i64) -> (PodStatus, Option<Timestamp>) {
        let decision = decide(pod, &facts(), second(at));
        let body = decision.effects.iter().find_map(|effect| match effect {
            Effect::Patch { part: Part::Status, body, .. } => Some(body["status"].clone()),
            _ => None,
        });
        (serde_json::from_value(body.unwrap()).unwrap(), decision.wake)
    }

    fn check(annotations: &[(&str, &str)], at: i64, phase: &str, ready: &str) -> Option<Timestamp> {
        let (status, wake) = status(&pod(annotations), at);
        let condition =
            status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
        assert_eq!(
            (status.phase.as_deref(), condition.map(|c| c.status.as_str())),
            (Some(phase), Some(ready))
        );
        wake
    }

    #[test]
    fn orders_shape_the_first_status() {
        assert_eq!(check(&[], 0, "Running", "True"), None);
        assert_eq!(
            check(&[("ringfence.dev/start-delay", "5s")], 0, "Pending", "False"),
            Some(second(5))
        );
        assert_eq!(check(&[("ringfence.dev/start-delay", "5s")], 5, "Running", "True"), None);
        assert_eq!(
            check(&[("ringfence.dev/ready-delay", "7s")], 0, "Running", "False"),
            Some(second(7))
        );
        assert_eq!(check(&[("ringfence.dev/not-ready", "true")], 0, "Running", "False"), None);
        assert_eq!(
            check(&[("ringfence.dev/crash-loop", "true")], 0, "Running", "False"),
            Some(second(1))
        );
        assert_eq!(
            check(&[("ringfence.dev/image-pull-error", "true")], 0, "Pending", "False"),
            Some(second(10))
        );
        assert_eq!(check(&[("ringfence.dev/run-for", "x")], 0, "Pending", "False"), None);
    }

    #[test]
    fn a_pod_that_has_all_it_should_have_is_left_alone() {
        let mut pod = pod(&[]);
        pod.status = Some(status(&pod, 0).0);
        assert_eq!(decide(&pod, &facts(), second(60)), Decision::default());
    }

    #[test]
    fn a_pod_that_never_ran_goes_at_once() {
        let mut pod = pod(&[]);
        pod.metadata.deletion_timestamp = Some(Time(second(30)));
        let decision = decide(&pod, &facts(), second(0));
        assert!(matches!(decision.effects[..], [Effect::Delete { grace: Grace::None, .. }]));
    }
}
