//! Experiments: ReplicaSets that run beside a workload for a while.

use super::analysis::AnalysisRunMetadata;
use super::analysis::Argument;
use super::analysis::DryRun;
use super::analysis::MeasurementRetention;
use super::lenient;
use super::phase::AnalysisPhase;
use super::phase::TemplateStatusCode;
use crate::schema::shape;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an experiment runs, and for how long.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentSpec {
    /// The ReplicaSets to run.
    #[serde(deserialize_with = "lenient::or_default")]
    pub templates: Vec<TemplateSpec>,
    /// How long the experiment runs, such as `5m`; until its analyses end when absent.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Seconds without progress after which the experiment counts as failed; 600 when absent.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub progress_deadline_seconds: Option<i32>,
    /// Ends the experiment early.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub terminate: bool,
    /// The analyses to run during the experiment.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub analyses: Vec<ExperimentAnalysisTemplateRef>,
    /// Seconds the ReplicaSets stay up after the end; 30 when absent.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub scale_down_delay_seconds: Option<i32>,
    /// Metrics that are measured but decide nothing.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub dry_run: Vec<DryRun>,
    /// How many measurements to keep.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub measurement_retention: Vec<MeasurementRetention>,
    /// Labels and annotations of the analysis runs.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub analysis_run_metadata: AnalysisRunMetadata,
}

/// One ReplicaSet of an experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateSpec {
    /// Name of the template within the experiment.
    pub name: String,
    /// Number of pods; 1 when absent.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub replicas: Option<i32>,
    /// Seconds a new pod must be ready before it counts as available.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub min_ready_seconds: i32,
    /// Label query over the pods; no two templates may share one.
    #[schemars(schema_with = "shape::label_selector")]
    pub selector: LabelSelector,
    /// The pods to run.
    #[schemars(schema_with = "shape::pod_template")]
    pub template: PodTemplateSpec,
    /// The service to make for the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<TemplateService>,
}

/// The service made for a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateService {
    /// Name of the service; made up when absent.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How an experiment stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentStatus {
    /// Phase of the experiment.
    #[serde(default, deserialize_with = "lenient::word", skip_serializing_if = "Option::is_none")]
    pub phase: Option<AnalysisPhase>,
    /// Why, in a sentence.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How each template stands.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub template_statuses: Vec<TemplateStatus>,
    /// When all templates became available, and the duration began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_at: Option<Time>,
    /// The latest observations, by type.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub conditions: Vec<ExperimentCondition>,
    /// How each analysis stands.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub analysis_runs: Vec<ExperimentAnalysisRunStatus>,
}

/// How a template stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateStatus {
    /// Name of the template.
    pub name: String,
    /// Pods of the template.
    #[serde(deserialize_with = "lenient::int")]
    pub replicas: i32,
    /// Pods of the wanted version.
    #[serde(deserialize_with = "lenient::int")]
    pub updated_replicas: i32,
    /// Pods that are ready.
    #[serde(deserialize_with = "lenient::int")]
    pub ready_replicas: i32,
    /// Pods that are available.
    #[serde(deserialize_with = "lenient::int")]
    pub available_replicas: i32,
    /// Number of hash collisions met.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub collision_count: Option<i32>,
    /// One word for the state.
    #[serde(default, deserialize_with = "lenient::word", skip_serializing_if = "Option::is_none")]
    pub status: Option<TemplateStatusCode>,
    /// Why, in a sentence.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When the ReplicaSet last changed, from which the progress deadline counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// Name of the service made for it.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// Hash of its pod template.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub pod_template_hash: Option<String>,
}

/// One observation about an Experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentCondition {
    /// What is observed.
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// When it was last written.
    pub last_update_time: Time,
    /// When the status last changed.
    pub last_transition_time: Time,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
}

/// An analysis that an experiment runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentAnalysisTemplateRef {
    /// Name of the analysis within the experiment.
    pub name: String,
    /// Name of the template.
    pub template_name: String,
    /// Looks for a `ClusterAnalysisTemplate` instead of an AnalysisTemplate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_scope: Option<bool>,
    /// Arguments for the template.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub args: Vec<Argument>,
    /// Keeps the experiment going until this analysis ends.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub required_for_completion: bool,
}

/// An analysis run as its experiment sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentAnalysisRunStatus {
    /// Name of the analysis within the experiment.
    pub name: String,
    /// Name of the run.
    pub analysis_run: String,
    /// Phase of the run.
    pub phase: AnalysisPhase,
    /// Why, in a sentence.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
