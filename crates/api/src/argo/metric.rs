//! A metric and how it is judged.

use super::lenient;
use super::providers::CloudWatchMetric;
use super::providers::DatadogMetric;
use super::providers::GraphiteMetric;
use super::providers::InfluxdbMetric;
use super::providers::JobMetric;
use super::providers::KayentaMetric;
use super::providers::NewRelicMetric;
use super::providers::PrometheusMetric;
use super::providers::SkyWalkingMetric;
use super::providers::WavefrontMetric;
use super::providers::WebMetric;
use crate::schema::shape;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What to measure, how often, and how to judge it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Name of the metric.
    pub name: String,
    /// Time between measurements, such as `30s`; one measurement when absent.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Time before the first measurement, such as `1m`.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub initial_delay: Option<String>,
    /// Number of measurements; without end when only `interval` is set.
    #[serde(
        default,
        deserialize_with = "lenient::int_or_string",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "shape::int_or_string")]
    pub count: Option<IntOrString>,
    /// Expression over `result` that makes a measurement succeed.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub success_condition: Option<String>,
    /// Expression over `result` that makes a measurement fail.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub failure_condition: Option<String>,
    /// Failures allowed; 0 when absent, -1 for any number.
    #[serde(
        default,
        deserialize_with = "lenient::int_or_string",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "shape::int_or_string")]
    pub failure_limit: Option<IntOrString>,
    /// Inconclusive measurements allowed; 0 when absent.
    #[serde(
        default,
        deserialize_with = "lenient::int_or_string",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "shape::int_or_string")]
    pub inconclusive_limit: Option<IntOrString>,
    /// Errors in a row allowed; 4 when absent.
    #[serde(
        default,
        deserialize_with = "lenient::int_or_string",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "shape::int_or_string")]
    pub consecutive_error_limit: Option<IntOrString>,
    /// Where the number comes from.
    pub provider: MetricProvider,
    /// Successes in a row that settle the metric; 0, for never, when absent.
    #[serde(
        default,
        deserialize_with = "lenient::int_or_string",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "shape::int_or_string")]
    pub consecutive_success_limit: Option<IntOrString>,
}

/// The one source of a metric; exactly one field is set.
// The others would be kilobytes of nothing in every metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricProvider {
    /// A Prometheus query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<Box<PrometheusMetric>>,
    /// A Kayenta judgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kayenta: Option<Box<KayentaMetric>>,
    /// An HTTP request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<Box<WebMetric>>,
    /// A Datadog query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datadog: Option<Box<DatadogMetric>>,
    /// A Wavefront query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wavefront: Option<Box<WavefrontMetric>>,
    /// A New Relic query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_relic: Option<Box<NewRelicMetric>>,
    /// A Kubernetes Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Box<JobMetric>>,
    /// A `CloudWatch` query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_watch: Option<Box<CloudWatchMetric>>,
    /// A Graphite query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graphite: Option<Box<GraphiteMetric>>,
    /// An `InfluxDB` query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub influxdb: Option<Box<InfluxdbMetric>>,
    /// A `SkyWalking` query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skywalking: Option<Box<SkyWalkingMetric>>,
    /// Settings of metric plugins by name.
    #[serde(
        default,
        deserialize_with = "lenient::or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(schema_with = "shape::free_form")]
    pub plugin: BTreeMap<String, Value>,
}
