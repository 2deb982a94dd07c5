//! Invariants of pods that serve, and of the switches that lead to them.

use super::{
    Invariant,
    sight::{HASH, Sight, number, rollouts, text},
};
use crate::{history::Step, picture::Picture};
use serde_json::Value;

/// I1: no ReplicaSet is scaled below what the traffic that still leads to it needs.
pub(super) struct ServingPodsStay;

impl Invariant for ServingPodsStay {
    fn name(&self) -> &'static str {
        "I1"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        let (Some(was), Some(_), "replicasets") =
            (before.before(step), &step.by, step.resource.as_str())
        else {
            return Vec::new();
        };
        let (from, to) = (
            number(was, "/spec/replicas"),
            step.after().map_or(0, |set| number(set, "/spec/replicas")),
        );
        if to >= from {
            return Vec::new();
        }
        let owners = rollouts(before, step.object.namespace()).filter(|sight| sight.owns(was));
        let told = owners.filter_map(|sight| {
            let needed = needed(sight, was);
            let name = step.object.name();
            (to < needed.min(from))
                .then(|| format!("{name} shrinks from {from} to {to} and serves with {needed}"))
        });
        told.collect()
    }
}

/// The pods of a ReplicaSet that the traffic in force needs.
fn needed(sight: Sight<'_>, set: &Value) -> i64 {
    let hash = text(set, &format!("/metadata/labels/{HASH}"));
    let selects = |service: &str| !service.is_empty() && sight.selected(service) == hash;
    if selects(sight.active_service()) {
        return sight.replicas();
    }
    if !sight.is_routed() {
        return 0;
    }
    let mut needed = 0;
    for service in [sight.stable_service(), sight.canary_service()] {
        let share = sight.share(service);
        let is_canary = service == sight.canary_service();
        let is_led_to = share > 0 || (is_canary && !sight.managed().is_empty());
        if !selects(service) || !is_led_to {
            continue;
        }
        let whole = (sight.replicas() * share / 100).max(1).min(sight.replicas());
        needed += if is_canary && sight.sizes_canary_apart() { 1 } else { whole };
    }
    needed
}

/// I1 without a router: the pods themselves are the split, and enough of them stay available.
pub(super) struct EnoughPodsStay;

impl Invariant for EnoughPodsStay {
    fn name(&self) -> &'static str {
        "I1"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        let (Some(was), Some(_), "replicasets") =
            (before.before(step), &step.by, step.resource.as_str())
        else {
            return Vec::new();
        };
        let to = step.after().map_or(0, |set| number(set, "/spec/replicas"));
        let owners = rollouts(before, step.object.namespace()).filter(|sight| sight.owns(was));
        let split = owners.filter(|sight| !sight.is_routed() && sight.active_service().is_empty());
        split.filter_map(|sight| too_few(sight, (was, to))).collect()
    }
}

fn too_few(sight: Sight<'_>, (set, to): (&Value, i64)) -> Option<String> {
    let usable =
        |set: &Value| number(set, "/status/availableReplicas").min(number(set, "/spec/replicas"));
    let all: i64 = sight.sets().map(usable).sum();
    let lost = (usable(set) - to).max(0);
    let least = sight.replicas() - max_unavailable(sight);
    let left = all - lost;
    (lost > 0 && left < all.min(least))
        .then(|| format!("{all} pods are available, {left} stay and {least} are needed"))
}

/// The pods that may be missing, rounded up, so that roundings never matter here.
fn max_unavailable(sight: Sight<'_>) -> i64 {
    let canary = &sight.strategy()["canary"];
    let of = |field: &str, otherwise: &str| {
        let said = &canary[field];
        let text = said.as_str().unwrap_or(otherwise);
        let percent = text.trim_end_matches('%').parse::<i64>().unwrap_or(0);
        said.as_i64().unwrap_or_else(|| (sight.replicas() * percent + 99) / 100)
    };
    of("maxUnavailable", "25%").max(i64::from(of("maxSurge", "25%") == 0))
}

/// I4: a service that users reach is pointed only at a version whose pods can take its users.
pub(super) struct SwitchesReachPods;

