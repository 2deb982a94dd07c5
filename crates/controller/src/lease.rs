//! Leading or standing by, through a `coordination.k8s.io/v1` Lease.
//!
//! The protocol is client-go's: the holder renews, others watch the record and count its duration
//! from when *they* last saw it change, so that clocks need not agree.
//!
//! **Invariant.** The only effect on the rest of the controller is what [`Authority`] is granted.

use crate::authority::Authority;
use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};
use std::time::Duration;
use tokio::sync::watch;

/// The lease's name; an instance id is appended after a dash.
pub const LEASE_NAME: &str = "argo-rollouts-controller-lock";

/// How much longer than asked for a pause between two attempts may be, with client-go.
const JITTER: f64 = 1.2;

/// How a leader is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaderElection {
    /// There is only this controller.
    Off,
    /// Whoever holds the lease leads.
    Lease(LeaseConfig),
}

/// Where the lease is and how long things take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseConfig {
    /// The lease's namespace.
    pub namespace: String,
    /// How long others respect a lease that is not renewed.
    pub duration: Duration,
    /// How long the holder tries to renew before it gives up leading.
    pub renew_deadline: Duration,
    /// How long between two attempts.
    pub retry_period: Duration,
}

impl LeaseConfig {
    /// Upstream's durations (15, 10 and 2 seconds) in `namespace`.
    pub fn in_namespace(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }

    /// Why these times could let two controllers lead at once, or let a leader lose its lease for nothing.
    /// client-go asks for the same.
    pub fn problems(&self) -> Vec<&'static str> {
        let demands = [
            (self.duration > self.renew_deadline, "the lease must last longer than it is renewed"),
            (
                self.renew_deadline > self.retry_period.mul_f64(JITTER),
                "the lease must be renewed for longer than 1.2 times the pause between two attempts",
            ),
            (!self.retry_period.is_zero(), "the pause between two attempts must not be zero"),
        ];
        demands.into_iter().filter(|(holds, _)| !holds).map(|(_, problem)| problem).collect()
    }
}

/// Keeps the lease, or waits for it.
pub(crate) struct LeaseKeeper {
    api: Api<Lease>,
    clock: Clock,
    name: String,
    identity: String,
    config: LeaseConfig,
    authority: Authority,
    leads: watch::Sender<bool>,
    seen: Option<Seen>,
}

/// The record as last seen, and when it was last seen to change.
struct Seen {
    spec: LeaseSpec,
    changed: Timestamp,
}

impl LeaseKeeper {
    /// A keeper for `identity`; whether it leads is told through `leads` and `authority`.
    pub(crate) fn new(
        client: Client,
        clock: Clock,
        names: (String, String),
        config: LeaseConfig,
        told: (Authority, watch::Sender<bool>),
    ) -> Self {
        let api = Api::namespaced(client, &config.namespace);
        let (name, identity) = names;
        let (authority, leads) = told;
        Self { api, clock, name, identity, config, authority, leads, seen: None }
    }

    /// Tries for the lease, renews it, and tries again when it was lost; never returns.
    pub(crate) async fn run(mut self) {
        let mut renewed: Option<Timestamp> = None;
        loop {
            let began = self.clock.now();
            let attempt = tokio::time::timeout(self.config.renew_deadline, self.try_once()).await;
            match attempt {
                Ok(Ok(Held::ByUs)) => {
                    renewed = Some(began);
                    self.authority.grant_until(after(began, self.config.renew_deadline));
                    self.tell(Leading::Yes);
                }
                Ok(Ok(Held::ByOther)) => {
                    renewed = None;
                    self.authority.revoke();
                    self.tell(Leading::No);
                }
                Ok(Err(error)) => self.complain(&error),
                Err(_) => tracing::warn!("the lease was not renewed in time"),
            }
            if renewed.is_some() && !self.authority.is_leader() {
                renewed = None;
                self.tell(Leading::No);
            }
            tokio::time::sleep(self.config.retry_period).await;
        }
    }

