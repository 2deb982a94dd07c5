//! What a controller costs on a real control plane, beside another controller under the same load.
//!
//! Start with [`scale::scale`], which takes many rollouts through their steps with one controller; the
//! other one then gets a control plane of its own and the same work; [`analysis::analyse`] does the same with
//! many analysis runs. Processor time and memory come from
//! the system's account of the process, requests from the API server's audit log.
//!
//! **Invariant.** Nothing is estimated: a figure that could not be read is an error.

pub mod analysis;
mod error;
pub mod process;
pub mod scale;

pub use error::BenchError;
