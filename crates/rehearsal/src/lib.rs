//! Rehearsals: the real controller against the embedded cluster, on virtual time, with modelled traffic.
//!
//! Start with [`script`], the language; [`load`] reads it with its manifests, and [`rehearse`] plays it
//! and hands back a [`Report`].
//!
//! [`rehearse_elsewhere`] plays the same script in real time on a cluster that is there already.
//!
//! **Invariant.** [`rehearse`] neither reads the system's clock nor reaches the network: a day is over when
//! the last timer has fired, and two runs with the same seed give the same report.

mod conditions;
mod elsewhere;
mod expect;
mod ground;
mod load;
mod play;
mod prepared;
mod recorder;
mod report;
mod resources;
mod scene;
pub mod script;
mod seat;
mod stage;
mod taken_back;
mod timeline;

pub use conditions::{
    Companion, Conditions, Election, Interpreter, Refusals, Seat, Trace, Witness,
};
pub use elsewhere::Elsewhere;
pub use load::{LoadFailed, load};
pub use play::{Play, PlayFailed, rehearse, rehearse_elsewhere, rehearse_under};
pub use report::{BlastRadius, Outcome, Report, Unmet, Unserved, text};
pub use stage::SetUpFailed;
pub use timeline::{Actor, Entry, Timeline};
