//! Invariants of weights.

use super::{
    Invariant,
    sight::{Endpoints, Sight, rollouts, share_of_canary},
};
use crate::{history::Step, picture::Picture};
use serde_json::Value;

/// I3: the weights of a route lie between nothing and everything and add up to everything.
pub(super) struct WeightsAddUp;

impl Invariant for WeightsAddUp {
    fn name(&self) -> &'static str {
        "I3"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        if step.resource == "ingresses" && step.by.is_some() {
            let share = step.after().map_or(0, share_of_canary);
            let is_sound = (0..=100).contains(&share);
            return (!is_sound).then(|| format!("weight {share} of 100")).into_iter().collect();
        }
        if step.resource != "httproutes" || step.by.is_none() {
            return Vec::new();
        }
        let max = steered_by(before, step).map(Sight::max_weight).max().unwrap_or(100);
        let rules = step.after().and_then(|route| route["spec"]["rules"].as_array());
        rules.into_iter().flatten().filter_map(|rule| unsound(rule, max)).collect()
    }
}

fn unsound(rule: &Value, max: i64) -> Option<String> {
    let backends = rule["backendRefs"].as_array().into_iter().flatten();
    let weights: Vec<i64> =
        backends.map(|backend| backend["weight"].as_i64().unwrap_or(1)).collect();
    let is_sound = weights.iter().sum::<i64>() == max && weights.iter().all(|weight| *weight >= 0);
    (weights.len() > 1 && !is_sound).then(|| format!("weights {weights:?} of {max}"))
}

/// I2: a service gets more traffic only when it has had the pods for it, at least lately.
///
/// A canary whose size is said apart from its weight needs one.
#[derive(Default)]
pub(super) struct TrafficNeedsPods {
    endpoints: Endpoints,
}

impl Invariant for TrafficNeedsPods {
    fn name(&self) -> &'static str {
        "I2"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        self.endpoints.note(step);
        let (Some(route), Some(_)) = (step.after(), &step.by) else { return Vec::new() };
        let mut found = Vec::new();
        for sight in steered_by(before, step) {
            for service in [sight.stable_service(), sight.canary_service()] {
                found.extend(self.overloaded(sight, service, (before, step, route)));
            }
        }
        found
    }
}

impl TrafficNeedsPods {
    fn overloaded(
        &self,
        sight: Sight<'_>,
        service: &str,
        (before, step, route): (&Picture, &Step, &Value),
    ) -> Option<String> {
        let was = before.before(step).and_then(|route| sight.share_in(route, service)).unwrap_or(0);
        let share = sight.share_in(route, service)?;
        let namespace = sight.namespace();
        let other = if service == sight.canary_service() {
            sight.stable_service()
        } else {
            sight.canary_service()
        };
        // Taking traffic from pods that are not there harms nobody: so begins every first deployment.
        let harms = self.endpoints.before(namespace, other, step.at) > 0;
        if share <= was || sight.replicas() == 0 || !harms {
            return None;
        }
        let is_canary = service == sight.canary_service();
        let whole = sight.replicas() * share / 100;
        let needed = if is_canary && !sight.sizes_canary_apart() {
            sight.enough_of(whole).max(1)
        } else {
            1
        };
        let ready = self.endpoints.lately(namespace, service, step.at);
        (ready < needed).then(|| {
            format!(
                "{service} gets {share} instead of {was} and has {ready} pods of {needed} it needs"
            )
        })
    }
}

/// The rollouts that steer the route or Ingress of a step.
pub(super) fn steered_by<'a>(
    picture: &'a Picture,
    step: &'a Step,
) -> impl Iterator<Item = Sight<'a>> {
    rollouts(picture, step.object.namespace()).filter(move |sight| sight.steers(step))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tale, routed};
    use super::*;
    use serde_json::json;

    fn route(stable: i64, canary: i64) -> Value {
        json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {"rules": [{"backendRefs": [
            {"name": "web-stable", "weight": stable}, {"name": "web-canary", "weight": canary},
        ]}]}})
    }

    fn slice(service: &str, ready: usize) -> Value {
        let endpoint = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": true}});
        json!({
            "metadata": {"name": service, "namespace": "default",
                "labels": {"kubernetes.io/service-name": service}},
            "endpoints": vec![endpoint; ready],
        })
    }

    #[track_caller]
    fn check(tale: &Tale, breaches: &[&str]) {
        assert_eq!(tale.breaches(), breaches);
    }

    #[test]
    fn weights_that_do_not_add_up_are_found() {
        let tale = Tale::of(routed(5)).others("httproutes", route(100, 0));
        check(
            &tale.clone().ours("httproutes", route(110, -10)),
            &["I3: weights [110, -10] of 100"],
        );
        check(&tale.ours("httproutes", route(90, 20)), &["I3: weights [90, 20] of 100"]);
    }

    #[test]
    fn weight_before_pods_is_found() {
        let tale = Tale::of(routed(5)).others("httproutes", route(100, 0));
        let tale = tale.others("endpointslices", slice("web-stable", 5)).after(1);
        let early = tale.clone().ours("httproutes", route(80, 20));
        check(&early, &["I2: web-canary gets 20 instead of 0 and has 0 pods of 1 it needs"]);
        let ready = tale.others("endpointslices", slice("web-canary", 1));
        check(&ready.clone().ours("httproutes", route(80, 20)), &[]);
        let few = ready.ours("httproutes", route(20, 80));
        check(&few, &["I2: web-canary gets 80 instead of 0 and has 1 pods of 4 it needs"]);
    }

    #[test]
    fn weight_before_pods_is_found_behind_nginx_too() {
        let weighted = |weight: i64| {
            let key = "nginx.ingress.kubernetes.io/canary-weight";
            let metadata = json!({"name": "web-web-canary", "namespace": "default",
                "annotations": {key: weight.to_string()}});
            json!({ "metadata": metadata })
        };
        let mut rollout = routed(5);
        let routing = json!({"nginx": {"stableIngress": "web"}});
        rollout["spec"]["strategy"]["canary"]["trafficRouting"] = routing;
        let tale = Tale::of(rollout).others("endpointslices", slice("web-stable", 5)).after(1);
        let tale = tale.ours("ingresses", weighted(0));
        check(&tale, &[]);
        let early = tale.clone().ours("ingresses", weighted(20));
        check(&early, &["I2: web-canary gets 20 instead of 0 and has 0 pods of 1 it needs"]);
        let ready = tale.others("endpointslices", slice("web-canary", 1));
        check(&ready.ours("ingresses", weighted(20)), &[]);
    }

    #[test]
    fn what_others_write_is_their_affair() {
        check(&Tale::of(routed(5)).others("httproutes", route(90, 20)), &[]);
    }
}
