//! `ringfence analysis test`.

use super::{TemplateArguments, exit, read, span};
use crate::{args::Output, screen};
use clap::Args;
use jiff::SignedDuration;
use std::{path::PathBuf, process::ExitCode};
use trial::{
    conduct::{self, Begin},
    recorded,
};

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    #[command(flatten)]
    template: TemplateArguments,
    /// Recorded series: lines of `name{label="value"} VALUE TIME`, or in a .yaml file promtool's
    /// `input_series`.
    #[arg(long, value_name = "FILE")]
    series: PathBuf,
    /// When the run begins: a time, `start` for that of the first sample, or `start+10m`.
    #[arg(long, value_name = "TIME", default_value = "start")]
    at: Begin,
    /// Ends the run after this time, as a promotion ends one; metrics without end are ended with the
    /// series otherwise.
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    lasts: Option<SignedDuration>,
    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Runs and prints.
pub(super) async fn test(arguments: &TestArguments) -> anyhow::Result<ExitCode> {
    let run = arguments.template.run()?;
    let series = recorded::read(&read(&arguments.series)?)?;
    let report = conduct::test(run, &series, arguments.at, arguments.lasts).await?;
    match arguments.output {
        Output::Text => {
            for taken in &report.measurements {
                screen::line(&taken.to_string())?;
            }
            screen::line(&report.to_string())?;
        }
        Output::Json => screen::line(&serde_json::to_string(&report)?)?,
    }
    Ok(exit(report.phase))
}
