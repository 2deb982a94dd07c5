//! What may stand between one client and the API server, so that it can be seen to bear it.
//!
//! Start with [`Gate`]: it makes clients whose requests it counts, logs and, when told to, loses,
//! refuses, delays or never answers ([`Rule`], [`Cut`]), and whose watches it holds back, doubles,
//! shuffles or breaks off ([`Disorder`]).
//!
//! **Invariant.** A gate that was told nothing changes nothing, and what it does depends only on what
//! passes and on its seed: the same run goes wrong in the same way again.

mod answer;
mod cut;
mod gate;
mod passed;
mod rule;
mod watches;

pub use cut::{Cut, Moment};
pub use gate::Gate;
pub use passed::{Fate, Passed, Sender, Verb, sender};
pub use rule::{Refusal, Requests, Rule, Trouble, Which};
pub use watches::{Disorder, WatchTrouble};
