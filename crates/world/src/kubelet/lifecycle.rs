//! A pod's life from binding to its last delete, as a pure function.
//!
//! Start with [`decide`]. Its parts: [`super::scheduling`], [`super::init`], [`super::containers`],
//! [`super::conditions`] and [`super::stopping`].

use super::{
    command::Variables,
    conditions,
    containers::{self, Look, Memory, Next, Policy, Turn},
    init, orders,
    orders::Orders,
    probes::Health,
    quality,
    scheduling::{self, Unschedulable},
    stopping,
};
use crate::{
    app::Behaviour,
    effect::{Decision, Effect, Part, wire},
    objects::{annotation, has_ended, reference, stamp},
    spans,
};
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        Container, ContainerState, ContainerStateTerminated, ContainerStatus, HostIP, Pod, PodIP,
        PodStatus,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, time::Duration};
use vocab::merge_patch_between;

/// The code of a container whose pod ran out of time.
const KILLED: i32 = 137;

/// What is known of a pod beyond its object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// The address it has or would get.
    pub(crate) address: String,
    /// The address of its node.
    pub(crate) host: String,
    /// Whether it is on one of our nodes, and that node is not lost.
    pub(crate) tenancy: Tenancy,
    /// The node it would be bound to; `None` when nobody has looked for one.
    pub(crate) node: Option<Result<String, Unschedulable>>,
    /// When it was bound to the node.
    pub(crate) bound_at: Timestamp,
    /// When each of its containers was last launched, to the nanosecond.
    pub(crate) memory: BTreeMap<String, Memory>,
    /// What probes have found out so far, where they really ask.
    pub(crate) probed: BTreeMap<String, Health>,
    /// When it was told to go.
    pub(crate) leaving_since: Option<Timestamp>,
    /// How long containers take to start, unless ordered otherwise.
    pub(crate) start_delay: Duration,
    /// How long it takes until an image that is missing is known to be.
    pub(crate) pull_fails_after: Duration,
    /// How long containers take to stop, unless ordered otherwise.
    pub(crate) stop_delay: Duration,
    /// How long containers that end by themselves run, unless ordered otherwise.
    pub(crate) run_for: Duration,
    /// The demo application, if the first image is one.
    pub(crate) serves: Option<Behaviour>,
    /// Whether the application says that it wants requests.
    pub(crate) accepting: bool,
    /// Which pods' ends are reported before they are deleted.
    pub(crate) last_words: LastWords,
}

/// Whose business a bound pod is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tenancy {
    /// Ours.
    #[default]
    Ours,
    /// Another kubelet's, or one of ours that is lost.
    Theirs,
}

/// Which pods' ends are reported before they are deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LastWords {
    /// Those that somebody waits for: pods with finalizers, and pods of jobs.
    #[default]
    Awaited,
    /// All of them, as a kubelet does.
    Always,
}

/// One look at one pod.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) decision: Decision,
    /// What is to be remembered of its containers.
    pub(crate) memory: BTreeMap<String, Memory>,
    /// What containers wrote.
    pub(crate) said: Vec<(String, Vec<String>)>,
}

/// Decides for one pod.
pub(crate) fn decide(pod: &Pod, facts: &Facts, now: Timestamp) -> Step {
    let mut step = Step { memory: facts.memory.clone(), ..Step::default() };
    let bound = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    if bound.is_some_and(|_| facts.tenancy == Tenancy::Theirs) {
        // Another node's business.
    } else if pod.metadata.deletion_timestamp.is_some() {
        stopping::leave(pod, facts, now, &mut step);
    } else if has_ended(pod) {
        // Over.
    } else if bound.is_none() {
        scheduling::bind(pod, facts.node.as_ref(), now, &mut step.decision);
    } else {
        live(pod, facts, now, &mut step);
    }
    step
}

fn live(pod: &Pod, facts: &Facts, now: Timestamp, step: &mut Step) {
    let old = pod.status.clone().unwrap_or_default();
    let mut new = old.clone();
    let mut initialised = true;
    let statuses = match Orders::read(&pod.metadata) {
        Ok(orders) => {
            let given = (&orders, facts);
            let progress = init::advance(pod, given, &old, now);
            keep(pod, &progress.looks, step);
            initialised = progress.done;
            let looks = run_containers(pod, given, (&old, now), progress.done);
            keep(pod, &looks, step);
            let statuses = init::statuses(&looks);
            new.phase = Some(phase(pod, &statuses, progress.failed).to_owned());
            let init = init::statuses(&progress.looks);
            new.init_container_statuses = (!init.is_empty()).then_some(init);
            statuses
        }
        Err(misread) => {
            new.phase = Some("Pending".into());
            refuse(pod, &misread.to_string())
        }
    };
    new.container_statuses = Some(statuses);
    place(pod, facts, now, &mut new);
    expire(pod, facts, now, (&mut new, step));
    tell_changes(pod, &old, &new, &mut step.decision);
    conditions::set(pod, initialised, &mut new, now);
    step.decision.effects.extend(report(pod, &old, &new));
}

