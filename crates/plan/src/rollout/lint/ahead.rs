//! What upstream checks of what this program does not carry out yet, so that a file is judged alike.

use crate::rollout::validate::Problem;
use api::argo::{CanaryStrategy, Rollout, RolloutTrafficRouting};
use serde_json::{Value, json};

const PATH: &str = "spec.strategy";

/// Everything that is wrong with ping-pong services and routers of others.
pub(super) fn problems(rollout: &Rollout) -> Vec<Problem> {
    let Some(canary) = &rollout.spec.strategy.canary else { return Vec::new() };
    let mut problems = Vec::new();
    ping_pong(canary, &mut problems);
    services(canary, &mut problems);
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
