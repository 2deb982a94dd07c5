//! Every file of `scenarios/` and `scenarios/regressions/` is a test: it is played, and everything it
//! expects must come true. A regression also says whose bug it is, by project and number.

use libtest_mimic::{Arguments, Failed, Trial};
use rehearsal::{load, rehearse, text};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Any will do; it is fixed so that a failure can be looked at again.
const SEED: u64 = 1;
/// Whose bugs there are: how a file's name begins, and how its first line calls the project.
const PROJECTS: [(&str, &str); 2] = [("argo", "argo-rollouts"), ("flagger", "flagger")];

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let scenarios = scripts(&folder).into_iter().map(|path| trial(&name(&path), path));
    let regressions = scripts(&folder.join("regressions")).into_iter().flat_map(regression);
    libtest_mimic::run(&Arguments::from_args(), scenarios.chain(regressions).collect()).exit_code()
}

/// The scripts of a folder in the order of their names.
fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the scenarios stand beside the crates")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "scenario"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no scenarios", folder.display());
    files
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn trial(name: &str, path: PathBuf) -> Trial {
    Trial::test(name, move || play(&path))
}

/// Two tests: it says whose bug it is, and we do not have it.
fn regression(path: PathBuf) -> [Trial; 2] {
    let name = format!("regressions/{}", name(&path));
    let named = path.clone();
    [
        Trial::test(format!("{name} (named)"), move || is_named(&named).map_err(Failed::from)),
        trial(&name, path),
    ]
}

/// The name and the first line agree: `argo_2050_….scenario` begins `# argo-rollouts #2050: …`.
fn is_named(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let name = name(path);
    let mut parts = name.splitn(3, '_');
    let (project, number) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let known = PROJECTS.iter().find(|(short, _)| *short == project);
    let (_, project) = known.ok_or_else(|| format!("{name} begins with no known project"))?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{name} has no number after the project"));
    }
    if parts.next().is_none_or(str::is_empty) {
        return Err(format!("{name} does not say what must happen"));
    }
    let wanted = format!("# {project} #{number}: ");
    let first = text.lines().next().unwrap_or_default();
    if first.starts_with(&wanted) && text.contains("\nexpect ") {
        Ok(())
    } else {
        Err(format!("the first line must begin with `{wanted}` and something must be expected"))
    }
}

fn play(path: &Path) -> Result<(), Failed> {
    let play = load(&[], Some(path), SEED)?;
    let report = rehearse(&play).map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
    if report.ok { Ok(()) } else { Err(text(&report).into()) }
}
