//! `get rollout` and `get experiment`.

use super::{again::or_again, print_json};
use crate::{
    Failure, Screen,
    args::{GetArguments, GetRolloutArguments, Output},
    connect::{Connection, connect},
    info::{ExperimentInfo, ReplicaSetInfo, RolloutInfo, RunInfo},
    print::{self, Colour, Surface},
};
use futures::{StreamExt, stream::BoxStream};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// How soon a changed screen may be drawn again.
const REDRAW_AFTER: Duration = Duration::from_millis(200);
/// How often ages are brought up to date.
const TICK: Duration = Duration::from_secs(1);
const CLEAR: &str = "\u{1b}[H\u{1b}[2J\u{1b}[0;0H";

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Rollout,
    Experiment,
}

/// What was seen.
#[derive(Clone, Serialize)]
#[serde(untagged)]
enum View {
    Rollout(RolloutInfo),
    Experiment(ExperimentInfo),
}

pub(super) async fn rollout(
    arguments: GetRolloutArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let looking = Box::pin(run(Kind::Rollout, &arguments.get, screen));
    match arguments.timeout_seconds.filter(|seconds| arguments.get.watch && *seconds > 0) {
        None => looking.await,
        Some(seconds) => {
            timeout(Duration::from_secs(seconds), looking).await.unwrap_or(Err(Failure::TimedOut))
        }
    }
}

pub(super) async fn experiment(
    arguments: GetArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    run(Kind::Experiment, &arguments, screen).await
}

/// Shows one object, once or as long as somebody looks.
pub(super) async fn run(
    kind: Kind,
    arguments: &GetArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let connection = connect(&arguments.connect).await?;
    if arguments.no_color {
        screen.colour = Colour::Never;
    }
    if arguments.watch {
        return Box::pin(watch(&connection, (kind, &arguments.name), screen)).await;
    }
    let view = look(&connection, (kind, &arguments.name)).await?;
    match arguments.output {
        Output::Json => print_json(screen, &view),
        Output::Text => Ok(write!(screen.out, "{}", view.text(screen.colour))?),
    }
}

async fn look(connection: &Connection, (kind, name): (Kind, &str)) -> Result<View, Failure> {
    let now = Timestamp::now();
    Ok(match kind {
        Kind::Rollout => View::Rollout(RolloutInfo::new(&connection.objects(name).await?, now)),
        Kind::Experiment => {
            View::Experiment(ExperimentInfo::new(&connection.experiment(name).await?, now))
        }
    })
}

async fn changes(
    connection: &Connection,
    (kind, name): (Kind, &str),
) -> Result<BoxStream<'static, ()>, Failure> {
    Ok(match kind {
        Kind::Rollout => connection.changes(&connection.rollout(name).await?),
        Kind::Experiment => connection.experiment_changes(name),
    })
}

async fn watch(
    connection: &Connection,
    subject: (Kind, &str),
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let mut changes = changes(connection, subject).await?;
    let mut shown = String::new();
    loop {
        let drawn = Instant::now();
        let Some(view) = or_again(look(connection, subject).await, screen).await? else { continue };
        shown = draw(screen, &view, shown)?;
        if timeout(TICK, changes.next()).await.is_ok() {
            sleep_until(drawn + REDRAW_AFTER).await;
        }
    }
}

/// Draws over the old picture, or appends where that is not possible and something but an age changed.
fn draw(screen: &mut Screen<'_>, view: &View, shown: String) -> Result<String, Failure> {
    let text = view.text(screen.colour);
    if screen.surface == Surface::Terminal {
        write!(screen.out, "{CLEAR}{text}")?;
    } else {
        let ageless = view.ageless();
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

impl View {
    fn text(&self, colour: Colour) -> String {
        match self {
            Self::Rollout(info) => print::rollout(info, colour),
            Self::Experiment(info) => print::experiment(info, colour),
        }
    }

    /// The text without what changes as time passes.
    fn ageless(&self) -> String {
        let mut view = self.clone();
        match &mut view {
            Self::Rollout(info) => {
                info.age.clear();
                info.experiments.iter_mut().for_each(forget_age);
                forget_ages(&mut info.replica_sets, &mut info.analysis_runs);
            }
            Self::Experiment(info) => forget_age(info),
        }
        view.text(Colour::Never)
    }
}

fn forget_age(info: &mut ExperimentInfo) {
    info.age.clear();
    forget_ages(&mut info.replica_sets, &mut info.analysis_runs);
}

fn forget_ages(sets: &mut [ReplicaSetInfo], runs: &mut [RunInfo]) {
    for set in sets {
        set.age.clear();
        set.delay = None;
        set.pods.iter_mut().for_each(|pod| pod.age.clear());
    }
    for run in runs {
        run.age.clear();
        run.jobs.iter_mut().for_each(|job| job.age.clear());
    }
}
