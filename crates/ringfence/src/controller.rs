//! `ringfence controller`: the controller against a cluster.

use crate::{args::ControllerArguments, outside, screen};
use anyhow::Context;
use clock::Clock;
use controller::{Controller, ControllerConfig, LeaderElection, LeaseConfig};
use kube::{Client, Config};
use std::{net::SocketAddr, process::ExitCode};

/// How many rollouts and runs are worked on at once; upstream's default for rollouts.
const WORKERS: usize = 10;

/// Runs until asked to end, then gives back the lease.
pub(crate) async fn run(arguments: ControllerArguments) -> anyhow::Result<ExitCode> {
    let config =
        Config::infer().await.context("no cluster was found: set KUBECONFIG, or run in a pod")?;
    let namespace = config.default_namespace.clone();
    let client = Client::try_from(config).context("connecting to the cluster")?;
    let identity =
        std::env::var("HOSTNAME").unwrap_or_else(|_| format!("ringfence-{}", std::process::id()));
    let leader_election = if arguments.leader_elect {
        LeaderElection::Lease(LeaseConfig::in_namespace(&namespace))
    } else {
        LeaderElection::Off
    };
    let settings = ControllerConfig {
        namespace: arguments.namespace,
        instance_id: Some(arguments.instance_id).filter(|id| !id.is_empty()),
        identity,
        leader_election,
        metrics_listen: Some(SocketAddr::new(arguments.bind, arguments.metrics_port)),
        health_listen: Some(SocketAddr::new(arguments.bind, arguments.healthz_port)),
        prometheus_address: arguments.prometheus_address,
        workers: WORKERS,
    };
    let controller = Controller::start(client, Clock::system(), outside::http()?, settings).await?;
    screen::note("The controller runs; Ctrl-C ends it.");
    outside::asked_to_end().await?;
    controller.shutdown().await;
    Ok(ExitCode::SUCCESS)
}