    fn complain(&self, error: &kube::Error) {
        let hint = match error {
            kube::Error::Api(status) if status.code == 404 => {
                "create the namespace, or name another with POD_NAMESPACE"
            }
            kube::Error::Api(status) if status.code == 403 => {
                "give the controller the role of the install manifests"
            }
            _ => "it is tried again",
        };
        let (name, namespace) = (&self.name, &self.config.namespace);
        tracing::warn!(%error, name, namespace, hint, "the lease could not be had or renewed");
    }

    fn tell(&self, leading: Leading) {
        let leads = leading == Leading::Yes;
        self.leads.send_if_modified(|was| std::mem::replace(was, leads) != leads);
    }

    async fn try_once(&mut self) -> Result<Held, kube::Error> {
        let now = self.clock.now();
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            return self.create(now).await;
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let ours = spec.holder_identity.as_deref() == Some(&self.identity);
        if !ours && !self.has_run_out(&spec, now) {
            return Ok(Held::ByOther);
        }
        lease.spec = Some(self.claimed(&spec, now));
        match self.api.replace(&self.name, &PostParams::default(), &lease).await {
            Ok(_) => Ok(Held::ByUs),
            Err(kube::Error::Api(status)) if status.is_conflict() => Ok(Held::ByOther),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, now: Timestamp) -> Result<Held, kube::Error> {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        let spec = Some(self.claimed(&LeaseSpec::default(), now));
        match self.api.create(&PostParams::default(), &Lease { metadata, spec }).await {
            Ok(_) => Ok(Held::ByUs),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(Held::ByOther),
            Err(error) => Err(error),
        }
    }

    /// Whether another holder has been silent for the whole duration, by our own clock.
    fn has_run_out(&mut self, spec: &LeaseSpec, now: Timestamp) -> bool {
        if spec.holder_identity.as_deref().unwrap_or_default().is_empty() {
            return true;
        }
        let seconds = spec.lease_duration_seconds.unwrap_or_default();
        match &self.seen {
            Some(seen) if seen.spec == *spec => {
                now.duration_since(seen.changed) > SignedDuration::from_secs(seconds.into())
            }
            _ => {
                self.seen = Some(Seen { spec: spec.clone(), changed: now });
                false
            }
        }
    }

    fn claimed(&self, old: &LeaseSpec, now: Timestamp) -> LeaseSpec {
        let ours = old.holder_identity.as_deref() == Some(&self.identity);
        let transitions = old.lease_transitions.unwrap_or_default();
        let first = old.holder_identity.is_none();
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.config.duration.as_secs()).ok(),
            acquire_time: if ours { old.acquire_time.clone() } else { Some(MicroTime(now)) },
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(if ours || first { transitions } else { transitions + 1 }),
            ..LeaseSpec::default()
        }
    }
}

/// Lets go of the lease so that a standby takes over at once; does nothing if it is not ours.
pub(crate) async fn release(client: Client, config: &LeaseConfig, name: &str, identity: &str) {
    let api: Api<Lease> = Api::namespaced(client, &config.namespace);
    let Ok(Some(mut lease)) = api.get_opt(name).await else { return };
    let Some(spec) = &mut lease.spec else { return };
    if spec.holder_identity.as_deref() != Some(identity) {
        return;
    }
    spec.holder_identity = Some(String::new());
    spec.lease_duration_seconds = Some(1);
    if let Err(error) = api.replace(name, &PostParams::default(), &lease).await {
        tracing::warn!(%error, "the lease could not be released");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    ByUs,
    ByOther,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Leading {
    Yes,
    No,
}

fn after(at: Timestamp, wait: Duration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_would_let_two_lead_are_refused() {
        let problems = |duration, renew_deadline, retry_period| {
            let [duration, renew_deadline, retry_period] =
                [duration, renew_deadline, retry_period].map(Duration::from_millis);
            let usual = LeaseConfig::in_namespace("argo-rollouts");
            LeaseConfig { duration, renew_deadline, retry_period, ..usual }.problems().len()
        };
        assert_eq!(LeaseConfig::in_namespace("argo-rollouts").problems(), [""; 0]);
        assert_eq!(problems(5000, 10_000, 2000), 1, "others would take over while this one leads");
        assert_eq!(problems(15_000, 2400, 2000), 1, "one attempt that fails would end it");
        assert_eq!(problems(15_000, 10_000, 0), 1);
        assert_eq!(problems(1000, 1000, 2000), 2);
    }
}
