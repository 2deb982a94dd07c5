//! What upstream checks of what this program does not carry out yet, so that a file is judged alike.

use crate::rollout::validate::Problem;
use api::argo::{
    CanaryStrategy, HeaderRoutingMatch, Rollout, RolloutTrafficRouting, SetHeaderRoute,
    SetMirrorRoute, StringMatch,
};
use serde_json::{Value, json};

const PATH: &str = "spec.strategy";
const ROUTES: &str = "spec.strategy.canary.trafficRouting.managedRoutes";

/// Everything that is wrong with routes, ping-pong services and routers of others.
pub(super) fn problems(rollout: &Rollout) -> Vec<Problem> {
    let Some(canary) = &rollout.spec.strategy.canary else { return Vec::new() };
    let mut problems = Vec::new();
    ping_pong(canary, &mut problems);
    services(canary, &mut problems);
    if let Some(routing) = &canary.traffic_routing {
        for (index, step) in canary.steps.iter().enumerate() {
            let path = format!("{PATH}.steps[{index}]");
            if let Some(route) = &step.set_header_route {
                header_route(routing, route, &format!("{path}.setHeaderRoute"), &mut problems);
            }
            if let Some(route) = &step.set_mirror_route {
                mirror_route(routing, route, &format!("{path}.setMirrorRoute"), &mut problems);
            }
        }
    }
    problems
}

fn ping_pong(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let Some(services) = &canary.ping_pong else { return };
    let mut invalid = |field: &str, value: Value, detail: &str| {
        problems.push(Problem::invalid(format!("{PATH}.{field}"), &value, detail));
    };
    let routing = canary.traffic_routing.as_ref();
    let can_swap = |routing: &RolloutTrafficRouting| {
        routing.alb.is_some() || routing.istio.is_some() || !routing.plugins.is_empty()
    };
    if routing.is_some_and(|routing| !can_swap(routing)) {
        let detail =
            "Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only";
        invalid("trafficRouting.alb", Value::Null, detail);
    }
    let both = [&services.ping_service, &services.pong_service];
    for (field, name) in ["pingService", "pongService"].into_iter().zip(both) {
        if name.is_empty() {
            let detail = "Ping service and Pong service must to be set to use Ping-Pong feature";
            invalid(&format!("pingPong.{field}"), json!(name), detail);
        }
    }
    if both[0] == both[1] {
        let detail = "This rollout uses the same service for the ping and pong services, but two different services are required.";
        invalid("pingPong.pingService", json!(both[0]), detail);
    }
    let alb = routing.and_then(|routing| routing.alb.as_ref());
    if alb.is_some_and(|alb| alb.root_service.as_deref().unwrap_or_default().is_empty()) {
        let detail = "Root service field is required for the configuration with ALB and ping-pong feature enabled";
        invalid("trafficRouting.alb.rootService", json!(""), detail);
    }
}

/// Routers that split between the two services need both.
fn services(canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let Some(routing) = &canary.traffic_routing else { return };
    let swaps = canary.ping_pong.is_some();
    let by_host =
        routing.istio.as_ref().is_some_and(|istio| istio.destination_rule.is_none()) && !swaps;
    let splits = by_host
        || routing.alb.is_some() && !swaps
        || routing.smi.is_some()
        || routing.apisix.is_some()
        || routing.ambassador.is_some()
        || routing.app_mesh.is_some()
        || routing.traefik.is_some();
    let named =
        [("stableService", &canary.stable_service), ("canaryService", &canary.canary_service)];
    for (field, name) in named {
        if splits && name.as_deref().unwrap_or_default().is_empty() {
            let detail = "Canary service and Stable service must to be set to use Traffic Routing";
            problems.push(Problem::invalid(format!("{PATH}.{field}"), &json!(""), detail));
        }
    }
}

fn header_route(
    routing: &RolloutTrafficRouting,
    route: &SetHeaderRoute,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let is_exact = |found: &StringMatch| given(found) == [true, false, false];
    for (index, HeaderRoutingMatch { header_value, .. }) in route.match_.iter().enumerate() {
        let path = format!("{path}.match[{index}]");
        if routing.alb.is_none() {
            one_form(header_value, &path, problems);
        } else if !is_exact(header_value) {
            let detail = "SetHeaderRoute match value invalid. ALB supports 'exact' value only";
            problems.push(Problem::invalid(path, &json!(header_value), detail));
        }
    }
    managed(routing, route.name.as_deref().unwrap_or_default(), path, problems);
}

fn mirror_route(
    routing: &RolloutTrafficRouting,
    route: &SetMirrorRoute,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    for (index, found) in route.match_.iter().enumerate() {
        for value in [&found.method, &found.path].into_iter().flatten() {
            one_form(value, &format!("{path}.match[{index}]"), problems);
        }
    }
    managed(routing, &route.name, path, problems);
}

/// Whether a match is exact, by expression and by prefix.
fn given(found: &StringMatch) -> [bool; 3] {
    let is_given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    [is_given(&found.exact), is_given(&found.regex), is_given(&found.prefix)]
}

/// A match has exactly one form.
fn one_form(found: &StringMatch, path: &str, problems: &mut Vec<Problem>) {
    let detail = match given(found).into_iter().filter(|given| *given).count() {
        0 => {
            "StringMatch value missed, match value must have one of the following: exact, regex, prefix"
        }
        1 => return,
        _ => "StringMatch match value must have exactly one of the following: exact, regex, prefix",
    };
    problems.push(Problem::invalid(path, &json!(found), detail));
}

/// A route that a step makes is one that the rollout manages.
fn managed(routing: &RolloutTrafficRouting, name: &str, path: &str, problems: &mut Vec<Problem>) {
    if routing.managed_routes.is_empty() {
        let detail = format!("Rollout has missing field '{ROUTES}'");
        problems.push(Problem::required(format!("{PATH}.trafficRouting.managedRoutes"), &detail));
    } else if !routing.managed_routes.iter().any(|route| route.name == name) {
        let detail = format!("Steps define a route that does not exist in {ROUTES}");
        problems.push(Problem::invalid(path, &json!(name), &detail));
    }
}
