//! The machine's own `kubectl` against a served server: the judge of whether clients can tell.
//!
//! Every test serves its own cluster. Without `kubectl` on the path the tests say so loudly and pass.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]
#![expect(clippy::print_stdout, reason = "a skipped walk says so")]

mod apply;
mod change;
mod cluster;
mod follow;
mod look;
mod make;
