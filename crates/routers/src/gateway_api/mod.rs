//! Gateway API: splits by `backendRefs[].weight` of an `HTTPRoute` (`gateway.networking.k8s.io/v1`).
//!
//! It answers to the configuration of upstream's plugin of the same name, so that manifests run unchanged:
//!
//! ```yaml
//! trafficRouting:
//!   plugins:
//!     argoproj-labs/gatewayAPI:
//!       httpRoute: shop            # or httpRoutes: [{name: shop, useHeaderRoutes: true}]
//!       namespace: default         # the rollout's namespace unless given
//! ```
//!
//! In every rule that names both the stable and the canary service their two weights are set, and further
//! destinations come and go as backends of their own. The routes of `setHeaderRoute` and `setMirrorRoute` are
//! rules of their own, before all others and in the order of `managedRoutes`; a route among `httpRoutes` has
//! header routes only with `useHeaderRoutes`. Nothing else of the route is touched. A route counts as
//! verified when each of its parents has accepted the generation in question; parents that report nothing
//! leave it open.

mod additional;
mod managed;
mod matches;

use crate::{Capabilities, Context, Objects, Observation, Router, Steering};
use managed::Site;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{
    Destination, ManagedKind, ManagedRoute, ObjectRef, PatchType, Precondition, Reason,
    Subresource, Traffic, Weight, Write,
};

/// The router of `trafficRouting.plugins["argoproj-labs/gatewayAPI"]`.
pub struct GatewayApi;

/// The key of the plugin whose configuration this router reads.
pub const PLUGIN_KEY: &str = "argoproj-labs/gatewayAPI";

const API_VERSION: &str = "gateway.networking.k8s.io/v1";
const CONFIG_PATH: &str = "spec.strategy.canary.trafficRouting.plugins[argoproj-labs/gatewayAPI]";
/// Weight of a backend that states none.
const DEFAULT_WEIGHT: u64 = 1;
/// Parts of the plugin's configuration that ask for something this router does not do.
const UNSUPPORTED: [&str; 8] = [
    "grpcRoute",
    "grpcRoutes",
    "grpcRouteSelector",
    "httpRouteSelector",
    "tcpRoute",
    "tcpRoutes",
    "tlsRoute",
    "tlsRoutes",
];

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    http_route: String,
    http_routes: Vec<RouteName>,
    namespace: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RouteName {
    name: String,
    #[serde(default)]
    use_header_routes: bool,
}

