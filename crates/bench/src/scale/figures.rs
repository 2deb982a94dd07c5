//! The figures of one controller, and how two of them compare.

use control_plane::AuditedRequest;
use serde::Serialize;
use std::{collections::BTreeMap, fmt, time::Duration};

/// What one controller needed for one load.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// How many rollouts there were.
    pub rollouts: usize,
    /// From starting the program until the first rollout it found had a status.
    pub cold_start_ms: f64,
    /// What the load cost; nothing where the rollouts were only left alone.
    pub load: Option<Load>,
    /// From one change alone until the first write for it.
    pub lone_ms: Spread,
    /// What it costs while nothing happens.
    pub idle: Idle,
    /// The most memory that was ever resident, in megabytes.
    pub peak_mb: f64,
}

/// What it cost to take all rollouts to another version.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// From the first change until all were done.
    pub seconds: f64,
    /// Processor time by rollout, in seconds.
    pub cpu_seconds: f64,
    /// Requests by rollout, without those about events.
    pub requests: f64,
    /// Requests about events by rollout.
    pub event_requests: f64,
    /// Requests of all rollouts, by verb and resource.
    pub by_kind: BTreeMap<String, usize>,
    /// From a change until the status spoke of it.
    pub first_status_ms: Spread,
}

impl Load {
    /// The figures of so many rollouts.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub(super) fn of(
        rollouts: usize,
        seconds: f64,
        processor: Duration,
        first_status: &[Duration],
        by_kind: BTreeMap<String, usize>,
    ) -> Self {
        let count = |of_events: bool| {
            let counted = by_kind.iter().filter(|(kind, _)| is_of_events(kind) == of_events);
            counted.map(|(_, count)| *count).sum::<usize>() as f64 / rollouts as f64
        };
        Self {
            seconds,
            cpu_seconds: processor.as_secs_f64() / rollouts as f64,
            requests: count(false),
            event_requests: count(true),
            first_status_ms: Spread::of(first_status),
            by_kind,
        }
    }
}

/// What it costs while nothing happens.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Idle {
    /// How long nothing happened.
    pub seconds: f64,
    /// Processor time meanwhile, in seconds.
    pub cpu_seconds: f64,
    /// Requests that write, meanwhile.
    pub writes: usize,
    /// Resident memory afterwards, in megabytes.
    pub resident_mb: f64,
}

/// How durations spread, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Spread {
    /// How many there were.
    pub count: usize,
    /// Half took no longer.
    pub p50: f64,
    /// Ninety-nine of a hundred took no longer.
    pub p99: f64,
}

impl Spread {
    /// The spread of some durations; of none, zeros.
    pub fn of(durations: &[Duration]) -> Self {
        let mut sorted = durations.to_vec();
        sorted.sort();
        let at = |percent: usize| {
            let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(place).map_or(0.0, |duration| duration.as_secs_f64() * 1000.0)
        };
        Self { count: sorted.len(), p50: at(50), p99: at(99) }
    }
}

/// Ours in parts of the peer's; what the peer did not need at all compares with nothing.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ratios {
    /// Processor time of the load.
    pub cpu: Option<f64>,
    /// Requests of the load that are not about events.
    pub requests: Option<f64>,
    /// Requests of the load about events.
    pub event_requests: Option<f64>,
    /// The slowest hundredth's time until the status spoke of a change.
    pub first_status_p99: Option<f64>,
    /// The most memory that was resident.
    pub peak_memory: Option<f64>,
}

impl Ratios {
    /// Compares two controllers.
    pub fn of(ours: &Figures, peer: &Figures) -> Self {
        let part = |figure: fn(&Load) -> f64| {
            ratio(ours.load.as_ref().map(figure), peer.load.as_ref().map(figure))
        };
        Self {
            cpu: part(|load| load.cpu_seconds),
            requests: part(|load| load.requests),
            event_requests: part(|load| load.event_requests),
            first_status_p99: part(|load| load.first_status_ms.p99),
            peak_memory: ratio(Some(ours.peak_mb), Some(peer.peak_mb)),
        }
    }
}

pub(crate) fn ratio(ours: Option<f64>, peer: Option<f64>) -> Option<f64> {
    Some(ours? / peer.filter(|peer| *peer > 0.0)?)
}

/// Counts requests by verb and resource, such as `patch rollouts/status`.
pub(crate) fn by_kind(requests: &[AuditedRequest]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        *counts.entry(format!("{} {}", request.verb, resource(&request.uri))).or_default() += 1;
    }
    counts
}

/// The resource that a path is about, with its subresource and without names.
fn resource(uri: &str) -> String {
    let path = uri.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let group = if parts.first() == Some(&"api") { 2 } else { 3 };
    let parts = parts.get(group..).unwrap_or_default();
    let parts = if parts.len() > 2 && parts[0] == "namespaces" { &parts[2..] } else { parts };
    [parts.first(), parts.get(2)].into_iter().flatten().copied().collect::<Vec<_>>().join("/")
}

/// Whether a request is about events.
fn is_of_events(kind: &str) -> bool {
    kind.ends_with(" events")
}

/// Whether a request writes.
pub(crate) fn is_write(kind: &str) -> bool {
    ["create ", "update ", "patch ", "delete ", "deletecollection "]
        .iter()
        .any(|verb| kind.starts_with(verb))
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rollouts, cold_start_ms, load, lone_ms, idle, peak_mb } = self;
        writeln!(f, "{rollouts} rollouts, first status {cold_start_ms:.0} ms after the start")?;
        if let Some(load) = load {
            let Spread { p50, p99, .. } = load.first_status_ms;
            writeln!(
                f,
                "  load: {:.1} s; each rollout {:.4} s of processor, {:.1} requests and {:.1} about events",
                load.seconds, load.cpu_seconds, load.requests, load.event_requests
            )?;
            writeln!(f, "  first status after a change: {p50:.0} ms, p99 {p99:.0} ms")?;
        }
        writeln!(
            f,
            "  a lone change: first write after {:.1} ms, p99 {:.1} ms",
            lone_ms.p50, lone_ms.p99
        )?;
        writeln!(
            f,
            "  idle for {:.0} s: {:.2} s of processor, {} writes, {:.0} MB; at most {peak_mb:.0} MB",
            idle.seconds, idle.cpu_seconds, idle.writes, idle.resident_mb
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_of_a_path_has_no_names() {
        for (uri, expected) in [
            ("/api/v1/namespaces/ours/events", "events"),
            ("/api/v1/pods?watch=true", "pods"),
            ("/apis/apps/v1/namespaces/ours/replicasets/x-1", "replicasets"),
            ("/apis/argoproj.io/v1alpha1/namespaces/ours/rollouts/x/status?a=b", "rollouts/status"),
            ("/api/v1/namespaces", "namespaces"),
            ("/version", ""),
        ] {
            assert_eq!(resource(uri), expected, "{uri}");
        }
    }

    #[test]
    fn a_spread_names_durations_that_were_measured() {
        let durations: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        let Spread { count, p50, p99 } = Spread::of(&durations);
        assert_eq!((count, p50.round(), p99.round()), (200, 100.0, 198.0));
        assert_eq!(Spread::of(&[]).count, 0);
    }
}
