//! When a running container counts as ready.

use super::{lifecycle::Facts, orders::Orders};
use crate::spans;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Probe};
use std::time::Duration;

/// Whether a container is ready, or when it may become so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    NotUntil(Timestamp),
    Not,
}

/// Judges a container that has been running since `started`.
pub(crate) fn judge(
    container: &Container,
    orders: &Orders,
    facts: &Facts,
    started: Timestamp,
    now: Timestamp,
) -> Readiness {
    if orders.not_ready || orders.crash_loop {
        return Readiness::Not;
    }
    let probe = container.readiness_probe.as_ref();
    if probe.is_some_and(|probe| !passes(probe, facts)) {
        return Readiness::Not;
    }
    let wait = delay(container.startup_probe.as_ref()) + delay(probe);
    let from = spans::after(started, wait.max(orders.ready_delay));
    if from <= now { Readiness::Ready } else { Readiness::NotUntil(from) }
}

/// A probe passes first after its initial delay and as many periods as it wants successes beyond one.
fn delay(probe: Option<&Probe>) -> Duration {
    let Some(probe) = probe else { return Duration::ZERO };
    let seconds = |value: Option<i32>, default: u64| {
        value.and_then(|value| u64::try_from(value).ok()).unwrap_or(default)
    };
    let further = seconds(probe.success_threshold, 1).saturating_sub(1);
    let periods = further.saturating_mul(seconds(probe.period_seconds, 10));
    Duration::from_secs(seconds(probe.initial_delay_seconds, 0).saturating_add(periods))
}

/// The answer the application would give; other kinds of probes pass.
fn passes(probe: &Probe, facts: &Facts) -> bool {
    let Some(get) = &probe.http_get else { return true };
    let path = get.path.as_deref().unwrap_or("/");
    let path = path.split('?').next().unwrap_or_default();
    match &facts.serves {
        None => true,
        Some(behaviour) => {
            (200..400).contains(&crate::app::health(behaviour, path, facts.accepting))
        }
    }
}