impl Router for GatewayApi {
    fn name(&self) -> &'static str {
        "GatewayAPI"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            weights: true,
            header_routes: true,
            mirror: true,
            max_weight: true,
            additional_destinations: true,
        }
    }

    fn is_configured(&self, config: &Value) -> bool {
        config.get("plugins").and_then(|plugins| plugins.get(PLUGIN_KEY)).is_some()
    }

    fn reads(&self, context: &Context<'_>) -> Result<Vec<ObjectRef>, Vec<Reason>> {
        let raw = &context.config["plugins"][PLUGIN_KEY];
        let mut problems = unsupported(raw);
        let config = match Config::deserialize(raw) {
            Ok(config) => config,
            Err(error) => return Err(vec![invalid("", &format!("cannot be read: {error}"))]),
        };
        for (field, service) in
            [("stableService", context.stable_service), ("canaryService", context.canary_service)]
        {
            if service.is_empty() {
                problems.push(invalid_at(
                    &format!("spec.strategy.canary.{field}"),
                    "is required by the Gateway API router",
                ));
            }
        }
        let names = config.names();
        if names.is_empty() {
            problems.push(invalid("", "needs httpRoute or httpRoutes"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let namespace = if config.namespace.is_empty() {
            &context.rollout.namespace
        } else {
            &config.namespace
        };
        Ok(names
            .iter()
            .map(|name| ObjectRef::new(API_VERSION, "HTTPRoute", namespace, name))
            .collect())
    }

    fn observe(&self, context: &Context<'_>, objects: &Objects) -> Result<Observation, Reason> {
        let max = max_weight(context.config);
        let mut seen = Observation {
            canary_weight: Weight::ZERO,
            additional: BTreeMap::new(),
            managed: BTreeSet::new(),
            verified: None,
        };
        for (target, route) in self.routes(context, objects)? {
            for pair in pairs(context, &target, route, &BTreeMap::new())? {
                seen.canary_weight = seen.canary_weight.max(pair.share(pair.canary.parts(), max));
                for (name, backend) in &pair.further {
                    let share = seen.additional.entry(name.clone()).or_insert(Weight::ZERO);
                    *share = (*share).max(pair.share(backend.parts(), max));
                }
            }
            seen.managed.extend(Site::of(context, &target, route).names().cloned());
            seen.verified = weaker(seen.verified, acceptance(route));
        }
        Ok(seen)
    }

    fn steer(
        &self,
        context: &Context<'_>,
        objects: &Objects,
        traffic: &Traffic,
    ) -> Result<Vec<Steering>, Reason> {
        let mut writes = Vec::new();
        for (target, route) in self.routes(context, objects)? {
            let mut patch = Vec::new();
            let site = Site::of(context, &target, route);
            for pair in pairs(context, &target, route, &traffic.additional)? {
                if traffic.managed.is_some() && site.owns(pair.rule) {
                    continue;
                }
                pair.stable.set(context.stable_service, traffic.stable_weight(), &mut patch);
                pair.canary.set(context.canary_service, traffic.canary_weight, &mut patch);
                let at = (context, &target);
                additional::steer(pair.rule, &pair.further, traffic, at, &mut patch)?;
            }
            if let Some(managed) = &traffic.managed {
                site.steer(&taken(managed, context, &target), &mut patch)?;
            }
            additional::annotate(route, traffic, &mut patch);
            if !patch.is_empty() {
                writes.push(Steering { write: write(target, route, patch), told: None });
            }
        }
        Ok(writes)
    }
}

impl GatewayApi {
    /// The configured routes, each of which must exist.
    fn routes<'a>(
        &self,
        context: &Context<'_>,
        objects: &'a Objects,
    ) -> Result<Vec<(ObjectRef, &'a Value)>, Reason> {
        let targets = self.reads(context).map_err(|mut problems| problems.remove(0))?;
        let find = |target: ObjectRef| match objects.get(&target) {
            Some(Some(route)) => Ok((target, route)),
            _ => Err(Reason::new(
                "RouteNotFound",
                format!("{target} is not there"),
                [("route", target.to_string())],
            )),
        };
        targets.into_iter().map(find).collect()
    }
}

impl Config {
    fn names(&self) -> Vec<&str> {
        let single = Some(self.http_route.as_str()).filter(|name| !name.is_empty());
        single.into_iter().chain(self.http_routes.iter().map(|route| route.name.as_str())).collect()
    }
}

/// The managed routes that a route takes.
fn taken<'a>(
    managed: &'a [ManagedRoute],
    context: &Context<'_>,
    target: &ObjectRef,
) -> Vec<&'a ManagedRoute> {
    let config = Config::deserialize(&context.config["plugins"][PLUGIN_KEY]).unwrap_or_default();
    let listed = config.http_routes.iter().find(|route| route.name == target.name);
    let takes_headers = listed.is_none_or(|route| route.use_header_routes);
    let is_header = |route: &ManagedRoute| matches!(route.kind, ManagedKind::Header(_));
    managed.iter().filter(|route| takes_headers || !is_header(route)).collect()
}

/// One backend and where it stands in the route.
struct Backend {
    path: String,
    place: usize,
    weight: Option<u64>,
}

impl Backend {
    /// Appends the operations that give it `weight`, unless it has it.
    fn set(&self, service: &str, weight: Weight, patch: &mut Vec<Value>) {
        if self.weight == Some(u64::from(weight.parts())) {
            return;
        }
        patch.push(json!({"op": "test", "path": format!("{}/name", self.path), "value": service}));
        patch.push(
            json!({"op": "add", "path": format!("{}/weight", self.path), "value": weight.parts()}),
        );
    }

