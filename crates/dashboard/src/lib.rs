//! The page: what a rollout does, on what evidence, and buttons to steer it.
//!
//! Start with [`router`], which serves the page, its JSON and its stream of snapshots. A snapshot is
//! built by the pure function [`view::snapshot`] from what the API server holds and from what the
//! gateway counted; nothing is shown that was not measured.
//!
//! **Invariant.** The page is reachable only under a loopback name and only by requests of its own
//! origin, so that no other site can press its buttons. The page of a real cluster is [`ticketed`] too.

mod feed;
mod guard;
mod http;
pub mod snapshot;
mod steps;
mod ticket;
pub mod view;

pub use feed::{Feed, FeedConfig};
pub use http::{Release, router};
pub use ticket::{Ticket, ticketed};
