//! Gateway API objects: accepted and programmed, because the embedded gateway serves all of them.

use crate::effect::{Decision, Effect, Part};
use jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::{Value, json};
use vocab::{ObjectRef, merge_patch_between};

/// The controller name that the embedded gateway answers to.
pub(crate) const CONTROLLER: &str = "ringfence.dev/gateway";

/// The names of the Gateways that a route attaches itself to.
pub(crate) fn parents(route: &DynamicObject) -> impl Iterator<Item = &str> {
    references(route).filter_map(|parent| parent["name"].as_str())
}

/// Decides the status of one GatewayClass, Gateway or HTTPRoute; `neighbours` are what may be attached.
pub(crate) fn decide(
    object: &DynamicObject,
    neighbours: &[&DynamicObject],
    now: Timestamp,
) -> Decision {
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
        "Gateway" => gateway((object, neighbours), &old, &condition, now),
        _ => route(object, &old, &condition, now),
    };
    if let Some(status) = merge_patch_between(&old, &new) {
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
    (object, neighbours): (&DynamicObject, &[&DynamicObject]),
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
                "attachedRoutes": attached(object, listener, neighbours),
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

/// How many routes attach themselves to this listener, or to all of its Gateway's.
fn attached(gateway: &DynamicObject, listener: &Value, neighbours: &[&DynamicObject]) -> usize {
    let name = gateway.metadata.name.as_deref();
    let names_it = |parent: &Value| {
        parent["name"].as_str() == name
            && (parent["sectionName"].is_null() || parent["sectionName"] == listener["name"])
    };
    let is_route = |object: &DynamicObject| {
        object.types.as_ref().is_some_and(|types| types.kind == "HTTPRoute")
    };
    let attaches = |object: &&&DynamicObject| is_route(object) && references(object).any(names_it);
    neighbours.iter().filter(attaches).count()
}

fn references(route: &DynamicObject) -> impl Iterator<Item = &Value> {
    route.data["spec"]["parentRefs"].as_array().into_iter().flatten()
}

fn route(
    object: &DynamicObject,
    old: &Value,
    condition: &dyn Fn(&str, &str) -> Condition,
    now: Timestamp,
) -> Value {
    let parents: Vec<Value> = references(object)
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
        let first = decide(&route, &[], second(0));
        let Some(Effect::Patch { body, .. }) = first.effects.first() else { panic!("no status") };
        assert_eq!(body["status"]["parents"][0]["conditions"][0]["type"], "Accepted");
        route.data["status"] = body["status"].clone();
        assert_eq!(decide(&route, &[], second(99)), Decision::default());
    }

    #[test]
    fn a_listener_counts_the_routes_that_name_it() {
        let object = |kind: &str, spec: Value| -> DynamicObject {
            let object = json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": kind,
                "metadata": {"name": "gw", "namespace": "default"}, "spec": spec,
            });
            serde_json::from_value(object).unwrap()
        };
        let gateway =
            object("Gateway", json!({"listeners": [{"name": "http"}, {"name": "other"}]}));
        let whole = object("HTTPRoute", json!({"parentRefs": [{"name": "gw"}]}));
        let part =
            object("HTTPRoute", json!({"parentRefs": [{"name": "gw", "sectionName": "http"}]}));
        let foreign = object("HTTPRoute", json!({"parentRefs": [{"name": "else"}]}));
        let decision = decide(&gateway, &[&gateway, &whole, &part, &foreign], second(0));
        let Some(Effect::Patch { body, .. }) = decision.effects.first() else {
            panic!("no status")
        };
        let counts = body["status"]["listeners"].as_array().unwrap();
        let counts: Vec<_> = counts.iter().map(|listener| &listener["attachedRoutes"]).collect();
        assert_eq!(counts, [2, 1]);
    }
}