    fn parts(&self) -> u64 {
        self.weight.unwrap_or(DEFAULT_WEIGHT)
    }
}

/// The two backends of one rule, and those that a rollout has put beside them.
struct Pair {
    rule: usize,
    stable: Backend,
    canary: Backend,
    further: BTreeMap<String, Backend>,
}

impl Pair {
    /// The share of so many parts of what all of them get, rounded up so that a little traffic is never taken
    /// for none.
    fn share(&self, parts: u64, max: Weight) -> Weight {
        let all = [&self.stable, &self.canary].into_iter().chain(self.further.values());
        let total: u64 = all.map(Backend::parts).fold(0, u64::saturating_add);
        if total == 0 {
            return Weight::ZERO;
        }
        let share = parts.saturating_mul(u64::from(max.parts())).div_ceil(total);
        Weight::max_of(u32::try_from(share).unwrap_or(u32::MAX)).min(max)
    }
}

/// The rules that name both services, each with the further backends that are there or wanted.
fn pairs(
    context: &Context<'_>,
    target: &ObjectRef,
    route: &Value,
    wanted: &BTreeMap<Destination, Weight>,
) -> Result<Vec<Pair>, Reason> {
    let mut names = additional::managed(route);
    names.extend(wanted.keys().map(|destination| destination.service.clone()));
    let rules = route["spec"]["rules"].as_array().map_or(&[][..], Vec::as_slice);
    let find = |index: usize, rule: &Value, service: &str| {
        let backends = rule["backendRefs"].as_array()?;
        let place =
            backends.iter().position(|backend| is_service(backend, service, context, target))?;
        let path = format!("/spec/rules/{index}/backendRefs/{place}");
        Some(Backend { path, place, weight: backends[place]["weight"].as_u64() })
    };
    let pair = |(index, rule): (usize, &Value)| {
        let stable = find(index, rule, context.stable_service)?;
        let canary = find(index, rule, context.canary_service)?;
        let further = additional::of_rule((index, rule), &names, context, target);
        Some(Pair { rule: index, stable, canary, further })
    };
    let found: Vec<Pair> = rules.iter().enumerate().filter_map(pair).collect();
    if found.is_empty() {
        let (stable, canary) = (context.stable_service, context.canary_service);
        return Err(Reason::new(
            "RouteWithoutBackends",
            format!("no rule of {target} has both {stable} and {canary} as backendRefs"),
            [
                ("route", target.to_string()),
                ("stableService", stable.to_owned()),
                ("canaryService", canary.to_owned()),
            ],
        ));
    }
    Ok(found)
}

fn is_service(backend: &Value, service: &str, context: &Context<'_>, target: &ObjectRef) -> bool {
    let is = |field: &str, value: &str| backend[field].as_str().is_none_or(|found| found == value);
    let namespace = backend["namespace"].as_str().unwrap_or(&target.namespace);
    backend["name"] == service
        && is("kind", "Service")
        && is("group", "")
        && namespace == context.rollout.namespace
}

fn max_weight(config: &Value) -> Weight {
    let parts = config["maxTrafficWeight"].as_u64().and_then(|parts| u32::try_from(parts).ok());
    parts.map_or(Weight::HUNDRED, Weight::max_of)
}

/// Whether the route's parents have accepted its present generation; `None` when none of them says.
fn acceptance(route: &Value) -> Option<bool> {
    let generation = route["metadata"]["generation"].as_i64()?;
    let parents = route["status"]["parents"].as_array()?;
    parents.iter().fold(None, |so_far, parent| weaker(so_far, accepted_by(parent, generation)))
}

fn accepted_by(parent: &Value, generation: i64) -> Option<bool> {
    let conditions = parent["conditions"].as_array()?;
    let accepted = conditions.iter().find(|condition| condition["type"] == "Accepted")?;
    let observed = accepted["observedGeneration"].as_i64()?;
    Some(observed >= generation && accepted["status"] == "True")
}

