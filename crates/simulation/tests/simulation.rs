//! The part of the simulation that stands for the whole: one trial a suite, and one for cases that have
//! found a bug.

#![expect(clippy::print_stdout, reason = "the table is what people want to see of it")]
#![expect(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    reason = "a poisoned lock is a failed test"
)]

use libtest_mimic::{Arguments, Failed, Trial};
use simulation::{Extent, Known, SUITES, Season, Story, Suite, Tally, sample, stories};
use std::{
    path::Path,
    process::ExitCode,
    sync::{LazyLock, Mutex, OnceLock},
};

/// Decides what is left to chance.
const SEED: u64 = 1;

/// Suite, story and case of runs that a bug was found by, outside of what is played here.
const ONCE: &[(&str, &str, &str)] = &[
    ("T3", "flagger_1202_slow_pods_are_waited_for_before_users_come", "rollouts-of-18-after-39"),
    (
        "T4",
        "argo_1415_an_autoscaler_in_the_middle_leaves_stable_alone",
        "replicasets-hidden-for-1s",
    ),
    ("T5", "nginx-somebody-edits-the-canary-ingress", "everything-expired-6"),
    ("T6", "argo_4612_a_rollback_does_not_load_a_small_canary", "slow-157"),
    ("T7", "argo_3242_the_version_left_by_a_rollback_goes", "ahead-1h-since-58"),
    ("T7", "argo_3372_a_second_release_waits_for_stable_to_grow_again", "ahead-1d-since-58"),
    (
        "T9",
        "flagger_379_a_failed_release_does_not_lock_the_next_one",
        "no-patch-replicasets-from-9",
    ),
];

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
    let once = Trial::test("bugs_that_were_found_once_stay_away", play_once_more);
    let conclusion = libtest_mimic::run(&arguments, trials.chain([once]).collect());
    if !arguments.list {
        println!("{}", TALLY.lock().unwrap());
    }
    conclusion.exit_code()
}

fn play(suite: Suite) -> Result<(), Failed> {
    let season =
        Season { suites: vec![suite], case: None, seed: SEED, extent: Extent::Ci, jobs: 2 };
    let known = KNOWN.get_or_init(|| know(&season)).as_ref()?;
    let (played, told) = played(&season, known);
    let mut tally = TALLY.lock().unwrap();
    tally.suites.extend(played.suites);
    tally.regressions = played.regressions;
    if told.is_empty() { Ok(()) } else { Err(told.join("\n").into()) }
}

/// Plays a season; says what came of it, and of each run that diverged what was wrong.
fn played(season: &Season, known: &[Known]) -> (Tally, Vec<String>) {
    let told = Mutex::new(Vec::new());
    let tally = season.play(known, |diverged| told.lock().unwrap().push(diverged.to_string()));
    (tally, told.into_inner().unwrap())
}

fn play_once_more() -> Result<(), Failed> {
    let stories = told_stories()?;
    let mut found = Vec::new();
    for (suite, name, case) in ONCE {
        let story: Vec<_> = stories.iter().filter(|story| story.name == *name).cloned().collect();
        let suites = SUITES.iter().filter(|known| known.name == *suite).copied().collect();
        let case = Some((*case).to_owned());
        let season = Season { suites, case, seed: SEED, extent: Extent::Everything, jobs: 1 };
        let known = season.know(&story)?;
        let (tally, told) = played(&season, &known);
        if tally.suites.values().all(|suite| suite.runs == 0) {
            found.push(format!("{suite} {name}: the case is gone; look for another one like it"));
        }
        found.extend(told);
    }
    if found.is_empty() { Ok(()) } else { Err(found.join("\n").into()) }
}

fn know(season: &Season) -> Result<Vec<Known>, String> {
    season.know(&sample(told_stories()?))
}

fn told_stories() -> Result<Vec<Story>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    stories(&folder, SEED).map_err(|why| format!("{why:#}"))
}
