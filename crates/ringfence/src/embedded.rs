//! The embedded cluster, put together: API server, world, gateway, numbers and controller in one process.
//!
//! `demo` and `cluster` differ only in what they start on top of it.

use crate::numbers::{self, Numbers};
use anyhow::Context;
use apiserver::{Server, ServerConfig};
use clock::Clock;
use controller::{Controller, ControllerConfig, ControllerHandle};
use gateway::{Gateway, GatewayConfig, GatewayHandle};
use kube::Client;
use metrics::access::AccessLog;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};
use world::{ServePods, World, WorldConfig, WorldHandle};

/// The namespace of everything that is started here.
pub(crate) const NAMESPACE: &str = "default";

/// What may be chosen about an embedded cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct EmbeddedConfig {
    /// Port of the API server; 0 picks a free one.
    pub(crate) port: u16,
    /// Port of the gateway; 0 picks a free one.
    pub(crate) gateway_port: u16,
    /// Where objects are kept; memory when absent.
    pub(crate) data: Option<PathBuf>,
    /// Token that clients must present, if any.
    pub(crate) token: Option<String>,
    /// Plain HTTP or TLS.
    pub(crate) transport: Transport,
    /// Whether a controller runs.
    pub(crate) controller: WithController,
}

/// How the API server is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Transport {
    #[default]
    Plain,
    Tls,
}

/// Whether a controller runs beside the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WithController {
    #[default]
    No,
    Yes,
}

/// A running embedded cluster; everything in it ends when it is dropped.
pub(crate) struct Embedded {
    pub(crate) clock: Clock,
    pub(crate) client: Client,
    pub(crate) access: Arc<AccessLog>,
    pub(crate) api: SocketAddr,
    pub(crate) gateway: SocketAddr,
    pub(crate) numbers: Numbers,
    pub(crate) kubeconfig: String,
    pub(crate) controller: Option<ControllerHandle>,
    _gateway: GatewayHandle,
    _world: WorldHandle,
    _served: apiserver::ServeHandle,
}
