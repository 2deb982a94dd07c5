//! Inputs that nobody thought of, for everything that reads what users and services write.
//!
//! A [`Target`] reads bytes; [`hunt`] changes inputs it knows by chance, keeps those after which something
//! new came of it, and ends with a [`Finding`] when one makes the target panic, break a promise or take too
//! long. The compiler's own counters would be a better guide than what came of an input, but they need an
//! unstable compiler; this needs nothing.
//!
//! **Invariant.** A hunt depends on its target and its seed alone, but for how long a run may take.

mod hunt;
mod mutate;
mod targets;

pub use hunt::{Finding, Hunt, Report, hunt};
pub use targets::{TARGETS, named};

/// What came of an input: a word for the sort of it, or the promise that was broken.
pub type Seen = Result<String, String>;

/// Something that reads input from elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, such as `conditions`.
    pub name: &'static str,
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words that its inputs are made of.
    pub words: &'static [&'static str],
    /// Reads an input.
    pub read: fn(&[u8]) -> Seen,
}
