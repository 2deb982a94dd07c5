//! The arguments, as upstream's plugin takes them.

use clap::{Args, Subcommand, ValueEnum};
use std::{path::PathBuf, time::Duration};

/// A command for rollouts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Get details about rollouts
    #[command(subcommand)]
    Get(GetCommand),
    /// List rollouts
    #[command(subcommand)]
    List(ListCommand),
    /// Show the status of a rollout
    Status(StatusArguments),
    /// Promote a rollout
    Promote(PromoteArguments),
    /// Abort a rollout
    Abort(NamesArguments),
    /// Pause a rollout
    Pause(NamesArguments),
    /// Restart the pods of a rollout
    Restart(RestartArguments),
    /// Retry a rollout
    #[command(subcommand)]
    Retry(RetryCommand),
    /// Update various values on resources
    #[command(subcommand)]
    Set(SetCommand),
    /// Undo a rollout
    Undo(UndoArguments),
    /// Explain what a rollout waits for and what was decided, with the evidence
    Why(WhyArguments),
}

/// `get` what.
#[derive(Debug, Subcommand)]
pub enum GetCommand {
    /// Get details about a rollout
    #[command(visible_aliases = ["ro", "rollouts"])]
    Rollout(GetRolloutArguments),
}

/// `list` what.
#[derive(Debug, Subcommand)]
pub enum ListCommand {
    /// List rollouts
    #[command(visible_aliases = ["ro", "rollout"])]
    Rollouts(ListRolloutsArguments),
}

/// `retry` what.
#[derive(Debug, Subcommand)]
pub enum RetryCommand {
    /// Retry an aborted rollout
    #[command(visible_aliases = ["ro", "rollouts"])]
    Rollout(NamesArguments),
}

/// `set` what.
#[derive(Debug, Subcommand)]
pub enum SetCommand {
    /// Update the image of a rollout
    Image(SetImageArguments),
}

/// Which cluster, as whom, in which namespace.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectArguments {
    /// Namespace of the request; the context's when absent
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// Path to the kubeconfig file
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Name of the kubeconfig context to use
    #[arg(long)]
    pub context: Option<String>,
    /// Name of the kubeconfig cluster to use
    #[arg(long)]
    pub cluster: Option<String>,
    /// Name of the kubeconfig user to use
    #[arg(long)]
    pub user: Option<String>,
    /// Address of the API server
    #[arg(short, long, value_name = "URL")]
    pub server: Option<String>,
    /// Bearer token for the API server
    #[arg(long)]
    pub token: Option<String>,
    /// Leave the server's certificate unchecked
    #[arg(long)]
    pub insecure_skip_tls_verify: bool,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// Arguments of `get rollout`.
#[derive(Debug, Args)]
pub struct GetRolloutArguments {
    /// Name of the rollout
    pub name: String,
    /// Watch live updates
    #[arg(short, long)]
    pub watch: bool,
    /// Do not colorize output
    #[arg(long)]
    pub no_color: bool,
    /// Give up watching after this many seconds
    #[arg(long)]
    pub timeout_seconds: Option<u64>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// Arguments of `list rollouts`.
#[derive(Debug, Args)]
pub struct ListRolloutsArguments {
    /// Only show the rollout with this name
    #[arg(long)]
    pub name: Option<String>,
    /// Include all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Watch for changes
    #[arg(short, long)]
    pub watch: bool,
    /// Print timestamps on updates
    #[arg(long)]
    pub timestamps: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Name of the rollout
    pub name: String,
    /// Watch the status of the rollout until it is done
    #[arg(short, long, default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    pub watch: bool,
    /// How long to watch before giving up, such as 30s or 5m; 0 waits forever
    #[arg(short, long, default_value = "0", value_parser = duration)]
    pub timeout: Duration,
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// Arguments of `promote`.
#[derive(Debug, Args)]
pub struct PromoteArguments {
    /// Name of the rollout
    pub name: String,
    /// Perform a full promotion, skipping analysis, pauses, and steps
    #[arg(long)]
    pub full: bool,
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// Names of rollouts.
#[derive(Debug, Args)]
pub struct NamesArguments {
    /// Names of the rollouts
    #[arg(required = true)]
    pub names: Vec<String>,
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// Arguments of `restart`.
#[derive(Debug, Args)]
pub struct RestartArguments {
    /// Name of the rollout
    pub name: String,
    /// How long from now the restart begins, such as 10s
    #[arg(short, long = "in", default_value = "0s", value_parser = duration)]
    pub delay: Duration,
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// Arguments of `set image`.
#[derive(Debug, Args)]
pub struct SetImageArguments {
    /// Name of the rollout
    pub name: String,
    /// The container and its new image; `*` means every container
    #[arg(value_name = "CONTAINER=IMAGE", value_parser = container_image)]
    pub image: (String, String),
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// Arguments of `undo`.
#[derive(Debug, Args)]
pub struct UndoArguments {
    /// Name of the rollout
    pub name: String,
    /// The revision to go back to; the one before the newest when absent
    #[arg(long)]
    pub to_revision: Option<u64>,
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// Arguments of `why`.
#[derive(Debug, Args)]
pub struct WhyArguments {
    /// Name of the rollout
    pub name: String,
    /// How many decisions are shown, newest last
    #[arg(long, default_value_t = 20)]
    pub limit: usize,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// Reads a Go duration; a bare `0` needs no unit.
///
/// # Errors
/// A sentence that quotes what is not one.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span = jiff::SignedDuration::from_str_go(text)?;
    Duration::try_from(span).map_err(|_| format!("`{text}` is negative"))
}

trait GoDuration: Sized {
    fn from_str_go(text: &str) -> Result<Self, String>;
}

impl GoDuration for jiff::SignedDuration {
    fn from_str_go(text: &str) -> Result<Self, String> {
        if text == "0" {
            return Ok(Self::ZERO);
        }
        let is_written =
            text.ends_with(|last: char| last.is_ascii_alphabetic()) && !text.contains(' ');
        is_written
            .then(|| text.parse::<Self>().ok())
            .flatten()
            .ok_or_else(|| format!("`{text}` is not a length of time; write it like 30s or 5m"))
    }
}

fn container_image(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(container, image)| !container.is_empty() && !image.is_empty())
        .map(|(container, image)| (container.to_owned(), image.to_owned()))
        .ok_or_else(|| format!("`{text}` is not CONTAINER=IMAGE"))
}
