//! What is measured, and of whom.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{env::current_exe, io, path::PathBuf};

/// Measures a controller.
#[derive(Parser)]
#[command(name = "bench")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) what: What,
}

#[derive(Subcommand)]
pub(crate) enum What {
    /// Many rollouts and one controller.
    Scale(ScaleArguments),
    /// Many analysis runs and one controller.
    Analysis(AnalysisArguments),
}

#[derive(Args)]
pub(crate) struct ScaleArguments {
    /// How many rollouts; several numbers are measured one after the other.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_delimiter = ',')]
    pub(crate) rollouts: Vec<usize>,
    /// Pods of each rollout.
    #[arg(long, default_value_t = 2)]
    pub(crate) replicas: u32,
    /// Change nothing: only the start, rest and changes of one rollout are measured.
    #[arg(long)]
    pub(crate) rest: bool,
    #[command(flatten)]
    pub(crate) both: Both,
}

#[derive(Args)]
pub(crate) struct AnalysisArguments {
    /// How many analysis runs at the same time.
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    pub(crate) runs: usize,
    /// Seconds between two measurements of a run.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) interval: u64,
    /// How many seconds measurements are counted.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    #[command(flatten)]
    pub(crate) both: Both,
}

/// The controllers that are measured.
#[derive(Args)]
pub(crate) struct Both {
    /// Argo Rollouts' own controller; without it there is nothing to compare with.
    #[arg(long, value_name = "BINARY")]
    pub(crate) peer: Option<PathBuf>,
    /// The controller that is measured; `ringfence` beside this program when absent.
    #[arg(long, value_name = "BINARY")]
    ours: Option<PathBuf>,
    /// A flag for both controllers, such as `--qps=500`.
    #[arg(long = "flag", value_name = "FLAG", allow_hyphen_values = true)]
    pub(crate) flags: Vec<String>,
    /// Where the controllers' logs go.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) logs: Option<PathBuf>,
    /// How the result is written.
    #[arg(short, long, value_enum, default_value = "text")]
    pub(crate) output: Output,
}

impl Both {
    /// Our controller.
    pub(crate) fn ours(&self) -> io::Result<PathBuf> {
        let beside = || current_exe().map(|path| path.with_file_name("ringfence"));
        self.ours.clone().map_or_else(beside, Ok)
    }
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}
