//! Every sequence of `conformance/exchanges/` is a test: the embedded server must answer as the real one
//! did when it was recorded. Where the real one is at hand, it must still answer so.

use conformance::{Library, LibraryError, Outcome, Subject, section};
use libtest_mimic::{Arguments, Failed, Trial};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

fn main() -> ExitCode {
    let library = Library::open(&folder()).expect("the folder holds sequences");
    let sequences = library.sequences.iter().map(|(name, _)| replayed(name.clone()));
    let mut trials: Vec<Trial> = sequences.collect();
    trials.push(Trial::test("every_known_difference_is_still_one", nothing_is_stale));
    trials.push(Trial::test("the_documentation_says_what_differs_on_purpose", is_documented));
    trials.push(Trial::test("a_real_server_still_answers_as_recorded", answers_live));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance")
}

fn library() -> Result<Library, Failed> {
    Library::open(&folder()).map_err(failed)
}

fn wait<T>(work: impl Future<Output = Result<T, LibraryError>>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work).map_err(failed)
}

fn failed(error: LibraryError) -> Failed {
    format!("{:#}", anyhow::Error::new(error)).into()
}

fn replayed(name: String) -> Trial {
    Trial::test(name.clone(), move || {
        let library = library()?.narrowed(&name);
        let outcome = wait(library.replay())?;
        if outcome.surprises().is_empty() { Ok(()) } else { Err(told(&outcome).into()) }
    })
}

fn nothing_is_stale() -> Result<(), Failed> {
    let outcome = wait(library()?.replay())?;
    if outcome.stale.is_empty() { Ok(()) } else { Err(outcome.stale.join("\n").into()) }
}

fn is_documented() -> Result<(), Failed> {
    let path = folder().join("../docs/embedded-cluster.md");
    let document = std::fs::read_to_string(path)?;
    let expected = section(&document, &library()?.deliberate);
    if expected.as_deref() == Some(document.as_str()) {
        return Ok(());
    }
    Err(format!("docs/embedded-cluster.md should have:\n{}", expected.unwrap_or_default()).into())
}

fn answers_live() -> Result<(), Failed> {
    let what = "whether the recorded answers are still a real server's";
    let Some(binary) = control_plane::for_test(what) else { return Ok(()) };
    let library = library()?;
    let outcome = wait(async {
        let real = Subject::started(&binary).await?;
        library.verify(&real).await
    })?;
    if outcome.differences.is_empty() { Ok(()) } else { Err(told(&outcome).into()) }
}

fn told(outcome: &Outcome) -> String {
    let surprises = outcome.surprises();
    let mut lines = Vec::new();
    for (sequence, difference) in &outcome.differences {
        let name = format!("{sequence}: {}", difference.exchange);
        if surprises.contains(&name) {
            lines.push(format!("{name}\n  {difference}"));
        }
    }
    lines.join("\n")
}
