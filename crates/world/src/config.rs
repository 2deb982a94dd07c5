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

/// Settings of the world; [`Default`] is right for a demo.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Whether pods answer on real sockets.
    pub serve_pods: ServePods,
    /// Whether events are written.
    pub recording: Recording,
    /// The /16 network that pod addresses come from; must be loopback when pods listen.
    pub pod_network: Ipv4Addr,
    /// How long containers take to start, unless the pod says otherwise.
    pub start_delay: Duration,
    /// How long containers take to stop, unless the pod says otherwise.
    pub stop_delay: Duration,
    /// How long containers that end by themselves run, unless the pod says otherwise.
    pub run_for: Duration,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            serve_pods: ServePods::Sockets,
            recording: Recording::Events,
            pod_network: Ipv4Addr::new(127, 77, 0, 0),
            start_delay: Duration::ZERO,
            stop_delay: Duration::from_secs(1),
            run_for: Duration::from_secs(1),
        }
    }
}
