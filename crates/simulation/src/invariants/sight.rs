//! What a picture shows of a rollout and of the traffic it steers.
//!
//! **Invariant.** It reads objects as any client would; it asks nothing of the planner it judges.

use crate::{history::Step, picture::Picture};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use vocab::ManagedRoute;

/// The label of a version.
pub(super) const HASH: &str = "rollouts-pod-template-hash";
/// How long ago endpoints may have been seen by somebody who looks through a cache.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// An object that is not there.
static NOTHING: Value = Value::Null;

/// Who put a rule into a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The rollout, for a while.
    Managed,
    /// Whoever wrote the route.
    Theirs,
}

/// A rollout within a picture.
#[derive(Clone, Copy)]
pub(super) struct Sight<'a> {
    picture: &'a Picture,
    pub(super) rollout: &'a Value,
}

/// Every rollout of a namespace.
pub(super) fn rollouts<'a>(
    picture: &'a Picture,
    namespace: &'a str,
) -> impl Iterator<Item = Sight<'a>> {
    picture.within("rollouts", namespace).map(move |rollout| Sight { picture, rollout })
}

/// A text by JSON pointer, empty when it is not there.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number by JSON pointer, nothing when it is not there.
pub(super) fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// The uid of whoever controls an object.
pub(super) fn owner(object: &Value) -> &str {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners
        .into_iter()
        .find(|owner| owner["controller"] == true)
        .map_or("", |owner| text(owner, "/uid"))
}

