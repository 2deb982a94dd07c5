//! Gateway API objects: accepted and programmed, because the embedded gateway serves all of them.

use crate::effect::{Decision, Effect, Part, merge_patch};
use jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::{Value, json};
use vocab::ObjectRef;

/// The controller name that the embedded gateway answers to.
pub(crate) const CONTROLLER: &str = "ringfence.dev/gateway";

/// Decides the status of one GatewayClass, Gateway or HTTPRoute.
pub(crate) fn decide(object: &DynamicObject, now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    let Some(types) = &object.types else { return decision };
    let old = object.data.get("status").cloned().unwrap_or_else(|| json!({}));
    let generation = object.metadata.generation.unwrap_or(0);
    let condition = |kind: &str, reason: &str| Condition {
        kind: kind.into(),
        reason: reason.into(),
        generation,
    };
    let new = match types.kind.as_str() {
        "GatewayClass" => json!({"conditions": [condition("Accepted", "Accepted").at(&old, now)]}),
        "Gateway" => gateway(object, &old, &condition, now),
        _ => route(object, &old, &condition, now),
    };
    if let Some(status) = merge_patch(&old, &new) {
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let target = ObjectRef::new(&types.api_version, &types.kind, namespace, name);
        decision.push(Effect::Patch {
            target,
            part: Part::Status,
            body: json!({ "status": status }),
        });
    }
    decision
}

/// A condition that holds.
struct Condition {
    kind: String,
    reason: String,
    generation: i64,
}

impl Condition {
    /// The condition as JSON; it keeps its time when it held in `old` already.
    fn at(&self, old: &Value, now: Timestamp) -> Value {
        let before = old["conditions"].as_array().into_iter().flatten();
        let since =
            before.clone().find(|c| c["type"] == self.kind.as_str() && c["status"] == "True");
        let since = since.and_then(|c| c["lastTransitionTime"].as_str().map(str::to_owned));
        json!({
            "type": self.kind,
            "status": "True",
            "reason": self.reason,
            "message": "",
            "observedGeneration": self.generation,
            "lastTransitionTime": since.unwrap_or_else(|| now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        })
    }
}

fn gateway(
    object: &DynamicObject,
    old: &Value,
    condition: &dyn Fn(&str, &str) -> Condition,
    now: Timestamp,
) -> Value {
    let listeners = object.data["spec"]["listeners"].as_array().into_iter().flatten();
    let listeners: Vec<Value> = listeners
        .enumerate()
        .map(|(place, listener)| {
            let before = &old["listeners"][place];
            json!({
                "name": listener["name"],
                "attachedRoutes": 0,
                "supportedKinds": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}],
                "conditions": [
                    condition("Accepted", "Accepted").at(before, now),
                    condition("Programmed", "Programmed").at(before, now),
                    condition("ResolvedRefs", "ResolvedRefs").at(before, now),
                ],
            })
        })
        .collect();
    json!({
        "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
        "conditions": [
            condition("Accepted", "Accepted").at(old, now),
            condition("Programmed", "Programmed").at(old, now),
        ],
        "listeners": listeners,
    })
}

fn route(
    object: &DynamicObject,
    old: &Value,
    condition: &dyn Fn(&str, &str) -> Condition,
    now: Timestamp,
) -> Value {
    let parents = object.data["spec"]["parentRefs"].as_array().into_iter().flatten();
    let parents: Vec<Value> = parents
        .enumerate()
        .map(|(place, parent)| {
            let before = &old["parents"][place];
            json!({
                "parentRef": parent,
                "controllerName": CONTROLLER,
                "conditions": [
                    condition("Accepted", "Accepted").at(before, now),
                    condition("ResolvedRefs", "ResolvedRefs").at(before, now),
                ],
            })
        })
        .collect();
    json!({ "parents": parents })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::second;

    #[test]
    fn a_route_is_accepted_once_and_then_left_alone() {
        let mut route: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "web", "namespace": "default", "generation": 1},
            "spec": {"parentRefs": [{"name": "gw"}]},
        }))
        .unwrap();
        let first = decide(&route, second(0));
        let Some(Effect::Patch { body, .. }) = first.effects.first() else { panic!("no status") };
        assert_eq!(body["status"]["parents"][0]["conditions"][0]["type"], "Accepted");
        route.data["status"] = body["status"].clone();
        assert_eq!(decide(&route, second(99)), Decision::default());
    }
}
