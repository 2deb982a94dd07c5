//! Arguments of `notifications`.

use super::ConnectArguments;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// `notifications` of which sort.
#[derive(Debug, Subcommand)]
pub enum NotificationsCommand {
    /// Notification templates related commands
    #[command(subcommand)]
    Template(TemplateCommand),
    /// Notification triggers related commands
    #[command(subcommand)]
    Trigger(TriggerCommand),
}

/// `notifications template` what.
#[derive(Debug, Subcommand)]
pub enum TemplateCommand {
    /// Prints information about configured templates
    Get(ItemsArguments),
    /// Generates notification using the specified template and send it to specified recipients
    Notify(NotifyArguments),
}

/// `notifications trigger` what.
#[derive(Debug, Subcommand)]
pub enum TriggerCommand {
    /// Prints information about configured triggers
    Get(ItemsArguments),
    /// Evaluates specified trigger condition and prints the result
    Run(TriggerRunArguments),
}

/// Where the settings are.
#[derive(Debug, Args)]
pub struct NotificationsArguments {
    /// argo-rollouts-notification-configmap.yaml file path
    #[arg(long, value_name = "FILE")]
    pub config_map: Option<PathBuf>,
    /// argo-rollouts-notification-secret.yaml file path. Use empty secret if provided value is ':empty'
    #[arg(long, value_name = "FILE")]
    pub secret: Option<String>,
    /// The cluster.
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// How templates and triggers are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ItemsOutput {
    /// Everything, as JSON
    Json,
    /// Everything, as YAML
    Yaml,
    /// A table
    #[default]
    Wide,
    /// Names only
    Name,
}

/// Arguments of `notifications template get` and `notifications trigger get`.
#[derive(Debug, Args)]
pub struct ItemsArguments {
    /// Only the one with this name
    pub name: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub output: ItemsOutput,
    /// Where the settings are.
    #[command(flatten)]
    pub settings: NotificationsArguments,
}

/// Arguments of `notifications template notify`.
#[derive(Debug, Args)]
pub struct NotifyArguments {
    /// Name of the template
    pub name: String,
    /// Name of the rollout, or a file with it
    pub resource: String,
    /// List of recipients
    #[arg(long, default_value = "console:stdout")]
    pub recipient: Vec<String>,
    /// Where the settings are.
    #[command(flatten)]
    pub settings: NotificationsArguments,
}

/// Arguments of `notifications trigger run`.
#[derive(Debug, Args)]
pub struct TriggerRunArguments {
    /// Name of the trigger
    pub name: String,
    /// Name of the rollout, or a file with it
    pub resource: String,
    /// Where the settings are.
    #[command(flatten)]
    pub settings: NotificationsArguments,
}
