//! The objects a table is computed from, reduced to what matters for it.
//!
//! Routes come as JSON, for they are custom resources; what cannot be read is a problem with a name.

use crate::ingress::IngressObject;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

const ROLLOUTS_HASH: &str = "rollouts-pod-template-hash";
const DEPLOYMENT_HASH: &str = "pod-template-hash";
const SLICE_OF: &str = "kubernetes.io/service-name";

/// Namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// The key of these two.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// Everything the gateway knows of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Routes, or why one could not be read.
    pub routes: BTreeMap<Key, Result<Route, String>>,
    /// Ingresses.
    pub ingresses: BTreeMap<Key, IngressObject>,
    /// Services.
    pub services: BTreeMap<Key, ServiceObject>,
    /// Endpoint slices.
    pub slices: BTreeMap<Key, Slice>,
    /// Versions of pods.
    pub pods: BTreeMap<Key, Version>,
}

/// An HTTPRoute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// When it was created; older routes come first.
    pub created: Option<Timestamp>,
    /// What it says.
    pub spec: RouteSpec,
}

/// The spec of an HTTPRoute.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RouteSpec {
    /// Hosts it answers to; none means all.
    pub hostnames: Vec<String>,
    /// Gateways or services it belongs to.
    pub parent_refs: Vec<ParentRef>,
    /// Its rules.
    pub rules: Vec<RuleSpec>,
}

/// What a route belongs to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ParentRef {
    /// `Gateway` when absent.
    pub kind: Option<String>,
    /// Its name.
    pub name: String,
    /// The route's own namespace when absent.
    pub namespace: Option<String>,
}

/// A rule of an HTTPRoute.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RuleSpec {
    /// Any of these; none means every request.
    pub matches: Vec<MatchSpec>,
    /// What is done to requests and responses.
    pub filters: Vec<FilterSpec>,
    /// Where requests go.
    pub backend_refs: Vec<BackendRef>,
    /// How long they may take.
    pub timeouts: TimeoutSpec,
}

/// What a request must be like.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MatchSpec {
    /// Its path.
    pub path: Option<ValueMatch>,
    /// Its headers, all of them.
    pub headers: Vec<ValueMatch>,
    /// The parameters of its URL, all of them.
    pub query_params: Vec<ValueMatch>,
    /// Its method.
    pub method: Option<String>,
}

/// What a named value must be like.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ValueMatch {
    /// `Exact`, `PathPrefix` or `RegularExpression`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The name; empty for a path.
    pub name: String,
    /// The value.
    pub value: Option<String>,
}

/// What is done to a request or response.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FilterSpec {
    /// Which of the filters it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// For `RequestHeaderModifier`.
    pub request_header_modifier: HeaderEditSpec,
    /// For `ResponseHeaderModifier`.
    pub response_header_modifier: HeaderEditSpec,
    /// For `RequestMirror`.
    pub request_mirror: MirrorSpec,
}

/// Where copies of requests go, and how many.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MirrorSpec {
    /// Where they go.
    pub backend_ref: BackendRef,
    /// Of a hundred requests; all when neither this nor the fraction is there.
    pub percent: Option<u32>,
    /// The share as a fraction.
    pub fraction: Option<FractionSpec>,
}

/// A share of requests.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct FractionSpec {
    /// So many parts.
    pub numerator: u32,
    /// Of so many; a hundred when absent.
    pub denominator: Option<u32>,
}

/// Changes to headers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct HeaderEditSpec {
    /// Headers that replace others.
    pub set: Vec<HeaderSpec>,
    /// Headers that join others.
    pub add: Vec<HeaderSpec>,
    /// Headers that go.
    pub remove: Vec<String>,
}

