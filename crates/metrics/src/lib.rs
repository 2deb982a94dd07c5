//! Numbers about requests: what was counted, how long it is kept, and the language that asks for it.
//!
//! Start with [`access::AccessLog`], which the gateway and the traffic model feed;
//! [`series::SeriesStore`] keeps what it scrapes, [`promql`] answers questions about it,
//! [`http_api`] words the answers as Prometheus does, [`exposition`] writes the text format, and
//! [`recording`] reads series that somebody wrote down.
//!
//! **Invariant.** Nothing here reads a clock or opens a socket, and no query is ever answered with a
//! number the language does not define: what cannot be evaluated is an error that names itself.

pub mod access;
pub mod exposition;
pub mod http_api;
pub mod labels;
mod number;
pub mod promql;
pub mod recording;
pub mod series;

pub use labels::Labels;
