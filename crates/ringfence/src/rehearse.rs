//! `ringfence rehearse`: manifests through the real controller on virtual time.

use crate::{
    args::{Output, RehearseArguments},
    screen,
};
use std::process::ExitCode;

/// Plays and prints; exits 1 when something did not go as expected.
pub(crate) fn run(arguments: &RehearseArguments) -> anyhow::Result<ExitCode> {
    let scenario = arguments.scenario.as_deref();
    let play = rehearsal::load(&arguments.manifests, scenario, arguments.seed)?;
    let report = rehearsal::rehearse(&play)?;
    match arguments.output {
        Output::Text => screen::text(&rehearsal::text(&report))?,
        Output::Json => screen::line(&serde_json::to_string(&report)?)?,
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