fn weaker(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one && other),
        (known, None) | (None, known) => known,
    }
}

fn write(target: ObjectRef, route: &Value, patch: Vec<Value>) -> Write {
    let text = |field: &str| route["metadata"][field].as_str().map(str::to_owned);
    Write::Patch {
        target,
        subresource: Subresource::Main,
        patch_type: PatchType::Json,
        body: Value::Array(patch),
        precondition: Precondition { uid: text("uid"), resource_version: text("resourceVersion") },
    }
}

/// Appends what gives a route an annotation.
fn annotate(route: &Value, (pointer, text): (&str, &str), patch: &mut Vec<Value>) {
    const ALL: &str = "/metadata/annotations";
    if !route["metadata"]["annotations"].is_object() && !patch.iter().any(|op| op["path"] == ALL) {
        patch.push(json!({"op": "add", "path": ALL, "value": {}}));
    }
    patch.push(json!({"op": "add", "path": pointer, "value": text}));
}

fn unsupported(raw: &Value) -> Vec<Reason> {
    let asked =
        UNSUPPORTED.iter().filter(|field| raw.get(**field).is_some_and(|value| !value.is_null()));
    asked.map(|field| invalid(&format!(".{field}"), "is not supported yet")).collect()
}

fn invalid(suffix: &str, problem: &str) -> Reason {
    invalid_at(&format!("{CONFIG_PATH}{suffix}"), problem)
}

