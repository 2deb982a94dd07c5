//! Metric providers: one backend, one file.
//!
//! A [`Provider`] turns one metric's configuration into an exchange of HTTP calls that ends in a
//! [`Measured`]. It is pure: the shell performs the calls, and reads the [`Credentials`] it asks for.
//!
//! To add a provider: write one file with its documentation and its logic (a `OneQuestion` of
//! `conversation` where no more than that is asked), add it to [`PROVIDERS`] in alphabetical order, and
//! give the behaviour suite in `tests/every_provider` a configuration of it and its service's answers.
//!
//! Where providers may not go is said by [`egress`]; the shell asks it before it goes anywhere.
//!
//! **Invariant.** Nothing here opens a socket, or knows the time or a secret but by argument.

mod aws;
mod cloud_watch;
mod compare;
mod conversation;
mod credentials;
mod datadog;
pub mod egress;
mod go;
mod graphite;
mod influxdb;
mod json_path;
mod kayenta;
mod new_relic;
mod oauth;
mod prometheus;
mod skywalking;
mod times;
mod wavefront;
mod web;

pub use compare::budget;
pub use credentials::{
    CredentialRead, CredentialRef, Credentials, Exposure, Place, Source, VARIABLES,
};

use jiff::Timestamp;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use vocab::{Exchange, Reply, ReplyError};

/// What a provider found out: the value conditions are evaluated on.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The `result` of conditions.
    pub result: MeasuredValue,
    /// The text kept in `measurements[].value`.
    pub value: String,
    /// Kept in `measurements[].metadata`.
    pub metadata: BTreeMap<String, String>,
    /// The service's own judgement, which stands in place of the metric's conditions.
    pub verdict: Option<Verdict>,
    /// What a later measurement of the same metric goes on from; it holds no secret.
    pub learned: Option<Value>,
}

/// How a service that judges by itself has judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The new version is good.
    Successful,
    /// Nobody can tell.
    Inconclusive,
    /// The new version is bad.
    Failed,
}

impl Measured {
    /// A value for conditions to judge.
    pub(crate) fn new(result: MeasuredValue, value: String) -> Self {
        Self { result, value, metadata: BTreeMap::new(), verdict: None, learned: None }
    }
}

/// The value a condition sees as `result`. JSON cannot carry NaN and infinities, measurements can.
#[derive(Clone, Debug, PartialEq)]
pub enum MeasuredValue {
    /// One number, perhaps NaN or infinite.
    Number(f64),
    /// Numbers in the order the service gave them.
    Numbers(Vec<f64>),
    /// Anything else, including null for "no data".
    Json(Value),
}

/// A measurement that could not be made; it counts as an error, never as success or failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MeasureError {
    /// What went wrong, for `measurements[].message`.
    pub message: String,
}

/// One turn of measuring; the state is what must survive between turns.
pub type Turn = Exchange<Value, Result<Measured, MeasureError>>;

/// What a provider is asked to measure, and with what.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The metric's `provider.<name>` value, arguments already substituted.
    pub config: &'a Value,
    /// What was read of [`Provider::credentials`].
    pub credentials: &'a Credentials,
    /// The metric's interval, if it has one.
    pub interval: Option<Duration>,
    /// When the run began.
    pub run_started_at: Timestamp,
    /// The run's namespace.
    pub namespace: &'a str,
    /// What an earlier measurement of the metric has learned, in this run or in one before it.
    pub learned: Option<&'a Value>,
}

/// Whom a call goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// The service that the call's address names.
    #[default]
    Network,
    /// The API server of the cluster, with the controller's own rights; the address is a path. No settings
    /// choose it: only a provider's own logic can.
    Cluster,
}

/// A metric provider. Object-safe, stateless, pure.
pub trait Provider: Sync {
    /// Its key under `provider` in a metric, such as `prometheus`; `plugin` and its key under that for
    /// those of ours that upstream's API has no field for.
    fn name(&self) -> &'static str;
    /// Everything wrong with the configuration: paths below the provider's key, and a sentence each.
    fn validate(&self, config: &Value) -> Vec<(String, String)>;
    /// What has to be read before a measurement begins or goes on.
    fn credentials(&self, config: &Value) -> Vec<CredentialRef> {
        let _ = config;
        Vec::new()
    }
    /// Begins a measurement.
    fn start(&self, asked: &Asked<'_>, now: Timestamp) -> Turn;
    /// Goes on with the answer to the call of the turn before.
    fn resume(
        &self,
        asked: &Asked<'_>,
        state: &Value,
        reply: Result<Reply, ReplyError>,
        now: Timestamp,
    ) -> Turn;
    /// Goes on after a wait the provider asked for; one that never waits begins again. The state of a
    /// wait is written into the run's status, so it holds no secret.
    fn wake(&self, asked: &Asked<'_>, state: &Value, now: Timestamp) -> Turn {
        let _ = state;
        self.start(asked, now)
    }
    /// Whom the call of a turn with that state goes to.
    fn destination(&self, state: &Value) -> Destination {
        let _ = state;
        Destination::Network
    }
    /// What of a wait's state outlives its measurement, for a later one to go on from.
    fn learned(&self, state: &Value) -> Option<Value> {
        let _ = state;
        None
    }
    /// Short facts about a measurement that waits, for `measurements[].metadata`.
    fn waiting(&self, state: &Value) -> BTreeMap<String, String> {
        let _ = state;
        BTreeMap::new()
    }
    /// Short facts about the query for `metricResults[].metadata`.
    fn metadata(&self, config: &Value) -> BTreeMap<String, String> {
        let _ = config;
        BTreeMap::new()
    }
}

/// Every provider, in alphabetical order.
pub static PROVIDERS: &[&dyn Provider] = &[
    &cloud_watch::CLOUD_WATCH,
    &datadog::DATADOG,
    &graphite::GRAPHITE,
    &influxdb::INFLUXDB,
    &kayenta::KAYENTA,
    &new_relic::NEW_RELIC,
    &compare::COMPARE,
    &prometheus::PROMETHEUS,
    &skywalking::SKYWALKING,
    &wavefront::WAVEFRONT,
    &web::WEB,
];

/// The provider of a name.
pub fn by_name(name: &str) -> Option<&'static dyn Provider> {
    PROVIDERS.iter().find(|provider| provider.name() == name).copied()
}
