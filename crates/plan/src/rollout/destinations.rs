//! Where traffic goes beside stable and canary: the pods of an experiment under way.
//!
//! Start with [`wanted`]. A destination gets its share only while its service shows endpoints, and loses
//! it before the experiment takes a pod down.

use super::draft::Draft;
use super::{experiment, services, subject::Subject, traffic::to_weight, waits::Wait};
use crate::experiment::subject::{is_terminating, phase};
use api::argo::{AnalysisPhase, TemplateStatus, WeightDestination};
use k8s_openapi::{
    api::core::v1::{Service, ServicePort},
    apimachinery::pkg::util::intstr::IntOrString,
};
use std::collections::BTreeMap;
use vocab::{Destination, PodHash, Weight};

/// Shares of further destinations.
pub(crate) type Further = BTreeMap<Destination, Weight>;

/// What the experiment of the present step should get, out of what the canary leaves.
pub(crate) fn wanted(subject: &Subject<'_>, draft: &mut Draft) -> Further {
    let done = subject.status.abort || subject.status.promote_full || subject.is_fully_promoted();
    let (Some(step), Some(found)) = (experiment::step(subject), experiment::current(subject))
    else {
        return Further::new();
    };
    if done || phase(found) != AnalysisPhase::Running || is_terminating(found) {
        return Further::new();
    }
    let mut further = Further::new();
    for status in found.status.iter().flat_map(|status| &status.template_statuses) {
        let asked = step.templates.iter().find(|template| template.name == status.name);
        let weight = asked.and_then(|template| template.weight).unwrap_or(0);
        if let Some(destination) = destination(subject, status, draft).filter(|_| weight > 0) {
            further.insert(destination, to_weight(weight));
        }
    }
    further
}

/// The service of a template, if it can take traffic.
fn destination(
    subject: &Subject<'_>,
    status: &TemplateStatus,
    draft: &mut Draft,
) -> Option<Destination> {
    let service = status.service_name.clone().filter(|name| !name.is_empty())?;
    let hash = status.pod_template_hash.clone().unwrap_or_default();
    let visible = services::visible(subject, &service, &hash);
    if visible == 0 {
        draft.wait(Wait::Endpoints { service, hash, visible, needed: 1 });
        return None;
    }
    let port = port(subject, &service);
    Some(Destination { service, pod_hash: Some(PodHash(hash)), port })
}

/// The port that leads where the first port of the stable service leads; the first one if none does.
fn port(subject: &Subject<'_>, service: &str) -> Option<i32> {
    let ports = |service: &Service| service.spec.as_ref()?.ports.clone();
    let own = services::find(subject, service).and_then(ports)?;
    let stable = subject.canary()?.stable_service.as_deref().unwrap_or_default();
    let stable = services::find(subject, stable).and_then(ports).unwrap_or_default();
    let leads_there = |port: &&ServicePort| match stable.first().map(target_of) {
        Some(IntOrString::Int(number)) => port.port == number,
        Some(IntOrString::String(name)) => port.name.as_deref() == Some(&name),
        None => false,
    };
    own.iter().find(leads_there).or(own.first()).map(|port| port.port)
}

fn target_of(port: &ServicePort) -> IntOrString {
    port.target_port.clone().unwrap_or(IntOrString::Int(port.port))
}

/// The parts that all of them get.
pub(crate) fn total(further: &Further) -> i32 {
    let parts = further.values().map(|weight| weight.parts());
    i32::try_from(parts.fold(0, u32::saturating_add)).unwrap_or(i32::MAX)
}

/// The destinations as the status has them.
pub(crate) fn in_status(further: &Further) -> Vec<WeightDestination> {
    let entry = |(destination, weight): (&Destination, &Weight)| WeightDestination {
        weight: i32::try_from(weight.parts()).unwrap_or(i32::MAX),
        service_name: Some(destination.service.clone()),
        pod_template_hash: destination.pod_hash.as_ref().map(|hash| hash.0.clone()),
    };
    further.iter().map(entry).collect()
}

/// The destinations in the words of events.
pub(crate) fn describe(weights: &[WeightDestination]) -> String {
    let text = |found: &Option<String>| found.clone().unwrap_or_default();
    let entry = |found: &WeightDestination| {
        format!(
            "{{{} {} {}}}",
            found.weight,
            text(&found.service_name),
            text(&found.pod_template_hash)
        )
    };
    format!("[{}]", weights.iter().map(entry).collect::<Vec<_>>().join(" "))
}
