//! Arguments of the commands that read files: `create` and `lint`.

use super::{ConnectArguments, Output};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Arguments of `create`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct CreateArguments {
    /// What to make without a file of it.
    #[command(subcommand)]
    pub what: Option<CreateCommand>,
    /// Files to use to create the resource
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Watch live updates to the resource after creating
    #[arg(short, long)]
    pub watch: bool,
    /// Do not colorize output
    #[arg(long)]
    pub no_color: bool,
    /// The cluster.
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// `create` what.
#[derive(Debug, Subcommand)]
pub enum CreateCommand {
    /// Create an AnalysisRun from an AnalysisTemplate or a `ClusterAnalysisTemplate`
    #[command(name = "analysisrun", visible_alias = "ar")]
    AnalysisRun(CreateAnalysisRunArguments),
}

/// Arguments of `create analysisrun`.
#[derive(Debug, Args)]
pub struct CreateAnalysisRunArguments {
    /// Where the template is.
    #[command(flatten)]
    pub source: TemplateSource,
    /// Use a `ClusterAnalysisTemplate` instead of a AnalysisTemplate
    #[arg(long)]
    pub global: bool,
    /// Arguments to the parameter template
    #[arg(short = 'a', long = "argument", value_name = "NAME=VALUE")]
    pub arguments: Vec<String>,
    /// Use the specified name for the run
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Use the specified generateName for the run
    #[arg(long, value_name = "PREFIX")]
    pub generate_name: Option<String>,
    /// Instance-ID for the AnalysisRun
    #[arg(long, value_name = "ID")]
    pub instance_id: Option<String>,
    /// The cluster.
    #[command(flatten)]
    pub connect: ConnectArguments,
}

/// Where the template of a run is; exactly one of these.
#[derive(Debug, Args)]
pub struct TemplateSource {
    /// Create an AnalysisRun from an AnalysisTemplate or `ClusterAnalysisTemplate` in the cluster
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,
    /// Create an AnalysisRun from an AnalysisTemplate or `ClusterAnalysisTemplate` in a local file
    #[arg(long, value_name = "FILE")]
    pub from_file: Option<PathBuf>,
}

/// Arguments of `lint`.
#[derive(Debug, Args)]
pub struct LintArguments {
    /// File to lint
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub file: PathBuf,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
    /// The cluster, which is not asked.
    #[command(flatten)]
    pub connect: ConnectArguments,
}
