//! Carrying out one command.

mod act;
mod fetch;
mod get;
mod list;
mod status;
mod why;

use crate::{Command, Failure, Screen, args};
use serde::Serialize;

pub(crate) async fn run(command: Command, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match command {
        Command::Get(args::GetCommand::Rollout(arguments)) => get::run(arguments, screen).await,
        Command::List(args::ListCommand::Rollouts(arguments)) => list::run(arguments, screen).await,
        Command::Status(arguments) => status::run(arguments, screen).await,
        Command::Why(arguments) => why::run(arguments, screen).await,
        Command::Promote(arguments) => act::promote(arguments, screen).await,
        Command::Abort(arguments) => act::abort(arguments, screen).await,
        Command::Pause(arguments) => act::pause(arguments, screen).await,
        Command::Restart(arguments) => act::restart(arguments, screen).await,
        Command::Retry(args::RetryCommand::Rollout(arguments)) => {
            act::retry(arguments, screen).await
        }
        Command::Set(args::SetCommand::Image(arguments)) => act::set_image(arguments, screen).await,
        Command::Undo(arguments) => act::undo(arguments, screen).await,
    }
}

fn print_json(screen: &mut Screen<'_>, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(writeln!(screen.out, "{text}")?)
}
