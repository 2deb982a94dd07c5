//! From objects and counts to a [`Snapshot`], purely.

use crate::snapshot::{Decision, MetricView, ReleaseView, RolloutView, Snapshot, VersionView};
use crate::steps;
use api::argo::{AnalysisRun, Measurement, Rollout, RolloutPhase, RolloutStatus};
use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Event};
use metrics::access::{self, BUCKET_BOUNDS_MICROS, Tally, Window};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Decisions shown at most.
pub const DECISIONS_MAX: usize = 60;
/// Requests at or below this are not slow.
const SLOW_ABOVE_MICROS: u64 = 500_000;
const HASH_LABEL: &str = "rollouts-pod-template-hash";
const EVIDENCE: &str = "ringfence.dev/evidence";

/// What the API server holds of one rollout.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// The rollout.
    pub rollout: Option<Arc<Rollout>>,
    /// ReplicaSets of its namespace.
    pub replica_sets: Vec<Arc<ReplicaSet>>,
    /// Analysis runs of its namespace.
    pub runs: Vec<Arc<AnalysisRun>>,
    /// Events of its namespace.
    pub events: Vec<Arc<Event>>,
}

/// What the gateway counted.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Since the beginning.
    pub total: access::Snapshot,
    /// Within the last seconds.
    pub window: Window,
}

/// Builds what the page shows.
pub fn snapshot(
    objects: &Objects,
    counts: &Counts,
    releases: &[ReleaseView],
    now: Timestamp,
) -> Snapshot {
    let rollout = objects.rollout.as_deref();
    let view = rollout.map(rollout_view).unwrap_or_default();
    let versions = rollout.map(|rollout| versions(rollout, objects, counts)).unwrap_or_default();
    Snapshot {
        at: now,
        counted: true,
        sentence: sentence(&view, &versions),
        versions,
        rollout: view,
        metrics: metrics(&objects.runs),
        decisions: decisions(&objects.events),
        releases: releases.to_vec(),
    }
}

fn rollout_view(rollout: &Rollout) -> RolloutView {
    let status = rollout.status.clone().unwrap_or_default();
    let weight = status
        .canary
        .weights
        .as_ref()
        .and_then(|weights| u32::try_from(weights.canary.weight).ok());
    RolloutView {
        name: rollout.metadata.name.clone().unwrap_or_default(),
        namespace: rollout.metadata.namespace.clone().unwrap_or_default(),
        phase: status.phase.map(|phase| phase.to_string()).unwrap_or_default(),
        message: status.message.clone().unwrap_or_default(),
        weight,
        steps: steps::steps(rollout),
        actions: actions(rollout, &status),
        reasons: status.reasons,
    }
}

fn actions(rollout: &Rollout, status: &RolloutStatus) -> Vec<&'static str> {
    let is_updating =
        status.current_pod_hash.is_some() && status.current_pod_hash != status.stable_rs;
    let mut actions = Vec::new();
    if is_updating && !status.abort {
        actions.extend(["promote", "promote-full", "abort"]);
    } else if rollout.spec.paused || !status.pause_conditions.is_empty() {
        actions.push("promote");
    }
    if status.abort || status.phase == Some(RolloutPhase::Degraded) {
        actions.push("retry");
    }
    actions.push("undo");
    actions
}

fn sentence(rollout: &RolloutView, versions: &[VersionView]) -> String {
    if rollout.name.is_empty() {
        return "Waiting for the rollout to appear".to_owned();
    }
    let canary = versions.iter().find(|version| version.role == "canary");
    let stable = versions.iter().find(|version| version.role == "stable");
    let mut sentence = match (canary, stable) {
        (Some(canary), _) => format!(
            "{}: {} has {} % of the traffic",
            rollout.phase,
            canary.image,
            canary.weight.unwrap_or_default()
        ),
        (None, Some(stable)) => format!("{}: {} has all the traffic", rollout.phase, stable.image),
        (None, None) => format!("{}: no version runs yet", rollout.phase),
    };
    if let Some(why) = rollout
        .reasons
        .first()
        .map(|reason| &reason.message)
        .or(Some(&rollout.message))
        .filter(|why| !why.is_empty())
    {
        sentence.push_str(" — ");
        sentence.push_str(why);
    }
    sentence
}

fn versions(rollout: &Rollout, objects: &Objects, counts: &Counts) -> Vec<VersionView> {
    let status = rollout.status.clone().unwrap_or_default();
    let stable = status.stable_rs.clone().unwrap_or_default();
    let current = status.current_pod_hash.clone().unwrap_or_default();
    let weight = status
        .canary
        .weights
        .as_ref()
        .and_then(|weights| u32::try_from(weights.canary.weight).ok());
    let mut hashes = vec![("stable", stable.clone(), weight.map(|weight| 100 - weight.min(100)))];
    if current != stable && !current.is_empty() {
        hashes.push(("canary", current, weight));
    }
    let traffic = Traffic::new(counts);
    hashes
        .into_iter()
        .filter(|(_, hash, _)| !hash.is_empty())
        .map(|(role, hash, weight)| version(role, hash, weight, (objects, &traffic)))
        .collect()
}

struct Traffic {
    total: BTreeMap<String, Tally>,
    recent: BTreeMap<String, Tally>,
    seconds: f64,
    all_recent: u64,
}