impl<'a> Sight<'a> {
    pub(super) fn name(self) -> &'a str {
        text(self.rollout, "/metadata/name")
    }

    pub(super) fn namespace(self) -> &'a str {
        text(self.rollout, "/metadata/namespace")
    }

    pub(super) fn owns(self, object: &Value) -> bool {
        !owner(object).is_empty() && owner(object) == text(self.rollout, "/metadata/uid")
    }

    pub(super) fn replicas(self) -> i64 {
        self.rollout["spec"]["replicas"].as_i64().unwrap_or(1)
    }

    pub(super) fn strategy(self) -> &'a Value {
        &self.rollout["spec"]["strategy"]
    }

    pub(super) fn active_service(self) -> &'a str {
        text(self.strategy(), "/blueGreen/activeService")
    }

    pub(super) fn canary_service(self) -> &'a str {
        text(self.strategy(), "/canary/canaryService")
    }

    pub(super) fn stable_service(self) -> &'a str {
        text(self.strategy(), "/canary/stableService")
    }

    /// What the weights of a route add up to.
    pub(super) fn max_weight(self) -> i64 {
        let max = self.strategy()["canary"]["trafficRouting"]["maxTrafficWeight"].as_i64();
        max.unwrap_or(100)
    }

    /// The `HTTPRoutes` it steers, by name.
    pub(super) fn routes(self) -> BTreeSet<&'a str> {
        let plugins = &self.strategy()["canary"]["trafficRouting"]["plugins"];
        let plugin = &plugins["argoproj-labs/gatewayAPI"];
        let many = plugin["httpRoutes"].as_array().into_iter().flatten();
        let many = many.map(|route| text(route, "/name"));
        many.chain(plugin["httpRoute"].as_str()).filter(|name| !name.is_empty()).collect()
    }

    /// The rules of a route, one of which belongs to whoever wrote the route.
    pub(super) fn rules(self, route: &'a Value) -> impl Iterator<Item = (Whose, &'a Value)> {
        let managed = &self.strategy()["canary"]["trafficRouting"]["managedRoutes"];
        let managed = managed.as_array().map_or(&[][..], Vec::as_slice);
        let is_ours = move |rule: &Value| {
            let name = text(rule, "/name");
            let mut names = managed.iter().filter_map(|route| route["name"].as_str());
            names.any(|managed| ManagedRoute::is_rule_of(name, managed))
        };
        let rules = route["spec"]["rules"].as_array().into_iter().flatten();
        rules.map(move |rule| (if is_ours(rule) { Whose::Managed } else { Whose::Theirs }, rule))
    }

    /// The names of the managed rules of a route.
    pub(super) fn managed_in(self, route: &'a Value) -> BTreeSet<&'a str> {
        let rules = self.rules(route).filter(|(whose, _)| *whose == Whose::Managed);
        rules.map(|(_, rule)| text(rule, "/name")).collect()
    }

    /// The names of the managed rules of all its routes.
    pub(super) fn managed(self) -> BTreeSet<&'a str> {
        let routes = self.routes().into_iter();
        let found =
            routes.filter_map(|name| self.picture.get("httproutes", self.namespace(), name));
        found.flat_map(|route| self.managed_in(route)).collect()
    }

    /// The canary Ingresses it steers, by name.
    pub(super) fn ingresses(self) -> BTreeSet<String> {
        let nginx = &self.strategy()["canary"]["trafficRouting"]["nginx"];
        let many = nginx["stableIngresses"].as_array().into_iter().flatten();
        let names = many.chain([&nginx["stableIngress"]]).filter_map(Value::as_str);
        names.map(|name| format!("{}-{name}-canary", self.name())).collect()
    }

    /// Whether something else than the number of pods splits its traffic.
    pub(super) fn is_routed(self) -> bool {
        !self.routes().is_empty() || !self.ingresses().is_empty()
    }

    /// Whether it steers the object of a step.
    pub(super) fn steers(self, step: &Step) -> bool {
        match step.resource.as_str() {
            "httproutes" => self.routes().contains(step.object.name()),
            "ingresses" => self.ingresses().contains(step.object.name()),
            _ => false,
        }
    }

    /// The greatest share of traffic, in parts of a hundred, that its routes send to a service.
    pub(super) fn share(self, service: &str) -> i64 {
        let namespace = self.namespace();
        let routes = self.routes().into_iter().filter_map(|name| {
            self.share_in(self.picture.get("httproutes", namespace, name)?, service)
        });
        let ingresses = self.ingresses().into_iter().filter_map(|name| {
            // Where there is no canary Ingress everybody is with the stable service.
            let ingress = self.picture.get("ingresses", namespace, &name);
            self.share_in(ingress.unwrap_or(&NOTHING), service)
        });
        routes.chain(ingresses).max().unwrap_or(0)
    }

    /// The share of a service in a route or a canary Ingress, if that has to do with the service.
    pub(super) fn share_in(self, steered: &'a Value, service: &str) -> Option<i64> {
        if steered.pointer("/spec/rules/0/backendRefs").is_some() {
            let rules = self.rules(steered).filter(|(whose, _)| *whose == Whose::Theirs);
            return rules.filter_map(|(_, rule)| share_of(rule, service)).max();
        }
        let canary = share_of_canary(steered);
        if service == self.canary_service() {
            return Some(canary);
        }
        (service == self.stable_service()).then_some(100 - canary)
    }

    pub(super) fn selected(self, service: &str) -> &'a str {
        let service = self.picture.get("services", self.namespace(), service);
        service.map_or("", |service| text(service, &format!("/spec/selector/{HASH}")))
    }

    /// How many of so many pods are enough to go on.
    pub(super) fn enough_of(self, pods: i64) -> i64 {
        let threshold = &self.strategy()["canary"]["replicaProgressThreshold"];
        match (threshold["type"].as_str(), threshold["value"].as_i64()) {
            (Some("Percent"), Some(percent)) => pods * percent / 100,
            (Some("Pod"), Some(count)) => pods.min(count),
            _ => pods,
        }
    }

    /// Whether the size of the canary is said apart from its weight.
    pub(super) fn sizes_canary_apart(self) -> bool {
        let steps = self.strategy()["canary"]["steps"].as_array().into_iter().flatten();
        steps.into_iter().any(|step| step.get("setCanaryScale").is_some())
    }

    /// Its ReplicaSets.
    pub(super) fn sets(self) -> impl Iterator<Item = &'a Value> {
        let all = self.picture.within("replicasets", self.namespace());
        all.filter(move |set| self.owns(set))
    }
}

