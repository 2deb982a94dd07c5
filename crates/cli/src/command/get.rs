//! `get rollout`.

use super::print_json;
use crate::{
    Failure, Screen,
    args::{GetRolloutArguments, Output},
    connect::{Connection, connect},
    info::RolloutInfo,
    print::{self, Colour, Surface},
};
use futures::StreamExt;
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// How soon a changed screen may be drawn again.
const REDRAW_AFTER: Duration = Duration::from_millis(200);
/// How often ages are brought up to date.
const TICK: Duration = Duration::from_secs(1);
const CLEAR: &str = "\u{1b}[H\u{1b}[2J\u{1b}[0;0H";

pub(super) async fn run(
    arguments: GetRolloutArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let connection = connect(&arguments.connect).await?;
    if arguments.no_color {
        screen.colour = Colour::Never;
    }
    if !arguments.watch {
        let info = info(&connection, &arguments.name).await?;
        return match arguments.output {
            Output::Json => print_json(screen, &info),
            Output::Text => Ok(write!(screen.out, "{}", print::rollout(&info, screen.colour))?),
        };
    }
    let watching = Box::pin(watch(&connection, &arguments, screen));
    match arguments.timeout_seconds {
        None => watching.await,
        Some(seconds) => {
            timeout(Duration::from_secs(seconds), watching).await.unwrap_or(Err(Failure::TimedOut))
        }
    }
}

async fn info(connection: &Connection, name: &str) -> Result<RolloutInfo, Failure> {
    Ok(RolloutInfo::new(&connection.objects(name).await?, Timestamp::now()))
}

async fn watch(
    connection: &Connection,
    arguments: &GetRolloutArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let rollout = connection.rollout(&arguments.name).await?;
    let mut changes = connection.changes(&rollout);
    let mut shown = String::new();
    loop {
        let drawn = Instant::now();
        let info = info(connection, &arguments.name).await?;
        shown = draw(screen, &info, shown)?;
        if timeout(TICK, changes.next()).await.is_ok() {
            sleep_until(drawn + REDRAW_AFTER).await;
        }
    }
}

/// Draws over the old picture, or appends where that is not possible and something but an age changed.
fn draw(screen: &mut Screen<'_>, info: &RolloutInfo, shown: String) -> Result<String, Failure> {
    let text = print::rollout(info, screen.colour);
    if screen.surface == Surface::Terminal {
        write!(screen.out, "{CLEAR}{text}")?;
    } else {
        let ageless = ageless(info);
        if ageless == shown {
            return Ok(shown);
        }
        writeln!(screen.out, "{text}")?;
        screen.out.flush()?;
        return Ok(ageless);
    }
    screen.out.flush()?;
    Ok(text)
}

fn ageless(info: &RolloutInfo) -> String {
    let mut info = info.clone();
    info.age.clear();
    for set in &mut info.replica_sets {
        set.age.clear();
        set.delay = None;
        set.pods.iter_mut().for_each(|pod| pod.age.clear());
    }
    info.analysis_runs.iter_mut().for_each(|run| run.age.clear());
    print::rollout(&info, Colour::Never)
}
