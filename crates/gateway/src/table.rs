//! The routing table: which requests go where, computed from objects alone.
//!
//! A table says everything that the objects say and nothing that is counted; see `live` for that.

use crate::config::DirectServices;
use crate::headers::HeaderEdit;
use crate::ingress;
use crate::matching::{Match, Precedence};
use crate::objects::{
    Address, BackendRef, FilterSpec, FractionSpec, Key, MirrorSpec, Objects, Route, RuleSpec,
    ServiceObject, Slice, Version,
};
use http::request::Parts;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The filter that copies requests.
const MIRROR: &str = "RequestMirror";
/// What a share is of when nothing else is said.
const PERCENT: u32 = 100;

/// Where requests go.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Every rule of every route.
    pub rules: Vec<Rule>,
    /// Every port of every service that requests may go to.
    pub targets: Vec<Target>,
    /// What is wrong with the objects, for a log.
    pub problems: Vec<String>,
    exact: BTreeMap<String, Vec<Candidate>>,
    suffixes: BTreeMap<String, Vec<Candidate>>,
    any: Vec<Candidate>,
    direct: BTreeMap<String, usize>,
    known: BTreeMap<(Key, Option<u16>), usize>,
}

/// What a request is answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The rule at this place of [`Table::rules`].
    Rule(usize),
    /// The target at this place of [`Table::targets`].
    Target(usize),
    /// Nothing.
    Nothing,
}

/// A rule of a route.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// The route.
    pub route: Key,
    /// Its place in the route.
    pub index: usize,
    /// Where requests go.
    pub backends: Vec<RuleBackend>,
    /// Changes to the headers of requests.
    pub(crate) request_headers: HeaderEdit,
    /// Changes to the headers of responses.
    pub(crate) response_headers: HeaderEdit,
    /// Where copies of requests go.
    pub mirrors: Vec<Mirror>,
    /// How long a response may take.
    pub timeout: Option<Duration>,
    /// Why the rule cannot be followed.
    pub unsupported: Option<String>,
}

/// Where some of a rule's requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleBackend {
    /// The service.
    pub service: Key,
    /// The service's port.
    pub port: Option<u16>,
    /// Its weight among the rule's backends.
    pub weight: u32,
    /// The place in [`Table::targets`], or why there is none.
    pub target: Result<usize, String>,
}

/// Where copies of some of a rule's requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The service; its weight says nothing.
    pub backend: RuleBackend,
    /// The parts that are copied, and those that are not.
    pub shares: [u32; 2],
}

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The service.
    pub service: Key,
    /// The hash that the service's selector asks for.
    pub selected_hash: String,
    /// Where it is served.
    pub endpoints: Vec<Endpoint>,
}

/// A pod that is ready.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// Which version it is.
    pub version: Version,
}

#[derive(Clone, Debug)]
struct Candidate {
    matcher: Match,
    rule: usize,
    order: Order,
}

type Order = (Precedence, Option<Timestamp>, Key, usize);

impl Table {
    /// The table that these objects make.
    pub fn build(objects: &Objects, direct: DirectServices) -> Self {
        let mut table = Self::default();
        for (key, route) in &objects.routes {
            match route {
                Ok(route) => table.add_route(objects, key, route),
                Err(error) => table.problem(key, error),
            }
        }
        for (key, route) in &ingress::routes(objects) {
            table.add_route(objects, key, route);
        }
        if direct == DirectServices::Reachable {
            table.add_direct(objects);
        }
        table.sort();
        table
    }

