//! How a controller is set up.

use crate::{
    lease::{LEASE_NAME, LeaderElection},
    planner::{Planner, Product},
};
use api::argo::keys::CONTROLLER_INSTANCE_ID;
use std::{net::SocketAddr, sync::Arc};

/// Upstream's address of `/metrics` is port 8090 and of health is port 8080, on all interfaces; ours are
/// off until asked for.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    /// Only this namespace; the whole cluster when absent.
    pub namespace: Option<String>,
    /// Only objects labelled with this instance id; when absent, only objects without such a label.
    pub instance_id: Option<String>,
    /// Who this process is in the lease and in events.
    pub identity: String,
    /// How a leader is found.
    pub leader_election: LeaderElection,
    /// Where `/metrics` is served, if at all.
    pub metrics_listen: Option<SocketAddr>,
    /// Where `/healthz` and `/readyz` are served, if at all.
    pub health_listen: Option<SocketAddr>,
    /// Address of Prometheus for metrics that name none.
    pub prometheus_address: Option<String>,
    /// How many objects are worked on at once; one makes the order of writes repeatable.
    pub workers: usize,
    /// What decides.
    pub planner: Arc<dyn Planner>,
}

impl ControllerConfig {
    /// A controller that runs alone, sees the whole cluster, listens nowhere and does one thing at a time.
    pub fn alone() -> Self {
        Self {
            namespace: None,
            instance_id: None,
            identity: "ringfence".to_owned(),
            leader_election: LeaderElection::Off,
            metrics_listen: None,
            health_listen: None,
            prometheus_address: None,
            workers: 1,
            planner: Arc::new(Product),
        }
    }

    /// The label selector that tells our rollouts and runs from those of other instances.
    pub(crate) fn instance_selector(&self) -> String {
        match &self.instance_id {
            Some(id) => format!("{CONTROLLER_INSTANCE_ID}={id}"),
            None => format!("!{CONTROLLER_INSTANCE_ID}"),
        }
    }

    /// The lease's name.
    pub(crate) fn lease_name(&self) -> String {
        match &self.instance_id {
            Some(id) => format!("{LEASE_NAME}-{id}"),
            None => LEASE_NAME.to_owned(),
        }
    }
}
