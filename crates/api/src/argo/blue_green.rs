//! The blue-green strategy.

use super::analysis::RolloutAnalysis;
use super::lenient;
use super::rollout::AntiAffinity;
use super::rollout::PodTemplateMetadata;
use crate::schema::shape;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a blue-green update proceeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlueGreenStrategy {
    /// Service that users reach.
    pub active_service: String,
    /// Service that reaches the new version before the switch.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub preview_service: Option<String>,
    /// Number of new pods before the switch; as many as wanted when absent.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub preview_replica_count: Option<i32>,
    /// Switches without a person; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_promotion_enabled: Option<bool>,
    /// Seconds to wait before the switch, counted from full availability.
    #[serde(
        default,
        deserialize_with = "lenient::int",
        skip_serializing_if = "lenient::is_default"
    )]
    pub auto_promotion_seconds: i32,
    /// Pods that may be unavailable during a restart, as a number or a percentage; 25% when absent.
    #[serde(
        default,
        deserialize_with = "lenient::int_or_string",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "shape::int_or_string")]
    pub max_unavailable: Option<IntOrString>,
    /// Seconds the old ReplicaSet stays up after the switch; 30 when absent.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub scale_down_delay_seconds: Option<i32>,
    /// Number of old ReplicaSets that may stay up during that delay.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub scale_down_delay_revision_limit: Option<i32>,
    /// Analysis that must succeed before the switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_promotion_analysis: Option<RolloutAnalysis>,
    /// Keeps pods of two versions off the same node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anti_affinity: Option<AntiAffinity>,
    /// Analysis after the switch; its failure switches back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_promotion_analysis: Option<RolloutAnalysis>,
    /// Labels and annotations pods carry while they are preview.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview_metadata: Option<PodTemplateMetadata>,
    /// Labels and annotations pods carry while they are active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_metadata: Option<PodTemplateMetadata>,
    /// Seconds the preview stays up after an abort; 30 when absent, 0 for ever.
    #[serde(
        default,
        deserialize_with = "lenient::optional_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub abort_scale_down_delay_seconds: Option<i32>,
}
