//! EndpointSlices and Endpoints: where the ready pods of a Service are.

use crate::{
    effect::{Decision, Effect, Grace, Part, wire},
    objects::{
        Words, contains_all, controlled_by, has_ended, labels_of, name_of, namespace_of,
        ready_since, reference, uid_of, whole,
    },
};
use k8s_openapi::{
    api::{
        core::v1::{
            EndpointAddress, EndpointPort as CorePort, EndpointSubset, Endpoints, ObjectReference,
            Pod, Service, ServicePort,
        },
        discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice},
    },
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};
use serde_json::json;
use std::collections::BTreeMap;
use vocab::merge_patch_between;

/// The label that ties a slice to its Service.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
/// Endpoints that go into one slice, as upstream bounds it.
const SLICE_LENGTH: usize = 100;

/// What exists of a Service's endpoints.
pub(crate) struct Present<'a> {
    pub(crate) slices: Vec<&'a EndpointSlice>,
    pub(crate) endpoints: Option<&'a Endpoints>,
}

/// The ports of a slice in an order that can be compared.
type Ports = Vec<(String, String, i32, Option<String>)>;

/// Decides for one Service, given the pods of its namespace.
pub(crate) fn decide(service: &Service, pods: &[&Pod], present: &Present<'_>) -> Decision {
    let mut decision = Decision::default();
    let Some(selector) = service.spec.as_ref().and_then(|spec| spec.selector.as_ref()) else {
        return decision;
    };
    if service.metadata.deletion_timestamp.is_some() || selector.is_empty() {
        return decision;
    }
    let chosen: Vec<&Pod> = pods
        .iter()
        .copied()
        .filter(|pod| contains_all(selector, labels_of(&pod.metadata)))
        .filter(|pod| !has_ended(pod) && address_of(pod).is_some())
        .collect();
    let groups = by_ports(service, &chosen);
    match_slices(service, &groups, &present.slices, &mut decision);
    match_endpoints(service, &groups, present.endpoints, &mut decision);
    decision
}

fn address_of(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.pod_ip.as_deref().filter(|address| !address.is_empty())
}

/// Pods that offer the same ports share slices; a named port may differ from pod to pod.
fn by_ports<'a>(service: &Service, pods: &[&'a Pod]) -> BTreeMap<Ports, Vec<&'a Pod>> {
    let mut groups: BTreeMap<Ports, Vec<&Pod>> = BTreeMap::new();
    for pod in pods {
        groups.entry(ports_for(service, pod)).or_default().push(pod);
    }
    groups
}

fn ports_for(service: &Service, pod: &Pod) -> Ports {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_ref());
    let resolved = ports.into_iter().flatten().filter_map(|port| {
        let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".into());
        let number = target(port, pod)?;
        Some((port.name.clone().unwrap_or_default(), protocol, number, port.app_protocol.clone()))
    });
    resolved.collect()
}

fn target(port: &ServicePort, pod: &Pod) -> Option<i32> {
    match &port.target_port {
        None | Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) => named(name, pod),
    }
}

fn named(name: &str, pod: &Pod) -> Option<i32> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
    ports.find(|port| port.name.as_deref() == Some(name)).map(|port| port.container_port)
}

fn publishes_unready(service: &Service) -> bool {
    service.spec.as_ref().and_then(|spec| spec.publish_not_ready_addresses) == Some(true)
}