/// A header.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct HeaderSpec {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Where requests go, and how many of them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct BackendRef {
    /// The core group when absent.
    pub group: Option<String>,
    /// `Service` when absent.
    pub kind: Option<String>,
    /// Its name.
    pub name: String,
    /// The route's own namespace when absent.
    pub namespace: Option<String>,
    /// The service's port.
    pub port: Option<u16>,
    /// 1 when absent.
    pub weight: Option<u32>,
    /// What is done to requests on their way there.
    pub filters: Vec<FilterSpec>,
}

/// How long requests may take, as Gateway API durations: `500ms`, `10s`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TimeoutSpec {
    /// For the whole request.
    pub request: Option<String>,
    /// For one try at one pod.
    pub backend_request: Option<String>,
}

impl Route {
    /// Reads the spec of an HTTPRoute; the error names the field.
    pub fn parse(created: Option<Timestamp>, spec: &Value) -> Result<Self, String> {
        let spec = RouteSpec::deserialize(spec).map_err(|error| error.to_string())?;
        Ok(Self { created, spec })
    }
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceObject {
    /// Number and name of each port.
    pub ports: Vec<(u16, String)>,
    /// The pod template hash its selector asks for.
    pub selected_hash: String,
}

impl ServiceObject {
    /// What matters of a Service.
    pub fn of(service: &Service) -> Self {
        let Some(spec) = &service.spec else { return Self::default() };
        let ports = spec.ports.iter().flatten();
        let port = |port: &k8s_openapi::api::core::v1::ServicePort| {
            let number = u16::try_from(port.port).ok()?;
            Some((number, port.name.clone().unwrap_or_default()))
        };
        Self {
            ports: ports.filter_map(port).collect(),
            selected_hash: hash(spec.selector.as_ref()),
        }
    }
}

/// An EndpointSlice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slice {
    /// The service it belongs to, in its own namespace.
    pub service: String,
    /// Name and number of each port.
    pub ports: Vec<(String, u16)>,
    /// The addresses that are ready.
    pub ready: Vec<Address>,
}

/// A pod's address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The IP address.
    pub ip: String,
    /// The pod's name; empty when there is none.
    pub pod: String,
}

impl Slice {
    /// What matters of an EndpointSlice.
    pub fn of(slice: &EndpointSlice) -> Self {
        let service = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SLICE_OF));
        let ports = slice.ports.iter().flatten();
        let port = |port: &k8s_openapi::api::discovery::v1::EndpointPort| {
            let number = u16::try_from(port.port?).ok()?;
            Some((port.name.clone().unwrap_or_default(), number))
        };
        let is_ready = |e: &&k8s_openapi::api::discovery::v1::Endpoint| {
            e.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
        };
        let ready = slice.endpoints.iter().flatten().filter(is_ready).flat_map(|endpoint| {
            let target = endpoint.target_ref.as_ref().and_then(|target| target.name.clone());
            let pod = target.unwrap_or_default();
            endpoint.addresses.iter().map(move |ip| Address { ip: ip.clone(), pod: pod.clone() })
        });
        Self {
            service: service.cloned().unwrap_or_default(),
            ports: ports.filter_map(port).collect(),
            ready: ready.collect(),
        }
    }
}

/// Which version a pod is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Its pod template hash.
    pub hash: String,
    /// The workload it belongs to: its ReplicaSet's name without the hash.
    pub workload: String,
}

impl Version {
    /// Which version the pod is of.
    pub fn of(pod: &Pod) -> Self {
        let hash = hash(pod.metadata.labels.as_ref());
        let owners = pod.metadata.owner_references.iter().flatten();
        let owner = owners.filter(|owner| owner.controller == Some(true)).map(|o| &o.name).next();
        let owner = owner.cloned().unwrap_or_default();
        let workload = owner.strip_suffix(&format!("-{hash}")).unwrap_or(&owner).to_owned();
        Self { hash, workload }
    }
}

fn hash(labels: Option<&BTreeMap<String, String>>) -> String {
    let found = labels.and_then(|l| l.get(ROLLOUTS_HASH).or_else(|| l.get(DEPLOYMENT_HASH)));
    found.cloned().unwrap_or_default()
}
