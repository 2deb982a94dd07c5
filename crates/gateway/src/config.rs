//! Settings and limits of the gateway.

use metrics::access::AccessLog;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long connecting to a pod may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a pod may take until the head of its response, unless the rule says otherwise.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take to send the head of a request.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How many pods are tried for one request.
pub(crate) const MAX_TRIES: usize = 3;
/// How many idle connections are kept to each pod.
pub(crate) const MAX_IDLE: usize = 256;
/// How many copies of requests may be under way at once; beyond that none is made.
pub(crate) const MAX_COPIES: usize = 256;
/// How long a connection to a pod may stay idle and still be used.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// How often idle connections are looked through, and a snapshot of the counts is taken.
pub(crate) const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// How long to wait before a failed watch is begun again.
pub(crate) const WATCH_RETRY: Duration = Duration::from_millis(200);
/// How long open connections may go on at shutdown.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a Service that no route names can be reached under its own host name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirectServices {
    /// `service.namespace`, with or without `.svc.cluster.local`, leads to the service.
    #[default]
    Reachable,
    /// Only routes lead anywhere.
    Hidden,
}

/// How the gateway is set up.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where requests are counted.
    pub access: Arc<AccessLog>,
    /// Whether services can be reached without a route.
    pub direct: DirectServices,
}

impl GatewayConfig {
    /// Listens at `listen`, counts in a log of its own and lets services be reached directly.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, access: Arc::new(AccessLog::new()), direct: DirectServices::default() }
    }
}
