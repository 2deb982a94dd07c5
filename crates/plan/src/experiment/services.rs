//! A template's service: there as long as its pods are.

use super::{draft::Draft, replica_sets::annotations, subject::Subject, subject::service_name};
use crate::rollout::{sets, sets::SetExt};
use api::argo::{TemplateSpec, TemplateStatus, TemplateStatusCode};
use k8s_openapi::{
    api::{
        apps::v1::ReplicaSet,
        core::v1::{Container, ContainerPort, PodSpec, Service, ServicePort, ServiceSpec},
    },
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};
use std::collections::BTreeSet;
use vocab::ObjectRef;

/// Makes or deletes the service of a template.
pub(super) fn reconcile(
    subject: &Subject<'_>,
    template: &TemplateSpec,
    (set, wanted): (Option<&ReplicaSet>, i32),
    status: &mut TemplateStatus,
    draft: &mut Draft,
) {
    let found = subject.service_of(&template.name);
    match (found, set) {
        (Some(service), Some(set)) if wanted > 0 && template.service.is_some() => {
            note(status, service.metadata.name.clone(), set);
        }
        (None, Some(set)) if wanted > 0 && template.service.is_some() => {
            create(subject, template, set, status, draft);
        }
        (Some(service), set) if !is_needed(subject, template, (service, set)) => {
            let name = service.metadata.name.clone().unwrap_or_default();
            let target = ObjectRef::new("v1", "Service", subject.namespace(), &name);
            draft.delete(target, sets::precondition(&service.metadata));
            status.service_name = None;
            status.pod_template_hash = None;
        }
        _ => {}
    }
}

/// Whether a service is asked for and has pods, or a route still leads to it.
fn is_needed(
    subject: &Subject<'_>,
    template: &TemplateSpec,
    (service, set): (&Service, Option<&ReplicaSet>),
) -> bool {
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let has_pods = set.is_some_and(|set| set.wanted() > 0 || set.available() > 0);
    template.service.is_some() && has_pods || subject.is_routed(name)
}

fn note(status: &mut TemplateStatus, name: Option<String>, set: &ReplicaSet) {
    status.service_name = name;
    status.pod_template_hash = Some(set.hash().to_owned());
}

fn create(
    subject: &Subject<'_>,
    template: &TemplateSpec,
    set: &ReplicaSet,
    status: &mut TemplateStatus,
    draft: &mut Draft,
) {
    let name = service_name(subject.experiment, template);
    let pods = set.spec.as_ref().and_then(|spec| spec.template.as_ref()?.spec.as_ref());
    let ports = pods.map(ports).unwrap_or_default();
    if ports.is_empty() {
        return;
    }
    if let Some(why) = obstacle(subject, template, &name) {
        status.status = Some(TemplateStatusCode::Error);
        status.message = Some(format!(
            "Failed to create Service {name} for template '{}': {why}",
            template.name
        ));
        return;
    }
    let service = Service {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(subject.namespace().to_owned()),
            annotations: Some(annotations(subject, template)),
            owner_references: Some(vec![subject.owner()]),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            selector: set.metadata.labels.clone(),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        status: None,
    };
    let Ok(object) = serde_json::to_value(service) else { return };
    draft.create(object);
    note(status, Some(name), set);
}

/// Why a service of this name cannot be made.
fn obstacle(subject: &Subject<'_>, template: &TemplateSpec, name: &str) -> Option<String> {
    let same = |service: &Service| service.metadata.name.as_deref() == Some(name);
    if subject.observed.services.iter().any(same) {
        let template = &template.name;
        return Some(format!(
            "service {name} already exists and is not owned by experiment template {template}"
        ));
    }
    let target = ObjectRef::new("v1", "Service", subject.namespace(), name);
    subject.observed.refused.get(&target).cloned()
}

/// One port for each of the containers' ports. Where there are several each needs a name.
pub(crate) fn ports(pods: &PodSpec) -> Vec<ServicePort> {
    let mut seen = BTreeSet::new();
    let all: Vec<&ContainerPort> = pods
        .containers
        .iter()
        .flat_map(|container: &Container| container.ports.iter().flatten())
        .filter(|port| seen.insert((protocol(port).to_owned(), port.container_port)))
        .collect();
    let several = all.len() > 1;
    all.into_iter().map(|port| service_port(port, several.then(|| made_up_name(port)))).collect()
}

fn service_port(port: &ContainerPort, made_up: Option<String>) -> ServicePort {
    ServicePort {
        name: port.name.clone().filter(|name| !name.is_empty()).or(made_up),
        port: port.container_port,
        protocol: port.protocol.clone(),
        target_port: Some(IntOrString::Int(port.container_port)),
        ..ServicePort::default()
    }
}

fn protocol(port: &ContainerPort) -> &str {
    port.protocol.as_deref().unwrap_or("TCP")
}

fn made_up_name(port: &ContainerPort) -> String {
    format!("{}-{}", protocol(port).to_lowercase(), port.container_port)
}
