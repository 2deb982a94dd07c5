//! Bugs that lose users' requests: pods and traffic in the wrong order.

use super::{
    Mutant,
    bent::{
        field, is_aborted, is_at_the_end, is_under_way, kind, newest, pretend_ready, scaled,
        seeing, set, share, stable, steered, with, without,
    },
    bug,
};
use plan::rollout::plan;
use serde_json::Value;
use vocab::Write;

pub(super) const MUTANTS: &[Mutant] = &[
    bug(
        "argo_2050_stable_goes_before_the_canary_is_ready",
        "the stable version is scaled down as soon as a new one is wanted",
        &["argo_2050", "good-canary-by-route"],
        |seen, now| scaled(plan(seen, now), stable(seen), 0),
    ),
    bug(
        "argo_3275_a_change_of_strategy_takes_the_pods",
        "a service that selects no version yet loses the stable pods",
        &["argo_3275", "blue-green-waits"],
        |seen, now| {
            let blue_green = !field(seen, "/spec/strategy/blueGreen").is_null();
            if blue_green && is_under_way(seen) {
                scaled(plan(seen, now), stable(seen), 0)
            } else {
                plan(seen, now)
            }
        },
    ),
    bug(
        "argo_3333_complete_before_the_router_says_so",
        "the last weight counts as in force before it was read back",
        &["argo_3333", "good-canary-by-route"],
        |seen, now| {
            with(seen, now, |seen| {
                if is_at_the_end(seen) {
                    pretend_weight(seen, 100);
                }
            })
        },
    ),
    bug(
        "argo_4900_an_abort_takes_pods_before_traffic",
        "an abort scales the canary down while traffic leads to it",
        &["abort-returns-traffic-first"],
        |seen, now| {
            let planned = plan(seen, now);
            if is_aborted(seen) {
                without(scaled(planned, newest(seen), 0), |write| kind(write) == "HTTPRoute")
            } else {
                planned
            }
        },
    ),
    bug(
        "a_header_route_outlives_an_abort",
        "an abort takes weights back and leaves the rules of steps where they are",
        &["header-route-leads"],
        |seen, now| {
            let mut planned = plan(seen, now);
            if is_aborted(seen) {
                planned.writes.iter_mut().for_each(leave_rules);
            }
            planned
        },
    ),
    bug(
        "argo_3420_weight_before_pods",
        "pods count as ready when they are wanted",
        &["good-canary-by-route"],
        |seen, now| with(seen, now, pretend_ready),
    ),
    bug(
        "argo_3467_weights_beyond_everything",
        "weights are not kept between nothing and everything",
        &["good-canary-by-route", "abort-returns"],
        |seen, now| {
            let mut planned = plan(seen, now);
            for write in planned.writes.iter_mut().filter(|write| kind(write) == "HTTPRoute") {
                if let Write::Patch { body, .. } = write {
                    overshoot(body);
                }
            }
            planned
        },
    ),
    bug(
        "argo_1665_an_abort_flaps",
        "an aborted canary gets traffic again",
        &["abort-returns-traffic-first"],
        |seen, now| {
            let planned = plan(seen, now);
            if is_aborted(seen) && share(seen) == Some(0) {
                steered(planned, seen, 20)
            } else {
                planned
            }
        },
    ),
    bug(
        "argo_1415_an_autoscaler_sends_stable_to_nothing",
        "a change of size in the middle scales the stable version to nothing",
        &["argo_1415", "scale-up-in-the-middle"],
        |seen, now| {
            let wanted = field(seen, "/spec/replicas").to_string();
            let resized = stable(seen).is_some_and(|set| {
                let said = set
                    .metadata
                    .annotations
                    .as_ref()
                    .and_then(|all| all.get(api::argo::keys::DESIRED_REPLICAS));
                said.is_some_and(|said| *said != wanted)
            });
            if resized { scaled(plan(seen, now), stable(seen), 0) } else { plan(seen, now) }
        },
    ),
    bug(
        "argo_1820_users_are_switched_before_pods_are_ready",
        "the active service leads to the new version at once",
        &["blue-green-switches-by-itself", "blue-green-waits"],
        |seen, now| {
            let mut planned = with(seen, now, pretend_ready);
            let hash = field(seen, "/status/currentPodHash");
            let service = field(seen, "/spec/strategy/blueGreen/activeService");
            if let (Some(hash), Some(service)) = (hash.as_str(), service.as_str()) {
                planned.writes.push(select(seen, service, hash));
            }
            planned
        },
    ),
    bug(
        "argo_4221_a_restart_takes_every_pod",
        "a restart evicts all pods at once",
        &["argo_4221", "argo_845"],
        |seen, now| {
            let mut planned = plan(seen, now);
            if planned.writes.iter().any(|write| matches!(write, Write::Evict { .. })) {
                planned.writes = seen.pods.iter().map(|pod| evicted(pod)).collect();
            }
            planned
        },
    ),
    bug(
        "argo_3077_going_back_does_not_wait_for_stable",
        "traffic returns to a stable version without pods",
        &["argo_3077", "argo_3888", "argo_3120"],
        |seen, now| {
            let planned = plan(seen, now);
            let back = is_aborted(seen) || !is_under_way(seen);
            if back && share(seen).is_some_and(|share| share > 0) {
                steered(planned, seen, 0)
            } else {
                planned
            }
        },
    ),
    bug(
        "argo_1757_the_weight_falls_back_at_the_end",
        "after the last step traffic goes back to stable before the switch",
        &["argo_1757", "good-canary-by-route"],
        |seen, now| {
            let planned = plan(seen, now);
            if is_at_the_end(seen) && share(seen).is_some_and(|share| (1..100).contains(&share)) {
                steered(planned, seen, 0)
            } else {
                planned
            }
        },
    ),
    bug(
        "argo_2235_old_pods_go_before_the_service_has_moved",
        "services are not switched while pods go",
        &["argo_2235", "blue-green-switches-by-itself", "good-canary-by-route"],
        |seen, now| {
            let planned = plan(seen, now);
            if field(seen, "/status/stableRS").is_null() {
                planned
            } else {
                without(planned, |write| kind(write) == "Service")
            }
        },
    ),
    bug(
        "argo_2576_an_abort_leaves_the_canary_service",
        "after an abort the canary service goes on selecting the canary",
        &["argo_2576", "abort-returns"],
        |seen, now| {
            let planned = plan(seen, now);
            if is_aborted(seen) {
                without(planned, |write| kind(write) == "Service")
            } else {
                planned
            }
        },
    ),
    bug(
        "argo_4926_the_delay_before_scaling_down_is_ignored",
        "old pods go at once",
        &["blue-green-old-pods", "argo_768", "blue-green-switches"],
        |seen, now| {
            seeing(seen, now, |rollout| {
                for strategy in ["blueGreen", "canary"] {
                    if rollout["spec"]["strategy"][strategy].is_object() {
                        rollout["spec"]["strategy"][strategy]["scaleDownDelaySeconds"] = 0.into();
                    }
                }
            })
        },
    ),
    bug(
        "argo_3242_old_versions_never_go",
        "nothing is ever scaled to zero",
        &["argo_3242", "good-canary-by-pods", "good-canary-by-route"],
        |seen, now| {
            without(
                plan(seen, now),
                |write| matches!(write, Write::Patch { target, body, .. } if target.kind == "ReplicaSet" && body["spec"]["replicas"] == 0),
            )
        },
    ),
    bug(
        "argo_1337_the_canary_stays_after_an_abort",
        "an aborted canary keeps its pods",
        &["argo_1337", "abort-by-pods"],
        |seen, now| {
            let planned = plan(seen, now);
            let name =
                set(seen, "/status/currentPodHash").and_then(|set| set.metadata.name.clone());
            if is_aborted(seen) {
                without(
                    planned,
                    |write| matches!(write, Write::Patch { target, .. } if Some(&target.name) == name.as_ref()),
                )
            } else {
                planned
            }
        },
    ),
    bug(
        "flagger_1407_a_selector_that_was_put_back_is_not_mended",
        "a service that was taken over once is left alone",
        &["flagger_1407", "blue-green-waits"],
        |seen, now| {
            let managed =
                |name: &str| {
                    let service = seen.services.get(name).and_then(Option::as_ref);
                    service.is_some_and(|service| {
                        service.metadata.annotations.as_ref().is_some_and(|all| {
                            all.contains_key(api::argo::keys::MANAGED_BY_ROLLOUTS)
                        })
                    })
                };
            without(
                plan(seen, now),
                |write| matches!(write, Write::Patch { target, .. } if target.kind == "Service" && managed(&target.name)),
            )
        },
    ),
];

