//! Chores of the workspace: `cargo xtask codegen [--check]`, `cargo xtask tidy`, `cargo xtask conformance` and `cargo xtask control-plane`.
//!
//! The tests of this crate run the same checks, so that `cargo test` alone finds what they find.

mod codegen;
mod manifests;
mod tidy;

use anyhow::{Context, Result, bail};
use std::{
    env,
    io::{Write, stdout},
    path::{Path, PathBuf},
    process::Command,
};

/// How the chores are called.
const USAGE: &str = "usage: cargo xtask bench scale|analysis [--rollouts N] [--runs N] [--peer BINARY] [-o json] | cargo xtask codegen [--check] | cargo xtask tidy | cargo xtask conformance [record|verify|open] [-o json] | cargo xtask control-plane build|up|run|list|down | cargo xtask differential --peer BINARY [--seeds A..B] [-o json] | cargo xtask fuzz [TARGET] [--seconds N] [--seed S] | cargo xtask sim [--suite T1] [--scenario PART] [--case NAME] [--seed N] [--ci] [-o json]";

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["codegen"] => report("wrote", &codegen::write(&root())?),
        ["codegen", "--check"] => demand("run `cargo xtask codegen`", &codegen::stale(&root())?),
        ["tidy"] => demand("untidy", &tidy::complaints(&root())?),
        ["conformance", rest @ ..] => hand_over("conformance", "dev", rest),
        ["control-plane", rest @ ..] => hand_over("control-plane", "dev", rest),
        ["bench", rest @ ..] => {
            build("ringfence", "release")?;
            hand_over("bench", "release", rest)
        }
        ["differential", rest @ ..] => {
            build("ringfence", "dev")?;
            hand_over("differential", "dev", rest)
        }
        // Unoptimised arithmetic panics where it overflows.
        ["fuzz", rest @ ..] => hand_over("fuzz", "dev", rest),
        ["sim", rest @ ..] => hand_over("simulation", profile_of_season(rest), rest),
        _ => bail!(USAGE),
    }
}

/// Runs a chore that is a crate of its own, so that the others need not wait for its dependencies.
fn hand_over(package: &str, profile: &str, args: &[&str]) -> Result<()> {
    let run = ["run", "--quiet", "--profile", profile, "--package", package, "--"];
    if cargo(&[&run, args].concat())? { Ok(()) } else { bail!("{package} failed") }
}

/// Builds a program that a chore runs.
fn build(package: &str, profile: &str) -> Result<()> {
    let build = ["build", "--quiet", "--profile", profile, "--package", package];
    if cargo(&build)? { Ok(()) } else { bail!("{package} cannot be built") }
}

/// Runs cargo; says whether all went well.
fn cargo(args: &[&str]) -> Result<bool> {
    let mut command = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    let status = command.args(args).current_dir(root()).status().context("cannot run cargo")?;
    Ok(status.success())
}

/// One case is played again in the build that is there already; a season is worth a faster one.
fn profile_of_season(args: &[&str]) -> &'static str {
    if args.contains(&"--case") || args.contains(&"--ci") { "dev" } else { "season" }
}

/// The top of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

fn report(verb: &str, items: &[String]) -> Result<()> {
    items.iter().try_for_each(|item| writeln!(stdout(), "{verb} {item}")).map_err(Into::into)
}

/// Prints the complaints and fails if there are any.
fn demand(way_out: &str, complaints: &[String]) -> Result<()> {
    report("-", complaints)?;
    if complaints.is_empty() { Ok(()) } else { bail!("{} complaints: {way_out}", complaints.len()) }
}
