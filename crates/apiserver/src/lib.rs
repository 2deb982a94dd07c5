//! A Kubernetes API server in front of [`store`].
//!
//! Start at [`Server`]: [`Server::client`] talks to it in process, [`Server::serve`] opens a port. A
//! request goes `router` → `request` (what is asked for) → `verbs` (one store call) → `shape` (objects,
//! tables or metadata); a watch goes to `watch`.
//!
//! **Invariant.** No rule of the API lives here: what a verb does to objects is the [`store`]'s business,
//! this crate only speaks HTTP. And nothing listens unless a listener is handed in.

mod auth;
mod background;
mod body;
mod client;
mod discovery;
mod hub;
mod journal;
mod kubeconfig;
mod logs;
mod negotiate;
mod openapi;
mod options;
mod protobuf;
mod query;
mod request;
mod respond;
mod reviews;
mod router;
mod serve;
mod server;
mod shape;
mod subresources;
mod table;
mod tls;
mod verbs;
mod watch;

pub use body::BODY_MAX;
pub use hub::Witness;
pub use journal::JournalError;
pub use logs::LogSource;
pub use serve::ServeHandle;
pub use server::{Server, ServerConfig, ServerError, Snapshot};
pub use tls::{Tls, TlsError};
