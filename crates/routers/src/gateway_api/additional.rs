//! Backends beside stable and canary, which an experiment has for a while.
//!
//! An annotation of the route names the backends that a rollout has put there. Only those are read,
//! changed and taken out again: a backend of somebody else is never touched, and one of ours is known
//! for what it is even after the experiment that wanted it has gone.

use super::{Backend, is_service};
use crate::Context;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{Destination, ObjectRef, Reason, Traffic, Weight};

/// Annotation on a route with the names of the backends that a rollout has put there, joined by commas.
pub(super) const ANNOTATION: &str = "ringfence.dev/additional-backends";

/// The backends that a rollout has put into a route.
pub(super) fn managed(route: &Value) -> BTreeSet<String> {
    let text = route["metadata"]["annotations"][ANNOTATION].as_str().unwrap_or_default();
    text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The further backends of one rule that are among `names`, by name.
pub(super) fn of_rule(
    (index, rule): (usize, &Value),
    names: &BTreeSet<String>,
    context: &Context<'_>,
    target: &ObjectRef,
) -> BTreeMap<String, Backend> {
    let own = [context.stable_service, context.canary_service];
    let backends = rule["backendRefs"].as_array().map_or(&[][..], Vec::as_slice);
    let find = |name: &String| {
        let place =
            backends.iter().position(|backend| is_service(backend, name, context, target))?;
        let path = format!("/spec/rules/{index}/backendRefs/{place}");
        Some((name.clone(), Backend { path, place, weight: backends[place]["weight"].as_u64() }))
    };
    names.iter().filter(|name| !own.contains(&name.as_str())).filter_map(find).collect()
}

/// Appends what brings the further backends of one rule to the weights that are wanted.
///
/// # Errors
/// Why a backend cannot be added: the port of its service is not known.
pub(super) fn steer(
    index: usize,
    found: &BTreeMap<String, Backend>,
    traffic: &Traffic,
    (context, target): (&Context<'_>, &ObjectRef),
    patch: &mut Vec<Value>,
) -> Result<(), Reason> {
    let mut gone: Vec<(&String, &Backend)> = found.iter().collect();
    for (destination, weight) in &traffic.additional {
        if let Some(backend) = found.get(&destination.service) {
            backend.set(&destination.service, *weight, patch);
        }
        gone.retain(|(name, _)| **name != destination.service);
    }
    // From the last to the first, so that each is still where it was found.
    gone.sort_by_key(|(_, backend)| std::cmp::Reverse(backend.place));
    for (name, Backend { path, .. }) in gone {
        patch.push(json!({"op": "test", "path": format!("{path}/name"), "value": name}));
        patch.push(json!({"op": "remove", "path": path}));
    }
    let missing =
        traffic.additional.iter().filter(|(wanted, _)| !found.contains_key(&wanted.service));
    for (destination, weight) in missing {
        let value = reference(destination, *weight, context, target)?;
        let end = format!("/spec/rules/{index}/backendRefs/-");
        patch.push(json!({"op": "add", "path": end, "value": value}));
    }
    Ok(())
}

fn reference(
    destination: &Destination,
    weight: Weight,
    context: &Context<'_>,
    target: &ObjectRef,
) -> Result<Value, Reason> {
    let service = &destination.service;
    let Some(port) = destination.port else {
        return Err(Reason::new(
            "ServiceWithoutPort",
            format!("service {service} has no port that {target} could lead to"),
            [("service", service.clone()), ("route", target.to_string())],
        ));
    };
    let mut reference = json!({
        "group": "", "kind": "Service", "name": service, "port": port, "weight": weight.parts(),
    });
    if target.namespace != context.rollout.namespace {
        reference["namespace"] = json!(context.rollout.namespace);
    }
    Ok(reference)
}

/// Appends what makes the annotation name the backends that are wanted.
pub(super) fn annotate(route: &Value, traffic: &Traffic, patch: &mut Vec<Value>) {
    const PATH: &str = "/metadata/annotations/ringfence.dev~1additional-backends";
    let wanted: BTreeSet<String> =
        traffic.additional.keys().map(|destination| destination.service.clone()).collect();
    if managed(route) == wanted {
        return;
    }
    if wanted.is_empty() {
        return patch.push(json!({"op": "remove", "path": PATH}));
    }
    let names = wanted.into_iter().collect::<Vec<_>>().join(",");
    super::annotate(route, (PATH, &names), patch);
}
