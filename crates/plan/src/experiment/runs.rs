//! Building the analysis run of an experiment out of a template and its arguments.

use super::{subject::Subject, template_ref};
use crate::{
    broken::{absence, no_run},
    rollout::{analysis, sets, sets::SetExt},
};
use ::analysis::{
    arguments,
    template::{self, TemplateError},
};
use api::argo::{
    AnalysisRun, AnalysisRunSpec, AnalysisTemplate, Argument, ClusterAnalysisTemplate,
    ExperimentAnalysisTemplateRef, GROUP, RolloutAnalysis, keys,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::{collections::BTreeMap, sync::Arc};

/// A run that is wanted.
pub(super) enum Built {
    /// It has to be made.
    New(AnalysisRun),
    /// It was made already, though the status does not know yet.
    There(AnalysisRun),
}

/// Builds the run of an analysis.
///
/// # Errors
/// Why the template or its arguments give no run.
pub(super) fn build(
    subject: &Subject<'_>,
    analysis: &ExperimentAnalysisTemplateRef,
) -> Result<Built, String> {
    let base = format!("{}-{}", subject.name(), analysis.name);
    let mut run = AnalysisRun {
        metadata: metadata(subject, base.clone()),
        spec: spec(subject, analysis)?,
        status: None,
    };
    for attempt in 1.. {
        let mut runs = subject.observed.analysis_runs.iter().map(Arc::as_ref);
        let Some(found) = runs.find(|found| found.metadata.name == run.metadata.name) else {
            break;
        };
        if subject.owns(&found.metadata) && is_same(found, &run) {
            return Ok(Built::There(found.clone()));
        }
        run.metadata.name = Some(format!("{base}.{attempt}"));
    }
    Ok(Built::New(run))
}

fn is_same(found: &AnalysisRun, wanted: &AnalysisRun) -> bool {
    let spec = AnalysisRunSpec { terminate: found.spec.terminate, ..wanted.spec.clone() };
    !analysis::phase(found).completed() && !found.spec.terminate && found.spec == spec
}

fn spec(
    subject: &Subject<'_>,
    analysis: &ExperimentAnalysisTemplateRef,
) -> Result<AnalysisRunSpec, String> {
    let wanted = [template_ref(&analysis.template_name, analysis.cluster_scope)];
    let templates: Vec<&AnalysisTemplate> = subject.observed.templates.values().flatten().collect();
    let cluster: Vec<&ClusterAnalysisTemplate> =
        subject.observed.cluster_templates.values().flatten().collect();
    let merged = template::merge(&wanted, &templates, &cluster)
        .map_err(|error| no_merge(subject, &error))?;
    let rules = RolloutAnalysis {
        dry_run: subject.experiment.spec.dry_run.clone(),
        measurement_retention: subject.experiment.spec.measurement_retention.clone(),
        ..RolloutAnalysis::default()
    };
    template::run_spec(merged, &args(subject, analysis)?, &rules).map_err(|error| error.to_string())
}

/// Why templates make no run; upstream names a missing one as the API server does.
fn no_merge(subject: &Subject<'_>, error: &TemplateError) -> String {
    let broken = &subject.observed.broken;
    match error {
        TemplateError::NotFound { kind, name } => {
            let group = format!("{}.{}", kind.to_lowercase(), GROUP);
            format!("{group} \"{name}\" {}", absence(broken, (kind, name)))
        }
        other => no_run(broken, other),
    }
}

/// The arguments with what only an experiment knows put in.
fn args(
    subject: &Subject<'_>,
    analysis: &ExperimentAnalysisTemplateRef,
) -> Result<Vec<Argument>, String> {
    let values = values(subject);
    let resolve = |arg: &Argument| {
        let value = arg.value.as_ref().map(|text| arguments::substitute(text, &values));
        let value = value.transpose().map_err(|error| error.to_string())?;
        Ok(Argument { name: arg.name.clone(), value, value_from: arg.value_from.clone() })
    };
    analysis.args.iter().map(resolve).collect()
}

fn values(subject: &Subject<'_>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let mut put = |key: &str, value: String| values.insert(key.to_owned(), value);
    if let Some(available) = &subject.status.available_at {
        put("experiment.availableAt", crate::rollout::seconds_text(available.0));
    }
    if let Some(end) = subject.ends_at() {
        put("experiment.finishedAt", crate::rollout::seconds_text(end));
    }
    for template in &subject.experiment.spec.templates {
        let name = &template.name;
        if let Some(set) = subject.set_of(name) {
            put(&format!("templates.{name}.podTemplateHash"), set.hash().to_owned());
            put(&format!("templates.{name}.replicaset.name"), set.name().to_owned());
        }
    }
    values
}

fn metadata(subject: &Subject<'_>, name: String) -> ObjectMeta {
    let extra = &subject.experiment.spec.analysis_run_metadata;
    let mut labels = BTreeMap::new();
    let instance = sets::label(&subject.experiment.metadata, keys::CONTROLLER_INSTANCE_ID);
    labels.extend(instance.map(|id| (keys::CONTROLLER_INSTANCE_ID.to_owned(), id.to_owned())));
    labels.extend(extra.labels.clone());
    ObjectMeta {
        name: Some(name),
        namespace: Some(subject.namespace().to_owned()),
        labels: Some(labels),
        annotations: Some(extra.annotations.clone()).filter(|map| !map.is_empty()),
        owner_references: Some(vec![subject.owner()]),
        ..ObjectMeta::default()
    }
}
