//! Invariants of the rules that a rollout puts into a route for a while.

use super::{
    Invariant,
    routing::steered_by,
    sight::{Endpoints, Sight, Whose, rollouts, text},
};
use crate::{history::Step, picture::Picture};

/// I2: a managed rule comes only while the canary's service has had a pod, at least lately.
#[derive(Default)]
pub(super) struct RulesReachPods {
    endpoints: Endpoints,
}

impl Invariant for RulesReachPods {
    fn name(&self) -> &'static str {
        "I2"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        self.endpoints.note(step);
        let steered = steered_by(before, step).filter(|sight| {
            let service = sight.canary_service();
            self.endpoints.lately(sight.namespace(), service, step.at) == 0
        });
        let told = |sight: Sight<'_>| {
            let new = new_rules(sight, before, step)?;
            Some(format!("{new} leads to {}, which has no pods", sight.canary_service()))
        };
        steered.filter_map(told).collect()
    }
}

/// I5: no managed rule comes after an abort, and none is left once a release is over.
pub(super) struct RulesEnd;

impl Invariant for RulesEnd {
    fn name(&self) -> &'static str {
        "I5"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        let aborted =
            steered_by(before, step).filter(|sight| sight.rollout["status"]["abort"] == true);
        let new = aborted.filter_map(|sight| new_rules(sight, before, step));
        new.map(|new| format!("{new} comes after an abort")).collect()
    }

    fn end(&mut self, picture: &Picture) -> Vec<String> {
        let mut found = Vec::new();
        for rollout in picture.all("rollouts") {
            let namespace = text(rollout, "/metadata/namespace");
            let name = text(rollout, "/metadata/name");
            for sight in rollouts(picture, namespace).filter(|sight| sight.name() == name) {
                let left = sight.managed();
                if is_over(sight) && !left.is_empty() {
                    found.push(format!("{left:?} of {name} is left and the release is over"));
                }
            }
        }
        found
    }
}

/// The first managed rule that one of us puts into a route.
fn new_rules(sight: Sight<'_>, before: &Picture, step: &Step) -> Option<String> {
    let (after, Some(_)) = (step.after()?, &step.by) else { return None };
    let had = before.before(step).map(|route| sight.managed_in(route)).unwrap_or_default();
    let rules = sight.rules(after).filter(|(whose, _)| *whose == Whose::Managed);
    let mut names = rules.map(|(_, rule)| text(rule, "/name"));
    names.find(|name| !had.contains(name)).map(str::to_owned)
}

/// Whether a release was taken back or is through, and the controller has seen it.
fn is_over(sight: Sight<'_>) -> bool {
    let status = &sight.rollout["status"];
    let stable = text(status, "/stableRS");
    let through = !stable.is_empty() && stable == text(status, "/currentPodHash");
    let phase = text(status, "/phase");
    (through && phase == "Healthy") || (status["abort"] == true && phase == "Degraded")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tale, routed};
    use serde_json::{Value, json};

    fn rollout() -> Value {
        let mut rollout = routed(5);
        rollout["spec"]["strategy"]["canary"]["trafficRouting"]["managedRoutes"] =
            json!([{"name": "testers"}]);
        rollout
    }

    fn route(names: &[&str]) -> Value {
        let header = |name: &&str| json!({"name": name, "backendRefs": [{"name": "web-canary"}]});
        let mut rules: Vec<Value> = names.iter().map(header).collect();
        rules.push(json!({"backendRefs": [
            {"name": "web-stable", "weight": 100}, {"name": "web-canary", "weight": 0}]}));
        json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {"rules": rules}})
    }

    fn slice(ready: usize) -> Value {
        let endpoint = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": true}});
        json!({
            "metadata": {"name": "web-canary", "namespace": "default",
                "labels": {"kubernetes.io/service-name": "web-canary"}},
            "endpoints": vec![endpoint; ready],
        })
    }

    #[test]
    fn a_rule_that_leads_to_nobody_is_found() {
        let tale = Tale::of(rollout()).others("httproutes", route(&[]));
        let sound = tale.clone().others("endpointslices", slice(1));
        let sound = sound.after(1).ours("httproutes", route(&["testers"]));
        assert_eq!(sound.breaches(), [""; 0]);
        let nobody = tale.ours("httproutes", route(&["testers"]));
        assert_eq!(nobody.breaches(), ["I2: testers leads to web-canary, which has no pods"]);
    }

    #[test]
    fn a_rule_that_comes_after_an_abort_or_stays_is_found() {
        let mut aborted = rollout();
        aborted["status"]["abort"] = true.into();
        aborted["status"]["phase"] = "Degraded".into();
        let tale = Tale::of(rollout())
            .others("httproutes", route(&[]))
            .others("endpointslices", slice(1))
            .after(1);
        let late = tale.clone().others("rollouts", aborted.clone());
        let late = late.ours("httproutes", route(&["testers"]));
        assert_eq!(
            late.ours("httproutes", route(&[])).breaches(),
            ["I5: testers comes after an abort"]
        );
        let stays = tale.ours("httproutes", route(&["testers"])).others("rollouts", aborted);
        assert_eq!(stays.breaches(), ["I5: {\"testers\"} of web is left and the release is over"]);
    }
}
