//! `cargo xtask fuzz`: hunts for inputs that break what reads them.

use clap::Parser;
use fuzz::{Finding, Hunt, Report, TARGETS, Target, hunt, named};
use std::{
    fs, io,
    io::{Seek, Write, stderr, stdout},
    panic,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

/// Hunts for inputs that make a reader panic, break a promise or take too long.
#[derive(Parser)]
#[command(name = "fuzz")]
struct Arguments {
    /// What reads the inputs; without it all are hunted one after the other.
    target: Option<String>,
    /// How long to hunt, in seconds for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What is left to chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Read this one input and nothing else.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Where inputs that were found go, and the one that is being read: what ends the process at once,
    /// such as a stack that is too small, leaves it there.
    #[arg(long, value_name = "FOLDER", default_value = "target/fuzz")]
    keep: PathBuf,
    /// Name the targets.
    #[arg(long)]
    list: bool,
}

/// How long one input may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why there was no hunt.
#[derive(Debug, thiserror::Error)]
enum HuntError {
    #[error("there is no target {0}; `--list` names them")]
    UnknownTarget(String),
    #[error("cannot write to or read from a file")]
    File(#[from] io::Error),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Hunts; says whether nothing was found.
fn run(arguments: &Arguments) -> Result<bool, HuntError> {
    if arguments.list {
        let names = TARGETS.iter().map(|target| target.name);
        names.for_each(say);
        return Ok(true);
    }
    // A panic is caught and told with its input; the default message would come thousands of times.
    panic::set_hook(Box::new(|_| {}));
    let chosen = match &arguments.target {
        Some(name) => {
            vec![named(name).ok_or_else(|| HuntError::UnknownTarget(name.clone()))?]
        }
        None => TARGETS.to_vec(),
    };
    fs::create_dir_all(&arguments.keep)?;
    let mut is_well = true;
    for target in chosen {
        is_well &= of_target(&target, arguments)?;
    }
    Ok(is_well)
}

fn of_target(target: &Target, arguments: &Arguments) -> Result<bool, HuntError> {
    let (report, took) = match &arguments.input {
        Some(file) => read_one(target, &fs::read(file)?),
        None => hunted(target, arguments)?,
    };
    let Report { runs, sorts, finding } = report;
    let rate = u128::from(runs) * 1000 / took.as_millis().max(1);
    let name = target.name;
    say(&format!(
        "{name}: {runs} inputs in {:.0} s ({rate}/s), {sorts} sorts of outcome",
        took.as_secs_f64()
    ));
    let Some(Finding { input, what }) = finding else { return Ok(true) };
    let file = arguments.keep.join(format!("{name}-{}.input", arguments.seed));
    fs::write(&file, &input)?;
    say(&format!("{name}: {what}\n  {:?}\n  {}", String::from_utf8_lossy(&input), file.display()));
    Ok(false)
}

fn hunted(target: &Target, arguments: &Arguments) -> Result<(Report, Duration), HuntError> {
    let current = arguments.keep.join(format!("{}.current", target.name));
    let mut file = fs::File::create(&current)?;
    let began = Instant::now();
    let until = Duration::from_secs(arguments.seconds);
    let how = Hunt { seed: arguments.seed, patience: PATIENCE };
    let report = hunt(target, how, |_, input| {
        began.elapsed() < until && keep_current(&mut file, input).is_ok()
    });
    remove(&current)?;
    Ok((report, began.elapsed()))
}

fn keep_current(file: &mut fs::File, input: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(input)?;
    file.set_len(u64::try_from(input.len()).unwrap_or(u64::MAX))
}

fn remove(file: &Path) -> Result<(), HuntError> {
    Ok(fs::remove_file(file)?)
}

fn read_one(target: &Target, input: &[u8]) -> (Report, Duration) {
    let began = Instant::now();
    let finding = (target.read)(input).err().map(|what| Finding { input: input.to_vec(), what });
    (Report { runs: 1, sorts: 1, finding }, began.elapsed())
}

fn say(text: &str) {
    let _ = writeln!(stdout(), "{text}");
}
