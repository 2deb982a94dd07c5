//! Invariants of a release that is taken back.

use super::{
    Invariant,
    routing::steered_by,
    sight::{HASH, rollouts, text},
};
use crate::{history::Step, picture::Picture};

/// I5: once a release is aborted its share of the traffic only falls, until somebody begins anew.
pub(super) struct AbortedOnlyFalls;

impl Invariant for AbortedOnlyFalls {
    fn name(&self) -> &'static str {
        "I5"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        let (Some(was), Some(now), Some(_)) = (before.before(step), step.after(), &step.by) else {
            return Vec::new();
        };
        match step.resource.as_str() {
            "httproutes" | "ingresses" => {
                let aborted = steered_by(before, step)
                    .filter(|sight| sight.rollout["status"]["abort"] == true);
                let risen = aborted.filter_map(|sight| {
                    let share = |route| sight.share_in(route, sight.canary_service()).unwrap_or(0);
                    let (from, to) = (share(was), share(now));
                    (to > from).then(|| {
                        format!("the canary's share rises from {from} to {to} after an abort")
                    })
                });
                risen.collect()
            }
            "services" => {
                let selector = format!("/spec/selector/{HASH}");
                let (from, to) = (text(was, &selector), text(now, &selector));
                let name = step.object.name();
                let aborted = rollouts(before, step.object.namespace()).filter(|sight| {
                    let stable = text(sight.rollout, "/status/stableRS");
                    let is_active =
                        sight.active_service() == name && sight.rollout["status"]["abort"] == true;
                    is_active && from != to && !stable.is_empty() && to != stable
                });
                aborted.map(|_| format!("{name} is switched to {to} after an abort")).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tale, blue_green, routed, service};
    use serde_json::{Value, json};

    fn route(stable: i64) -> Value {
        json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {"rules": [{"backendRefs": [
            {"name": "web-stable", "weight": stable}, {"name": "web-canary", "weight": 100 - stable},
        ]}]}})
    }

    fn aborted(mut rollout: Value) -> Value {
        rollout["status"]["abort"] = true.into();
        rollout["status"]["stableRS"] = "old".into();
        rollout
    }

    #[test]
    fn traffic_back_to_an_aborted_canary_is_found() {
        let tale = Tale::of(aborted(routed(5)))
            .others("httproutes", route(80))
            .ours("httproutes", route(100));
        assert_eq!(tale.breaches(), [""; 0]);
        let flaps = tale.ours("httproutes", route(80));
        assert_eq!(flaps.breaches(), ["I5: the canary's share rises from 0 to 20 after an abort"]);
    }

    #[test]
    fn a_switch_forward_after_an_abort_is_found() {
        let tale =
            Tale::of(aborted(blue_green(3))).others("services", service("web-active", "old"));
        let tale = tale.ours("services", service("web-active", "new"));
        assert_eq!(tale.breaches(), ["I5: web-active is switched to new after an abort"]);
    }
}
