//! Analysis templates and runs.

use super::lenient;
use super::metric::Metric;
use super::phase::AnalysisPhase;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What to measure and how to judge it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisTemplateSpec {
    /// The metrics to measure.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub metrics: Vec<Metric>,
    /// The arguments of the template.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub args: Vec<Argument>,
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
    /// Templates whose metrics and arguments are added.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub templates: Vec<AnalysisTemplateRef>,
}

/// What one run measures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRunSpec {
    /// The metrics to measure.
    #[serde(deserialize_with = "lenient::or_default")]
    pub metrics: Vec<Metric>,
    /// The arguments, with their values.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub args: Vec<Argument>,
    /// Ends the run early.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub terminate: bool,
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
    /// How long the run is kept after its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_strategy: Option<TTLStrategy>,
}

/// How a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRunStatus {
    /// Phase of the run.
    pub phase: AnalysisPhase,
    /// Why, in a sentence.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How each metric stands.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub metric_results: Vec<MetricResult>,
    /// When the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// Metrics by outcome.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub run_summary: RunSummary,
    /// Dry-run metrics by outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run_summary: Option<RunSummary>,
    /// When the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
}

/// Metrics by outcome.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// All metrics.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub count: i32,
    /// Metrics that succeeded.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub successful: i32,
    /// Metrics that failed.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub failed: i32,
    /// Metrics that stayed open.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub inconclusive: i32,
    /// Metrics that could not be measured.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub error: i32,
}

/// How a metric stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricResult {
    /// Name of the metric.
    pub name: String,
    /// Phase of the metric.
    pub phase: AnalysisPhase,
    /// The latest measurements, oldest first.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub measurements: Vec<Measurement>,
    /// Why, in a sentence.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Measurements taken.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub count: i32,
    /// Measurements that succeeded.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub successful: i32,
    /// Measurements that failed.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub failed: i32,
    /// Measurements that stayed open.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub inconclusive: i32,
    /// Measurements that could not be taken.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub error: i32,
    /// Errors in a row, up to now.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub consecutive_error: i32,
    /// The metric decides nothing.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub dry_run: bool,
    /// The query as it was sent, and the like.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub metadata: BTreeMap<String, String>,
    /// Successes in a row, up to now.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub consecutive_success: i32,
}

/// One measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    /// Phase of the measurement.
    pub phase: AnalysisPhase,
    /// Why, in a sentence.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// What was measured, as text.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What the provider wants to remember.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub metadata: BTreeMap<String, String>,
    /// When to ask the provider again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_at: Option<Time>,
}

impl Measurement {
    /// The value, or where a judge stands that has none yet.
    pub fn value_or_evidence(&self) -> Option<&str> {
        self.value.as_ref().or_else(|| self.metadata.get("evidence")).map(String::as_str)
    }
}

/// An argument of a template and its value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    /// Name of the argument.
    pub name: String,
    /// The value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ValueFrom>,
}

/// Where an argument's value comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueFrom {
    /// A key of a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
    /// A field of the rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_ref: Option<FieldRef>,
}

/// A key of a Secret in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret.
    pub name: String,
    /// Key in the Secret.
    pub key: String,
}

/// A field of the rollout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldRef {
    /// Path of the field, such as `metadata.labels['app']`.
    pub field_path: String,
}

/// A metric that is measured but decides nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DryRun {
    /// Name of the metric, or `*` for all.
    pub metric_name: String,
}

/// How many measurements of a metric are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeasurementRetention {
    /// Name of the metric, or `*` for all.
    pub metric_name: String,
    /// Measurements kept.
    #[serde(deserialize_with = "lenient::int")]
    pub limit: i32,
}

/// How long a finished run is kept, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TTLStrategy {
    /// Seconds after any end.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub seconds_after_completion: Option<i32>,
    /// Seconds after a failure.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub seconds_after_failure: Option<i32>,
    /// Seconds after a success.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub seconds_after_success: Option<i32>,
}

/// A reference to a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisTemplateRef {
    /// Name of the template.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub template_name: String,
    /// Looks for a `ClusterAnalysisTemplate` instead of an AnalysisTemplate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_scope: Option<bool>,
}

/// Labels and annotations of an analysis run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRunMetadata {
    /// Labels to add.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub labels: BTreeMap<String, String>,
    /// Annotations to add.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

/// An analysis that a rollout starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutAnalysis {
    /// The templates to run together.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub templates: Vec<AnalysisTemplateRef>,
    /// Arguments for the templates.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub args: Vec<AnalysisRunArgument>,
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
    /// Labels and annotations of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis_run_metadata: Option<AnalysisRunMetadata>,
}

/// An analysis that runs beside the steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutAnalysisBackground {
    /// The analysis itself.
    #[serde(flatten)]
    pub analysis: RolloutAnalysis,
    /// Index of the step that starts it; the first when absent.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub starting_step: Option<i32>,
}

/// An argument that a rollout passes to its analysis.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRunArgument {
    /// Name of the argument.
    pub name: String,
    /// The value.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ArgumentValueFrom>,
}

/// Where a rollout's argument takes its value from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArgumentValueFrom {
    /// A pod template hash: `Stable` or `Latest`.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub pod_template_hash_value: Option<String>,
    /// A field of the rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_ref: Option<FieldRef>,
}