    /// What answers a request for `host` (with or without a port).
    pub fn find(&self, host: &str, request: &Parts) -> Found {
        let host = without_port(host);
        let lower;
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            lower = host.to_ascii_lowercase();
            &lower
        } else {
            host
        };
        let first = |candidates: &[Candidate]| {
            candidates.iter().find(|c| c.matcher.matches(request)).map(|c| Found::Rule(c.rule))
        };
        self.exact
            .get(host)
            .and_then(|candidates| first(candidates))
            .or_else(|| self.parents(host).find_map(|candidates| first(candidates)))
            .or_else(|| first(&self.any))
            .or_else(|| self.direct.get(host).copied().map(Found::Target))
            .unwrap_or(Found::Nothing)
    }

    /// The candidates of `*.…` hosts, the longest first.
    fn parents<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Vec<Candidate>> {
        let dots = host.match_indices('.').map(|(dot, _)| &host[dot..]);
        let used = !self.suffixes.is_empty();
        dots.filter(move |_| used).filter_map(|suffix| self.suffixes.get(suffix))
    }

    fn add_route(&mut self, objects: &Objects, key: &Key, route: &Route) {
        let hosts = hosts_of(key, route);
        for (index, spec) in route.spec.rules.iter().enumerate() {
            let place = self.rules.len();
            let (matches, unread) = matches_of(spec);
            let mut rule = self.rule(objects, key, spec);
            rule.index = index;
            if let Some(error) = unread.or_else(|| rule.unsupported.clone()) {
                self.problem(key, &format!("rule {index}: {error}"));
                rule.unsupported = Some(error);
            }
            self.rules.push(rule);
            for matcher in matches {
                let order = (matcher.precedence(), route.created, key.clone(), index);
                self.add_candidate(&hosts, &Candidate { matcher, rule: place, order });
            }
        }
    }

    fn add_candidate(&mut self, hosts: &[String], candidate: &Candidate) {
        if hosts.is_empty() {
            self.any.push(candidate.clone());
        }
        for host in hosts {
            let candidates = match host.strip_prefix('*') {
                Some(suffix) => self.suffixes.entry(suffix.to_owned()).or_default(),
                None => self.exact.entry(host.clone()).or_default(),
            };
            candidates.push(candidate.clone());
        }
    }

    fn rule(&mut self, objects: &Objects, key: &Key, spec: &RuleSpec) -> Rule {
        let mut rule = Rule { route: key.clone(), ..Rule::default() };
        for filter in &spec.filters {
            if filter.kind == MIRROR {
                rule.mirrors.push(self.mirror(objects, key, &filter.request_mirror));
            } else {
                add_filter(&mut rule, filter);
            }
        }
        let timeouts = [&spec.timeouts.request, &spec.timeouts.backend_request];
        for text in timeouts.into_iter().flatten() {
            match text.parse::<SignedDuration>().ok().and_then(|span| span.try_into().ok()) {
                Some(Duration::ZERO) => {}
                Some(span) => {
                    rule.timeout =
                        Some(rule.timeout.map_or(span, |other: Duration| other.min(span)));
                }
                None => rule.unsupported = Some(format!("timeout {text:?} is not a duration")),
            }
        }
        for backend in &spec.backend_refs {
            if let Some(filter) = backend.filters.first() {
                let kind = &filter.kind;
                rule.unsupported = Some(format!("filter {kind:?} of a backend is not supported"));
            }
            rule.backends.push(self.backend(objects, key, backend));
        }
        rule
    }

    /// A mirror that leads nowhere is a problem, and none of the request's.
    fn mirror(&mut self, objects: &Objects, route: &Key, mirror: &MirrorSpec) -> Mirror {
        let share = |fraction: &FractionSpec| {
            let of = fraction.denominator.unwrap_or(PERCENT).max(1);
            (fraction.numerator.min(of), of)
        };
        let percent = || (mirror.percent.unwrap_or(PERCENT).min(PERCENT), PERCENT);
        let (parts, of) = mirror.fraction.as_ref().map_or_else(percent, share);
        let backend = self.backend(objects, route, &mirror.backend_ref);
        Mirror { backend, shares: [parts, of - parts] }
    }

    fn backend(&mut self, objects: &Objects, route: &Key, backend: &BackendRef) -> RuleBackend {
        let namespace = backend.namespace.as_deref().unwrap_or(&route.namespace);
        let service = Key::new(namespace, &backend.name);
        let core = backend.group.as_deref().unwrap_or_default().is_empty();
        let target = match backend.kind.as_deref().unwrap_or("Service") {
            "Service" if core && namespace == route.namespace => {
                self.target(objects, &service, backend.port)
            }
            "Service" if core => Err(format!(
                "service {}/{} is in another namespace than route {}/{}, which no grant allows",
                namespace, backend.name, route.namespace, route.name
            )),
            kind => Err(format!("backend of kind {kind:?} is not supported")),
        };
        if let Err(error) = &target {
            self.problem(route, error);
        }
        let weight = backend.weight.unwrap_or(1);
        RuleBackend { service, port: backend.port, weight, target }
    }

    fn target(&mut self, objects: &Objects, key: &Key, port: Option<u16>) -> Result<usize, String> {
        if let Some(place) = self.known.get(&(key.clone(), port)) {
            return Ok(*place);
        }
        let missing = || format!("service {}/{} does not exist", key.namespace, key.name);
        let service = objects.services.get(key).ok_or_else(missing)?;
        let name = port_name(key, service, port)?;
        let place = self.targets.len();
        self.targets.push(Target {
            service: key.clone(),
            selected_hash: service.selected_hash.clone(),
            endpoints: endpoints(objects, key, service, name),
        });
        self.known.insert((key.clone(), port), place);
        Ok(place)
    }

    fn add_direct(&mut self, objects: &Objects) {
        for (key, service) in &objects.services {
            let first = service.ports.first().map(|(number, _)| *number);
            let Some(place) = first.and_then(|p| self.target(objects, key, Some(p)).ok()) else {
                continue;
            };
            for host in service_hosts(key) {
                self.direct.insert(host, place);
            }
        }
    }

    fn sort(&mut self) {
        let lists = self.exact.values_mut().chain(self.suffixes.values_mut());
        for candidates in lists.chain([&mut self.any]) {
            candidates.sort_by(|a, b| a.order.cmp(&b.order));
        }
    }

    fn problem(&mut self, route: &Key, error: &str) {
        self.problems.push(format!("route {}/{}: {error}", route.namespace, route.name));
    }
}

