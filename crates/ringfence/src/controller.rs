//! `ringfence controller`: the controller against a cluster.

use crate::{args::ControllerArguments, outside, screen};
use anyhow::Context;
use cli::ConnectArguments;
use clock::Clock;
use controller::{Controller, ControllerConfig, LeaderElection, LeaseConfig};
use kube::Client;
use std::{net::SocketAddr, process::ExitCode};

/// How many rollouts and runs are worked on at once; upstream's default for rollouts.
const WORKERS: usize = 10;

/// Runs until asked to end, then gives back the lease.
pub(crate) async fn run(arguments: ControllerArguments) -> anyhow::Result<ExitCode> {
    let connect = ConnectArguments {
        kubeconfig: arguments.kubeconfig,
        context: arguments.context,
        ..ConnectArguments::default()
    };
    let config =
        cli::config(&connect).await.context("name a cluster with --kubeconfig or KUBECONFIG")?;
    let namespace = config.default_namespace.clone();
    let client = Client::try_from(config).context("connecting to the cluster")?;
    let leader_election = if arguments.leader_elect {
        LeaderElection::Lease(LeaseConfig {
            namespace,
            duration: arguments.lease_duration,
            renew_deadline: arguments.renew_deadline,
            retry_period: arguments.retry_period,
        })
    } else {
        LeaderElection::Off
    };
    let settings = ControllerConfig {
        namespace: arguments.namespace,
        instance_id: Some(arguments.instance_id).filter(|id| !id.is_empty()),
        identity: identity(),
        leader_election,
        metrics_listen: Some(SocketAddr::new(arguments.bind, arguments.metrics_port)),
        health_listen: Some(SocketAddr::new(arguments.bind, arguments.healthz_port)),
        prometheus_address: arguments.prometheus_address,
        workers: WORKERS,
        ..ControllerConfig::alone()
    };
    let controller = Controller::start(client, Clock::system(), outside::http()?, settings).await?;
    screen::note("The controller runs; Ctrl-C ends it.");
    outside::asked_to_end().await?;
    controller.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

/// Unlike that of any other controller: pods that share their host's name may share a process id too,
/// but did not start in the same nanosecond.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "ringfence".to_owned());
    let started = Clock::system().now().as_nanosecond();
    format!("{host}_{}_{started:x}", std::process::id())
}