fn invalid_at(path: &str, problem: &str) -> Reason {
    Reason::new("InvalidSpec", format!("{path} {problem}"), [("path", path.to_owned())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Value {
        json!({"plugins": {PLUGIN_KEY: {"httpRoute": "shop"}}})
    }

    fn rollout() -> ObjectRef {
        ObjectRef::new("argoproj.io/v1alpha1", "Rollout", "default", "shop")
    }

    fn route(stable: &Value, canary: &Value) -> Value {
        json!({
            "metadata": {"name": "shop", "namespace": "default", "uid": "u", "resourceVersion": "7", "generation": 3},
            "spec": {"rules": [
                {"matches": [{"path": {"value": "/docs"}}], "backendRefs": [{"name": "docs", "port": 80}]},
                {"backendRefs": [{"name": "stable", "port": 80, "weight": stable}, {"name": "canary", "port": 80, "weight": canary}]},
            ]},
        })
    }

    fn with<T>(config: &Value, route: Value, act: impl FnOnce(&Context<'_>, &Objects) -> T) -> T {
        let rollout = rollout();
        let context = Context {
            rollout: &rollout,
            uid: "u",
            config,
            stable_service: "stable",
            canary_service: "canary",
            steps: &[],
        };
        let objects = Objects::from([(
            ObjectRef::new(API_VERSION, "HTTPRoute", "default", "shop"),
            Some(route),
        )]);
        act(&context, &objects)
    }

    fn traffic(weight: u32) -> Traffic {
        let destination =
            |service: &str| Destination { service: service.to_owned(), pod_hash: None, port: None };
        Traffic {
            stable: destination("stable"),
            canary: destination("canary"),
            canary_weight: Weight::parse(weight, Weight::HUNDRED).unwrap(),
            additional: BTreeMap::default(),
            managed: Some(Vec::new()),
            max: Weight::HUNDRED,
        }
    }

    #[test]
    fn the_canary_share_is_read_from_the_rule_that_names_both_services() {
        for (stable, canary, expected) in [
            (json!(80), json!(20), 20),
            (json!(100), json!(0), 0),
            (json!(0), json!(100), 100),
            (Value::Null, Value::Null, 50),
            (json!(999), json!(1), 1),
            (json!(0), json!(0), 0),
        ] {
            let seen = with(&config(), route(&stable, &canary), |context, objects| {
                GatewayApi.observe(context, objects)
            })
            .unwrap();
            assert_eq!(
                seen,
                Observation {
                    canary_weight: Weight::max_of(expected),
                    additional: BTreeMap::new(),
                    managed: BTreeSet::new(),
                    verified: None
                }
            );
        }
    }

    #[test]
    fn steering_touches_the_two_weights_and_nothing_else() {
        let writes = with(&config(), route(&json!(100), &json!(0)), |context, objects| {
            GatewayApi.steer(context, objects, &traffic(20))
        })
        .unwrap();
        let [
            Steering {
                write: Write::Patch { patch_type: PatchType::Json, body, precondition, .. },
                told: None,
            },
        ] = writes.as_slice()
        else {
            panic!("{writes:?}");
        };
        assert_eq!(precondition.resource_version.as_deref(), Some("7"));
        assert_eq!(
            body,
            &json!([
                {"op": "test", "path": "/spec/rules/1/backendRefs/0/name", "value": "stable"},
                {"op": "add", "path": "/spec/rules/1/backendRefs/0/weight", "value": 80},
                {"op": "test", "path": "/spec/rules/1/backendRefs/1/name", "value": "canary"},
                {"op": "add", "path": "/spec/rules/1/backendRefs/1/weight", "value": 20},
            ])
        );
    }

    #[test]
    fn a_split_in_force_is_not_written_again() {
        let writes = with(&config(), route(&json!(80), &json!(20)), |context, objects| {
            GatewayApi.steer(context, objects, &traffic(20))
        });
        assert_eq!(writes, Ok(Vec::new()));
    }

    #[test]
    fn a_parent_that_has_not_seen_the_generation_leaves_the_weight_unverified() {
        for (observed, status, expected) in
            [(3, "True", Some(true)), (2, "True", Some(false)), (3, "False", Some(false))]
        {
            let mut route = route(&json!(80), &json!(20));
            route["status"] = json!({"parents": [{"conditions": [{"type": "Accepted", "status": status, "observedGeneration": observed}]}]});
            let seen =
                with(&config(), route, |context, objects| GatewayApi.observe(context, objects))
                    .unwrap();
            assert_eq!(seen.verified, expected);
        }
    }

    #[test]
    fn a_route_that_is_missing_or_lacks_a_backend_is_named() {
        let mut bare = route(&json!(1), &json!(1));
        bare["spec"]["rules"][1]["backendRefs"][1]["name"] = json!("other");
        let reason = with(&config(), bare, |context, objects| GatewayApi.observe(context, objects))
            .unwrap_err();
        assert_eq!(
            reason.message,
            "no rule of HTTPRoute default/shop has both stable and canary as backendRefs"
        );
        let reason =
            with(&config(), Value::Null, |context, _| GatewayApi.observe(context, &Objects::new()))
                .unwrap_err();
        assert_eq!(reason.message, "HTTPRoute default/shop is not there");
    }

    #[test]
    fn every_problem_of_the_configuration_is_reported_with_its_path() {
        let config = json!({"plugins": {PLUGIN_KEY: {"grpcRoute": "shop"}}});
        let problems =
            with(&config, Value::Null, |context, _| GatewayApi.reads(context)).unwrap_err();
        let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "spec.strategy.canary.trafficRouting.plugins[argoproj-labs/gatewayAPI].grpcRoute is not supported yet",
                "spec.strategy.canary.trafficRouting.plugins[argoproj-labs/gatewayAPI] needs httpRoute or httpRoutes",
            ]
        );
    }

    #[test]
    fn weights_may_have_another_maximum() {
        let config = json!({"maxTrafficWeight": 1000, "plugins": {PLUGIN_KEY: {"httpRoutes": [{"name": "shop"}]}}});
        let seen = with(&config, route(&json!(995), &json!(5)), |context, objects| {
            GatewayApi.observe(context, objects)
        })
        .unwrap();
        assert_eq!(seen.canary_weight, Weight::max_of(5));
    }
}