/// Hosts of the route: those it names, or those of the services it is attached to.
fn hosts_of(key: &Key, route: &Route) -> Vec<String> {
    let parents = &route.spec.parent_refs;
    let services = parents.iter().filter(|parent| parent.kind.as_deref() == Some("Service"));
    let attached: Vec<_> = services
        .map(|p| Key::new(p.namespace.as_deref().unwrap_or(&key.namespace), &p.name))
        .collect();
    if !attached.is_empty() && attached.len() == parents.len() {
        return attached.iter().flat_map(service_hosts).collect();
    }
    route.spec.hostnames.iter().map(|host| host.to_ascii_lowercase()).collect()
}

fn service_hosts(key: &Key) -> [String; 3] {
    let short = format!("{}.{}", key.name, key.namespace);
    [short.clone(), format!("{short}.svc"), format!("{short}.svc.cluster.local")]
}

/// The rule's matches, and why one of them could not be read.
///
/// A match that cannot be read is taken for every request of the host: the rule answers all of them
/// with the error rather than let requests pass to where they do not belong.
fn matches_of(spec: &RuleSpec) -> (Vec<Match>, Option<String>) {
    if spec.matches.is_empty() {
        return (vec![Match::all()], None);
    }
    match spec.matches.iter().map(Match::parse).collect::<Result<Vec<_>, _>>() {
        Ok(matches) => (matches, None),
        Err(error) => (vec![Match::all()], Some(error)),
    }
}

fn add_filter(rule: &mut Rule, filter: &FilterSpec) {
    let edit = match filter.kind.as_str() {
        "RequestHeaderModifier" => HeaderEdit::parse(&filter.request_header_modifier),
        "ResponseHeaderModifier" => HeaderEdit::parse(&filter.response_header_modifier),
        other => Err(format!("filter {other:?} is not supported")),
    };
    match edit {
        Ok(edit) if filter.kind.starts_with("Request") => rule.request_headers.extend(edit),
        Ok(edit) => rule.response_headers.extend(edit),
        Err(error) => rule.unsupported = Some(error),
    }
}

fn port_name<'a>(
    key: &Key,
    service: &'a ServiceObject,
    port: Option<u16>,
) -> Result<&'a str, String> {
    let found = match (port, service.ports.as_slice()) {
        (Some(port), ports) => ports.iter().find(|(number, _)| *number == port),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let named = port.map_or_else(|| "only".to_owned(), |port| port.to_string());
    let missing = || format!("service {}/{} has no {named} port", key.namespace, key.name);
    found.map(|(_, name)| name.as_str()).ok_or_else(missing)
}

fn endpoints(objects: &Objects, key: &Key, service: &ServiceObject, port: &str) -> Vec<Endpoint> {
    let mut found = Vec::new();
    for (slice_key, slice) in &objects.slices {
        if slice_key.namespace != key.namespace || slice.service != key.name {
            continue;
        }
        let Some(number) = port_number(slice, port) else { continue };
        for Address { ip, pod } in &slice.ready {
            let Ok(ip) = ip.parse::<IpAddr>() else { continue };
            let version = objects.pods.get(&Key::new(&key.namespace, pod)).cloned();
            let selected = || Version { hash: service.selected_hash.clone(), ..Version::default() };
            let version = version.unwrap_or_else(selected);
            found.push(Endpoint { address: SocketAddr::new(ip, number), version });
        }
    }
    found.sort();
    found.dedup_by_key(|endpoint| endpoint.address);
    found
}

fn port_number(slice: &Slice, name: &str) -> Option<u16> {
    slice.ports.iter().find(|(port, _)| port == name).map(|(_, number)| *number)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
