//! The arguments, as upstream's plugin takes them.

mod connect;
mod create;
mod notifications;
mod value;

pub use connect::{ConnectArguments, UnheededArguments};
pub(crate) use create::{
    CreateAnalysisRunArguments, CreateArguments, CreateCommand, LintArguments,
};
pub(crate) use notifications::{
    ItemsArguments, ItemsOutput, NotificationsArguments, NotificationsCommand, TemplateCommand,
    TriggerCommand,
};
pub use value::duration;

use clap::{Args, Subcommand, ValueEnum};
use std::time::Duration;
use value::{Delay, container_image, delay};

/// A command for rollouts.
#[expect(clippy::large_enum_variant, reason = "there is one, parsed once")]
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a Rollout, Experiment, AnalysisTemplate, `ClusterAnalysisTemplate`, or AnalysisRun resource
    Create(CreateArguments),
    /// Get details about rollouts and experiments
    #[command(subcommand)]
    Get(GetCommand),
    /// Lint and validate a Rollout
    Lint(LintArguments),
    /// List rollouts or experiments
    #[command(subcommand)]
    List(ListCommand),
    /// Set of CLI commands that helps manage notifications settings
    #[command(subcommand)]
    Notifications(NotificationsCommand),
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
    /// Retry a rollout or experiment
    #[command(subcommand)]
    Retry(RetryCommand),
    /// Update various values on resources
    #[command(subcommand)]
    Set(SetCommand),
    /// Terminate an AnalysisRun or Experiment
    #[command(subcommand)]
    Terminate(TerminateCommand),
    /// Undo a rollout
    Undo(UndoArguments),
    /// Print version
    Version(VersionArguments),
    /// Explain what a rollout waits for and what was decided, with the evidence
    Why(WhyArguments),
}

/// `get` what.
#[derive(Debug, Subcommand)]
pub enum GetCommand {
    /// Get details about a rollout
    #[command(visible_aliases = ["ro", "rollouts"])]
    Rollout(GetRolloutArguments),
    /// Get details about an Experiment
    #[command(visible_aliases = ["exp", "experiments"])]
    Experiment(GetArguments),
}

/// `list` what.
#[derive(Debug, Subcommand)]
pub enum ListCommand {
    /// List rollouts
    #[command(visible_aliases = ["ro", "rollout"])]
    Rollouts(ListRolloutsArguments),
    /// List experiments
    #[command(visible_aliases = ["exp", "experiment"])]
    Experiments(ListExperimentsArguments),
}

/// `retry` what.
#[derive(Debug, Subcommand)]
pub enum RetryCommand {
    /// Retry an aborted rollout
    #[command(visible_aliases = ["ro", "rollouts"])]
    Rollout(NamesArguments),
    /// Retry an experiment
    #[command(visible_aliases = ["exp", "experiments"])]
    Experiment(NamesArguments),
}

/// `terminate` what.
#[derive(Debug, Subcommand)]
pub enum TerminateCommand {
    /// Terminate an AnalysisRun
    #[command(name = "analysisrun", visible_aliases = ["ar", "analysisruns"])]
    AnalysisRun(NamesArguments),
    /// Terminate an experiment
    #[command(visible_aliases = ["exp", "experiments"])]
    Experiment(NamesArguments),
}

/// `set` what.
#[derive(Debug, Subcommand)]
pub enum SetCommand {
    /// Update the image of a rollout
    Image(SetImageArguments),
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

/// Arguments of `get experiment`, and of `get rollout` but for its own.
#[derive(Debug, Args)]
pub struct GetArguments {
    /// Its name
    pub name: String,
    /// Watch live updates
    #[arg(short, long)]
    pub watch: bool,
    /// Do not colorize output
    #[arg(long)]
    pub no_color: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
    /// The cluster.
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// Arguments of `get rollout`.
#[derive(Debug, Args)]
pub struct GetRolloutArguments {
    /// What every `get` takes.
    #[command(flatten)]
    pub get: GetArguments,
    /// Give up watching after this many seconds
    #[arg(long)]
    pub timeout_seconds: Option<u64>,
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

/// Arguments of `list experiments`.
#[derive(Debug, Args)]
pub struct ListExperimentsArguments {
    /// Include all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
    /// The cluster.
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
    /// Upstream's former words for it.
    #[command(flatten)]
    pub skip: SkipArguments,
    /// The cluster.
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// Options of `promote` that upstream still takes and tells people not to use. Letter and word are apart
/// because each is warned of in its own words.
#[derive(Clone, Copy, Debug, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct SkipArguments {
    /// Skip currently running canary step
    #[arg(long = "skip-current-step", hide = true)]
    pub current_step: bool,
    /// Skip currently running canary step
    #[arg(short = 'c', hide = true)]
    pub current_step_by_letter: bool,
    /// Skip remaining steps
    #[arg(long = "skip-all-steps", hide = true)]
    pub all_steps: bool,
    /// Skip remaining steps
    #[arg(short = 'a', hide = true)]
    pub all_steps_by_letter: bool,
}

/// Names of objects of one kind.
#[derive(Debug, Args)]
pub struct NamesArguments {
    /// Their names
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
    #[arg(short = 'i', long = "in", value_name = "TIME", default_value = "0s", value_parser = delay)]
    pub delay: Delay,
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

/// Arguments of `version`.
#[derive(Debug, Args)]
pub struct VersionArguments {
    /// Print just the version number
    #[arg(long)]
    pub short: bool,
    /// The cluster, which is not asked.
    #[command(flatten)]
    pub connect: ConnectArguments,
}
