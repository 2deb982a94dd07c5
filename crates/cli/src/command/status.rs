//! `status`: one line for each change, until the rollout is done.

use super::again::or_again;
use crate::{
    Failure, Screen,
    args::StatusArguments,
    connect::{Connection, connect},
    info,
};
use futures::StreamExt;
use tokio::time::timeout;

pub(super) async fn run(
    arguments: StatusArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let connection = connect(&arguments.connect).await?;
    let name = &arguments.name;
    if !arguments.watch {
        let (phase, message) = info::phase(&connection.rollout(name).await?);
        let line = if is_done(&phase) { phase.clone() } else { format!("{phase} - {message}") };
        writeln!(screen.out, "{line}")?;
        return verdict(&phase, message);
    }
    let watching = Box::pin(watch(&connection, name, screen));
    let (phase, message) = if arguments.timeout.is_zero() {
        watching.await?
    } else {
        timeout(arguments.timeout, watching).await.unwrap_or(Err(Failure::TimedOut))?
    };
    verdict(&phase, message)
}

fn is_done(phase: &str) -> bool {
    matches!(phase, "Healthy" | "Degraded")
}

fn verdict(phase: &str, message: String) -> Result<(), Failure> {
    if phase == "Degraded" { Err(Failure::Degraded(message)) } else { Ok(()) }
}

async fn watch(
    connection: &Connection,
    name: &str,
    screen: &mut Screen<'_>,
) -> Result<(String, String), Failure> {
    let rollout = connection.rollout(name).await?;
    let mut changes = connection.changes(&rollout);
    let mut shown = String::new();
    loop {
        let Some(rollout) = or_again(connection.rollout(name).await, screen).await? else {
            continue;
        };
        let (phase, message) = info::phase(&rollout);
        let line = if message.is_empty() { phase.clone() } else { format!("{phase} - {message}") };
        if line != shown {
            writeln!(screen.out, "{line}")?;
            screen.out.flush()?;
            shown = line;
        }
        if is_done(&phase) {
            return Ok((phase, message));
        }
        changes.next().await;
    }
}