fn run_containers(
    pod: &Pod,
    (orders, facts): (&Orders, &Facts),
    (old, now): (&PodStatus, Timestamp),
    may_start: bool,
) -> Vec<Next> {
    let look = Look { pod, orders, facts, now, policy: Policy::of(pod) };
    let init = pod.spec.as_ref().is_some_and(|spec| spec.init_containers.is_some());
    let later = Turn::Later(if init { "PodInitializing" } else { "ContainerCreating" });
    let mut turn = if may_start { Turn::Now } else { later };
    let mut looks = Vec::new();
    for container in pod.spec.iter().flat_map(|spec| &spec.containers) {
        let mut before = old.container_statuses.iter().flatten();
        let before = before.find(|status| status.name == container.name);
        let next = look.next(container, before, turn);
        // Containers start one after the other, each with its post-start hook.
        if next.hooking {
            turn = later;
        }
        looks.push(next);
    }
    looks
}

/// Keeps what a look at containers brought, besides their statuses.
fn keep(pod: &Pod, looks: &[Next], step: &mut Step) {
    for next in looks {
        let name = &next.status.name;
        next.wake.into_iter().for_each(|at| step.decision.wake_at(at));
        step.memory.extend(next.memory.map(|memory| (name.clone(), memory)));
        if let Some(said) = &next.said {
            step.said.push((name.clone(), log_of(pod, name, said)));
        }
        for (reason, message) in &next.warnings {
            step.decision.warn(pod, reason, message.clone());
        }
    }
}

/// What a container writes when it starts: what it was ordered to, or what its program says.
fn log_of(pod: &Pod, container: &str, said: &[String]) -> Vec<String> {
    if let Some(ordered) = annotation(&pod.metadata, orders::LOG) {
        return ordered.lines().map(str::to_owned).collect();
    }
    let mut containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let own = containers.any(|c| c.name == container && c.command.is_none());
    if said.is_empty() && own { vec![greeting(pod)] } else { said.to_vec() }
}

fn greeting(pod: &Pod) -> String {
    match Behaviour::of_pod(pod) {
        Some(behaviour) => {
            format!("Started server on :{} (color {})", super::house::DEMO_PORT, behaviour.colour)
        }
        None => format!("{} started", crate::objects::name_of(&pod.metadata)),
    }
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

fn phase(pod: &Pod, statuses: &[ContainerStatus], init_failed: bool) -> &'static str {
    if init_failed {
        return "Failed";
    }
    let state = |status: &ContainerStatus| status.state.clone().unwrap_or_default();
    let ended: Vec<ContainerStateTerminated> =
        statuses.iter().filter_map(|status| state(status).terminated).collect();
    let always = Policy::of(pod) == Policy::Always;
    if !statuses.is_empty() && ended.len() == statuses.len() && !always {
        return if ended.iter().all(|end| end.exit_code == 0) { "Succeeded" } else { "Failed" };
    }
    let lived = |status: &ContainerStatus| {
        state(status).running.is_some()
            || containers::ended_before(status)
            || state(status).terminated.is_some()
    };
    if !statuses.is_empty() && statuses.iter().all(lived) { "Running" } else { "Pending" }
}

/// Whether any container has run.
pub(super) fn has_started(statuses: Option<&[ContainerStatus]>) -> bool {
    let left_waiting = |status: &ContainerStatus| {
        let state = status.state.as_ref();
        state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
    };
    statuses.is_some_and(|statuses| {
        statuses.iter().any(|status| left_waiting(status) || containers::ended_before(status))
    })
}

fn place(pod: &Pod, facts: &Facts, now: Timestamp, new: &mut PodStatus) {
    new.host_ip = Some(facts.host.clone());
    new.host_ips = Some(vec![HostIP { ip: facts.host.clone() }]);
    let started = has_started(new.container_statuses.as_deref())
        || has_started(new.init_container_statuses.as_deref());
    if started && new.pod_ip.is_none() {
        let network = pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true);
        let address = if network { &facts.host } else { &facts.address };
        new.pod_ip = Some(address.to_owned());
        new.pod_ips = Some(vec![PodIP { ip: address.to_owned() }]);
    }
    if new.start_time.is_none() {
        new.start_time = Some(Time(now));
    }
    new.qos_class = Some(quality::class(pod).to_owned());
    new.observed_generation = pod.metadata.generation;
}

