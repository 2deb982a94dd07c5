//! Traffic routers: one backend, one file.
//!
//! A [`Router`] is pure. It says which objects it reads, how much traffic each destination has
//! according to them, and which writes would bring a wanted [`Traffic`] about. The planner orders those
//! writes among its own; a shell performs them.
//!
//! To add a router: write one file with its configuration type, its documentation, its logic and its
//! checks, and add it to [`ROUTERS`] in alphabetical order. The behaviour suite covers it from there.
//!
//! **Invariant.** Nothing here reads or writes anything: objects come in, writes go out.

pub mod gateway_api;
pub mod nginx;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use vocab::{ManagedRoute, ObjectRef, Reason, Traffic, Write};

/// The objects a router asked for, absent ones as `None`.
pub type Objects = BTreeMap<ObjectRef, Option<Value>>;

/// What a router can do; declared only if kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each capability is independent of the others")]
pub struct Capabilities {
    /// Splits by weight.
    pub weights: bool,
    /// Sends requests with certain headers to the canary.
    pub header_routes: bool,
    /// Copies requests to the canary and drops its answers.
    pub mirror: bool,
    /// Weights other than a maximum of 100.
    pub max_weight: bool,
    /// More destinations than stable and canary.
    pub additional_destinations: bool,
}

/// The facts a router may need besides its own configuration.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The rollout that owns the split.
    pub rollout: &'a ObjectRef,
    /// The rollout's uid, for objects that it shall own.
    pub uid: &'a str,
    /// The rollout's `spec.strategy.canary.trafficRouting`, as on the wire.
    pub config: &'a Value,
    /// Name of the service stable traffic goes to.
    pub stable_service: &'a str,
    /// Name of the service canary traffic goes to.
    pub canary_service: &'a str,
    /// Every managed route that a step of the rollout asks for.
    pub steps: &'a [ManagedRoute],
}

/// A router backend. Object-safe, stateless, pure.
pub trait Router: Sync {
    /// Its name in messages and metrics, such as `GatewayAPI`.
    fn name(&self) -> &'static str;
    /// What it can do.
    fn capabilities(&self) -> Capabilities;
    /// Whether the `trafficRouting` configuration asks for this router.
    fn is_configured(&self, config: &Value) -> bool;
    /// The objects it must see before it can observe or steer.
    ///
    /// # Errors
    /// A [`Reason`] with code `InvalidSpec` whose evidence has the field path, when the configuration is wrong.
    fn reads(&self, context: &Context<'_>) -> Result<Vec<ObjectRef>, Vec<Reason>>;
    /// What is wrong with the objects that the configuration names, as faults of the specification: nothing is
    /// done for the rollout until they are mended. Each has code `InvalidSpec` and the field path as evidence.
    fn problems(&self, _context: &Context<'_>, _objects: &Objects) -> Vec<Reason> {
        Vec::new()
    }
    /// The canary's share according to the objects.
    ///
    /// # Errors
    /// Why it cannot be told: an object is missing or does not name the services.
    fn observe(&self, context: &Context<'_>, objects: &Objects) -> Result<Observation, Reason>;
    /// The writes that bring `traffic` about; none when it is in force already.
    ///
    /// # Errors
    /// Why it cannot be brought about.
    fn steer(
        &self,
        context: &Context<'_>,
        objects: &Objects,
        traffic: &Traffic,
    ) -> Result<Vec<Steering>, Reason>;
}

/// One write of a router.
#[derive(Clone, Debug, PartialEq)]
pub struct Steering {
    /// The write; an object that is made is among those that [`Router::reads`] names.
    pub write: Write,
    /// The reason and the sentence of the event that tells of it; none when the weight says it all.
    pub told: Option<(&'static str, String)>,
}

/// What a router's objects say about the split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The canary's weight in the objects.
    pub canary_weight: vocab::Weight,
    /// The weights of further services that a rollout has put there.
    pub additional: BTreeMap<String, vocab::Weight>,
    /// The managed routes that stand, by name; each leads requests or copies of them to the canary.
    pub managed: BTreeSet<String>,
    /// Whether the data plane has confirmed it; `None` when the backend cannot tell.
    pub verified: Option<bool>,
}

/// Every router, in alphabetical order.
pub static ROUTERS: &[&dyn Router] = &[&gateway_api::GatewayApi, &nginx::Nginx];
