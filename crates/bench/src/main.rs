//! `cargo xtask bench`: what a controller costs, beside another one in the same run.

mod arguments;
mod text;

use arguments::{AnalysisArguments, Arguments, Both, Output, ScaleArguments, What};
use bench::{
    BenchError,
    analysis::{self, analyse},
    scale::{self, Task, scale},
};
use clap::Parser;
use differential::{Binary, Side};
use serde_json::json;
use std::{
    io::{Write, stderr, stdout},
    process::ExitCode,
    time::Duration,
};

#[tokio::main]
async fn main() -> ExitCode {
    // Two TLS providers in one process make rustls refuse to choose, so the one we use is named first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match Arguments::parse().what {
        What::Scale(arguments) => of_scale(&arguments).await,
        What::Analysis(arguments) => of_analysis(&arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr(), "error: {:#}", anyhow::Error::new(error));
            ExitCode::FAILURE
        }
    }
}

/// The figures of both controllers with many rollouts, or of ours alone.
async fn of_scale(arguments: &ScaleArguments) -> Result<(), BenchError> {
    for rollouts in &arguments.rollouts {
        let work = scale::Work {
            rollouts: *rollouts,
            replicas: arguments.replicas,
            task: if arguments.rest { Task::Rest } else { Task::Change },
            flags: arguments.both.flags.clone(),
            logs: arguments.both.logs.clone(),
        };
        let peer = match peer(&arguments.both) {
            Some(binary) => Some(scale(Side::Peer, &binary, &work).await?),
            None => None,
        };
        let ours = scale(Side::Ours, &ours(&arguments.both)?, &work).await?;
        let ratios = peer.as_ref().map(|peer| scale::Ratios::of(&ours, peer));
        say(&match arguments.both.output {
            Output::Json => {
                json!({ "rollouts": rollouts, "peer": peer, "ours": ours, "ratios": ratios })
                    .to_string()
            }
            Output::Text => text::of_scale(&ours, peer.as_ref().zip(ratios.as_ref())),
        });
    }
    Ok(())
}

/// The figures of both controllers with many analysis runs, or of ours alone.
async fn of_analysis(arguments: &AnalysisArguments) -> Result<(), BenchError> {
    let work = analysis::Work {
        runs: arguments.runs,
        interval: Duration::from_secs(arguments.interval),
        during: Duration::from_secs(arguments.seconds),
        flags: arguments.both.flags.clone(),
        logs: arguments.both.logs.clone(),
    };
    let peer = match peer(&arguments.both) {
        Some(binary) => Some(analyse(Side::Peer, &binary, &work).await?),
        None => None,
    };
    let ours = analyse(Side::Ours, &ours(&arguments.both)?, &work).await?;
    let ratios = peer.as_ref().map(|peer| analysis::Ratios::of(&ours, peer));
    say(&match arguments.both.output {
        Output::Json => {
            json!({ "runs": work.runs, "peer": peer, "ours": ours, "ratios": ratios }).to_string()
        }
        Output::Text => text::of_analysis(&ours, peer.as_ref().zip(ratios.as_ref())),
    });
    Ok(())
}

fn peer(both: &Both) -> Option<Binary> {
    both.peer.as_deref().map(Binary::at)
}

/// Our controller.
fn ours(both: &Both) -> Result<Binary, BenchError> {
    Ok(Binary::at(&both.ours()?))
}

fn say(text: &str) {
    let _ = writeln!(stdout(), "{text}");
}
