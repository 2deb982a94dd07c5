//! The end of a pod: hooks, the signal, the last word on its containers, and the delete.

use super::{
    containers::{Policy, stop_takes},
    init,
    lifecycle::{Facts, LastWords, Step, report},
    orders::Orders,
    program::{self, Manners, Restarts},
};
use crate::{
    effect::{Effect, Grace},
    objects::{has_ended, reference, stamp},
    spans,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerState, ContainerStateTerminated, Pod};
use std::collections::BTreeMap;

/// The code of a container that was killed because it did not stop.
const KILLED: i32 = 137;

/// When a container stops, and with which code.
type Stop = (Timestamp, i32);

/// Brings a pod that was told to go nearer to its end.
pub(super) fn leave(pod: &Pod, facts: &Facts, now: Timestamp, step: &mut Step) {
    let stops = stops(pod, facts, now);
    if let Some(last) = stops.values().map(|(at, _)| *at).max().filter(|at| *at > now) {
        if facts.leaving_since == Some(now) {
            for name in stops.keys() {
                step.decision.tell(pod, "Killing", format!("Stopping container {name}"));
            }
        }
        return step.decision.wake_at(last);
    }
    let held = pod.metadata.finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty());
    let gone = pod.metadata.deletion_grace_period_seconds == Some(0) && held;
    let speaks = held || facts.last_words == LastWords::Always || Policy::of(pod) != Policy::Always;
    let ran = pod.status.as_ref().is_some_and(|status| status.container_statuses.is_some());
    if speaks && ran && !has_ended(pod) {
        last_words(pod, &stops, now, step);
    } else if gone {
        // Whoever set the finalizers knows already.
        return;
    }
    for name in stops.keys() {
        if let Some(memory) = step.memory.get_mut(name) {
            memory.ended = Some(now);
        }
    }
    let uid = pod.metadata.uid.clone();
    step.decision.push(Effect::Delete { target: reference(pod), uid, grace: Grace::None });
}

/// When each container that runs stops: of itself, or as it was asked to.
fn stops(pod: &Pod, facts: &Facts, now: Timestamp) -> BTreeMap<String, Stop> {
    let spec = pod.spec.iter();
    let all = spec.flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    let alive = all.filter(|container| {
        let memory = facts.memory.get(&container.name);
        memory.map_or_else(|| shows_running(pod, container), |memory| memory.ended.is_none())
    });
    alive.map(|container| (container.name.clone(), stop(pod, container, facts, now))).collect()
}

fn stop(pod: &Pod, container: &Container, facts: &Facts, now: Timestamp) -> Stop {
    let orders = Orders::read(&pod.metadata).unwrap_or_default();
    let always = Policy::of(pod) == Policy::Always || init::stays(container);
    let restarts = if always { Restarts::Always } else { Restarts::NotAlways };
    let program = program::of(container, &orders, facts, restarts).ok();
    let manners = program.as_ref().map_or(Manners::Heeds, |program| program.manners);
    let takes = stop_takes(pod, container, (&orders, facts), manners);
    let asked = spans::after(facts.leaving_since.unwrap_or(now), takes);
    let code = if manners == Manners::Heeds { 0 } else { KILLED };
    let launched = facts.memory.get(&container.name).map(|memory| memory.launched);
    let own = program.and_then(|program| program.end).zip(launched);
    let own = own.map(|((after, code), launched)| (spans::after(launched, after), code));
    own.filter(|(at, _)| *at < asked).unwrap_or((asked, code))
}

fn shows_running(pod: &Pod, container: &Container) -> bool {
    let Some(status) = &pod.status else { return false };
    let init = status.init_container_statuses.iter().flatten();
    let mut all = init.chain(status.container_statuses.iter().flatten());
    all.any(|status| {
        status.name == container.name
            && status.state.as_ref().is_some_and(|state| state.running.is_some())
    })
}

/// Reports every container as ended, and with them the pod.
fn last_words(pod: &Pod, stops: &BTreeMap<String, Stop>, now: Timestamp, step: &mut Step) {
    let old = pod.status.clone().unwrap_or_default();
    let mut new = old.clone();
    let mut failed = false;
    for status in new.container_statuses.iter_mut().flatten() {
        let before = status.state.clone().unwrap_or_default();
        if let Some(ended) = before.terminated {
            failed |= ended.exit_code != 0;
            continue;
        }
        let code = stops.get(&status.name).map_or(KILLED, |(_, code)| *code);
        failed |= code != 0;
        let ended = ContainerStateTerminated {
            exit_code: code,
            reason: Some(if code == 0 { "Completed" } else { "Error" }.into()),
            started_at: before.running.and_then(|running| running.started_at),
            finished_at: stamp(now),
            container_id: status.container_id.clone(),
            ..ContainerStateTerminated::default()
        };
        status.state =
            Some(ContainerState { terminated: Some(ended), ..ContainerState::default() });
        status.ready = false;
        status.started = Some(false);
    }
    new.phase = Some(if failed { "Failed" } else { "Succeeded" }.into());
    super::conditions::set(pod, true, &mut new, now);
    step.decision.effects.extend(report(pod, &old, &new));
}
