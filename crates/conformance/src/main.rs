//! `conformance`: holds the embedded server to recorded answers of a real one, and records them.

use clap::{Parser, Subcommand, ValueEnum};
use conformance::{Library, LibraryError, Outcome, Subject, SubjectError};
use serde_json::json;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Compares the embedded API server with a real one.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// How the result is written.
    #[arg(short, long, global = true, value_enum, default_value = "text")]
    output: Output,
    /// Only sequences whose name contains this.
    #[arg(long, global = true, default_value = "")]
    only: String,
    /// Asks the real server of this kubeconfig instead of starting one; its namespaces must be fresh.
    #[arg(long, global = true)]
    kubeconfig: Option<PathBuf>,
}

#[derive(Clone, Copy, Subcommand)]
enum Action {
    /// Holds the embedded server to the recorded answers (the default).
    Replay,
    /// Asks a real server and keeps its answers.
    Record,
    /// Asks a real server whether the recorded answers are still its own.
    Verify,
    /// Writes down which exchanges differ although nobody means them to, and in the documentation what
    /// differs on purpose.
    Open,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Output {
    Text,
    Json,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {:#}", anyhow::Error::new(error)));
            ExitCode::from(2)
        }
    }
}

async fn run(args: &Args) -> Result<bool, LibraryError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance");
    let library = Library::open(&folder)?.narrowed(&args.only);
    match args.action.unwrap_or(Action::Replay) {
        Action::Replay => {
            let mut outcome = library.replay().await?;
            if !args.only.is_empty() {
                outcome.stale.clear();
            }
            Ok(report(args.output, &outcome))
        }
        Action::Open => {
            library.write_document()?;
            let count = library.write_open(&library.replay().await?)?;
            say(&format!("{count} exchanges differ and should not"));
            Ok(true)
        }
        Action::Record => {
            let real = real(args).await?;
            let count = library.record(&real).await?;
            say(&format!("recorded {count} answers of {}", real.version));
            Ok(true)
        }
        Action::Verify => Ok(report(args.output, &library.verify(&real(args).await?).await?)),
    }
}

async fn real(args: &Args) -> Result<Subject, SubjectError> {
    match &args.kubeconfig {
        Some(path) => Subject::at(path).await,
        None => Subject::real().await,
    }
}

fn report(output: Output, outcome: &Outcome) -> bool {
    let (exchanges, differences) = (outcome.exchanges, outcome.differing());
    if output == Output::Json {
        let result = json!({
            "server": outcome.server, "exchanges": exchanges, "differences": differences,
        });
        say(&result.to_string());
    } else {
        let mut last = None;
        for (sequence, difference) in &outcome.differences {
            if last != Some((sequence, &difference.exchange)) {
                say(&format!("\n{sequence}: {}", difference.exchange));
            }
            last = Some((sequence, &difference.exchange));
            say(&format!("  {difference}"));
        }
        for new in outcome.surprises() {
            say(&format!("not known to differ: {new}"));
        }
        for stale in &outcome.stale {
            say(&format!("nothing differs any more, remove it: {stale}"));
        }
        say(&format!("{exchanges} exchanges with {}, {differences} differ", outcome.server));
    }
    outcome.is_as_known()
}

fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}
