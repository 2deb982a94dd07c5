//! What is wrong with the routes that steps ask for, in the words users know.

use super::{reads, subject::Subject, validate::Problem};
use api::argo::{
    CanaryStep, CanaryStrategy, HeaderRoutingMatch, RolloutTrafficRouting, RouteMatch,
    SetHeaderRoute, SetMirrorRoute, StringMatch,
};
use serde_json::{Value, json};

const ROUTES: &str = "spec.strategy.canary.trafficRouting.managedRoutes";
const PATH: &str = "spec.strategy.trafficRouting.managedRoutes";

/// Adds what is wrong with the routes of a step.
pub(super) fn check(
    subject: &Subject<'_>,
    canary: &CanaryStrategy,
    (index, step): (usize, &CanaryStep),
    problems: &mut Vec<Problem>,
) {
    let path = format!("spec.strategy.steps[{index}]");
    let before = problems.len();
    for (field, value, detail) in unroutable(canary, step) {
        problems.push(Problem::invalid(format!("{path}.{field}"), &value, detail));
    }
    let Some(routing) = canary.traffic_routing.as_ref().filter(|_| problems.len() == before) else {
        return;
    };
    if let Some(route) = &step.set_header_route {
        header_route(routing, route, &format!("{path}.setHeaderRoute"), problems);
        can_make(subject, (index, "setHeaderRoute"), problems);
    }
    if let Some(route) = &step.set_mirror_route {
        mirror_route(routing, route, &format!("{path}.setMirrorRoute"), problems);
        can_make(subject, (index, "setMirrorRoute"), problems);
    }
}

/// Routes that no router asked for can make: the field, its value and what is wrong.
fn unroutable(
    canary: &CanaryStrategy,
    step: &CanaryStep,
) -> impl Iterator<Item = (&'static str, Value, &'static str)> {
    let routing = canary.traffic_routing.clone().unwrap_or_default();
    let mirrors = routing.istio.is_some() || !routing.plugins.is_empty();
    let matches = mirrors || routing.alb.is_some() || routing.apisix.is_some();
    let header = step.set_header_route.as_ref().filter(|_| !matches).map(|route| {
        let detail = "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix";
        ("setHeaderRoute", json!(route), detail)
    });
    let mirror = step.set_mirror_route.as_ref().filter(|_| !mirrors).map(|route| {
        let detail = "SetMirrorRoute requires TrafficRouting, supports Istio and Plugins";
        ("setMirrorRoute", json!(route), detail)
    });
    header.into_iter().chain(mirror)
}

/// A router of ours that splits the traffic too must be able to make the route.
fn can_make(subject: &Subject<'_>, (index, field): (usize, &str), problems: &mut Vec<Problem>) {
    let config = reads::routing_config(subject.rollout).unwrap_or_default();
    let able = reads::configured_routers(&config).iter().all(|router| {
        let can = router.capabilities();
        if field == "setHeaderRoute" { can.header_routes } else { can.mirror }
    });
    if !able {
        let path = format!("spec.strategy.canary.steps[{index}].{field}");
        problems.push(Problem::unsupported(path));
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
        mirror_match(routing, found, &format!("{path}.match[{index}]"), problems);
    }
    if let Some(share) = route.percentage.filter(|share| !(0..=100).contains(share)) {
        let detail = "must be between 0 and 100";
        problems.push(Problem::invalid(format!("{path}.percentage"), &json!(share), detail));
    }
    managed(routing, &route.name, path, problems);
}

fn mirror_match(
    routing: &RolloutTrafficRouting,
    found: &RouteMatch,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    for value in [&found.method, &found.path].into_iter().flatten().chain(found.headers.values()) {
        one_form(value, path, problems);
    }
    let Some(method) = found.method.as_ref().filter(|_| routing.istio.is_none()) else { return };
    if given(method)[1..].contains(&true) {
        let detail = "a method is matched by 'exact' value only";
        problems.push(Problem::invalid(format!("{path}.method"), &json!(method), detail));
    }
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
    let problem = if routing.managed_routes.is_empty() {
        let detail = format!("Rollout has missing field '{ROUTES}'");
        Problem::required(PATH, &detail)
    } else if routing.managed_routes.iter().any(|route| route.name == name) {
        return;
    } else {
        let detail = format!("Steps define a route that does not exist in {ROUTES}");
        Problem::invalid(path, &json!(name), &detail)
    };
    if !problems.contains(&problem) {
        problems.push(problem);
    }
}
