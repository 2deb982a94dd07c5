//! `ringfence analysis lint`.

use super::read_all;
use crate::{args::Output, outside, screen};
use clap::Args;
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};
use trial::lint::{Known, known_names};

#[derive(Debug, Args)]
pub(crate) struct LintArguments {
    /// Files with templates, and with the rollouts that use them.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Asks this Prometheus once which metrics there are, and tells those that it does not know.
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Prints the problems; exits 1 when there are any.
pub(super) async fn lint(arguments: &LintArguments) -> anyhow::Result<ExitCode> {
    let sources = read_all(&arguments.files)?;
    let known = match &arguments.prometheus {
        Some(address) => Some(ask(address).await?),
        None => None,
    };
    let problems = trial::lint::lint(&sources, known.as_ref())?;
    match arguments.output {
        Output::Text => {
            for problem in &problems {
                screen::line(&problem.to_string())?;
            }
        }
        Output::Json => screen::line(&json!({ "problems": problems }).to_string())?,
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(address: &str) -> anyhow::Result<Known> {
    Ok(known_names(outside::http_with_loopback()?.as_ref(), address).await?)
}
