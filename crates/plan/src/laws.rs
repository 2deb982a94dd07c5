//! What no plan may do, checked on every plan before it is carried out.

use crate::rollout::Observed;
use jiff::Timestamp;
use vocab::Plan;

/// A law that a plan breaks, with the facts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{law}: {detail}")]
pub struct Violation {
    /// The law's name.
    pub law: &'static str,
    /// What breaks it.
    pub detail: String,
}

/// Every law that `plan` breaks.
pub fn check(observed: &Observed, plan: &Plan, now: Timestamp) -> Vec<Violation> {
    let _ = (observed, plan, now);
    Vec::new()
}
