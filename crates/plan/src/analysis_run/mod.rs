//! The planner of analysis runs: which measurements are due, and what came of them.
//!
//! Start with [`plan`], which says what to write and whom to ask; the shell asks and hands the answers
//! to [`absorb`]. Between the two nothing is remembered but what stands in the run's status: a run
//! whose controller dies is measured again, and a wait that a provider asked for is in the status.
//!
//! A run has no status subresource, so its status is written through the main resource.
//!
//! A metric of the provider `job` is no call: its Job is one of the plan's writes, and what became of it
//! is observed.
//!
//! What a metric's provider needs to be let in is read before the plan too: the secrets of the run
//! ([`reads`]), then the credentials of its providers ([`credentials`]).
//!
//! **Invariant.** The value of a secret is only ever in a call, or in the Job that its metric
//! describes: never in a status, an event or a reason. Missing data and errors are neither success nor failure.

mod events;
#[cfg(test)]
mod job_tests;
mod jobs;
mod learned;
mod lifetime;
mod measuring;
mod patch;
mod prepare;
#[cfg(test)]
mod provider_tests;
mod redact;
mod schedule;
mod session;
#[cfg(test)]
mod tests;

pub use jobs::awaited_jobs;
pub(crate) use learned::{annotation, left_by};
pub use prepare::Specification;

use api::argo::AnalysisRun;
use jiff::Timestamp;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use providers::{CredentialRef, Credentials, Destination};
use serde_json::Value;
use session::Session;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use vocab::{Call, ObjectRef, Plan, Reply, ReplyError};

/// One key of a Secret in the run's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretRef {
    /// Name of the Secret.
    pub name: String,
    /// Key in the Secret.
    pub key: String,
}

/// What was found where a [`SecretRef`] points.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretRead {
    /// The value as text.
    Value(String),
    /// There is no such Secret.
    NoSecret,
    /// The Secret has no such key.
    NoKey,
    /// The API server does not let us read it; its own words.
    Refused(String),
}

/// A secret's value shall not end in a log.
impl std::fmt::Debug for SecretRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Value(_) => "Value(*****)",
            Self::NoSecret => "NoSecret",
            Self::NoKey => "NoKey",
            Self::Refused(_) => "Refused",
        })
    }
}

/// Everything that a plan for one run rests on.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The run as the API server has it.
    pub run: Arc<AnalysisRun>,
    /// What its spec comes to, if whoever gathers has kept that since the last look.
    pub specification: Specification,
    /// What the run's [`reads`] found; a reference that is not here counts as no Secret.
    pub secrets: BTreeMap<SecretRef, SecretRead>,
    /// What the providers' [`credentials`] are; a reference that is not here was not found.
    pub credentials: Credentials,
    /// Names of the metrics whose calls are being performed; they are not begun again.
    pub in_flight: BTreeSet<String>,
    /// The Prometheus to ask where a metric names none.
    pub prometheus_address: Option<String>,
    /// The Jobs of the run.
    pub jobs: Vec<Job>,
    /// The pods of those Jobs.
    pub job_pods: Vec<Pod>,
    /// What the API server refused to make just now, with its words.
    pub refused: BTreeMap<ObjectRef, String>,
}

/// A call that a measurement waits for.
#[derive(Clone, PartialEq)]
pub struct MeasurementCall {
    /// Name of the metric.
    pub metric: String,
    /// What to ask.
    pub call: Call,
    /// Whom.
    pub to: Destination,
    /// What the provider needs to go on; it may hold a token and is not to be written anywhere.
    pub state: Value,
    /// When the measurement began.
    pub started_at: Timestamp,
}

/// The state may hold a token.
impl std::fmt::Debug for MeasurementCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeasurementCall")
            .field("metric", &self.metric)
            .field("call", &self.call)
            .field("started_at", &self.started_at)
            .finish_non_exhaustive()
    }
}

/// What is to be written for a run, and whom to ask.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a plan does nothing until it is carried out"]
pub struct AnalysisPlan {
    /// The writes, the status and the events.
    pub plan: Plan,
    /// Calls to perform at the same time, after the writes; their answers go to [`absorb`].
    pub calls: Vec<MeasurementCall>,
}

/// A call that was performed, and the answer to it.
pub type Answer = (MeasurementCall, Result<Reply, ReplyError>);

/// Whether there is a provider of that name.
pub(crate) fn can_measure(provider: &str) -> bool {
    provider == jobs::PROVIDER || providers::by_name(provider).is_some()
}

/// The secrets that must be read before a run is planned.
pub fn reads(run: &AnalysisRun) -> BTreeSet<SecretRef> {
    let finished = run.status.as_ref().is_some_and(|status| status.phase.completed());
    let args = run.spec.args.iter().filter(|_| !finished);
    args.filter_map(prepare::secret_ref).collect()
}

/// What must be read for the providers of a run's open metrics; `observed` holds the run and its secrets.
pub fn credentials(observed: &Observed) -> BTreeSet<CredentialRef> {
    let status = observed.run.status.as_ref();
    if status.is_some_and(|status| status.phase.completed()) {
        return BTreeSet::new();
    }
    let results = status.map(|status| status.metric_results.as_slice()).unwrap_or_default();
    let settled =
        |name: &str| results.iter().any(|result| result.name == name && result.phase.completed());
    // A run that cannot be resolved ends, and asks nobody.
    let Ok(prepared) = prepare::prepared(observed) else { return BTreeSet::new() };
    let metrics = prepare::with_secrets(&prepared, observed).unwrap_or_default();
    let open = metrics.iter().filter(|metric| !settled(&metric.name));
    let asked = open.filter_map(|metric| measuring::provider_of(metric, observed).ok());
    asked.flat_map(|(provider, config)| provider.credentials(&config)).collect()
}

/// Decides for one run: which measurements begin, what it has come to, and when to look again.
pub fn plan(observed: &Observed, now: Timestamp) -> AnalysisPlan {
    match Session::open(observed, now) {
        Ok(mut session) => {
            session.begin_due();
            session.close()
        }
        Err(settled) => *settled,
    }
}

/// Takes in the answers to calls of an earlier plan; `observed` is the run as it is now.
///
/// Answers for a run that has ended meanwhile are dropped.
pub fn absorb(observed: &Observed, answers: &[Answer], now: Timestamp) -> AnalysisPlan {
    match Session::open(observed, now) {
        Ok(mut session) => {
            for (call, reply) in answers {
                session.take_in(call, reply.clone());
            }
            session.close()
        }
        Err(settled) => *settled,
    }
}
