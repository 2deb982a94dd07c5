//! Metric providers: one backend, one file.
//!
//! A [`Provider`] turns one metric's configuration into an exchange of HTTP calls that ends in a
//! [`Measured`]. It is pure: the shell performs the calls.
//!
//! To add a provider: write one file with its documentation, its logic and its checks, and add it to
//! [`PROVIDERS`] in alphabetical order.
//!
//! **Invariant.** Nothing here opens a socket or knows the time but by argument.

mod conversation;
mod json_path;
mod prometheus;
mod times;
mod web;

use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
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

/// A metric provider. Object-safe, stateless, pure.
pub trait Provider: Sync {
    /// Its key under `provider` in a metric, such as `prometheus`.
    fn name(&self) -> &'static str;
    /// Everything wrong with the configuration: paths below the provider's key, and a sentence each.
    fn validate(&self, config: &Value) -> Vec<(String, String)>;
    /// Begins a measurement with the metric's `provider.<name>` value, arguments already substituted.
    fn start(&self, config: &Value, now: Timestamp) -> Turn;
    /// Goes on with the answer to the call of the turn before.
    fn resume(
        &self,
        config: &Value,
        state: &Value,
        reply: Result<Reply, ReplyError>,
        now: Timestamp,
    ) -> Turn;
    /// Goes on after a wait the provider asked for; one that never waits begins again.
    fn wake(&self, config: &Value, state: &Value, now: Timestamp) -> Turn {
        let _ = state;
        self.start(config, now)
    }
    /// Short facts about the query for `metricResults[].metadata`.
    fn metadata(&self, config: &Value) -> BTreeMap<String, String>;
}

/// Every provider, in alphabetical order.
pub static PROVIDERS: &[&dyn Provider] = &[&prometheus::PROMETHEUS, &web::WEB];

/// The provider of a name.
pub fn by_name(name: &str) -> Option<&'static dyn Provider> {
    PROVIDERS.iter().find(|provider| provider.name() == name).copied()
}
