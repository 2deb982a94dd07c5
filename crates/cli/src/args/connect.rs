//! Which cluster, as whom, in which namespace: the options that every command of kubectl takes.

use super::{duration, value::switch};
use clap::{ArgAction, Args};
use std::{path::PathBuf, time::Duration};

/// The words that `--loglevel` knows.
const LEVELS: [&str; 8] = ["panic", "fatal", "error", "warn", "warning", "info", "debug", "trace"];

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
    /// Name this server's certificate is checked for; its host when absent
    #[arg(long, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// Certificates of the authorities the server may be certified by
    #[arg(long, value_name = "FILE")]
    pub certificate_authority: Option<PathBuf>,
    /// Leave the server's certificate unchecked
    #[arg(long, default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_parser = switch, action = ArgAction::Set)]
    pub insecure_skip_tls_verify: bool,
    /// Bearer token for the API server
    #[arg(long)]
    pub token: Option<String>,
    /// Certificate to present
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_certificate: Option<String>,
    /// Key of that certificate
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    pub client_key: Option<String>,
    /// User to act as
    #[arg(long = "as", value_name = "USER")]
    pub act_as: Option<String>,
    /// Uid to act as
    #[arg(long, value_name = "UID", requires = "act_as")]
    pub as_uid: Option<String>,
    /// Group to act as; may be given more than once
    #[arg(long, value_name = "GROUP", requires = "act_as")]
    pub as_group: Vec<String>,
    /// How long one request may take; 0 sets no limit
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration)]
    pub request_timeout: Duration,
    /// Those that change nothing.
    #[command(flatten)]
    pub unheeded: UnheededArguments,
}

/// What upstream's plugin takes and what changes nothing here: nothing is cached, logged or compressed.
#[derive(Clone, Debug, Default, Args)]
pub struct UnheededArguments {
    /// Changes nothing: nothing is kept on disk
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    pub cache_dir: Option<PathBuf>,
    /// Changes nothing: no answer is asked for compressed
    #[arg(long, default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_parser = switch, action = ArgAction::Set, hide_short_help = true)]
    pub disable_compression: bool,
    /// Changes nothing: the client of the API server keeps no log
    #[arg(short = 'v', long, value_name = "NUMBER", hide_short_help = true)]
    pub kloglevel: Option<i32>,
    /// Changes nothing: commands keep no log
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = LEVELS, ignore_case = true, hide_short_help = true)]
    pub loglevel: String,
}
