//! Carrying out one command.

mod act;
mod again;
mod create;
mod fetch;
mod get;
mod lint;
mod list;
mod notifications;
mod status;
mod version;
mod why;

use crate::{
    Command, Failure, Screen,
    args::{GetCommand, ListCommand, RetryCommand, SetCommand, TerminateCommand},
};
use serde::Serialize;

pub(crate) async fn run(command: Command, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match command {
        Command::Create(arguments) => Box::pin(create::run(arguments, screen)).await,
        Command::Get(GetCommand::Rollout(arguments)) => get::rollout(arguments, screen).await,
        Command::Get(GetCommand::Experiment(arguments)) => get::experiment(arguments, screen).await,
        Command::Lint(arguments) => lint::run(&arguments, screen),
        Command::List(ListCommand::Rollouts(arguments)) => list::rollouts(arguments, screen).await,
        Command::List(ListCommand::Experiments(arguments)) => {
            list::experiments(arguments, screen).await
        }
        Command::Notifications(command) => notifications::run(command, screen).await,
        Command::Status(arguments) => status::run(arguments, screen).await,
        Command::Version(arguments) => version::run(&arguments, screen),
        Command::Why(arguments) => why::run(arguments, screen).await,
        Command::Promote(arguments) => act::promote(arguments, screen).await,
        Command::Abort(arguments) => act::abort(arguments, screen).await,
        Command::Pause(arguments) => act::pause(arguments, screen).await,
        Command::Restart(arguments) => act::restart(arguments, screen).await,
        Command::Retry(RetryCommand::Rollout(arguments)) => act::retry(arguments, screen).await,
        Command::Retry(RetryCommand::Experiment(arguments)) => {
            act::retry_experiment(arguments, screen).await
        }
        Command::Set(SetCommand::Image(arguments)) => act::set_image(arguments, screen).await,
        Command::Terminate(TerminateCommand::AnalysisRun(arguments)) => {
            act::terminate_run(arguments, screen).await
        }
        Command::Terminate(TerminateCommand::Experiment(arguments)) => {
            act::terminate_experiment(arguments, screen).await
        }
        Command::Undo(arguments) => act::undo(arguments, screen).await,
    }
}

fn print_json(screen: &mut Screen<'_>, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(writeln!(screen.out, "{text}")?)
}
