//! What users have met since the beginning: the blast radius of each version.

use super::scene::{Backend, Server};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many requests met one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Met {
    /// Namespace.
    pub namespace: String,
    /// Name of the Rollout or Deployment.
    pub workload: String,
    /// Image of the first container.
    pub image: String,
    /// All requests.
    pub requests: u64,
    /// Those answered with a 5xx code.
    pub failed: u64,
}

/// Requests for which no endpoint was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unserved {
    /// When this began.
    pub since: Timestamp,
    /// The Service that led nowhere; empty where a way in had none to lead to.
    pub service: String,
}

/// All modelled requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// All requests.
    pub requests: u64,
    /// Those that failed for whatever reason.
    pub failed: u64,
    /// Those that failed because no endpoint was there: no rollout may ever cause one.
    pub unserved: u64,
    /// Copies of requests, whose answers nobody got; they are among no other number here.
    pub mirrored: u64,
    /// The first of those that found no endpoint.
    pub first_unserved: Option<Unserved>,
    /// The requests that a pod answered, by pod template hash; by image for pods without one.
    pub by_version: BTreeMap<String, Met>,
}

impl Totals {
    pub(super) fn met(&mut self, backend: &Backend, pod: &Server, count: u64, failed: u64) {
        let key = if pod.hash.is_empty() { &pod.image } else { &pod.hash };
        let met = self.by_version.entry(key.clone()).or_insert_with(|| Met {
            namespace: backend.namespace.clone(),
            workload: pod.workload.clone(),
            image: pod.image.clone(),
            ..Met::default()
        });
        met.requests += count;
        met.failed += failed;
        self.requests += count;
        self.failed += failed;
    }

    pub(super) fn unserved(&mut self, backend: &Backend, since: Timestamp, count: u64) {
        let service = backend.service.clone();
        self.first_unserved.get_or_insert(Unserved { since, service });
        self.requests += count;
        self.failed += count;
        self.unserved += count;
    }

    /// The requests that met, and those that failed on, images whose name contains `text`.
    pub fn by_image(&self, text: &str) -> (u64, u64) {
        let met = self.by_version.values().filter(|met| met.image.contains(text));
        met.fold((0, 0), |sum, met| (sum.0 + met.requests, sum.1 + met.failed))
    }
}
