//! `version`: what this program was built from, in upstream's lines.

use crate::{Failure, Screen, args::VersionArguments};

/// The lines in which a program that Go built says so; ours have nothing behind them but the compiler.
pub(super) fn run(arguments: &VersionArguments, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let commit = option_env!("RINGFENCE_COMMIT").unwrap_or_default();
    let short = commit.get(..7).unwrap_or("unknown");
    writeln!(screen.out, "kubectl-argo-rollouts: v{}+{short}", env!("CARGO_PKG_VERSION"))?;
    if arguments.short {
        return Ok(());
    }
    let built = option_env!("RINGFENCE_BUILD_DATE").unwrap_or("1970-01-01T00:00:00Z");
    let (system, machine) = (std::env::consts::OS, go_machine());
    writeln!(screen.out, "  BuildDate: {built}")?;
    writeln!(screen.out, "  GitCommit: {commit}")?;
    writeln!(screen.out, "  GitTreeState: ")?;
    writeln!(screen.out, "  GoVersion: ")?;
    writeln!(screen.out, "  Compiler: rustc")?;
    Ok(writeln!(screen.out, "  Platform: {system}/{machine}")?)
}

/// The machine's architecture in Go's words.
fn go_machine() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}
