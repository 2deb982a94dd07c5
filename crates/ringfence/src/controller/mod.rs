//! `ringfence controller`: the controller against a cluster.
//!
//! Start with [`run`]. The flags are upstream's: those that are heeded are in `args.rs` and
//! `connection.rs`, those that change nothing in `unheeded.rs`.

mod args;
mod connection;
mod pod;
mod unheeded;

pub(crate) use args::{ControllerArguments, RolloutsController};

use crate::{outside, screen};
use anyhow::Context;
use api::argo::GenerationForm;
use args::{Generations, Part};
use clock::Clock;
use controller::{
    Allowed, Controller, ControllerConfig, Egress, EventLimit, LeaderElection, LeaseConfig, Pace,
    Surroundings, Work,
};
use http::Uri;
use kube::client::ClientBuilder;
use std::{net::SocketAddr, process::ExitCode};

/// Runs until asked to end, then gives back the lease.
pub(crate) async fn run(arguments: ControllerArguments) -> anyhow::Result<ExitCode> {
    let config = arguments.connection.config().await?;
    let settings = settings(&arguments, &config.default_namespace)?;
    let http = outside::http(egress(&arguments, &config.cluster_url))?;
    let client = ClientBuilder::try_from(config).context("connecting to the cluster")?;
    let client = client.with_layer(&settings.meter).build();
    announce(&arguments, &settings);
    let controller = Controller::start(client, Clock::system(), http, settings).await?;
    screen::note("The controller runs; Ctrl-C ends it.");
    outside::asked_to_end().await?;
    controller.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

fn settings(arguments: &ControllerArguments, namespace: &str) -> anyhow::Result<ControllerConfig> {
    let bind = arguments.bind.unwrap_or_else(pod::usual_address);
    let only_analysis = arguments.controllers.contains(&Part::Analysis);
    Ok(ControllerConfig {
        namespace: arguments.namespaced.then(|| namespace.to_owned()),
        instance_id: Some(arguments.instance_id.clone()).filter(|id| !id.is_empty()),
        identity: identity(),
        leader_election: leader_election(arguments)?,
        metrics_listen: Some(SocketAddr::new(bind, arguments.metrics_port())),
        health_listen: Some(SocketAddr::new(bind, arguments.healthz_port)),
        generation_form: match arguments.observed_generation {
            Generations::String => GenerationForm::Text,
            Generations::Int => GenerationForm::Number,
        },
        prometheus_address: arguments.prometheus_address.clone(),
        surroundings: Surroundings::of_process(&pod::own_namespace()),
        workers: arguments.rollout_threads,
        work: if only_analysis { Work::Analysis } else { Work::Everything },
        events: EventLimit::OF_CLIENTS,
        pace: arguments.qps.and_then(|qps| Pace::new(qps, arguments.burst)),
        ..ControllerConfig::alone()
    })
}

/// Nobody's template may lead to the API server, or to what only answers this machine; what the operator
/// names, Prometheus and whoever hands out keys, may be anywhere.
fn egress(arguments: &ControllerArguments, api_server: &Uri) -> Egress {
    let usual_port = if api_server.scheme_str() == Some("http") { 80 } else { 443 };
    let (host, port) = (api_server.host(), api_server.port_u16().unwrap_or(usual_port));
    let mut egress = Egress::default().without_api_server(host.unwrap_or_default(), port);
    if let Some(address) = pod::api_address() {
        egress = egress.without_api_address(address);
    }
    let own = arguments.prometheus_address.as_ref().and_then(|address| address.parse::<Uri>().ok());
    let own = own.and_then(|address| address.host()?.parse::<Allowed>().ok());
    let own = own.into_iter().chain(pod::keys_host());
    arguments.egress_allow.iter().cloned().chain(own).fold(egress, Egress::allowing)
}

fn leader_election(arguments: &ControllerArguments) -> anyhow::Result<LeaderElection> {
    if !arguments.leader_elect {
        return Ok(LeaderElection::Off);
    }
    let lease = LeaseConfig {
        namespace: pod::own_namespace(),
        duration: arguments.lease_duration,
        renew_deadline: arguments.renew_deadline,
        retry_period: arguments.retry_period,
    };
    let problems = lease.problems();
    anyhow::ensure!(
        problems.is_empty(),
        "{}; correct the --leader-election- flags",
        problems.join("; ")
    );
    Ok(LeaderElection::Lease(lease))
}

/// Says in the log what was understood, and what was given that changes nothing.
fn announce(arguments: &ControllerArguments, settings: &ControllerConfig) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespace = settings.namespace.as_deref().unwrap_or_default(),
        instance_id = settings.instance_id.as_deref().unwrap_or_default(),
        metrics_port = arguments.metrics_port(),
        healthz_port = arguments.healthz_port,
        work = ?settings.work,
        "the controller starts"
    );
    for remark in arguments.remarks() {
        tracing::warn!("{remark}");
    }
}

/// Unlike that of any other controller: pods that share their host's name may share a process id too,
/// but did not start in the same nanosecond.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "ringfence".to_owned());
    let started = Clock::system().now().as_nanosecond();
    format!("{host}_{}_{started:x}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[track_caller]
    fn check(flags: &[&str], host: &str, is_allowed: bool) {
        let given = ["rollouts-controller"].iter().chain(flags);
        let parsed = RolloutsController::try_parse_from(given).unwrap();
        let api_server = Uri::from_static("https://api.example.com:6443");
        let egress = egress(&parsed.arguments, &api_server);
        assert_eq!(egress.check_host(host, 6443).is_ok(), is_allowed, "{flags:?} {host}");
    }

    #[test]
    fn metrics_lead_neither_to_the_api_server_nor_to_this_machine_unless_told() {
        check(&[], "api.example.com", false);
        check(&[], "127.0.0.1", false);
        check(&[], "prometheus.monitoring", true);
        check(&["--prometheus-address=http://127.0.0.1:9090"], "127.0.0.1", true);
        check(&["--egress-allow=127.0.0.0/8,api.example.com"], "127.0.0.9", true);
        check(&["--egress-allow=127.0.0.0/8,api.example.com"], "api.example.com", true);
        check(&["--egress-allow=127.0.0.0/8"], "::1", false);
    }
}
