//! `ringfence analysis`: templates and judges outside of a cluster.

mod judge;
mod lint;
mod test;
mod world;

use judge::JudgeArguments;

use anyhow::{Context, ensure};
use api::argo::AnalysisPhase;
use clap::{Args, Subcommand};
use jiff::SignedDuration;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use trial::{document::Source, template::Wanted};

/// The exit code of a run that failed, as that of a degraded rollout.
const FAILED: u8 = cli::Exit::Degraded as u8;
/// The exit code of a run that nobody can call good or bad.
const UNDECIDED: u8 = 4;
/// A file larger than this is a mistake.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

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
    /// Tells everything wrong with templates, and with the rollouts that use them; exits 1 if anything is.
    ///
    /// Each problem is a line `FILE:LINE:COLUMN: FIELD: SENTENCE`: fields and types as an API server
    /// judges them, limits and counts, conditions, PromQL, arguments and metrics of templates that a
    /// rollout uses together.
    Lint(lint::LintArguments),
    /// Runs a template over recorded series, in no time.
    ///
    /// Exits 0 if the run is Successful, 3 if it is Failed, 4 if it is Inconclusive or an Error, 2 if
    /// something given is wrong.
    Test(test::TestArguments),
    /// Runs a template over and over across the last days of a Prometheus, and tells how often it would
    /// have ended how.
    Replay(world::ReplayArguments),
    /// Runs a template now, against what it asks, as the controller would.
    ///
    /// Secrets are taken from variables such as `RINGFENCE_SECRET_NAME_KEY`. Exits as `test` does.
    Run(world::RunArguments),
}

/// Does what was asked for.
pub(crate) async fn run(command: AnalysisCommand) -> anyhow::Result<ExitCode> {
    match command {
        AnalysisCommand::Judge(arguments) => judge::judge(&arguments),
        AnalysisCommand::Lint(arguments) => lint::lint(&arguments).await,
        AnalysisCommand::Test(arguments) => test::test(&arguments).await,
        AnalysisCommand::Replay(arguments) => world::replay(&arguments).await,
        AnalysisCommand::Run(arguments) => world::run(&arguments).await,
    }
}

/// Which template, and with what.
#[derive(Debug, Args)]
struct TemplateArguments {
    /// Files with the template and those that it refers to.
    #[arg(value_name = "TEMPLATE", required = true)]
    files: Vec<PathBuf>,
    /// The template's name, if the files hold several.
    #[arg(long)]
    name: Option<String>,
    /// An argument's value; may be repeated.
    #[arg(short, long = "arg", value_name = "NAME=VALUE", value_parser = pair)]
    args: Vec<(String, String)>,
    /// Measures this metric only; may be repeated.
    #[arg(long = "metric", value_name = "NAME")]
    metrics: Vec<String>,
}

impl TemplateArguments {
    fn run(&self) -> anyhow::Result<api::argo::AnalysisRun> {
        let sources = read_all(&self.files)?;
        let wanted = Wanted {
            name: self.name.clone(),
            args: self.args.clone(),
            metrics: self.metrics.clone(),
        };
        Ok(trial::template::run(&sources, &wanted)?)
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let split = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = split.ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A time such as `30s`, `1h` or `7d`, longer than none.
fn span(text: &str) -> Result<SignedDuration, String> {
    let span = metrics::promql::parse_duration(text).filter(|span| !span.is_zero());
    let span = span.and_then(|span| SignedDuration::try_from(span).ok());
    span.ok_or_else(|| format!("`{text}` is no time; write it like 30s, 5m, 1h or 7d"))
}

fn read_all(files: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> anyhow::Result<Source> {
    let shown = file.display();
    let unreadable = || format!("{shown} cannot be read");
    let size = std::fs::metadata(file).with_context(unreadable)?.len();
    ensure!(size <= MAX_FILE_BYTES, "{shown} is longer than {MAX_FILE_BYTES} bytes");
    let text = std::fs::read_to_string(file).with_context(unreadable)?;
    Ok(Source { file: shown.to_string(), text })
}

fn exit(phase: AnalysisPhase) -> ExitCode {
    match phase {
        AnalysisPhase::Successful => ExitCode::SUCCESS,
        AnalysisPhase::Failed => ExitCode::from(FAILED),
        _ => ExitCode::from(UNDECIDED),
    }
}
