//! The `ringfence` program: one binary for the demo, the embedded cluster, rehearsals, the controller
//! and the command line. Called `kubectl-argo-rollouts`, it is that plugin.

mod args;
mod cluster;
mod controller;
mod demo;
mod outside;
mod rehearse;
mod screen;

use args::{Arguments, Command, Plugin};
use clap::Parser;
use cli::{Exit, Failure, Screen, print::Colour, print::Surface};
use std::{
    io::{IsTerminal, stderr, stdout},
    path::Path,
    process::ExitCode,
};
use tracing_subscriber::EnvFilter;

/// The name under which upstream's plugin is called.
const PLUGIN: &str = "kubectl-argo-rollouts";

fn main() -> ExitCode {
    // Two TLS providers in one process make rustls refuse to choose, so the one we use is named first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let called = std::env::args_os().next().unwrap_or_default();
    if Path::new(&called).file_stem().is_some_and(|name| name == PLUGIN) {
        return run_plugin();
    }
    let arguments = Arguments::parse();
    log();
    match arguments.command {
        Command::Rehearse(arguments) => report(rehearse::run(&arguments)),
        Command::Client(command) => {
            on_runtime(client(command)).unwrap_or_else(|failure| explain(&failure).into())
        }
        Command::Demo(arguments) => report(on_runtime(demo::run(arguments))),
        Command::Cluster(arguments) => report(on_runtime(cluster::run(arguments))),
        Command::Controller(arguments) => report(on_runtime(controller::run(arguments))),
    }
}

/// Logs go to standard error, warnings and worse unless `RUST_LOG` says otherwise.
fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).init();
}

/// Upstream's plugin knows one exit code for every failure.
fn run_plugin() -> ExitCode {
    let Plugin { command } = Plugin::parse();
    log();
    on_runtime(client(command)).unwrap_or_else(|failure| {
        explain(&failure);
        ExitCode::FAILURE
    })
}

fn on_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime needs nothing but threads")
        .block_on(future)
}

async fn client(command: cli::Command) -> Result<ExitCode, Failure> {
    let is_terminal = stdout().is_terminal();
    let mut screen = Screen {
        out: &mut stdout(),
        err: &mut stderr(),
        colour: if is_terminal && colours_are_welcome() { Colour::Always } else { Colour::Never },
        surface: if is_terminal { Surface::Terminal } else { Surface::Stream },
    };
    cli::run(command, &mut screen).await.map(|()| ExitCode::SUCCESS)
}

/// <https://no-color.org>, and terminals that know no escape codes.
fn colours_are_welcome() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn explain(failure: &Failure) -> Exit {
    screen::note(&format!("Error: {}", chain(failure)));
    if let Some(hint) = failure.hint() {
        screen::note(&format!("hint: {hint}"));
    }
    failure.exit()
}

/// The error and its causes in one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

fn report(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        screen::note(&format!("error: {error:#}"));
        ExitCode::from(Exit::Usage as u8)
    })
}
