//! The command line, parsed.

use crate::{analysis::JudgeArguments, controller::ControllerArguments};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

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
    Controller(Box<ControllerArguments>),
    /// Judges canaries outside of a cluster.
    #[command(subcommand)]
    Analysis(AnalysisCommand),
    #[command(flatten)]
    Client(cli::Command),
}

/// `analysis` what.
#[derive(Debug, Subcommand)]
pub(crate) enum AnalysisCommand {
    /// Compares counts of canary and stable, read from standard input; exits 3 on a fail.
    ///
    /// One interval a line: `canary_bad,canary_total,stable_bad,stable_total`. A first line may name the
    /// columns; blank lines and lines that begin with # are passed over. For latencies the first line
    /// must name `canary_total`, `stable_total` and, for each edge, `canary_le_0.25` and `stable_le_0.25`.
    /// Exits 0 on pass and continue.
    Judge(JudgeArguments),
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
