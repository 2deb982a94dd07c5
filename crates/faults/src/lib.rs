//! What may stand between one client and the API server, so that it can be seen to bear it.
//!
//! Start with [`Gate`]: it makes clients whose requests it counts, logs and, when told to, loses,
//! refuses, delays or never answers ([`Rule`], [`Cut`]), and whose watches it holds back, doubles,
//! shuffles or breaks off ([`Disorder`]). It cuts them off for a while ([`Outage`]) and shows those that
//! are started again an old picture first ([`Past`]).
//!
//! **Invariant.** A gate that was told nothing changes nothing, and what it does depends only on what
//! passes and on its seed: the same run goes wrong in the same way again.

mod answer;
mod cut;
mod gate;
mod outage;
mod passed;
mod past;
mod rule;
mod watches;

pub use cut::{Cut, Moment};
pub use gate::Gate;
pub use outage::{Outage, OutageSort};
pub use passed::{Fate, Passed, Sender, Verb, served};
pub use past::Past;
pub use rule::{Refusal, Requests, Rule, Trouble, Which};
pub use watches::{Disorder, WatchTrouble};