fn endpoint(service: &Service, pod: &Pod) -> Endpoint {
    let serving = ready_since(pod).is_some();
    let terminating = pod.metadata.deletion_timestamp.is_some();
    Endpoint {
        addresses: address_of(pod).map(str::to_owned).into_iter().collect(),
        conditions: Some(EndpointConditions {
            ready: Some((serving && !terminating) || publishes_unready(service)),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        node_name: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        target_ref: Some(target_ref(pod)),
        ..Endpoint::default()
    }
}

fn target_ref(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: Some("Pod".into()),
        name: pod.metadata.name.clone(),
        namespace: pod.metadata.namespace.clone(),
        uid: pod.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

fn match_slices(
    service: &Service,
    groups: &BTreeMap<Ports, Vec<&Pod>>,
    present: &[&EndpointSlice],
    decision: &mut Decision,
) {
    let ours = |slice: &&&EndpointSlice| {
        labels_of(&slice.metadata).get(MANAGED_BY).is_some_and(|by| by == MANAGER)
    };
    let mut free: Vec<&EndpointSlice> = present.iter().filter(ours).copied().collect();
    let chunks = groups
        .iter()
        .flat_map(|(ports, pods)| pods.chunks(SLICE_LENGTH).map(move |pods| (ports, pods)));
    let mut wanted: Vec<EndpointSlice> =
        chunks.map(|(ports, pods)| slice(service, ports, pods)).collect();
    if wanted.is_empty() {
        wanted.push(slice(service, &Ports::new(), &[]));
    }
    for slice in wanted {
        match free.iter().position(|old| old.ports == slice.ports).or(if free.is_empty() {
            None
        } else {
            Some(0)
        }) {
            None => decision.push(Effect::Create(whole(&slice))),
            Some(place) => update(free.remove(place), &slice, decision),
        }
    }
    for surplus in free {
        let uid = surplus.metadata.uid.clone();
        decision.push(Effect::Delete { target: reference(surplus), uid, grace: Grace::Asked });
    }
}

fn update(old: &EndpointSlice, new: &EndpointSlice, decision: &mut Decision) {
    let parts = |slice: &EndpointSlice| json!({"endpoints": wire(&slice.endpoints), "ports": wire(&slice.ports)});
    if let Some(body) = merge_patch_between(&parts(old), &parts(new)) {
        decision.push(Effect::Patch { target: reference(old), part: Part::Main, body });
    }
}

fn slice(service: &Service, ports: &Ports, pods: &[&Pod]) -> EndpointSlice {
    let name = name_of(&service.metadata).to_owned();
    let port =
        |(name, protocol, number, app): &(String, String, i32, Option<String>)| EndpointPort {
            name: Some(name.clone()),
            protocol: Some(protocol.clone()),
            port: Some(*number),
            app_protocol: app.clone(),
        };
    EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: service.metadata.namespace.clone(),
            labels: Some(Words::from([
                (SERVICE_NAME.into(), name),
                (MANAGED_BY.into(), MANAGER.into()),
            ])),
            owner_references: Some(vec![controlled_by(service)]),
            ..ObjectMeta::default()
        },
        address_type: "IPv4".into(),
        endpoints: Some(pods.iter().map(|pod| endpoint(service, pod)).collect()),
        ports: Some(ports.iter().map(port).collect()),
    }
}

fn match_endpoints(
    service: &Service,
    groups: &BTreeMap<Ports, Vec<&Pod>>,
    present: Option<&Endpoints>,
    decision: &mut Decision,
) {
    let subsets: Vec<EndpointSubset> =
        groups.iter().filter_map(|(ports, pods)| subset(service, ports, pods)).collect();
    let subsets = (!subsets.is_empty()).then_some(subsets);
    let Some(old) = present else {
        let metadata = ObjectMeta {
            name: service.metadata.name.clone(),
            namespace: Some(namespace_of(&service.metadata).to_owned()),
            labels: Some(Words::from([(MANAGED_ENDPOINTS.into(), "endpoint-controller".into())])),
            owner_references: (!uid_of(&service.metadata).is_empty())
                .then(|| vec![controlled_by(service)]),
            ..ObjectMeta::default()
        };
        return decision.push(Effect::Create(whole(&Endpoints { metadata, subsets })));
    };
    if let Some(change) = merge_patch_between(&wire(&old.subsets), &wire(&subsets)) {
        let body = json!({ "subsets": change });
        decision.push(Effect::Patch { target: reference(old), part: Part::Main, body });
    }
}

const MANAGED_ENDPOINTS: &str = "endpoints.kubernetes.io/managed-by";

fn subset(service: &Service, ports: &Ports, pods: &[&Pod]) -> Option<EndpointSubset> {
    let staying = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let (ready, waiting): (Vec<&Pod>, Vec<&Pod>) =
        staying.partition(|pod| ready_since(pod).is_some() || publishes_unready(service));
    let addresses = |pods: Vec<&Pod>| {
        let all: Vec<EndpointAddress> = pods.into_iter().map(address).collect();
        (!all.is_empty()).then_some(all)
    };
    let port = |(name, protocol, number, app): &(String, String, i32, Option<String>)| CorePort {
        name: (!name.is_empty()).then(|| name.clone()),
        protocol: Some(protocol.clone()),
        port: *number,
        app_protocol: app.clone(),
    };
    let (addresses, not_ready_addresses) = (addresses(ready), addresses(waiting));
    (addresses.is_some() || not_ready_addresses.is_some()).then(|| EndpointSubset {
        addresses,
        not_ready_addresses,
        ports: (!ports.is_empty()).then(|| ports.iter().map(port).collect()),
    })
}

fn address(pod: &Pod) -> EndpointAddress {
    EndpointAddress {
        ip: address_of(pod).unwrap_or_default().to_owned(),
        hostname: None,
        node_name: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        target_ref: Some(target_ref(pod)),
    }
}

/// The slice's endpoints as JSON, for tests.
#[cfg(test)]
fn created(decision: &Decision) -> Vec<&serde_json::Value> {
    let object = |effect: &'_ Effect| matches!(effect, Effect::Create(_));
    let creates = decision.effects.iter().filter(|effect| object(effect));
    creates
        .filter_map(|effect| if let Effect::Create(value) = effect { Some(value) } else { None })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build;
    use serde_json::Value;

    fn service(target: &Value) -> Service {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "default", "uid": "uid-service"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": target}]},
        }))
        .unwrap()
    }

    fn check(pod: &Pod, conditions: &Value) {
        let present = Present { slices: Vec::new(), endpoints: None };
        let decision = decide(&service(&json!("http")), &[pod], &present);
        let slice = created(&decision)[0];
        assert_eq!(&slice["endpoints"][0]["conditions"], conditions);
        assert_eq!(slice["ports"][0]["port"], 8080);
    }

    #[test]
    fn conditions_follow_readiness_and_termination() {
        let set = build::replica_set("web", 1);
        let pod = || build::pod("a", &set);
        check(
            &pod().ready(0).done(),
            &json!({"ready": true, "serving": true, "terminating": false}),
        );
        check(&pod().done(), &json!({"ready": false, "serving": false, "terminating": false}));
        let leaving = pod().ready(0).leaving(3).done();
        check(&leaving, &json!({"ready": false, "serving": true, "terminating": true}));
    }

    #[test]
    fn nothing_is_written_when_all_is_as_it_should_be() {
        let set = build::replica_set("web", 1);
        let pod = build::pod("a", &set).ready(0).done();
        let service = service(&json!(8080));
        let first = decide(&service, &[&pod], &Present { slices: Vec::new(), endpoints: None });
        let slice: EndpointSlice = serde_json::from_value(created(&first)[0].clone()).unwrap();
        let endpoints: Endpoints = serde_json::from_value(created(&first)[1].clone()).unwrap();
        let again = decide(
            &service,
            &[&pod],
            &Present { slices: vec![&slice], endpoints: Some(&endpoints) },
        );
        assert_eq!(again, Decision::default());
        let emptied =
            decide(&service, &[], &Present { slices: vec![&slice], endpoints: Some(&endpoints) });
        assert_eq!(emptied.effects.len(), 2);
    }
}