impl Traffic {
    fn new(counts: &Counts) -> Self {
        let mut total: BTreeMap<String, Tally> = BTreeMap::new();
        for (backend, tally) in &counts.total.tallies {
            total.entry(backend.pod_template_hash.clone()).or_default().merge(tally);
        }
        let recent = counts.window.by(|backend| backend.pod_template_hash.clone());
        let all_recent = recent.values().map(Tally::requests).sum();
        Self { total, recent, seconds: counts.window.span.as_secs_f64(), all_recent }
    }
}

fn version(
    role: &'static str,
    hash: String,
    weight: Option<u32>,
    (objects, traffic): (&Objects, &Traffic),
) -> VersionView {
    let set = objects.replica_sets.iter().find(|set| hash_of(set) == Some(hash.as_str()));
    let image = set.and_then(|set| image_of(set)).unwrap_or_default();
    let status = set.and_then(|set| set.status.clone()).unwrap_or_default();
    let total = traffic.total.get(&hash).cloned().unwrap_or_default();
    let recent = traffic.recent.get(&hash).cloned().unwrap_or_default();
    let millis = |q| recent.quantile(q).map(|latency: Duration| latency.as_secs_f64() * 1000.0);
    VersionView {
        role,
        colour: colour(&image),
        image,
        pods: status.replicas,
        ready_pods: status.ready_replicas.unwrap_or_default(),
        weight,
        requests: total.requests(),
        failed: total.server_errors(),
        slow: slow(&total),
        observed_share: share(recent.requests(), traffic.all_recent),
        requests_per_second: if traffic.seconds > 0.0 {
            float(recent.requests()) / traffic.seconds
        } else {
            0.0
        },
        error_share: share(recent.server_errors(), recent.requests()),
        p50_milliseconds: millis(0.5),
        p95_milliseconds: millis(0.95),
        hash,
    }
}

fn hash_of(set: &ReplicaSet) -> Option<&str> {
    set.metadata.labels.as_ref()?.get(HASH_LABEL).map(String::as_str)
}

fn image_of(set: &ReplicaSet) -> Option<String> {
    set.spec.as_ref()?.template.as_ref()?.spec.as_ref()?.containers.first()?.image.clone()
}

/// The colours that the demo's images are named after.
const COLOURS: [&str; 6] = ["red", "orange", "yellow", "green", "blue", "purple"];

fn colour(image: &str) -> Option<&'static str> {
    let tag = image.rsplit_once(':')?.1;
    COLOURS.into_iter().find(|colour| tag.ends_with(colour))
}

fn slow(tally: &Tally) -> u64 {
    let fast = BUCKET_BOUNDS_MICROS.partition_point(|bound| *bound <= SLOW_ABOVE_MICROS);
    tally.latencies.buckets[fast..].iter().sum()
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| float(part) / float(whole))
}

#[expect(clippy::cast_precision_loss, reason = "request counts stay far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

fn metrics(runs: &[Arc<AnalysisRun>]) -> Vec<MetricView> {
    let mut runs: Vec<_> = runs.iter().collect();
    runs.sort_by_key(|run| {
        std::cmp::Reverse((
            run.metadata.creation_timestamp.as_ref().map(|time| time.0),
            run.metadata.name.clone(),
        ))
    });
    runs.into_iter().take(2).flat_map(|run| run_metrics(run)).collect()
}

fn run_metrics(run: &AnalysisRun) -> Vec<MetricView> {
    let results =
        run.status.as_ref().map(|status| status.metric_results.as_slice()).unwrap_or_default();
    let stated = |name: &str| {
        let metric = run.spec.metrics.iter().find(|metric| metric.name == name)?;
        metric.success_condition.clone().or_else(|| {
            metric.failure_condition.as_ref().map(|condition| format!("not {condition}"))
        })
    };
    // A judge has no condition among the settings, and says what it goes by.
    let condition = |result: &api::argo::MetricResult| {
        let told = || result.measurements.last()?.metadata.get("condition").cloned();
        stated(&result.name).or_else(told)
    };
    let view = |result: &api::argo::MetricResult| MetricView {
        name: result.name.clone(),
        run: run.metadata.name.clone().unwrap_or_default(),
        phase: result.phase.to_string(),
        value: result
            .measurements
            .last()
            .and_then(Measurement::value_or_evidence)
            .map(str::to_owned),
        condition: condition(result),
        successful: result.successful,
        failed: result.failed,
    };
    results.iter().map(view).collect()
}

fn decisions(events: &[Arc<Event>]) -> Vec<Decision> {
    let mut told: Vec<_> = events.iter().filter(|event| is_decision(event)).collect();
    told.sort_by_key(|event| std::cmp::Reverse(order(event)));
    told.into_iter().take(DECISIONS_MAX).filter_map(|event| decision(event)).collect()
}

/// Times of events are whole seconds; within one, the order of their writes tells.
fn order(event: &Event) -> (Option<Timestamp>, u64) {
    let version = event.metadata.resource_version.as_deref().and_then(|text| text.parse().ok());
    (time(event), version.unwrap_or(0))
}

fn time(event: &Event) -> Option<Timestamp> {
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    last.or(event.event_time.as_ref().map(|time| time.0))
}

fn is_decision(event: &Event) -> bool {
    matches!(event.involved_object.kind.as_deref(), Some("Rollout" | "AnalysisRun"))
}

fn decision(event: &Event) -> Option<Decision> {
    let at = time(event)?;
    let evidence =
        event.metadata.annotations.as_ref().and_then(|annotations| annotations.get(EVIDENCE));
    Some(Decision {
        at,
        kind: event.type_.clone().unwrap_or_default(),
        reason: event.reason.clone().unwrap_or_default(),
        message: event.message.clone().unwrap_or_default(),
        evidence: evidence.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
    })
}
