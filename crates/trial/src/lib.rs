//! Analysis templates on trial: read critically, tested on recorded series, replayed over the past, run
//! against what is there now. All of it without a cluster.
//!
//! Start with [`lint::lint`] for what is wrong with the texts, and with [`template::run`] and [`conduct`]
//! for what a template says about numbers: a [`course::Course`] is one run, [`pursue`] takes it through
//! time that is real or virtual, and a [`report::Report`] is what it came to.
//!
//! **Invariant.** Nothing here counts, judges or decides when to measure: that is the planner of
//! analysis runs, the one of the controller. Nothing here writes to a cluster.

pub mod conduct;
pub mod course;
pub mod document;
mod instant;
mod length;
pub mod lint;
pub mod pursue;
pub mod recorded;
pub mod replay;
pub mod report;
pub mod secrets;
pub mod template;