impl Invariant for SwitchesReachPods {
    fn name(&self) -> &'static str {
        "I4"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        let (Some(was), Some(now), Some(_)) = (before.before(step), step.after(), &step.by) else {
            return Vec::new();
        };
        let selector = format!("/spec/selector/{HASH}");
        let (from, to) = (text(was, &selector), text(now, &selector));
        if step.resource != "services" || from == to || to.is_empty() {
            return Vec::new();
        }
        let name = step.object.name();
        let owners = rollouts(before, step.object.namespace());
        owners.filter_map(|sight| misled(sight, name, (from, to))).collect()
    }
}

fn misled(sight: Sight<'_>, service: &str, (from, to): (&str, &str)) -> Option<String> {
    let of = |hash: &str| {
        let set = sight.sets().find(|set| text(set, &format!("/metadata/labels/{HASH}")) == hash);
        set.map_or(0, |set| number(set, "/status/availableReplicas"))
    };
    let everybody: i64 = sight.sets().map(|set| number(set, "/status/availableReplicas")).sum();
    // A service that is taken over led to every pod.
    let (had, has) = (if from.is_empty() { everybody } else { of(from) }, of(to));
    let needed = if service == sight.active_service() {
        sight.replicas() - sight.replicas() / 2
    } else if [sight.stable_service(), sight.canary_service()].contains(&service) {
        (sight.replicas() * sight.share(service) / 100).min(1)
    } else {
        return None;
    };
    (has < needed.min(had))
        .then(|| format!("{service} leads from {from} with {had} pods to {to} with {has}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tale, basic, blue_green, routed, service, set};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(tale: &Tale, breaches: &[&str]) {
        assert_eq!(tale.breaches(), breaches);
    }

    fn route(stable: i64) -> Value {
        json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {"rules": [{"backendRefs": [
            {"name": "web-stable", "weight": stable}, {"name": "web-canary", "weight": 100 - stable},
        ]}]}})
    }

    #[test]
    fn pods_that_serve_may_not_go() {
        let tale = Tale::of(routed(5)).others("replicasets", set("old", 5, 5));
        let tale = tale.others("services", service("web-stable", "old"));
        let loaded = tale.clone().others("httproutes", route(80));
        let breach = "I1: web-old shrinks from 5 to 0 and serves with 4";
        check(&loaded.clone().ours("replicasets", set("old", 0, 5)), &[breach]);
        check(&loaded.ours("replicasets", set("old", 4, 5)), &[]);
        let idle = tale.others("httproutes", route(0));
        check(&idle.ours("replicasets", set("old", 0, 5)), &[]);
    }

    #[test]
    fn the_active_version_keeps_all_its_pods() {
        let tale = Tale::of(blue_green(3)).others("replicasets", set("old", 3, 3));
        let tale = tale.others("services", service("web-active", "old"));
        let breach = "I1: web-old shrinks from 3 to 2 and serves with 3";
        check(&tale.ours("replicasets", set("old", 2, 3)), &[breach]);
    }

    #[test]
    fn a_split_by_pods_keeps_enough_of_them() {
        let tale = Tale::of(basic(4)).others("replicasets", set("old", 4, 4));
        check(&tale.clone().ours("replicasets", set("old", 3, 4)), &[]);
        let breach = "I1: 4 pods are available, 1 stay and 3 are needed";
        check(&tale.ours("replicasets", set("old", 1, 4)), &[breach]);
    }

    #[test]
    fn a_switch_to_pods_that_are_not_there_is_found() {
        let tale = Tale::of(blue_green(3)).others("replicasets", set("old", 3, 3));
        let tale = tale.others("replicasets", set("new", 3, 0));
        let tale = tale.others("services", service("web-active", "old"));
        let breach = "I4: web-active leads from old with 3 pods to new with 0";
        check(&tale.clone().ours("services", service("web-active", "new")), &[breach]);
        let tale = tale.others("replicasets", set("new", 3, 3));
        check(&tale.ours("services", service("web-active", "new")), &[]);
    }
}
