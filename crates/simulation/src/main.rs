//! `cargo xtask sim`: plays every story of `scenarios/` with everything going wrong.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what the program is for")]

use anyhow::{Result, anyhow, bail};
use clap::{Parser, ValueEnum};
use simulation::{
    Extent, Known, Mutants, SUITES, Season, Story, Suite, Tally, chronicle,
    mutants::{Caught, hunt},
    sample, stories,
};
use std::{path::PathBuf, process::ExitCode, time::Instant};

/// Plays scenarios with everything going wrong, on virtual time.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Arguments {
    /// Only this suite, such as T1.
    #[arg(long)]
    suite: Option<String>,
    /// Only scenarios whose names contain this.
    #[arg(long)]
    scenario: Option<String>,
    /// Only the case of this name.
    #[arg(long)]
    case: Option<String>,
    /// Seed of names and of what is left to chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A part that stands for the whole within five minutes.
    #[arg(long)]
    ci: bool,
    /// Every case there is, which takes hours.
    #[arg(long, conflicts_with = "ci")]
    everything: bool,
    /// Writes down what happens in the one case that is played.
    #[arg(long, requires = "case")]
    log: bool,
    /// The folder of scenarios.
    #[arg(long, default_value = "scenarios")]
    scenarios: PathBuf,
    /// How many runs go on at once.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// What is written.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// What came of it, for people.
    Text,
    /// What came of it, for programs.
    Json,
    /// What would be played.
    List,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let season = season(&arguments)?;
    let began = Instant::now();
    let known = season.know(&chosen_stories(&arguments)?).map_err(|why| anyhow!(why))?;
    eprintln!("{} references in {:.1} s", known.len(), began.elapsed().as_secs_f64());
    if arguments.output == Output::List {
        list(&season, &known);
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.log {
        log(&season, &known);
    }
    let mut tally = season.play(&known, |diverged| eprintln!("{diverged}"));
    if arguments.suite.is_none() && arguments.scenario.is_none() {
        let caught = hunt(&stories(&arguments.scenarios, arguments.seed)?, arguments.seed);
        caught.iter().for_each(tell);
        let killed = caught.iter().filter(|caught| caught.by.is_some()).count();
        tally.mutants = Mutants { total: caught.len(), killed };
    }
    show(&tally, arguments.output)?;
    Ok(if tally.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(season: &Season, known: &[Known]) {
    for (suite, known, case) in season.chosen(known) {
        println!("{} {} {}", suite.name, known.story.name, case.name);
    }
}

/// Plays what was chosen once more and writes down what happens.
fn log(season: &Season, known: &[Known]) {
    for (_, known, case) in season.chosen(known) {
        match case.run(&known.story) {
            Ok(ran) => println!("{} {}\n{}", known.story.name, case.name, chronicle(&ran)),
            Err(why) => println!("{} cannot be played: {why}", known.story.name),
        }
    }
}

fn tell(caught: &Caught) {
    let Caught { mutant, suite, by, story, .. } = caught;
    let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
    eprintln!("{mutant}: {}: {} ({})", part(suite), part(by), part(story));
}

fn season(arguments: &Arguments) -> Result<Season> {
    let is_chosen = |suite: &&Suite| arguments.suite.as_ref().is_none_or(|only| only == suite.name);
    let suites: Vec<Suite> = SUITES.iter().filter(is_chosen).copied().collect();
    if suites.is_empty() {
        bail!("no suite is called so; they are T1 to T16");
    }
    let is_replay = arguments.case.is_some();
    let extent = match (arguments.ci, arguments.everything || is_replay) {
        (true, false) => Extent::Ci,
        (_, true) => Extent::Everything,
        (false, false) => Extent::Whole,
    };
    let case = arguments.case.clone();
    Ok(Season { suites, case, seed: arguments.seed, extent, jobs: arguments.jobs })
}

fn chosen_stories(arguments: &Arguments) -> Result<Vec<Story>> {
    let mut stories = stories(&arguments.scenarios, arguments.seed)?;
    match &arguments.scenario {
        Some(part) => stories.retain(|story| story.name.contains(part)),
        None if arguments.ci => stories = sample(stories),
        None => {}
    }
    if stories.is_empty() {
        bail!("no scenario is called so");
    }
    Ok(stories)
}

fn show(tally: &Tally, output: Output) -> Result<()> {
    if output == Output::Json {
        println!("{}", serde_json::to_string(tally)?);
    } else {
        println!("{tally}");
    }
    Ok(())
}
