//! Planning one Experiment: pods beside a workload, watched for a while, and a verdict.
//!
//! Start with [`plan`]. ReplicaSets are made without pods and grown one look later; once every template is
//! available the time and the analyses begin; when the experiment ends its pods go, but never while a
//! route still leads to them.
//!
//! An experiment has no status subresource, so its status is written through the main resource.
//!
//! **Invariant.** Nothing here remembers anything: the same observation and time give the same plan.

mod analyses;
mod conditions;
mod draft;
mod outcome;
mod replica_sets;
mod runs;
mod services;
pub(crate) mod subject;
mod templates;
mod validate;

use crate::{
    broken::Broken,
    rollout::{Reads, Wait},
};
use api::argo::{
    AnalysisPhase, AnalysisRun, AnalysisTemplate, AnalysisTemplateRef, ClusterAnalysisTemplate,
    Experiment, Rollout,
};
use draft::Draft;
use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::ReplicaSet,
    core::v1::{Pod, Service},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use subject::Subject;
use vocab::{ObjectRef, Plan};

/// Everything a plan for one experiment rests on. What was not gathered counts as missing.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The experiment with its `resourceVersion` and uid.
    pub experiment: Experiment,
    /// ReplicaSets that it owns, and those that have a name of [`Names`].
    pub replica_sets: Vec<Arc<ReplicaSet>>,
    /// Services that it owns, and those that have a name of [`Names`].
    pub services: Vec<Service>,
    /// Analysis runs that it owns, and those whose names begin with its own.
    pub analysis_runs: Vec<Arc<AnalysisRun>>,
    /// Analysis templates of the namespace by name; absent ones as `None`.
    pub templates: BTreeMap<String, Option<AnalysisTemplate>>,
    /// Cluster analysis templates by name; absent ones as `None`.
    pub cluster_templates: BTreeMap<String, Option<ClusterAnalysisTemplate>>,
    /// Templates that are there and cannot be understood.
    pub broken: Broken,
    /// Hashes of the namespace's other ReplicaSets: pods of the experiment must not pass for theirs.
    pub hashes: BTreeSet<String>,
    /// Pods of the experiment's ReplicaSets, as evidence of why they are not ready.
    pub pods: Vec<Arc<Pod>>,
    /// The rollout of which the experiment is a step.
    pub rollout: Option<Rollout>,
    /// The objects that the routers of that rollout read; absent ones as `None`.
    pub objects: routers::Objects,
    /// What the API server refused to make just now, with its words.
    pub refused: BTreeMap<ObjectRef, String>,
    /// Since when somebody has been there to move the experiment; earlier is not held against it.
    pub attended_since: Option<Timestamp>,
}

/// The names that an experiment's objects have or would get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Of ReplicaSets.
    pub replica_sets: BTreeSet<String>,
    /// Of services.
    pub services: BTreeSet<String>,
}

/// The names that the objects of `experiment` have or would get.
pub fn names(experiment: &Experiment) -> Names {
    let mut names = Names::default();
    for template in &experiment.spec.templates {
        names.replica_sets.insert(subject::set_name(experiment, template));
        names
            .services
            .extend(template.service.as_ref().map(|_| subject::service_name(experiment, template)));
    }
    names
}

/// The analysis templates that `experiment` refers to; those may refer to further ones.
pub fn reads(experiment: &Experiment) -> Reads {
    let mut reads = Reads::default();
    for analysis in &experiment.spec.analyses {
        let names = if analysis.cluster_scope == Some(true) {
            &mut reads.cluster_templates
        } else {
            &mut reads.templates
        };
        names.insert(analysis.template_name.clone());
    }
    reads
}

/// The rollout that owns `experiment`, by name.
pub fn owning_rollout(experiment: &Experiment) -> Option<&str> {
    let mut owners = experiment.metadata.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.controller == Some(true) && owner.kind == "Rollout")?;
    Some(&owner.name)
}

/// What to do next for one experiment.
pub fn plan(observed: &Observed, now: Timestamp) -> Plan {
    if observed.experiment.metadata.deletion_timestamp.is_some() {
        return Plan::default();
    }
    // Kubernetes keeps whole seconds; a finer present would differ from itself once read back.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let subject = Subject::of(observed, now);
    let mut draft = Draft::of(&subject);
    let judged = Some(subject.experiment).filter(|_| !subject.has_finished());
    let problems = judged.map(validate::problems).unwrap_or_default();
    if problems.is_empty() {
        pass(&subject, &mut draft);
    } else {
        invalid(&subject, problems, &mut draft);
    }
    draft.into_plan(&subject)
}

fn pass(subject: &Subject<'_>, draft: &mut Draft) {
    for template in &subject.experiment.spec.templates {
        templates::reconcile(subject, template, draft);
    }
    for analysis in &subject.experiment.spec.analyses {
        analyses::reconcile(subject, analysis, draft);
    }
    outcome::decide(subject, draft);
    conditions::set(subject, draft);
}

/// Says all that is wrong. An experiment that somebody waits for, be it a rollout or whoever ends it, is over;
/// any other goes on once it is mended.
fn invalid(subject: &Subject<'_>, problems: Vec<validate::Problem>, draft: &mut Draft) {
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let text = text.join("; ");
    conditions::set_invalid(subject, &text, draft);
    draft.status.message = Some(format!("InvalidSpec: {text}"));
    let awaited = owning_rollout(subject.experiment).is_some() || subject.experiment.spec.terminate;
    if awaited {
        draft.status.phase = Some(AnalysisPhase::Error);
    }
    for problem in problems {
        draft.wait(Wait::InvalidSpec { path: problem.path, problem: problem.text });
    }
}

/// The template that an analysis of an experiment names.
fn template_ref(name: &str, cluster_scope: Option<bool>) -> AnalysisTemplateRef {
    AnalysisTemplateRef { template_name: name.to_owned(), cluster_scope }
}
