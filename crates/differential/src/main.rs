//! `differential`: the controller against another one, seed by seed.

use clap::{Parser, ValueEnum};
use differential::{
    Binary, Case, Controllers, DELIBERATE, Handover, Meant, Outcome, Report, Side, Stage,
    StageError, play, takeover,
};
use futures::{StreamExt, stream};
use std::{
    collections::BTreeSet,
    env::current_exe,
    io::{self, Write, stderr, stdout},
    ops::Range,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};
use tokio::time::sleep;

/// Plays random rollouts with two controllers and compares what clients see.
#[derive(Parser)]
struct Args {
    /// Argo Rollouts' own controller.
    #[arg(long, value_name = "BINARY")]
    peer: PathBuf,
    /// The controller it is compared with; `ringfence` beside this program when absent.
    #[arg(long, value_name = "BINARY")]
    ours: Option<PathBuf>,
    /// Which seeds: numbers and ranges without their ends, with commas between them.
    #[arg(long, value_name = "A..B", default_value = "0..500,1000..1500", value_delimiter = ',', value_parser = seeds)]
    seeds: Vec<Range<u64>>,
    #[command(flatten)]
    mode: Mode,
    /// Print what differs on purpose, too.
    #[arg(long)]
    meant: bool,
    /// How many cases are played at the same time.
    #[arg(long, default_value_t = 24)]
    parallel: usize,
    /// Where the controllers' logs go.
    #[arg(long, value_name = "FOLDER")]
    logs: Option<PathBuf>,
    /// How the result is written.
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
}

/// What is done with the cases, if they are not just played.
#[derive(clap::Args)]
#[group(multiple = false)]
struct Mode {
    /// Play the seeds of each difference that is meant, one of which must still show it.
    #[arg(long, conflicts_with = "seeds")]
    rows: bool,
    /// Play half of each case with the peer, hand it over to ours, and back.
    #[arg(long)]
    takeover: bool,
    /// Print the cases and play nothing.
    #[arg(long)]
    list: bool,
}

/// A controller that does not understand its arguments has ended by then.
const ALIVE_AFTER: Duration = Duration::from_secs(2);

/// How many times fewer cases are played at the same time when differing ones are played again.
const BUSY_TO_CALM: usize = 3;

