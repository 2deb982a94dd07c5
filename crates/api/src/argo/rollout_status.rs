//! What is true of a Rollout now.

use super::generation::{self, ObservedGeneration};
use super::lenient;
use super::phase::AnalysisPhase;
use super::phase::RolloutPhase;
use crate::schema::shape;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vocab::Reason;

/// What is true of a Rollout now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// Asks that the update be given up.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub abort: bool,
    /// Why the rollout is paused; clearing it resumes.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub pause_conditions: Vec<PauseCondition>,
    /// The controller, not a person, paused the rollout.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub controller_pause: bool,
    /// When the abort was noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted_at: Option<Time>,
    /// Hash of the pod template that is wanted.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub current_pod_hash: Option<String>,
    /// Hash of the steps; a change starts them afresh.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub current_step_hash: Option<String>,
    /// Pods of all versions.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub replicas: i32,
    /// Pods of the wanted version.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub updated_replicas: i32,
    /// Pods that are ready.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub ready_replicas: i32,
    /// Pods that are available.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub available_replicas: i32,
    /// Index of the step under way.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub current_step_index: Option<i32>,
    /// Number of hash collisions met.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub collision_count: Option<i32>,
    /// The generation this status speaks of.
    #[serde(
        default,
        deserialize_with = "generation::read",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "shape::int_or_string")]
    pub observed_generation: Option<ObservedGeneration>,
    /// The latest observations, by type.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub conditions: Vec<RolloutCondition>,
    /// What holds for a canary only.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub canary: CanaryStatus,
    /// What holds for blue-green only.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub blue_green: BlueGreenStatus,
    /// Pods that an autoscaler should count.
    #[serde(
        rename = "HPAReplicas",
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub hpa_replicas: i32,
    /// Label query for an autoscaler, as text.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Pod template hash of the version all users may reach.
    #[serde(
        rename = "stableRS",
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub stable_rs: Option<String>,
    /// The last finished restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_at: Option<Time>,
    /// Asks to skip the remaining steps.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub promote_full: bool,
    /// One word for the state.
    #[serde(default, deserialize_with = "lenient::word", skip_serializing_if = "Option::is_none")]
    pub phase: Option<RolloutPhase>,
    /// Why the phase is what it is.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The generation of the referenced workload this status speaks of.
    #[serde(
        default,
        deserialize_with = "generation::read",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "shape::int_or_string")]
    pub workload_observed_generation: Option<ObservedGeneration>,
    /// The load balancer in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alb: Option<ALBStatus>,
    /// The load balancers in use.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub albs: Vec<ALBStatus>,
    /// Times of the latest update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<RolloutDurationStatus>,
    /// What the rollout waits for, with the evidence.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(schema_with = "shape::reasons")]
    pub reasons: Vec<Reason>,
}

/// One reason for a pause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PauseCondition {
    /// Why, such as `CanaryPauseStep`.
    pub reason: String,
    /// Since when.
    pub start_time: Time,
}

/// One observation about a Rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutCondition {
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

/// What holds for a canary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStatus {
    /// The analysis of the step under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_step_analysis_run_status: Option<RolloutAnalysisRunStatus>,
    /// The analysis beside the steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_background_analysis_run_status: Option<RolloutAnalysisRunStatus>,
    /// Name of the experiment under way.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub current_experiment: Option<String>,
    /// The split in force at the router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<TrafficWeights>,
    /// Which service is stable: `ping` or `pong`.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub stable_ping_pong: Option<String>,
    /// What each plugin step reported.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub step_plugin_statuses: Vec<StepPluginStatus>,
}

/// How requests are split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrafficWeights {
    /// The canary's share.
    pub canary: WeightDestination,
    /// The stable version's share.
    pub stable: WeightDestination,
    /// Shares of experiments.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub additional: Vec<WeightDestination>,
    /// Whether the router confirmed the split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}

/// One share of the requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WeightDestination {
    /// The share.
    #[serde(deserialize_with = "lenient::int")]
    pub weight: i32,
    /// Service that receives it.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// Pod template hash of the pods behind it.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub pod_template_hash: Option<String>,
}

/// An analysis run as its rollout sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutAnalysisRunStatus {
    /// Name of the run.
    pub name: String,
    /// Phase of the run.
    pub status: AnalysisPhase,
    /// Why, in a sentence.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a plugin step reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepPluginStatus {
    /// Index of the step.
    #[serde(deserialize_with = "lenient::int")]
    pub index: i32,
    /// Name of the plugin.
    pub name: String,
    /// Operation that was asked for: `Run`, `Terminate` or `Abort`.
    pub operation: String,
    /// How it went: `Running`, `Successful`, `Failed` or `Error`.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Why, in a sentence.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When the plugin was first asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When the plugin was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Time>,
    /// When the operation ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// How long to wait before asking again.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub backoff: Option<String>,
    /// How often the plugin was asked.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub executions: i32,
    /// The plugin is turned off.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub disabled: bool,
    /// What the plugin wants to remember.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::free_form")]
    pub status: Option<Value>,
}

/// What holds for blue-green.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlueGreenStatus {
    /// Pod template hash behind the preview service.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub preview_selector: Option<String>,
    /// Pod template hash behind the active service.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub active_selector: Option<String>,
    /// The preview may grow to full size.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub scale_up_preview_check_point: bool,
    /// The analysis before the switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_promotion_analysis_run_status: Option<RolloutAnalysisRunStatus>,
    /// The analysis after the switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_promotion_analysis_run_status: Option<RolloutAnalysisRunStatus>,
}

/// A load balancer and its target groups.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ALBStatus {
    /// The load balancer.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub load_balancer: AwsResourceRef,
    /// Target group of the canary.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub canary_target_group: AwsResourceRef,
    /// Target group of the stable version.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "lenient::is_default"
    )]
    pub stable_target_group: AwsResourceRef,
    /// Ingress it belongs to.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub ingress: Option<String>,
}

/// A resource at AWS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsResourceRef {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its full name.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
}

/// Times of the latest update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutDurationStatus {
    /// When the update began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_started_at: Option<Time>,
    /// When the present pause without end began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual_pause_started_at: Option<Time>,
    /// Seconds spent in pauses without end.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub total_manual_pause_duration_seconds: Option<i64>,
    /// When the update ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// How the update ended, such as `Promoted`.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub completion_status: Option<String>,
}
