//! Chores of the workspace: `cargo xtask codegen [--check]` and `cargo xtask tidy`.
//!
//! The tests of this crate run the same checks, so that `cargo test` alone finds what they find.

mod codegen;
mod tidy;

use anyhow::{Result, bail};
use std::{
    env,
    io::{Write, stdout},
    path::{Path, PathBuf},
};

/// How the chores are called.
const USAGE: &str = "usage: cargo xtask codegen [--check] | cargo xtask tidy";

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["codegen"] => report("wrote", &codegen::write(&root())?),
        ["codegen", "--check"] => demand("run `cargo xtask codegen`", &codegen::stale(&root())?),
        ["tidy"] => demand("untidy", &tidy::complaints(&root())?),
        _ => bail!(USAGE),
    }
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
