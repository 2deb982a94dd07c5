//! The experiment under plan with what is worked out of it once.
//!
//! Start with [`Subject::of`]. Nothing here decides what happens next.

use super::Observed;
use crate::rollout::{reads, sets};
use api::argo::{
    AnalysisPhase, AnalysisRun, Experiment, ExperimentAnalysisRunStatus, ExperimentStatus,
    TemplateSpec, TemplateStatus, TemplateStatusCode, keys,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{apps::v1::ReplicaSet, core::v1::Service},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use std::{collections::BTreeSet, sync::Arc};
use vocab::{ObjectRef, Weight};

/// Pods of a template that does not say.
const DEFAULT_REPLICAS: i32 = 1;
/// Seconds without progress when the spec does not say.
const DEFAULT_PROGRESS_DEADLINE: i32 = 600;
/// Seconds pods are kept after the end when the spec does not say.
const DEFAULT_SCALE_DOWN_DELAY: i32 = 30;

/// One experiment, resolved.
pub(crate) struct Subject<'a> {
    /// Everything gathered.
    pub(crate) observed: &'a Observed,
    /// The present, in whole seconds.
    pub(crate) now: Timestamp,
    /// The experiment as it is stored.
    pub(crate) experiment: &'a Experiment,
    /// Its status as it is stored.
    pub(crate) status: ExperimentStatus,
    /// Services that a route leads to.
    routed: BTreeSet<String>,
}

impl<'a> Subject<'a> {
    /// Resolves `observed`.
    pub(crate) fn of(observed: &'a Observed, now: Timestamp) -> Self {
        let experiment = &observed.experiment;
        let status = experiment.status.clone().unwrap_or_default();
        Self { observed, now, experiment, status, routed: routed(observed) }
    }

    /// The experiment's own reference.
    pub(crate) fn target(&self) -> ObjectRef {
        target(self.experiment)
    }

    /// The experiment's name.
    pub(crate) fn name(&self) -> &str {
        self.experiment.metadata.name.as_deref().unwrap_or_default()
    }

    /// The experiment's namespace.
    pub(crate) fn namespace(&self) -> &str {
        self.experiment.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// The reference that makes an object the experiment's own.
    pub(crate) fn owner(&self) -> OwnerReference {
        sets::owner("Experiment", &self.experiment.metadata)
    }

    /// Whether an object belongs to the experiment.
    pub(crate) fn owns(&self, metadata: &ObjectMeta) -> bool {
        let owner = sets::controller_uid(metadata);
        owner.is_some() && owner == self.experiment.metadata.uid.as_deref()
    }

    fn is_of(&self, metadata: &ObjectMeta, template: &str) -> bool {
        let annotation = |key| sets::annotation(metadata, key);
        self.owns(metadata)
            && annotation(keys::EXPERIMENT_NAME) == Some(self.name())
            && annotation(keys::EXPERIMENT_TEMPLATE_NAME) == Some(template)
    }

    /// The ReplicaSet of a template.
    pub(crate) fn set_of(&self, template: &str) -> Option<&'a ReplicaSet> {
        self.observed
            .replica_sets
            .iter()
            .map(Arc::as_ref)
            .find(|set| self.is_of(&set.metadata, template))
    }

    /// The service of a template.
    pub(crate) fn service_of(&self, template: &str) -> Option<&'a Service> {
        let going = |service: &&Service| service.metadata.deletion_timestamp.is_some();
        let mut own =
            self.observed.services.iter().filter(|found| self.is_of(&found.metadata, template));
        own.find(|service| !going(service))
    }

    /// The analysis run of this name, if it belongs to the experiment.
    pub(crate) fn run(&self, name: &str) -> Option<&'a AnalysisRun> {
        let mut runs = self
            .observed
            .analysis_runs
            .iter()
            .map(Arc::as_ref)
            .filter(|run| self.owns(&run.metadata));
        runs.find(|run| run.metadata.name.as_deref() == Some(name))
    }

    /// What the status says of a template.
    pub(crate) fn template_status(&self, name: &str) -> Option<&TemplateStatus> {
        self.status.template_statuses.iter().find(|status| status.name == name)
    }

    /// What the status says of an analysis.
    pub(crate) fn analysis_status(&self, name: &str) -> Option<&ExperimentAnalysisRunStatus> {
        self.status.analysis_runs.iter().find(|status| status.name == name)
    }

    /// Whether the experiment has come to its end.
    pub(crate) fn has_finished(&self) -> bool {
        self.status.phase.is_some_and(AnalysisPhase::completed)
    }

    /// Whether nothing new begins and everything is taken down.
    pub(crate) fn is_terminating(&self) -> bool {
        is_terminating(self.experiment)
    }

    /// Whether a route of the rollout above still leads to a service.
    pub(crate) fn is_routed(&self, service: &str) -> bool {
        self.routed.contains(service)
    }
}

