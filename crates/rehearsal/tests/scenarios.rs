//! Every file of `scenarios/` is a test: it is played, and everything it expects must come true.

use libtest_mimic::{Arguments, Failed, Trial};
use rehearsal::{load, rehearse, text};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Any will do; it is fixed so that a failure can be looked at again.
const SEED: u64 = 1;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the scenarios stand beside the crates")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "scenario"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no scenarios", folder.display());
    let trials = files.into_iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(path: PathBuf) -> Trial {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Trial::test(name, move || play(&path))
}

fn play(path: &Path) -> Result<(), Failed> {
    let play = load(&[], Some(path), SEED)?;
    let report = rehearse(&play).map_err(|error| chain(&error))?;
    if report.ok { Ok(()) } else { Err(text(&report).into()) }
}

fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}
