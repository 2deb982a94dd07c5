//! Rehearsals: the real controller against the embedded cluster, on virtual time, with modelled traffic.
//!
//! Start with [`script`], the language, and [`Rehearsal`], which plays it.
//!
//! **Invariant.** Nothing here reads the system's clock: a day is over when the last timer has fired.

pub mod script;