/// The share of a service in a rule, in parts of a hundred, if the rule names the service.
fn share_of(rule: &Value, service: &str) -> Option<i64> {
    let backends = rule["backendRefs"].as_array()?;
    let weight = |backend: &Value| backend["weight"].as_i64().unwrap_or(1);
    let all: i64 = backends.iter().map(weight).sum();
    let mut own = backends.iter().filter(|backend| text(backend, "/name") == service).peekable();
    own.peek()?;
    Some(own.map(weight).sum::<i64>() * 100 / all.max(1))
}

/// The share, in parts of a hundred, that a canary Ingress takes.
pub(super) fn share_of_canary(ingress: &Value) -> i64 {
    let of = |name: &str| {
        let pointer = format!("/metadata/annotations/nginx.ingress.kubernetes.io~1{name}");
        text(ingress, &pointer).parse::<i64>().ok()
    };
    let total = of("canary-weight-total").unwrap_or(100).max(1);
    of("canary-weight").unwrap_or(0) * 100 / total
}

/// The ready endpoints of every service, now and lately.
#[derive(Default)]
pub(super) struct Endpoints {
    slices: BTreeMap<(String, String), (String, i64)>,
    past: BTreeMap<(String, String), Vec<(Timestamp, i64)>>,
}

impl Endpoints {
    /// Takes in a change, if it is one of endpoints.
    pub(super) fn note(&mut self, step: &Step) {
        if step.resource != "endpointslices" {
            return;
        }
        let namespace = step.object.namespace().to_owned();
        let service =
            text(step.object.value(), "/metadata/labels/kubernetes.io~1service-name").to_owned();
        let slice = (namespace.clone(), step.object.name().to_owned());
        let ready = step.after().map_or(0, ready_in);
        self.slices.insert(slice, (service.clone(), ready));
        let now = self.now(&namespace, &service);
        let past = self.past.entry((namespace, service)).or_default();
        past.push((step.at, now));
        // Of what is long past only the last is still the case.
        let old = past.iter().rposition(|(at, _)| step.at.duration_since(*at) > SEEN_WITHIN);
        past.drain(..old.unwrap_or(0));
    }

    /// The ready endpoints of a service.
    pub(super) fn now(&self, namespace: &str, service: &str) -> i64 {
        let own =
            self.slices.iter().filter(|((of, _), (name, _))| of == namespace && name == service);
        own.map(|(_, (_, ready))| ready).sum()
    }

    /// The ready endpoints that a service had before this instant, of whose changes nobody can know yet.
    pub(super) fn before(&self, namespace: &str, service: &str, now: Timestamp) -> i64 {
        let past = self.past.get(&(namespace.to_owned(), service.to_owned()));
        let earlier = past.into_iter().flatten().rfind(|(at, _)| *at < now);
        earlier.map_or(0, |(_, ready)| *ready)
    }

    /// The most ready endpoints that a service had of late.
    pub(super) fn lately(&self, namespace: &str, service: &str, now: Timestamp) -> i64 {
        let Some(past) = self.past.get(&(namespace.to_owned(), service.to_owned())) else {
            return 0;
        };
        let recent = past.iter().filter(|(at, _)| now.duration_since(*at) <= SEEN_WITHIN);
        let last = past.last().map_or(0, |(_, ready)| *ready);
        recent.map(|(_, ready)| *ready).max().unwrap_or(0).max(last)
    }
}

fn ready_in(slice: &Value) -> i64 {
    let endpoints = slice["endpoints"].as_array().into_iter().flatten();
    let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] != false);
    ready
        .map(|endpoint| endpoint["addresses"].as_array().map_or(0, Vec::len))
        .sum::<usize>()
        .try_into()
        .unwrap_or(0)
}