fn pretend_weight(seen: &mut plan::rollout::Observed, share: i64) {
    let canary = field(seen, "/spec/strategy/canary/canaryService");
    let routes = seen.objects.iter_mut().filter(|(target, _)| target.kind == "HTTPRoute");
    for route in routes.filter_map(|(_, object)| object.as_mut()) {
        let backends =
            route["spec"]["rules"][0]["backendRefs"].as_array_mut().into_iter().flatten();
        for backend in backends {
            let weight = if backend["name"] == canary { share } else { 100 - share };
            backend["weight"] = weight.into();
        }
    }
}

/// Takes out of a write what adds or removes whole rules.
fn leave_rules(write: &mut Write) {
    let Write::Patch { target, body: Value::Array(parts), .. } = write else { return };
    let is_rule = |part: &Value| {
        let place = part["path"].as_str().and_then(|path| path.strip_prefix("/spec/rules/"));
        place.is_some_and(|place| !place.contains('/'))
    };
    if target.kind == "HTTPRoute" {
        parts.retain(|part| !is_rule(part));
    }
}

fn overshoot(body: &mut Value) {
    match body {
        Value::Array(parts) => {
            for part in parts.iter_mut() {
                let is_weight = part["path"].as_str().is_some_and(|path| path.ends_with("/weight"));
                if let Some(weight) = part["value"].as_i64().filter(|_| is_weight) {
                    part["value"] =
                        if weight < 50 { (weight - 30).into() } else { (weight + 30).into() };
                } else {
                    overshoot(part);
                }
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match value.as_i64() {
                    Some(weight) if name == "weight" => {
                        *value =
                            if weight < 50 { (weight - 30).into() } else { (weight + 30).into() };
                    }
                    _ => overshoot(value),
                }
            }
        }
        _ => {}
    }
}

fn select(seen: &plan::rollout::Observed, service: &str, hash: &str) -> Write {
    let namespace = seen.rollout.metadata.namespace.as_deref().unwrap_or_default();
    let target = vocab::ObjectRef::new("v1", "Service", namespace, service);
    super::bent::merge(
        target,
        serde_json::json!({"spec": {"selector": {"rollouts-pod-template-hash": hash}}}),
    )
}

fn evicted(pod: &k8s_openapi::api::core::v1::Pod) -> Write {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let target = vocab::ObjectRef::new("v1", "Pod", namespace, name);
    Write::Evict { target, precondition: vocab::Precondition::default() }
}
