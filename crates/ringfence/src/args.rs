//! The command line, parsed.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, time::Duration};

/// Progressive delivery for Kubernetes: a drop-in for Argo Rollouts, with a cluster to rehearse on.
#[derive(Debug, Parser)]
#[command(name = "ringfence", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows a good, an erroring and a slow release on this machine, without Kubernetes.
    Demo(DemoArguments),
    /// Runs a Kubernetes-compatible API server with a small world behind it.
    Cluster(ClusterArguments),
    /// Plays manifests through the real controller on virtual time.
    Rehearse(RehearseArguments),
    /// Runs the controller against a cluster.
    Controller(ControllerArguments),
    #[command(flatten)]
    Client(cli::Command),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Plays the story without a person and exits 0 only if it went right.
    #[arg(long)]
    pub(crate) auto: bool,
    /// How the result of --auto is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
    /// Port of the page; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Requests a second that users send.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub(crate) rate: u32,
    /// Where the kubeconfig is written; a new file in the temporary folder when absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ClusterArguments {
    /// Port of the API server; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Where the kubeconfig is written once the cluster is ready.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: PathBuf,
    /// Keeps every object in this folder, across restarts and crashes.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Runs the rollout controller too.
    #[arg(long)]
    pub(crate) with_controller: bool,
    /// Serves HTTPS with a certificate of its own, whose authority is in the kubeconfig.
    #[arg(long)]
    pub(crate) tls: bool,
    /// Token that clients must present; it is put into the kubeconfig. Serves HTTPS, because kubectl
    /// presents no token over plain HTTP.
    #[arg(long, env = "RINGFENCE_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RehearseArguments {
    /// Manifests to apply, in order.
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifests: Vec<PathBuf>,
    /// Script to play after the manifests; without one, a new image is released and watched.
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
    /// Seed of every name and choice, so that a run can be repeated.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ControllerArguments {
    /// Path to the kubeconfig file; needed outside of a cluster only.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Name of the kubeconfig context to use.
    #[arg(long)]
    pub(crate) context: Option<String>,
    /// Only this namespace; all when absent.
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// Only objects with this instance id label; objects without one when absent.
    #[arg(long, default_value = "")]
    pub(crate) instance_id: String,
    /// Whether a lease decides which of several controllers acts.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) leader_elect: bool,
    /// How long others respect a lease that is not renewed.
    #[arg(long = "leader-election-lease-duration", value_name = "TIME", default_value = "15s", value_parser = cli::duration)]
    pub(crate) lease_duration: Duration,
    /// How long the leader tries to renew before it gives up leading.
    #[arg(long = "leader-election-renew-deadline", value_name = "TIME", default_value = "10s", value_parser = cli::duration)]
    pub(crate) renew_deadline: Duration,
    /// How long between two attempts to get or to renew the lease.
    #[arg(long = "leader-election-retry-period", value_name = "TIME", default_value = "2s", value_parser = cli::duration)]
    pub(crate) retry_period: Duration,
    /// Port of /metrics on loopback.
    #[arg(long = "metricsPort", alias = "metricsport", default_value_t = 8090)]
    pub(crate) metrics_port: u16,
    /// Port of /healthz and /readyz on loopback.
    #[arg(long = "healthzPort", default_value_t = 8080)]
    pub(crate) healthz_port: u16,
    /// Address those two ports are bound on.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) bind: std::net::IpAddr,
    /// Prometheus that metrics without an address ask.
    #[arg(long, env = "ARGO_ROLLOUTS_PROMETHEUS_ADDRESS")]
    pub(crate) prometheus_address: Option<String>,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Manage Argo Rollouts.
#[derive(Debug, Parser)]
#[command(name = "kubectl-argo-rollouts", version)]
pub(crate) struct Plugin {
    #[command(subcommand)]
    pub(crate) command: cli::Command,
}
