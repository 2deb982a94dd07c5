//! The machine's own `kubectl` against a served server: the judge of whether clients can tell.
//!
//! Every test serves its own cluster. Without `kubectl` on the path the tests say so loudly and pass.

mod apply;
mod change;
mod cluster;
mod follow;
mod look;
mod make;
