//! The program: built from the Go source that this crate carries, and kept in the user's cache.
//!
//! Start at [`available`]. Two builds at the same time do not disturb each other: the second waits for the
//! first, and what is kept appears whole or not at all.

use std::{
    env, fs,
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// What a build reads.
const SOURCES: [(&str, &str); 3] = [
    ("main.go", include_str!("../go/main.go")),
    ("go.mod", include_str!("../go/go.mod")),
    ("go.sum", include_str!("../go/go.sum")),
];
/// How the program is linked; without its version, kubectl could not read what the server says of itself.
const LINKED: &str = "-s -w \
    -X k8s.io/component-base/version.gitVersion=v1.36.3 \
    -X k8s.io/component-base/version.gitMajor=1 \
    -X k8s.io/component-base/version.gitMinor=36 \
    -X k8s.io/component-base/version.gitTreeState=clean \
    -X k8s.io/client-go/pkg/version.gitVersion=v1.36.3";
/// The program's name.
const NAME: &str = "control-plane";
/// What tests do when the program is not built yet: `build` builds it, `require` also fails if that fails.
const POLICY: &str = "RINGFENCE_CONTROL_PLANE";
/// Where Go is looked for when it is not on the path.
const USUAL_GO: &str = "/usr/local/go/bin/go";
/// How many of the last lines of a failed build are told.
const TOLD_LINES: usize = 6;

/// The built program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    path: PathBuf,
}

impl Binary {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Why there is no control plane here.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// It was never built, and tests do not build it unasked.
    #[error("it is not built (`cargo xtask control-plane build` does, or {POLICY}=build)")]
    NotBuilt,
    /// There is no place to keep it.
    #[error("neither XDG_CACHE_HOME nor HOME says where to keep it")]
    NowhereToKeepIt,
    /// Go is not installed.
    #[error("Go is missing")]
    NoGo(#[source] io::Error),
    /// Go could not build it.
    #[error("Go could not build it: {told}")]
    NotBuildable {
        /// The last lines of what Go said.
        told: String,
    },
    /// A file could not be read or written.
    #[error("its cache {} could not be used", path.display())]
    CacheUnusable {
        /// Which file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The program for a test, or nothing after one loud line that says what is not checked, and why.
///
/// # Panics
///
/// When there is none although the environment variable `RINGFENCE_CONTROL_PLANE` says `require`.
pub fn for_test(what: &str) -> Option<Binary> {
    match available() {
        Ok(binary) => Some(binary),
        Err(why) => {
            assert!(
                policy() != Policy::Require,
                "{what} cannot be checked: {}",
                with_sources(&why)
            );
            // What is written by its own handle is seen although the test passes.
            let line = format!(
                "SKIPPED: {what} not checked on a real control plane: {}\n",
                with_sources(&why)
            );
            let _ = io::stderr().write_all(line.as_bytes());
            None
        }
    }
}

/// The program if it is built, or if the environment variable `RINGFENCE_CONTROL_PLANE` lets it be built now.
///
/// # Errors
///
/// When there is none, with the reason.
pub fn available() -> Result<Binary, Unavailable> {
    let kept = kept()?;
    match policy() {
        _ if kept.path.is_file() => Ok(kept),
        Policy::OnlyBuilt => Err(Unavailable::NotBuilt),
        Policy::Build | Policy::Require => build(),
    }
}

/// Builds the program unless it is already kept: minutes the first time, nothing from then on.
///
/// # Errors
///
/// When Go is missing or cannot build it, for want of a network mostly.
pub fn build() -> Result<Binary, Unavailable> {
    let kept = kept()?;
    let home = kept.path.parent().unwrap_or(Path::new("."));
    let unusable = |source| Unavailable::CacheUnusable { path: home.to_owned(), source };
    fs::create_dir_all(home).map_err(unusable)?;
    let lock = File::create(home.join("lock")).map_err(unusable)?;
    lock.lock().map_err(unusable)?;
    if !kept.path.is_file() {
        let workshop = TempDir::new_in(home).map_err(unusable)?;
        for (name, text) in SOURCES {
            fs::write(workshop.path().join(name), text).map_err(unusable)?;
        }
        compile(workshop.path())?;
        fs::rename(workshop.path().join(NAME), &kept.path).map_err(unusable)?;
    }
    Ok(kept)
}

/// How far a test may go for the program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    OnlyBuilt,
    Build,
    Require,
}

fn policy() -> Policy {
    match env::var(POLICY).as_deref() {
        Ok("build") => Policy::Build,
        Ok("require") => Policy::Require,
        _ => Policy::OnlyBuilt,
    }
}

/// Where the program is, or would be, kept.
fn kept() -> Result<Binary, Unavailable> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    let cache = cache.ok_or(Unavailable::NowhereToKeepIt)?;
    let home = cache.join("ringfence").join(NAME).join(format!("{:016x}", fingerprint()));
    Ok(Binary { path: home.join(NAME) })
}

/// A number (FNV-1a) that changes with whatever goes into the build.
fn fingerprint() -> u64 {
    let texts = SOURCES.iter().map(|(_, text)| *text).chain([LINKED]);
    texts.flat_map(str::bytes).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn compile(workshop: &Path) -> Result<(), Unavailable> {
    let output =
        go("go", workshop).or_else(|_| go(USUAL_GO, workshop)).map_err(Unavailable::NoGo)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Unavailable::NotBuildable { told: last_lines(&String::from_utf8_lossy(&output.stderr)) })
}

fn go(program: &str, workshop: &Path) -> io::Result<Output> {
    Command::new(program)
        .args(["build", "-trimpath", "-buildvcs=false", "-ldflags", LINKED, "-o", NAME, "."])
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .current_dir(workshop)
        .output()
}

/// The last lines of what a program said, on one line.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TOLD_LINES)..].join(" | ")
}

/// An error and everything beneath it.
fn with_sources(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_of_a_failed_build_are_told() {
        let check = |text: &str, expected: &str| assert_eq!(last_lines(text), expected);
        check("", "");
        check("one\n\ntwo\n", "one | two");
        check("1\n2\n3\n4\n5\n6\n7\n8", "3 | 4 | 5 | 6 | 7 | 8");
    }

    #[test]
    fn the_module_names_one_version_of_everything_of_kubernetes() {
        let module = SOURCES[1].1;
        let replaced = module.lines().filter(|line| line.contains("=>"));
        let astray: Vec<&str> = replaced.filter(|line| !line.ends_with(" v0.36.3")).collect();
        assert!(astray.is_empty(), "{astray:?}");
        assert!(module.contains("k8s.io/kubernetes v1.36.3"));
        assert!(LINKED.contains("gitVersion=v1.36.3"));
    }
}
