//! `cargo xtask bench`: what a controller costs, beside another one in the same run.

use bench::scale::{Figures, Ratios, ScaleError, Task, Work, scale};
use clap::{Args, Parser, Subcommand, ValueEnum};
use differential::{Binary, Side};
use serde_json::json;
use std::{
    env::current_exe,
    io::{self, Write, stderr, stdout},
    path::PathBuf,
    process::ExitCode,
};

/// Measures a controller.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Many rollouts and one controller.
    Scale(ScaleArguments),
}

#[derive(Args)]
struct ScaleArguments {
    /// How many rollouts; several numbers are measured one after the other.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_delimiter = ',')]
    rollouts: Vec<usize>,
    /// Pods of each rollout.
    #[arg(long, default_value_t = 2)]
    replicas: u32,
    /// Change nothing: only the start, rest and changes of one rollout are measured.
    #[arg(long)]
    rest: bool,
    /// Argo Rollouts' own controller; without it there is nothing to compare with.
    #[arg(long, value_name = "BINARY")]
    peer: Option<PathBuf>,
    /// The controller that is measured; `ringfence` beside this program when absent.
    #[arg(long, value_name = "BINARY")]
    ours: Option<PathBuf>,
    /// A flag for both controllers, such as `--qps=500`.
    #[arg(long = "flag", value_name = "FLAG", allow_hyphen_values = true)]
    flags: Vec<String>,
    /// Where the controllers' logs go.
    #[arg(long, value_name = "FOLDER")]
    logs: Option<PathBuf>,
    /// How the result is written.
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Output {
    Text,
    Json,
}

#[tokio::main]
async fn main() -> ExitCode {
    // Two TLS providers in one process make rustls refuse to choose, so the one we use is named first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let What::Scale(arguments) = Arguments::parse().what;
    for rollouts in &arguments.rollouts {
        match compare(*rollouts, &arguments).await {
            Ok(text) => {
                let _ = writeln!(stdout(), "{text}");
            }
            Err(error) => {
                let _ = writeln!(stderr(), "error: {:#}", anyhow::Error::new(error));
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// The figures of both controllers, or of ours alone.
async fn compare(rollouts: usize, arguments: &ScaleArguments) -> Result<String, ScaleError> {
    let work = Work {
        rollouts,
        replicas: arguments.replicas,
        task: if arguments.rest { Task::Rest } else { Task::Change },
        flags: arguments.flags.clone(),
        logs: arguments.logs.clone(),
    };
    let peer = match &arguments.peer {
        Some(path) => Some(scale(Side::Peer, &Binary::at(path), &work).await?),
        None => None,
    };
    let ours = scale(Side::Ours, &Binary::at(&ours(arguments)?), &work).await?;
    let ratios = peer.as_ref().map(|peer| Ratios::of(&ours, peer));
    Ok(match arguments.output {
        Output::Json => {
            json!({ "rollouts": rollouts, "peer": peer, "ours": ours, "ratios": ratios })
                .to_string()
        }
        Output::Text => told(&ours, peer.as_ref().zip(ratios.as_ref())),
    })
}

fn told(ours: &Figures, peer: Option<(&Figures, &Ratios)>) -> String {
    let Some((peer, ratios)) = peer else { return format!("ours: {ours}") };
    let part = |ratio: Option<f64>| ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
    let Ratios { cpu, requests, event_requests, first_status_p99, peak_memory } = ratios;
    format!(
        "peer: {peer}ours: {ours}ours in parts of the peer's: processor {}, requests {}, events {}, first status {}, memory {}",
        part(*cpu),
        part(*requests),
        part(*event_requests),
        part(*first_status_p99),
        part(*peak_memory)
    )
}

/// Our controller.
fn ours(arguments: &ScaleArguments) -> io::Result<PathBuf> {
    let beside = || current_exe().map(|path| path.with_file_name("ringfence"));
    arguments.ours.clone().map_or_else(beside, Ok)
}
