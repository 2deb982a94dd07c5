//! What the specification alone comes to: where the pod template and the selector come from, which is the
//! rollout itself or the workload it refers to, and the hashes of both halves of a release.
//!
//! Start with [`resolved`]. However often one look plans, this is worked out once, and for all looks at one
//! generation if whoever gathers keeps the [`Specification`].

use super::{Observed, hash, quantities, validate::Problem};
use crate::broken::absence;
use api::argo::{CanaryStep, ObjectRef, Rollout};
use k8s_openapi::{
    api::core::v1::PodTemplateSpec, apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

/// The specification in force.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// The pod template, be it the rollout's own or the workload's.
    pub(crate) template: PodTemplateSpec,
    /// The selector, be it the rollout's own or the workload's.
    pub(crate) selector: LabelSelector,
    /// Where the template has amounts that are none and were left out of it.
    pub(crate) dropped: Vec<String>,
    template_hash: OnceLock<(Option<i32>, String)>,
    steps_hash: OnceLock<String>,
    problems: OnceLock<Vec<Problem>>,
}

impl Resolved {
    /// A specification that is as it is written.
    pub(crate) fn of(template: PodTemplateSpec, selector: LabelSelector) -> Self {
        Self { template, selector, ..Self::default() }
    }

    /// Hash of the pod template after so many collisions of names.
    pub(crate) fn template_hash(&self, collisions: Option<i32>) -> String {
        let hash = || hash::template_hash(&self.template, collisions);
        let (known, found) = self.template_hash.get_or_init(|| (collisions, hash()));
        if *known == collisions { found.clone() } else { hash() }
    }

    /// Hash of the steps, which are always those of the one rollout.
    pub(crate) fn steps_hash(&self, steps: &[CanaryStep]) -> &str {
        self.steps_hash.get_or_init(|| hash::steps_hash(steps))
    }

    /// What is wrong with the specification itself, which `check` finds out.
    pub(crate) fn problems(&self, check: impl FnOnce() -> Vec<Problem>) -> &[Problem] {
        self.problems.get_or_init(check)
    }
}

/// What one generation of a rollout that has its template itself comes to, worked out by the first that asks.
/// Copies share it.
#[derive(Clone, Debug, Default)]
pub struct Specification(Arc<OnceLock<Outcome>>);

/// The specification, or the sentence that says why the referenced workload gives no template.
type Outcome = Result<Resolved, String>;

/// What the specification of the rollout under plan comes to.
pub(crate) fn resolved(observed: &Observed) -> Specification {
    let known = observed.specification.clone();
    let known = known.filter(|_| observed.rollout.spec.workload_ref.is_none());
    let specification = known.unwrap_or_default();
    specification.0.get_or_init(|| resolve(observed));
    specification
}

impl Specification {
    /// The specification in force.
    ///
    /// # Errors
    /// The sentence that says why the referenced workload gives no template.
    pub(crate) fn outcome(&self) -> Result<&Resolved, &str> {
        match self.0.get() {
            Some(Ok(resolved)) => Ok(resolved),
            Some(Err(why)) => Err(why),
            None => Err("the specification was not looked at"),
        }
    }
}

/// Resolves the rollout under plan.
///
/// # Errors
/// The sentence that says why the referenced workload gives no template.
fn resolve(observed: &Observed) -> Outcome {
    let spec = &observed.rollout.spec;
    let (mut template, selector) = match &spec.workload_ref {
        None => {
            (spec.template.clone().unwrap_or_default(), spec.selector.clone().unwrap_or_default())
        }
        Some(workload) => from_workload(observed, workload)?,
    };
    let dropped = template.spec.as_mut().map(quantities::drop_broken).unwrap_or_default();
    Ok(Resolved { dropped, ..Resolved::of(template, selector) })
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
        let namespace = observed.rollout.metadata.namespace.as_deref().unwrap_or_default();
        return Err(format!("deployments.apps \"{namespace}/{name}\" {why}"));
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
