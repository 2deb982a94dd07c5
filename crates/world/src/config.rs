//! Settings of the world.

use std::{net::Ipv4Addr, time::Duration};

/// Whether pods answer on real sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServePods {
    /// Each pod listens on its own loopback address.
    Sockets,
    /// Pods have addresses, but nothing listens there.
    None,
}

/// Whether controllers and the kubelet stand-in write Kubernetes Events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Every event is written.
    Events,
    /// No event is written: fewer writes in long rehearsals.
    Nothing,
}

/// Which parts of a cluster run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// All of them: the workload controllers, the Gateway API, the scheduler and the kubelets.
    Everything,
    /// Only the scheduler and the kubelets, because a real kube-controller-manager runs the rest.
    ///
    /// Nothing is installed but the nodes; their leases are renewed, so that the controller manager
    /// finds them alive.
    Nodes,
}

/// Settings of the world; [`Default`] is right for a demo.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Which parts of a cluster run here.
    pub parts: Parts,
    /// How many nodes there are, from 1 to 200. Pods go to the one with the fewest.
    pub nodes: u8,
    /// How many decisions are carried out at the same time. One makes every run the same; more are
    /// for API servers that are far away.
    pub lanes: usize,
    /// Whether pods answer on real sockets.
    pub serve_pods: ServePods,
    /// Whether events are written.
    pub recording: Recording,
    /// The /16 network that pod addresses come from; must be local when pods listen.
    pub pod_network: Ipv4Addr,
    /// How long containers take to start, unless the pod says otherwise.
    pub start_delay: Duration,
    /// How long it takes until an image that is missing is known to be.
    pub pull_fails_after: Duration,
    /// How long containers take to stop, unless the pod says otherwise.
    pub stop_delay: Duration,
    /// How long containers that end by themselves run, unless the pod says otherwise.
    pub run_for: Duration,
}

impl WorldConfig {
    /// Nodes for an API server with a controller manager of its own. Pods have addresses in
    /// 10.42.0.0/16, for a real API server refuses loopback addresses in EndpointSlices; nothing
    /// listens there unless `serve_pods` says so, which wants that network to be local.
    pub fn nodes_only() -> Self {
        Self {
            parts: Parts::Nodes,
            lanes: 16,
            serve_pods: ServePods::None,
            pod_network: Ipv4Addr::new(10, 42, 0, 0),
            start_delay: Duration::from_millis(500),
            pull_fails_after: Duration::from_secs(2),
            ..Self::default()
        }
    }
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            parts: Parts::Everything,
            nodes: 1,
            lanes: 1,
            serve_pods: ServePods::Sockets,
            recording: Recording::Events,
            pod_network: Ipv4Addr::new(127, 77, 0, 0),
            start_delay: Duration::ZERO,
            pull_fails_after: Duration::ZERO,
            stop_delay: Duration::from_secs(1),
            run_for: Duration::from_secs(1),
        }
    }
}
