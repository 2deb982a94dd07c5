//! The Rollout, what it wants, and how it should move.

use super::blue_green::BlueGreenStrategy;
use super::canary::CanaryStrategy;
use super::lenient;
use crate::schema::shape;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a Rollout should run and how it should get there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutSpec {
    /// Number of pods wanted; 1 when absent.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub replicas: Option<i32>,
    /// Label query over the pods; must match the template's labels and may not change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::immutable_selector")]
    pub selector: Option<LabelSelector>,
    /// The pods to run; absent when `workloadRef` supplies them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::pod_template")]
    pub template: Option<PodTemplateSpec>,
    /// The workload whose pod template is used instead of `template`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_ref: Option<ObjectRef>,
    /// Seconds a new pod must be ready, without a crash, before it counts as available.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub min_ready_seconds: i32,
    /// How far back a rollback may go and still skip the steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_window: Option<RollbackWindowSpec>,
    /// How new pods replace old ones.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub strategy: RolloutStrategy,
    /// Number of old ReplicaSets to keep; 10 when absent.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub revision_history_limit: Option<i32>,
    /// Holds the rollout where it is until cleared.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub paused: bool,
    /// Seconds without progress after which the rollout counts as failed; 600 when absent.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub progress_deadline_seconds: Option<i32>,
    /// Aborts the update when the progress deadline passes.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub progress_deadline_abort: bool,
    /// Pods older than this instant are restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_at: Option<Time>,
    /// How many finished analysis runs to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<AnalysisRunStrategy>,
}

/// A reference to a workload in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// API version of the workload.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the workload.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name of the workload.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When the workload itself is scaled down: `never`, `onsuccess` or `progressively`.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<String>,
}

/// The revisions a fast rollback may return to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollbackWindowSpec {
    /// Number of revisions back that skip the steps.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub revisions: i32,
}

/// The one strategy in use; exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStrategy {
    /// Two full stacks and one switch between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blue_green: Option<BlueGreenStrategy>,
    /// A growing share for the new version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryStrategy>,
}

/// How many finished analysis runs to keep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRunStrategy {
    /// Successful runs kept; 5 when absent.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub successful_run_history_limit: Option<i32>,
    /// Failed, erroneous and inconclusive runs kept; 5 when absent.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub unsuccessful_run_history_limit: Option<i32>,
}

/// A rule that keeps pods of two versions off the same node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AntiAffinity {
    /// The rule as a wish, with a weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_during_scheduling_ignored_during_execution:
        Option<PreferredDuringSchedulingIgnoredDuringExecution>,
    /// The rule as a demand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_during_scheduling_ignored_during_execution:
        Option<RequiredDuringSchedulingIgnoredDuringExecution>,
}

/// The wish to keep versions on different nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreferredDuringSchedulingIgnoredDuringExecution {
    /// Weight of the wish, 1 to 100.
    #[serde(deserialize_with = "lenient::int")]
    pub weight: i32,
}

/// The demand to keep versions on different nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequiredDuringSchedulingIgnoredDuringExecution {}

/// Labels and annotations put on pods while they play a role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplateMetadata {
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

/// How many canary pods must be available before a step counts as done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaProgressThreshold {
    /// `Percent` or `Pods`.
    pub type_: String,
    /// The percentage or the number of pods; more than 0.
    #[serde(deserialize_with = "lenient::int")]
    pub value: i32,
}
