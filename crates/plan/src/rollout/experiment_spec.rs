//! Building the experiment of a step out of the rollout's own ReplicaSets.

use super::{revision, sets::SetExt, subject::Subject};
use crate::experiment::subject::phase;
use analysis::field_ref;
use api::argo::{
    Experiment, ExperimentAnalysisTemplateRef, ExperimentSpec, RolloutExperimentStep,
    RolloutExperimentTemplate, TemplateService, TemplateSpec, keys,
};
use k8s_openapi::{
    api::apps::v1::{ReplicaSet, ReplicaSetSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use std::{collections::BTreeMap, sync::Arc};

/// An experiment that is wanted.
pub(crate) enum Built {
    /// It has to be made.
    New(Box<Experiment>),
    /// It was made already, though the status does not know yet.
    There(String),
}

/// The name that the experiment of the present step gets, unless it is taken.
pub(crate) fn base_name(subject: &Subject<'_>) -> String {
    let (name, revision, index) = (subject.name(), subject.revision(), subject.step_index());
    format!("{name}-{}-{revision}-{index}", subject.new_hash())
}

/// Builds the experiment of the present step.
///
/// # Errors
/// Why the step gives no experiment.
pub(crate) fn build(subject: &Subject<'_>, step: &RolloutExperimentStep) -> Result<Built, String> {
    let base = base_name(subject);
    let mut experiment = Experiment {
        metadata: metadata(subject, base.clone()),
        spec: spec(subject, step)?,
        status: None,
    };
    for attempt in 1.. {
        let mut found = subject.observed.experiments.iter().map(Arc::as_ref);
        let Some(found) = found.find(|found| found.metadata.name == experiment.metadata.name)
        else {
            break;
        };
        if is_same(found, &experiment) {
            return Ok(Built::There(found.metadata.name.clone().unwrap_or_default()));
        }
        experiment.metadata.name = Some(format!("{base}-{attempt}"));
    }
    Ok(Built::New(Box::new(experiment)))
}

fn is_same(found: &Experiment, wanted: &Experiment) -> bool {
    !phase(found).completed() && !found.spec.terminate && found.spec == wanted.spec
}

fn metadata(subject: &Subject<'_>, name: String) -> ObjectMeta {
    let mut labels = subject.rollout.metadata.labels.clone().unwrap_or_default();
    labels.insert(keys::POD_TEMPLATE_HASH.to_owned(), subject.new_hash());
    let revision = subject.revision().to_string();
    ObjectMeta {
        name: Some(name),
        namespace: Some(subject.namespace().to_owned()),
        labels: Some(labels),
        annotations: Some(BTreeMap::from([(keys::REVISION.to_owned(), revision)])),
        owner_references: Some(vec![revision::owner(subject)]),
        ..ObjectMeta::default()
    }
}

fn spec(subject: &Subject<'_>, step: &RolloutExperimentStep) -> Result<ExperimentSpec, String> {
    let templates = step.templates.iter().map(|template| template_spec(subject, template));
    Ok(ExperimentSpec {
        templates: templates.collect::<Result<_, _>>()?,
        duration: step.duration.clone(),
        progress_deadline_seconds: subject.rollout.spec.progress_deadline_seconds,
        terminate: false,
        analyses: analyses(subject, step)?,
        scale_down_delay_seconds: step.scale_down_delay_seconds,
        dry_run: step.dry_run.clone(),
        measurement_retention: Vec::new(),
        analysis_run_metadata: step.analysis_run_metadata.clone(),
    })
}

fn template_spec(
    subject: &Subject<'_>,
    asked: &RolloutExperimentTemplate,
) -> Result<TemplateSpec, String> {
    let set = match asked.spec_ref.as_str() {
        "canary" => subject.new_set(),
        "stable" => subject.stable_set(),
        _ => return Err("Invalid template step SpecRef: must be canary or stable".to_owned()),
    };
    let set = set.and_then(|set: &ReplicaSet| set.spec.clone());
    let set: ReplicaSetSpec =
        set.ok_or_else(|| format!("the {} ReplicaSet is not there", asked.spec_ref))?;
    let mut template = set.template.unwrap_or_default();
    let mut selector = asked.selector.clone().unwrap_or(set.selector);
    let extra = &asked.metadata;
    if !extra.labels.is_empty() {
        let metadata = template.metadata.get_or_insert_default();
        metadata.labels.get_or_insert_default().extend(extra.labels.clone());
        selector.match_labels.get_or_insert_default().extend(extra.labels.clone());
    }
    if !extra.annotations.is_empty() {
        let metadata = template.metadata.get_or_insert_default();
        metadata.annotations.get_or_insert_default().extend(extra.annotations.clone());
    }
    Ok(TemplateSpec {
        name: asked.name.clone(),
        replicas: asked.replicas,
        min_ready_seconds: set.min_ready_seconds.unwrap_or(0),
        selector,
        template,
        service: service(asked),
    })
}

/// A template that users are sent to needs a service whether or not one is asked for.
fn service(asked: &RolloutExperimentTemplate) -> Option<TemplateService> {
    let name = asked.service.as_ref().and_then(|service| service.name.clone());
    (asked.weight.is_some() || asked.service.is_some()).then_some(TemplateService { name })
}

fn analyses(
    subject: &Subject<'_>,
    step: &RolloutExperimentStep,
) -> Result<Vec<ExperimentAnalysisTemplateRef>, String> {
    let rollout = serde_json::to_value(subject.rollout).map_err(|error| error.to_string())?;
    let fields = field_ref::Subject {
        stable_hash: subject.stable_set().map_or("", SetExt::hash),
        latest_hash: subject.new_set().map_or("", SetExt::hash),
        rollout: &rollout,
    };
    let build = |asked: &api::argo::RolloutExperimentStepAnalysisTemplateRef| {
        let args = field_ref::rollout_arguments(&asked.args, fields);
        Ok(ExperimentAnalysisTemplateRef {
            name: asked.name.clone(),
            template_name: asked.template_name.clone(),
            cluster_scope: asked.cluster_scope,
            args: args.map_err(|error| error.to_string())?,
            required_for_completion: asked.required_for_completion,
        })
    };
    step.analyses.iter().map(build).collect()
}
