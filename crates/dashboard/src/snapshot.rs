//! What the page is told, as JSON.

use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything the page shows at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// When it was taken.
    pub at: Timestamp,
    /// The state in one sentence.
    pub sentence: String,
    /// Whether requests are counted; where they are not, their numbers are all nought and mean nothing.
    pub counted: bool,
    /// The rollout.
    pub rollout: RolloutView,
    /// Stable first, then the canary while there is one.
    pub versions: Vec<VersionView>,
    /// The metrics of the newest analysis runs.
    pub metrics: Vec<MetricView>,
    /// Decisions, newest first.
    pub decisions: Vec<Decision>,
    /// The releases the page can start.
    pub releases: Vec<ReleaseView>,
}

/// The rollout itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutView {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// `Healthy`, `Progressing`, `Paused` or `Degraded`.
    pub phase: String,
    /// The controller's own message.
    pub message: String,
    /// The weight wanted for the canary in percent.
    pub weight: Option<u32>,
    /// The steps in order.
    pub steps: Vec<StepView>,
    /// What is being waited for.
    pub reasons: Vec<vocab::Reason>,
    /// The actions that make sense now.
    pub actions: Vec<&'static str>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepView {
    /// `setWeight: 20`.
    pub label: String,
    /// Where it stands.
    pub state: StepState,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StepState {
    /// Finished.
    Done,
    /// Under way.
    Current,
    /// Still to come.
    Next,
}

/// One version under traffic.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionView {
    /// `stable` or `canary`.
    pub role: &'static str,
    /// Pod template hash.
    pub hash: String,
    /// Image of the first container.
    pub image: String,
    /// The image's colour, when its tag names one.
    pub colour: Option<&'static str>,
    /// Pods that exist.
    pub pods: i32,
    /// Pods that are ready.
    pub ready_pods: i32,
    /// Weight wanted in percent; `None` while there is no split.
    pub weight: Option<u32>,
    /// Requests since the beginning.
    pub requests: u64,
    /// Requests answered with a code of 500 or more since the beginning.
    pub failed: u64,
    /// Requests slower than 500 ms since the beginning.
    pub slow: u64,
    /// Share of all requests within the window, 0 to 1.
    pub observed_share: Option<f64>,
    /// Requests a second within the window.
    pub requests_per_second: f64,
    /// Share of requests that failed within the window.
    pub error_share: Option<f64>,
    /// Median latency within the window.
    pub p50_milliseconds: Option<f64>,
    /// 95th percentile of latency within the window.
    pub p95_milliseconds: Option<f64>,
}

/// One metric of an analysis run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricView {
    /// Name of the metric.
    pub name: String,
    /// Name of the run.
    pub run: String,
    /// Phase of the metric.
    pub phase: String,
    /// The last value measured.
    pub value: Option<String>,
    /// What must hold.
    pub condition: Option<String>,
    /// Measurements that passed.
    pub successful: i32,
    /// Measurements that failed.
    pub failed: i32,
}

/// One decision and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The event's reason.
    pub reason: String,
    /// The event's sentence.
    pub message: String,
    /// The facts it rests on.
    pub evidence: BTreeMap<String, String>,
}

/// A release that the page can start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReleaseView {
    /// What the page sends back.
    pub name: String,
    /// What the button says.
    pub label: String,
}
