//! The command line that steers rollouts: `kubectl argo rollouts`, word for word where it exists.
//!
//! Start with [`Command`], the parsed arguments, and [`run`]. [`info`] turns objects into what is
//! shown, purely; [`print`](mod@print) lays it out; `command` does the talking.
//!
//! **Invariant.** Data goes to standard output, everything else to standard error; without a terminal,
//! or with `NO_COLOR`, no escape code is written.

mod args;
mod command;
mod connect;
mod failure;
pub mod info;
mod manifest;
mod order;
pub mod print;

pub use args::{Command, ConnectArguments, UnheededArguments, duration};
pub use connect::{Connection, config, connect, names};
pub use failure::{Exit, Failure};
pub use order::{connection_apart, connection_last};

use std::io::Write;

/// Where a command writes, and how.
pub struct Screen<'a> {
    /// Standard output.
    pub out: &'a mut (dyn Write + Send),
    /// Standard error.
    pub err: &'a mut (dyn Write + Send),
    /// Whether escape codes colour the text.
    pub colour: print::Colour,
    /// Whether the output is a terminal that can be redrawn.
    pub surface: print::Surface,
}

/// Carries out a command.
///
/// # Errors
/// [`Failure`], which knows its exit code.
pub async fn run(command: Command, screen: &mut Screen<'_>) -> Result<(), Failure> {
    command::run(command, screen).await
}
