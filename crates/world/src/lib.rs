//! The embedded cluster around the API server: what makes objects come to life.
//!
//! Start with [`World::start`]. It runs the workload controllers (Deployment, ReplicaSet, StatefulSet,
//! DaemonSet, Job, EndpointSlice and Endpoints, HorizontalPodAutoscaler), accepts Gateway API objects,
//! and stands in for the scheduler and for the kubelets of its nodes. With [`Parts::Nodes`] it does only
//! the last, beside any API server whose controller manager runs the workloads. [`traffic`] models users in virtual time, [`app`] is the demo application that pods run,
//! [`kubelet::orders`] lists the annotations by which a
//! pod is told to misbehave, and [`crds`] holds the Gateway API's kinds.
//!
//! Each controller is a pure function from objects and time to a decision; one loop watches, queues and
//! carries out. Everything goes through a [`kube::Client`], so the same world lives on real and on
//! virtual time.
//!
//! **Invariant.** Nothing here polls but what a kubelet owes: leases, and probes of pods that listen. Every
//! other wake has a cause in an object or in a stated delay. Nothing listens beyond loopback and the pod network.

mod alarms;
mod carry_out;
mod cluster;
mod concerns;
mod config;
mod control;
mod effect;
mod feed;
mod kinds;
mod objects;
mod runner;
mod spans;

pub mod app;
pub mod crds;
pub mod kubelet;
pub mod traffic;

#[cfg(test)]
mod build;

pub use config::{Parts, Recording, ServePods, WorldConfig};
pub use control::autoscaler::CPU as CPU_ANNOTATION;
pub use kubelet::logs::FindLog;

use clock::Clock;
use kube::Client;
use runner::Runner;
use std::net::SocketAddr;
use tokio::{sync::watch, task::JoinHandle};

/// The cluster that brings objects to life.
#[derive(Debug)]
pub struct World;

/// A running world; dropping it stops it.
pub struct WorldHandle {
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
    logs: FindLog,
}

/// Why a world did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The Gateway API kinds or the node could not be created.
    #[error("{what} could not be created")]
    NotInstalled {
        /// The object.
        what: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// Pod addresses cannot be bound on this machine.
    #[error("pods cannot listen on {address}: choose another pod network, or serve no pods")]
    AddressUnavailable {
        /// The address tried.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl World {
    /// Installs the Gateway API kinds and the nodes, and starts the controllers.
    ///
    /// Decisions are the same on every run when time is paused on a single-threaded runtime.
    ///
    /// # Errors
    /// [`StartError`] when the API server refuses, or pods are to listen and cannot.
    pub async fn start(
        client: Client,
        clock: Clock,
        config: WorldConfig,
    ) -> Result<WorldHandle, StartError> {
        if config.serve_pods == ServePods::Sockets {
            try_address(&config).await?;
        }
        if config.parts == Parts::Everything {
            crds::install(&client).await?;
        }
        let runner = Runner::new(client, clock, config);
        runner
            .register()
            .await
            .map_err(|source| StartError::NotInstalled { what: "the node".into(), source })?;
        let logs = runner.logs();
        let (stop, stopped) = watch::channel(());
        let task = tokio::spawn(runner.run(stopped));
        Ok(WorldHandle { stop, task, logs })
    }
}

async fn try_address(config: &WorldConfig) -> Result<(), StartError> {
    let [first, second, _, _] = config.pod_network.octets();
    let address = SocketAddr::from(([first, second, 0, 1], 0));
    match tokio::net::TcpListener::bind(address).await {
        Ok(_) => Ok(()),
        Err(source) => Err(StartError::AddressUnavailable { address, source }),
    }
}

impl WorldHandle {
    /// A way to read the logs of pods, for the API server's log endpoint.
    pub fn pod_logs(&self) -> FindLog {
        self.logs.clone()
    }

    /// Stops every controller and every pod, and waits until they have stopped.
    pub async fn shutdown(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the world ended in a panic");
        }
    }
}
