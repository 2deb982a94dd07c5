//! The domain's own words: newtypes that cannot be wrong, and the few shapes that every layer hands on.
//!
//! Start with [`Plan`], the value in which all deciding ends, and [`Reason`], the value that tells a
//! person why. [`Exchange`] is how pure code talks with an outside service without doing IO.
//!
//! | word | meaning | Argo Rollouts | Flagger |
//! |---|---|---|---|
//! | stable | the version users are on | stable / active | primary |
//! | canary | the version under test | canary / preview | canary |
//! | weight | share of traffic in parts of the rollout's maximum | setWeight | canaryWeight |
//! | reason | why something waits or was decided, with evidence | status.message | event |
//!
//! **Invariant.** Nothing here knows Kubernetes clients, HTTP, clocks or files; no type has behaviour
//! beyond parsing, ordering and printing itself.

mod exchange;
mod managed_route;
mod merge_patch;
mod object_ref;
mod plan;
mod reason;
mod traffic;
mod write;

pub use exchange::{Call, Exchange, Reply, ReplyError};
pub use managed_route::{ManagedKind, ManagedRoute, NamedText, RequestMatch, TextMatch};
pub use merge_patch::merge_patch_between;
pub use object_ref::ObjectRef;
pub use plan::{Event, EventType, Plan, Urgency};
pub use reason::Reason;
pub use traffic::{Destination, PodHash, Revision, Traffic, Weight, WeightOutOfRange};
pub use write::{PatchType, Precondition, Propagation, Subresource, Write};