/// What the specification says, with its defaults.
impl Subject<'_> {
    /// Pods wanted of a template now.
    pub(crate) fn wanted(&self, template: &TemplateSpec) -> i32 {
        let done = self.template_status(&template.name).and_then(|status| status.status);
        if self.is_terminating() || done.is_some_and(TemplateStatusCode::completed) {
            return 0;
        }
        template.replicas.unwrap_or(DEFAULT_REPLICAS)
    }

    /// When the time of the experiment is over, once it has begun.
    pub(crate) fn ends_at(&self) -> Option<Timestamp> {
        let text = self.experiment.spec.duration.as_deref().filter(|text| !text.is_empty())?;
        let duration = api::go_duration::parse(text).ok()?;
        self.status.available_at.as_ref()?.0.checked_add(duration).ok()
    }

    /// Whether the time of the experiment is over.
    pub(crate) fn has_run_its_time(&self) -> bool {
        self.ends_at().is_some_and(|end| end <= self.now)
    }

    /// Seconds without progress after which a template has failed.
    pub(crate) fn progress_deadline_seconds(&self) -> i32 {
        progress_deadline_seconds(self.experiment)
    }

    /// How long pods are kept after the end.
    pub(crate) fn scale_down_delay(&self) -> SignedDuration {
        let delay = self.experiment.spec.scale_down_delay_seconds;
        SignedDuration::from_secs(i64::from(delay.unwrap_or(DEFAULT_SCALE_DOWN_DELAY)))
    }
}

/// Seconds without progress after which a template of `experiment` has failed.
pub(super) fn progress_deadline_seconds(experiment: &Experiment) -> i32 {
    experiment.spec.progress_deadline_seconds.unwrap_or(DEFAULT_PROGRESS_DEADLINE)
}

/// Names an experiment.
pub(crate) fn target(experiment: &Experiment) -> ObjectRef {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let metadata = &experiment.metadata;
    let (namespace, name) = (text(&metadata.namespace), text(&metadata.name));
    ObjectRef::new(api::argo::API_VERSION, "Experiment", &namespace, &name)
}

/// The name of a template's ReplicaSet.
pub(super) fn set_name(experiment: &Experiment, template: &TemplateSpec) -> String {
    let name = experiment.metadata.name.as_deref().unwrap_or_default();
    format!("{name}-{}", template.name)
}

/// The name of a template's service.
pub(super) fn service_name(experiment: &Experiment, template: &TemplateSpec) -> String {
    let asked = template.service.as_ref().and_then(|service| service.name.clone());
    asked.filter(|name| !name.is_empty()).unwrap_or_else(|| set_name(experiment, template))
}

/// The phase of an experiment, pending until it has a status.
pub(crate) fn phase(experiment: &Experiment) -> AnalysisPhase {
    experiment.status.as_ref().and_then(|status| status.phase).unwrap_or_default()
}

/// Whether an experiment is over or about to be: it was ended, has its verdict or can only get one.
pub(crate) fn is_terminating(experiment: &Experiment) -> bool {
    let failed = |code: TemplateStatusCode| {
        matches!(code, TemplateStatusCode::Failed | TemplateStatusCode::Error)
    };
    let lost = |phase: AnalysisPhase| phase.completed() && phase != AnalysisPhase::Successful;
    let Some(status) = &experiment.status else { return experiment.spec.terminate };
    experiment.spec.terminate
        || phase(experiment).completed()
        || status.template_statuses.iter().filter_map(|found| found.status).any(failed)
        || status.analysis_runs.iter().any(|run| lost(run.phase))
        || has_required_successes(experiment, status)
}

/// Whether there are analyses that the end waits for, and all of them were successful.
pub(super) fn has_required_successes(experiment: &Experiment, status: &ExperimentStatus) -> bool {
    let mut required =
        experiment.spec.analyses.iter().filter(|found| found.required_for_completion).peekable();
    let successful = |name: &str| {
        let found = status.analysis_runs.iter().find(|run| run.name == name);
        found.is_some_and(|run| run.phase == AnalysisPhase::Successful)
    };
    required.peek().is_some() && required.all(|analysis| successful(&analysis.name))
}

/// The services that the routers of the rollout above lead to beside stable and canary.
fn routed(observed: &Observed) -> BTreeSet<String> {
    let Some(rollout) = &observed.rollout else { return BTreeSet::new() };
    let Some(config) = reads::routing_config(rollout) else { return BTreeSet::new() };
    let mut services = BTreeSet::new();
    for router in reads::configured_routers(&config) {
        let seen = reads::with_context(rollout, &config, |context| {
            router.observe(context, &observed.objects)
        });
        let further = seen.into_iter().flat_map(|seen| seen.additional);
        services.extend(further.filter(|(_, weight)| *weight > Weight::ZERO).map(|(name, _)| name));
    }
    services
}
