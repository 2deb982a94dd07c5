//! The gateway: a reverse proxy that splits requests by the `HTTPRoute`s and Ingresses in force and counts them.
//!
//! Start with [`Gateway::start`]. Watches feed [`objects::Objects`]; [`table::Table`] is computed from
//! them without side effects; `live` joins it with the counters that outlast a table, and `proxy`
//! carries requests by whichever table was in force when they came.
//!
//! **Invariant.** A change of objects never touches a request under way, and no filter or match that
//! the gateway does not know is passed over: such a rule answers 500 and says why.

mod body;
mod config;
mod connection;
mod forward;
mod headers;
pub mod ingress;
mod live;
mod matching;
mod mirror;
pub mod objects;
mod proxy;
mod reply;
mod serve;
pub mod split;
pub mod table;
mod watch;

pub use config::{DirectServices, GatewayConfig};
pub use serve::{Gateway, GatewayHandle, StartError};
