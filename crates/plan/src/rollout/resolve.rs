//! Where the pod template and the selector come from: the rollout itself, or the workload it refers to.

use super::{Observed, quantities, subject::Subject};
use crate::broken::absence;
use api::argo::{ObjectRef, Rollout};
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::PodTemplateSpec, apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use std::collections::BTreeMap;

/// Resolves the rollout under plan.
///
/// # Errors
/// The sentence that says why the referenced workload gives no template.
pub(crate) fn resolve(observed: &Observed, now: Timestamp) -> Result<Subject<'_>, String> {
    let spec = &observed.rollout.spec;
    let (mut template, selector) = match &spec.workload_ref {
        None => {
            (spec.template.clone().unwrap_or_default(), spec.selector.clone().unwrap_or_default())
        }
        Some(workload) => from_workload(observed, workload)?,
    };
    let dropped = template.spec.as_mut().map(quantities::drop_broken).unwrap_or_default();
    let mut subject = Subject::of(observed, template, selector, now);
    subject.dropped = dropped;
    Ok(subject)
}

fn from_workload(
    observed: &Observed,
    workload: &ObjectRef,
) -> Result<(PodTemplateSpec, LabelSelector), String> {
    if !is_template_empty(&observed.rollout) {
        return Err("template must be empty for workload reference rollout".to_owned());
    }
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    let (api_version, kind) = (text(&workload.api_version), text(&workload.kind));
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    if group != "apps" || kind != "Deployment" {
        return Err(format!("workload of type {group}/{kind} is not supported"));
    }
    let found = observed.workload.as_ref().and_then(|deployment| deployment.spec.as_ref());
    let Some(deployment) = found else {
        let name = text(&workload.name);
        let why = absence(&observed.broken, ("Deployment", &name));
        return Err(format!("deployment.apps \"{name}\" {why}"));
    };
    let selector = observed.rollout.spec.selector.clone();
    Ok((deployment.template.clone(), selector.unwrap_or_else(|| deployment.selector.clone())))
}

/// Whether the rollout leaves the template to its workload: upstream looks for labels and annotations alone.
pub(crate) fn is_template_empty(rollout: &Rollout) -> bool {
    let template = rollout.spec.template.as_ref();
    template.and_then(|template| template.metadata.as_ref()).is_none_or(|metadata| {
        let is_empty =
            |map: &Option<BTreeMap<String, String>>| map.as_ref().is_none_or(BTreeMap::is_empty);
        is_empty(&metadata.labels) && is_empty(&metadata.annotations)
    })
}
