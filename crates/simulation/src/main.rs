//! `cargo xtask sim`: plays every story of `scenarios/` with everything going wrong.

#![expect(clippy::print_stdout, reason = "this is what the program is for")]

use anyhow::{Result, bail};
use clap::Parser;
use simulation::{Case, Divergence, Reference, SUITES, Story, Suite, examine, run, stories};
use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

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
    /// Only every so many cases, so that a part stands for the whole.
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// The folder of scenarios.
    #[arg(long, default_value = "scenarios")]
    scenarios: PathBuf,
    /// How many runs go on at once.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
}

struct Job<'a> {
    suite: &'a Suite,
    story: &'a Story,
    reference: &'a Reference,
    case: Case,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut stories = stories(&arguments.scenarios, arguments.seed)?;
    stories.retain(|story| arguments.scenario.as_ref().is_none_or(|part| story.name.contains(part)));
    if stories.is_empty() {
        bail!("no scenario is called so");
    }
    let began = Instant::now();
    let mut references = Vec::new();
    for story in stories {
        match Reference::of(&story, rehearsal::Conditions::default()) {
            Ok(reference) => references.push((story, reference)),
            Err(why) => bail!("{} cannot be played: {why}", story.name),
        }
    }
    println!("{} references in {:.1} s", references.len(), began.elapsed().as_secs_f64());
    let mut failed = 0;
    for suite in SUITES.iter().filter(|suite| arguments.suite.as_ref().is_none_or(|only| only == suite.name)) {
        failed += play(suite, &references, &arguments);
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn play(suite: &Suite, references: &[(Story, Reference)], arguments: &Arguments) -> usize {
    let began = Instant::now();
    let mut jobs = Vec::new();
    for (story, reference) in references {
        for case in (suite.cases)(story, reference, arguments.seed) {
            if arguments.case.as_ref().is_none_or(|only| *only == case.name) {
                jobs.push(Job { suite, story, reference, case });
            }
        }
    }
    let jobs: Vec<_> = jobs.into_iter().step_by(arguments.every.max(1)).collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(0));
    std::thread::scope(|threads| {
        for _ in 0..arguments.jobs {
            threads.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = perform(job);
                    if !found.is_empty() {
                        *failed.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                        tell(job, &found, arguments.seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{}: {} runs, {failed} diverged, {:.1} s", suite.name, jobs.len(), began.elapsed().as_secs_f64());
    failed
}

fn perform(job: &Job<'_>) -> Vec<Divergence> {
    match run(job.story, job.case.conditions.clone()) {
        Ok(ran) => examine(&ran, job.reference, job.case.against),
        Err(why) => vec![Divergence::Broken { why }],
    }
}

fn tell(job: &Job<'_>, found: &[Divergence], seed: u64) {
    let mut text = format!(
        "{} {} {}: cargo xtask sim --suite {} --scenario {} --case {} --seed {seed}\n",
        job.suite.name, job.story.name, job.case.name, job.suite.name, job.story.name, job.case.name
    );
    for divergence in found {
        text.push_str(&format!("    {divergence}\n"));
    }
    print!("{text}");
}