/// What is listed of a case beside its Rollout.
const TOLD: [&str; 2] = ["Deployment", "Experiment"];

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Output {
    Text,
    Json,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is not a number"));
    match text.split_once("..") {
        Some((first, end)) => Ok(number(first)?..number(end)?),
        None => number(text).map(|seed| seed..seed + 1),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    // Two TLS providers in one process make rustls refuse to choose, so the one we use is named first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args = Args::parse();
    if args.mode.list {
        args.seeds.into_iter().flatten().for_each(list);
        return ExitCode::SUCCESS;
    }
    let ended = if args.mode.takeover { hand_over(&args).await } else { run(&args).await };
    match ended {
        Ok((text, true)) => {
            let _ = writeln!(stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Ok((text, false)) => {
            let _ = writeln!(stdout(), "{text}");
            ExitCode::FAILURE
        }
        Err(error) => {
            let _ = writeln!(stderr(), "error: {:#}", anyhow::Error::new(error));
            ExitCode::from(2)
        }
    }
}

fn list(seed: u64) {
    let case = Case::of_seed(seed);
    let _ = writeln!(stdout(), "seed {seed}: {}", case.rollout()["spec"]);
    let others =
        case.objects.iter().filter(|object| TOLD.iter().any(|kind| object["kind"] == *kind));
    for object in others {
        let _ = writeln!(stdout(), "  {}: {}", object["kind"], object["spec"]);
    }
    for (place, act) in case.acts.iter().enumerate() {
        let _ = writeln!(stdout(), "  {place}: {act}");
    }
}

/// What is printed, and whether all is well.
async fn run(args: &Args) -> Result<(String, bool), StageError> {
    let stage = Stage::set().await?;
    let both = controllers(args)?;
    let start = |side| both.start(side, &stage, side);
    let mut running = [start(Side::Peer)?, start(Side::Ours)?];
    sleep(ALIVE_AFTER).await;
    if let Some(side) = Side::BOTH
        .into_iter()
        .zip(&mut running)
        .find_map(|(side, program)| (!program.runs()).then_some(side))
    {
        return Err(StageError::Ended(side));
    }
    let seeds = wanted(args);
    let mut outcomes = play_all(&stage, args, &seeds, args.parallel).await;
    let differing = outcomes.iter().filter(|outcome| !outcome.differences.is_empty());
    let again: BTreeSet<u64> = differing.map(|outcome| outcome.seed).collect();
    // What a busy machine made differ does not differ twice.
    let second = play_all(&stage, args, &again, args.parallel / BUSY_TO_CALM).await;
    outcomes.retain(|outcome| !again.contains(&outcome.seed));
    outcomes.extend(second);
    let report = Report::of(outcomes);
    let text = if args.output == Output::Json { report.json().to_string() } else { report.text() };
    let shows_all = !args.mode.rows || report.unshown().is_empty();
    Ok((text, report.differing() == 0 && shows_all))
}

/// The seeds that are asked for, each once.
fn wanted(args: &Args) -> BTreeSet<u64> {
    if args.mode.rows {
        return DELIBERATE.iter().flat_map(|row| row.seeds).copied().collect();
    }
    args.seeds.iter().cloned().flatten().collect()
}

async fn play_all(
    stage: &Stage,
    args: &Args,
    seeds: &BTreeSet<u64>,
    parallel: usize,
) -> Vec<Outcome> {
    let played = stream::iter(seeds).map(|seed| async move {
        let outcome = play(stage, &Case::of_seed(*seed)).await;
        tell(&outcome);
        if args.meant {
            tell_meant(&outcome);
        }
        outcome
    });
    played.buffer_unordered(parallel.max(1)).collect().await
}

/// What is printed, and whether nothing was changed that should not be.
async fn hand_over(args: &Args) -> Result<(String, bool), StageError> {
    let stage = Stage::set().await?;
    let cases: Vec<Case> = args.seeds.clone().into_iter().flatten().map(Case::of_seed).collect();
    let handovers = takeover(&stage, &cases, &controllers(args)?).await?;
    let busy = handovers.iter().filter(|handover| !handover.writes.is_empty()).count();
    let mut lines: Vec<String> = handovers.iter().map(told).collect();
    lines.push(format!("{} handovers, {busy} with writes", handovers.len()));
    Ok((lines.join("\n"), busy == 0))
}

fn told(handover: &Handover) -> String {
    let Handover { to, seed, state, changes, writes } = handover;
    let mut lines = vec![format!("seed {seed} to {}: {state}: {} writes", to.name(), writes.len())];
    lines.extend(writes.iter().map(|write| format!("  {write}")));
    lines.extend(changes.iter().map(|change| format!("  {change}")));
    lines.join("\n")
}

/// The controllers that are named, ours beside this program when it is not.
fn controllers(args: &Args) -> io::Result<Controllers> {
    let beside = || current_exe().map(|path| path.with_file_name("ringfence"));
    let ours = args.ours.clone().map_or_else(beside, Ok)?;
    let [peer, ours] = [&args.peer, &ours].map(|path| Binary::at(path));
    Ok(Controllers { peer, ours, logs: args.logs.clone() })
}

/// Tells how a case ended, in one line or with all that differs.
fn tell(outcome: &Outcome) {
    let Outcome { seed, acts, after, differences, .. } = outcome;
    let restless = if outcome.restless { ", not quiet" } else { "" };
    let mut lines = match after {
        None => vec![format!("seed {seed}: equal after {acts} acts{restless}")],
        Some(after) => vec![format!("seed {seed}: differs after {after}{restless}")],
    };
    lines.extend(differences.iter().map(|difference| format!("  {difference}")));
    let _ = writeln!(stderr(), "{}", lines.join("\n"));
}

fn tell_meant(outcome: &Outcome) {
    for Meant { row, difference } in &outcome.meant {
        let _ = writeln!(stderr(), "  seed {} means {row}: {difference}", outcome.seed);
    }
}
