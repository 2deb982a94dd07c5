//! The part of the simulation that stands for the whole: one trial a suite.

#![expect(clippy::print_stdout, reason = "the table is what people want to see of it")]
#![expect(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    reason = "a poisoned lock is a failed test"
)]

use libtest_mimic::{Arguments, Failed, Trial};
use simulation::{Extent, Known, SUITES, Season, Story, Suite, Tally, stories};
use std::{
    path::Path,
    process::ExitCode,
    sync::{Arc, LazyLock, Mutex, OnceLock},
};

/// Every so manieth story is played.
const STORIES: usize = 4;
/// Decides what is left to chance.
const SEED: u64 = 1;

/// Stories and their references, which all suites share.
static KNOWN: OnceLock<Result<Vec<Known>, String>> = OnceLock::new();

/// What came of the suites so far.
static TALLY: LazyLock<Mutex<Tally>> = LazyLock::new(Mutex::default);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each season uses two threads of its own.
    arguments.test_threads.get_or_insert(1);
    let trials = SUITES.iter().map(|suite| {
        let name = format!("{}_{}", suite.name, suite.about.replace([' ', ',', ':'], "_"));
        Trial::test(name, move || play(*suite))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if !arguments.list {
        println!("{}", TALLY.lock().unwrap());
    }
    conclusion.exit_code()
}

fn play(suite: Suite) -> Result<(), Failed> {
    let season =
        Season { suites: vec![suite], case: None, seed: SEED, extent: Extent::Ci, jobs: 2 };
    let known = KNOWN.get_or_init(|| know(&season)).as_ref()?;
    let told = Arc::new(Mutex::new(Vec::new()));
    let played = season.play(known, |diverged| told.lock().unwrap().push(diverged.to_string()));
    let mut tally = TALLY.lock().unwrap();
    tally.suites.extend(played.suites);
    tally.regressions = played.regressions;
    drop(tally);
    let told = told.lock().unwrap();
    if told.is_empty() { Ok(()) } else { Err(told.join("\n").into()) }
}

fn know(season: &Season) -> Result<Vec<Known>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let stories = stories(&folder, SEED).map_err(|why| format!("{why:#}"))?;
    let chosen: Vec<Story> = stories.into_iter().step_by(STORIES).collect();
    season.know(&chosen)
}
