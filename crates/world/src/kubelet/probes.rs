//! When a running container counts as started and ready, and when it is killed for its health.
//!
//! The answers of a probe are known beforehand where pods do not really listen, so that all its times
//! follow from the moment of the launch: the first probe comes after the initial delay, the others a
//! period apart. Where pods listen, [`super::prober`] asks them.

use super::{lifecycle::Facts, orders::Orders, program};
use crate::spans;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Probe};
use std::time::Duration;

/// What becomes of a container that runs, as far as it is known; `None` is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// When its startup probe succeeds.
    pub(crate) started: Option<Timestamp>,
    /// When its readiness probe succeeds.
    pub(crate) ready: Option<Timestamp>,
    /// When its startup or liveness probe has failed too often, and which.
    pub(crate) dies: Option<(Timestamp, Kind)>,
}

/// Which probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Startup,
    Liveness,
}

impl Kind {
    /// The word for it in messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
        }
    }
}

/// The numbers of a probe, with their defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rhythm {
    pub(crate) delay: Duration,
    pub(crate) period: Duration,
    pub(crate) timeout: Duration,
    pub(crate) successes: u32,
    pub(crate) failures: u32,
}

impl Rhythm {
    /// The numbers of `probe`.
    pub(crate) fn of(probe: &Probe) -> Self {
        let number = |value: Option<i32>, default: u32| {
            value.and_then(|value| u32::try_from(value).ok()).filter(|n| *n > 0).unwrap_or(default)
        };
        let seconds = |value, default| Duration::from_secs(u64::from(number(value, default)));
        Self {
            delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            successes: number(probe.success_threshold, 1),
            failures: number(probe.failure_threshold, 3),
        }
    }

    fn nth(self, first: Timestamp, count: u32) -> Timestamp {
        spans::after(first, self.period.saturating_mul(count.saturating_sub(1)))
    }
}

/// What becomes of a container launched at `launched`.
pub(crate) fn foresee(
    container: &Container,
    orders: &Orders,
    facts: &Facts,
    launched: Timestamp,
) -> Health {
    let mut health = match facts.probed.get(&container.name) {
        Some(probed) => *probed,
        None => modelled(container, facts, launched),
    };
    let earliest = spans::after(launched, orders.ready_delay);
    health.ready = health.ready.map(|ready| ready.max(earliest));
    if orders.not_ready || orders.crash_loop {
        health.ready = None;
    }
    health
}

fn modelled(container: &Container, facts: &Facts, launched: Timestamp) -> Health {
    let passes = |probe: &Probe| passes(probe, container, facts);
    let mut health = Health { started: Some(launched), ..Health::default() };
    if let Some(probe) = &container.startup_probe {
        let rhythm = Rhythm::of(probe);
        let first = spans::after(launched, rhythm.delay);
        if !passes(probe) {
            let dies = Some((rhythm.nth(first, rhythm.failures), Kind::Startup));
            return Health { dies, ..Health::default() };
        }
        health.started = Some(first);
    }
    let begins = health.started.unwrap_or(launched);
    health.ready = match &container.readiness_probe {
        None => Some(begins),
        Some(probe) if !passes(probe) => None,
        Some(probe) => {
            let rhythm = Rhythm::of(probe);
            let first = spans::after(launched, rhythm.delay).max(begins);
            Some(rhythm.nth(first, rhythm.successes))
        }
    };
    if let Some(probe) = container.liveness_probe.as_ref().filter(|probe| !passes(probe)) {
        let rhythm = Rhythm::of(probe);
        let first = spans::after(launched, rhythm.delay).max(begins);
        health.dies = Some((rhythm.nth(first, rhythm.failures), Kind::Liveness));
    }
    health
}

/// The answer that a probe gets: the application's own, that of a simple command, or a good one.
pub(crate) fn passes(probe: &Probe, container: &Container, facts: &Facts) -> bool {
    if let Some(exec) = &probe.exec {
        return program::of_action(exec, container).is_none_or(|outcome| {
            let in_time = outcome.after.is_some_and(|after| after <= Rhythm::of(probe).timeout);
            in_time && outcome.code == 0
        });
    }
    let (Some(get), Some(behaviour)) = (&probe.http_get, &facts.serves) else { return true };
    let path = get.path.as_deref().unwrap_or("/");
    let path = path.split('?').next().unwrap_or_default();
    (200..400).contains(&crate::app::health(behaviour, path, facts.accepting))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::second;
    use serde_json::{Value, json};

    fn check(probes: &Value, started: Option<i64>, ready: Option<i64>, dies: Option<i64>) {
        let mut container = probes.clone();
        container["name"] = "a".into();
        let container: Container = serde_json::from_value(container).unwrap();
        let health = foresee(&container, &Orders::default(), &Facts::default(), second(0));
        let found = (health.started, health.ready, health.dies.map(|(at, _)| at));
        assert_eq!(found, (started.map(second), ready.map(second), dies.map(second)), "{probes}");
    }

    #[test]
    fn probes_come_after_their_delay_and_a_period_apart() {
        let passing = json!({"tcpSocket": {"port": 80}, "initialDelaySeconds": 7, "periodSeconds": 5, "successThreshold": 3});
        let failing =
            json!({"exec": {"command": ["false"]}, "initialDelaySeconds": 4, "periodSeconds": 2});
        check(&json!({}), Some(0), Some(0), None);
        check(&json!({"readinessProbe": passing}), Some(0), Some(17), None);
        check(&json!({"readinessProbe": failing}), Some(0), None, None);
        check(&json!({"livenessProbe": failing}), Some(0), Some(0), Some(8));
        check(&json!({"startupProbe": failing}), None, None, Some(8));
        let startup = json!({"exec": {"command": ["true"]}, "initialDelaySeconds": 9});
        check(
            &json!({"startupProbe": startup, "readinessProbe": passing}),
            Some(9),
            Some(19),
            None,
        );
        check(
            &json!({"startupProbe": startup, "livenessProbe": failing}),
            Some(9),
            Some(9),
            Some(13),
        );
    }

    #[test]
    fn a_command_that_takes_longer_than_its_timeout_fails() {
        let slow = json!({"exec": {"command": ["sleep", "3"]}});
        check(&json!({"readinessProbe": slow}), Some(0), None, None);
        let patient = json!({"exec": {"command": ["sleep", "3"]}, "timeoutSeconds": 5});
        check(&json!({"readinessProbe": patient}), Some(0), Some(0), None);
        let foreign = json!({"exec": {"command": ["cat", "/tmp/healthy"]}});
        check(&json!({"readinessProbe": foreign}), Some(0), Some(0), None);
    }
}