/// A pod that has a deadline fails when it passes, whatever its containers do.
fn expire(pod: &Pod, facts: &Facts, now: Timestamp, (new, step): (&mut PodStatus, &mut Step)) {
    let deadline = pod.spec.as_ref().and_then(|spec| spec.active_deadline_seconds);
    let Some(deadline) = deadline else { return };
    let at = spans::after_seconds(facts.bound_at, deadline);
    if matches!(new.phase.as_deref(), Some("Succeeded" | "Failed")) {
        return;
    }
    if at > now {
        return step.decision.wake_at(at);
    }
    new.phase = Some("Failed".into());
    new.reason = Some("DeadlineExceeded".into());
    new.message = Some("Pod was active on the node longer than the specified deadline".into());
    for status in new.container_statuses.iter_mut().flatten() {
        let running = status.state.as_ref().and_then(|state| state.running.clone());
        status.ready = false;
        status.started = Some(false);
        if let Some(running) = running {
            let ended = ContainerStateTerminated {
                exit_code: KILLED,
                reason: Some("Error".into()),
                started_at: running.started_at,
                finished_at: stamp(now),
                ..ContainerStateTerminated::default()
            };
            status.state =
                Some(ContainerState { terminated: Some(ended), ..ContainerState::default() });
        }
    }
    step.memory.values_mut().for_each(|memory| memory.ended = Some(now));
}

/// The patch of `/status` from `old` to `new`; conditions of others are not touched, whatever happened
/// to them since `old` was read.
pub(super) fn report(pod: &Pod, old: &PodStatus, new: &PodStatus) -> Option<Effect> {
    let (before, after) = (wire(old), wire(new));
    let mut status = merge_patch_between(&before, &after)?;
    if let Some(conditions) = status.get_mut("conditions") {
        *conditions = changed(&before["conditions"], &after["conditions"]);
    }
    let body = json!({"metadata": {"uid": pod.metadata.uid}, "status": status});
    Some(Effect::Patch { target: reference(pod), part: Part::PodStatus, body })
}

fn changed(before: &Value, after: &Value) -> Value {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let before = list(before);
    let changes = list(after).into_iter().filter_map(|condition| {
        let old = before.iter().find(|old| old["type"] == condition["type"]);
        let none = Value::Object(Map::new());
        let mut change = merge_patch_between(old.unwrap_or(&none), &condition)?;
        change["type"] = condition["type"].clone();
        Some(change)
    });
    changes.collect()
}

/// Says what happened to containers, once each.
fn tell_changes(pod: &Pod, old: &PodStatus, new: &PodStatus, decision: &mut Decision) {
    let all = |status: &PodStatus| -> Vec<ContainerStatus> {
        let init = status.init_container_statuses.iter().flatten();
        init.chain(status.container_statuses.iter().flatten()).cloned().collect()
    };
    let old = all(old);
    let running = |status: &ContainerStatus| {
        status.state.as_ref().is_some_and(|state| state.running.is_some())
    };
    let waits = |status: &ContainerStatus| {
        let waiting = status.state.as_ref().and_then(|state| state.waiting.clone());
        waiting.map(|waiting| {
            (waiting.reason.unwrap_or_default(), waiting.message.unwrap_or_default())
        })
    };
    for status in all(new) {
        let before = old.iter().find(|old| old.name == status.name);
        let started = |before: &ContainerStatus| {
            running(before) && before.restart_count == status.restart_count
        };
        if running(&status) && !before.is_some_and(started) {
            decision.tell(pod, "Started", format!("Started container {}", status.name));
        }
        let Some((reason, message)) =
            waits(&status).filter(|now| before.and_then(waits).as_ref() != Some(now))
        else {
            continue;
        };
        match reason.as_str() {
            "CrashLoopBackOff" | "ImagePullBackOff" => decision.warn(pod, "BackOff", message),
            "ErrImagePull" | "CreateContainerConfigError" => decision.warn(pod, "Failed", message),
            "RunContainerError" => decision.warn(pod, "Failed", format!("Error: {message}")),
            "InvalidImageName" => decision.warn(pod, "InspectFailed", message),
            _ => {}
        }
    }
}

/// The variables that a pod's containers are given by value.
pub(super) fn environment(pod: &Pod) -> Variables {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let variables = containers.flat_map(|container: &Container| container.env.iter().flatten());
    variables
        .filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        build::{self, second},
        effect::Grace,
    };

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
        let decision = decide(pod, &facts(), second(at)).decision;
        let body = decision.effects.iter().find_map(|effect| match effect {
            Effect::Patch { part: Part::PodStatus, body, .. } => Some(body["status"].clone()),
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
        assert_eq!(decide(&pod, &facts(), second(60)).decision, Decision::default());
    }

    #[test]
    fn an_empty_last_state_of_a_server_is_none() {
        let mut pod = pod(&[("ringfence.dev/start-delay", "5s")]);
        let mut before = status(&pod, 0).0;
        let containers = before.container_statuses.as_mut().unwrap();
        containers[0].last_state = Some(ContainerState::default());
        pod.status = Some(before);
        assert_eq!(status(&pod, 5).0.phase.as_deref(), Some("Running"));
        pod.status.as_mut().unwrap().start_time = None;
        assert_eq!(status(&pod, 1).0.phase, None, "it is pending, as before");
    }

    #[test]
    fn a_pod_that_never_ran_goes_at_once() {
        let mut pod = pod(&[]);
        pod.metadata.deletion_timestamp = Some(Time(second(30)));
        let decision = decide(&pod, &facts(), second(0)).decision;
        assert!(matches!(decision.effects[..], [Effect::Delete { grace: Grace::None, .. }]));
    }
}
