//! Each known bug, built into the planner, is noticed: one trial a mutant.

#![expect(clippy::print_stdout, reason = "what noticed a mutant is what people want to see")]

use libtest_mimic::{Arguments, Failed, Trial};
use simulation::{
    mutants::{Mutant, hunt_one, mutants},
    stories,
};
use std::{path::Path, process::ExitCode};

/// What names come from.
const SEED: u64 = 1;

fn main() -> ExitCode {
    let trials = mutants().map(|mutant| Trial::test(mutant.name, move || is_noticed(mutant)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn is_noticed(mutant: &'static Mutant) -> Result<(), Failed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let stories = stories(&folder, SEED)?;
    let caught = hunt_one(mutant, &stories, SEED);
    match caught.by {
        Some(by) => {
            let (suite, story) =
                (caught.suite.unwrap_or_default(), caught.story.unwrap_or_default());
            println!("{}: {suite}: {by} ({story})", mutant.name);
            Ok(())
        }
        None => Err(format!("nothing noticed that {}", mutant.about).into()),
    }
}
