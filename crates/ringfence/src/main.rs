//! The `ringfence` program: one binary for the demo, the embedded cluster, rehearsals, the controller
//! and the command line. Called `kubectl-argo-rollouts` it is that plugin, called `rollouts-controller`
//! that controller.

mod analysis;
mod args;
mod cluster;
mod complete;
mod controller;
mod dashboard;
mod demo;
mod log;
mod outside;
mod rehearse;
mod screen;

use args::{Arguments, ClientCommand, Command, Plugin};
use clap::{CommandFactory, Parser};
use cli::{Exit, Failure, Screen, print::Colour, print::Surface};
use controller::{ControllerArguments, RolloutsController};
use log::{Format, Level};
use std::{
    ffi::{OsStr, OsString},
    io::{IsTerminal, stderr, stdout},
    path::Path,
    process::ExitCode,
};

/// The names under which upstream's plugin is called: by `kubectl argo rollouts` and by `kubectl argo-rollouts`.
const PLUGIN: [&str; 2] = ["kubectl-argo-rollouts", "kubectl-argo_rollouts"];
/// The name of upstream's controller in its image.
const CONTROLLER: &str = "rollouts-controller";

/// With the system's a third of the controller's time went into memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Two TLS providers in one process make rustls refuse to choose, so the one we use is named first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let given: Vec<OsString> = std::env::args_os().collect();
    let called = given.first().map(Path::new).and_then(Path::file_stem).map(OsStr::to_owned);
    let is_plugin = called.as_ref().is_some_and(|name| PLUGIN.iter().any(|plugin| name == *plugin));
    if let Some(words) = complete::asked(&given) {
        let program = if is_plugin { Plugin::command() } else { Arguments::command() };
        let answer = on_runtime(complete::answer(&program, &words));
        return report(screen::line(&answer).map(|()| ExitCode::SUCCESS));
    }
    let given = cli::connection_last(given);
    if is_plugin {
        return run_plugin(given);
    }
    if called.is_some_and(|name| name == CONTROLLER) {
        return control(RolloutsController::parse_from(given).arguments);
    }
    run(Arguments::parse_from(given).command)
}

fn run(command: Command) -> ExitCode {
    match &command {
        Command::Client(_) => log::start(Level::Off, Format::Text),
        Command::Controller(_) => {}
        _ => log::start(Level::Warn, Format::Text),
    }
    match command {
        Command::Rehearse(arguments) => report(rehearse::run(&arguments)),
        Command::Analysis(command) => report(on_runtime(analysis::run(*command))),
        Command::Client(command) => run_client(command, Arguments::command()),
        Command::Demo(arguments) => report(on_runtime(demo::run(arguments))),
        Command::Cluster(arguments) => report(on_runtime(cluster::run(arguments))),
        Command::Controller(arguments) => control(*arguments),
    }
}

fn control(arguments: ControllerArguments) -> ExitCode {
    log::start(arguments.log_level, arguments.log_format);
    report(on_one_thread(controller::run(arguments)))
}

/// Upstream's plugin knows one exit code for every failure, wrong arguments included.
fn run_plugin(given: Vec<OsString>) -> ExitCode {
    let command = match Plugin::try_parse_from(given) {
        Ok(plugin) => plugin.command,
        Err(answer) => {
            // Nobody is left to be told when help cannot be printed.
            let _ = answer.print();
            return if answer.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    log::start(Level::Off, Format::Text);
    let exit = run_client(command, Plugin::command());
    if exit == ExitCode::SUCCESS { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Carries out a command of the client; `program` is the whole command line that it belongs to.
fn run_client(command: ClientCommand, mut program: clap::Command) -> ExitCode {
    match command {
        ClientCommand::Rollouts(command) => {
            on_runtime(client(*command)).unwrap_or_else(|failure| explain(&failure))
        }
        ClientCommand::Completion(arguments) => {
            let name = program.get_name().to_owned();
            let mut script = Vec::new();
            clap_complete::generate(arguments.shell, &mut program, name, &mut script);
            report(screen::text(&String::from_utf8_lossy(&script)).map(|()| ExitCode::SUCCESS))
        }
        ClientCommand::Dashboard(arguments) => report(on_runtime(dashboard::run(arguments))),
    }
}

fn on_runtime<T>(future: impl Future<Output = T>) -> T {
    block_on(&mut tokio::runtime::Builder::new_multi_thread(), future)
}

/// A controller hardly ever has two things to do at once: its threads took a fifth of its time to wake each other.
fn on_one_thread<T>(future: impl Future<Output = T>) -> T {
    block_on(&mut tokio::runtime::Builder::new_current_thread(), future)
}

fn block_on<T>(runtime: &mut tokio::runtime::Builder, future: impl Future<Output = T>) -> T {
    runtime.enable_all().build().expect("a runtime needs nothing but threads").block_on(future)
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

/// Says what went wrong, unless nobody reads the output: `| head` has what it wanted.
fn explain(failure: &Failure) -> ExitCode {
    if failure.is_unread() {
        return ExitCode::SUCCESS;
    }
    screen::note(&format!("Error: {}", chain(failure)));
    if let Some(hint) = failure.hint() {
        screen::note(&format!("hint: {hint}"));
    }
    failure.exit().into()
}

/// The error and its causes in one sentence, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

fn report(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        if screen::is_unread(&error) {
            return ExitCode::SUCCESS;
        }
        screen::note(&format!("error: {}", chain(error.as_ref())));
        ExitCode::from(Exit::Usage as u8)
    })
}
