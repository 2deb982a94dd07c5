//! Which crate may use which.
//!
//! Start at [`ALLOWED`]: arrows point down only, and siblings among the pure crates do not know each
//! other. A new crate or a new arrow is a decision, and is made here.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{path::Path, process::Command};

/// The crates that do no IO and read no clock.
pub(crate) const PURE: [&str; 11] = [
    "actions",
    "analysis",
    "api",
    "chance",
    "judges",
    "metrics",
    "plan",
    "providers",
    "routers",
    "store",
    "vocab",
];

/// What no pure crate may use, tests included.
const IMPURE: [&str; 7] = ["axum", "hyper", "hyper-util", "kube", "reqwest", "tokio", "tower"];

/// Each crate and the crates of ours that it may use.
const ALLOWED: [(&str, &[&str]); 31] = [
    // Words.
    ("vocab", &[]),
    ("api", &["vocab"]),
    ("chance", &[]),
    // Pure logic.
    ("actions", &["api", "vocab"]),
    ("analysis", &["api", "vocab"]),
    ("judges", &[]),
    ("metrics", &["vocab"]),
    ("plan", &["analysis", "api", "providers", "routers", "vocab"]),
    ("providers", &["api", "judges", "vocab"]),
    ("routers", &["api", "vocab"]),
    ("store", &["vocab"]),
    // Shells.
    ("clock", &[]),
    ("effects", &["vocab"]),
    ("apiserver", &["clock", "store"]),
    ("world", &["api", "clock", "effects", "metrics", "vocab"]),
    ("gateway", &["api", "clock", "metrics", "vocab"]),
    ("faults", &["chance", "clock"]),
    ("control-plane", &[]),
    ("conformance", &["apiserver", "clock", "control-plane"]),
    (
        "differential",
        &["actions", "api", "chance", "clock", "control-plane", "effects", "vocab", "world"],
    ),
    ("bench", &["api", "control-plane", "differential"]),
    ("fuzz", &["analysis", "api", "chance", "metrics", "providers", "vocab"]),
    (
        "controller",
        &["analysis", "api", "clock", "effects", "plan", "providers", "routers", "vocab"],
    ),
    (
        "embedded",
        &["api", "apiserver", "clock", "controller", "gateway", "metrics", "vocab", "world"],
    ),
    (
        "rehearsal",
        &[
            "actions",
            "api",
            "apiserver",
            "clock",
            "controller",
            "effects",
            "embedded",
            "faults",
            "metrics",
            "store",
            "vocab",
            "world",
        ],
    ),
    (
        "simulation",
        &["api", "chance", "clock", "controller", "faults", "plan", "rehearsal", "store", "vocab"],
    ),
    ("dashboard", &["actions", "api", "clock", "effects", "metrics", "plan", "vocab"]),
    ("cli", &["actions", "analysis", "api", "effects", "plan", "vocab"]),
    (
        "trial",
        &[
            "analysis",
            "api",
            "clock",
            "controller",
            "metrics",
            "plan",
            "providers",
            "store",
            "vocab",
        ],
    ),
    // Programs.
    (
        "ringfence",
        &[
            "actions",
            "api",
            "apiserver",
            "cli",
            "clock",
            "controller",
            "dashboard",
            "effects",
            "embedded",
            "gateway",
            "judges",
            "metrics",
            "rehearsal",
            "trial",
            "vocab",
            "world",
        ],
    ),
    ("xtask", &["api", "controller"]),
];

/// Every arrow that is not allowed, and every crate that has no row.
pub(crate) fn complaints(root: &Path) -> Result<Vec<String>> {
    let metadata = metadata(root)?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(packages.iter().flat_map(of_package).collect())
}

/// What Cargo knows of the workspace, without its dependencies.
fn metadata(root: &Path) -> Result<Value> {
    let output = Command::new(option_env!("CARGO").unwrap_or("cargo"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .context("cannot run `cargo metadata`")?;
    ensure!(output.status.success(), "`cargo metadata` failed: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).context("cannot read what `cargo metadata` printed")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

fn of_package(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
        return vec![format!("crate {name} has no row in xtask/src/tidy/edges.rs")];
    };
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    dependencies.iter().filter_map(|dependency| of_dependency(name, allowed, dependency)).collect()
}

fn of_dependency(name: &str, allowed: &[&str], dependency: &Value) -> Option<String> {
    let used = dependency["name"].as_str().unwrap_or_default();
    if PURE.contains(&name) && IMPURE.contains(&used) {
        return Some(format!("crate {name} is pure and may not use {used}"));
    }
    // Tests may stand anywhere above what they test.
    let ours = ALLOWED.iter().any(|(known, _)| *known == used) && dependency["kind"].is_null();
    (ours && !allowed.contains(&used)).then(|| format!("crate {name} may not use {used}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(name: &str, dependency: &Value, expected: &[&str]) {
        let package = json!({ "name": name, "dependencies": [dependency] });
        assert_eq!(of_package(&package), expected);
    }

    #[test]
    fn an_arrow_upwards_is_a_complaint() {
        check("plan", &json!({ "name": "api", "kind": null }), &[]);
        check("api", &json!({ "name": "plan", "kind": null }), &["crate api may not use plan"]);
    }

    #[test]
    fn a_pure_crate_does_no_io_even_in_its_tests() {
        let complaint = "crate plan is pure and may not use tokio";
        check("plan", &json!({ "name": "tokio", "kind": "dev" }), &[complaint]);
    }

    #[test]
    fn a_crate_without_a_row_is_a_complaint() {
        let complaint = "crate misc has no row in xtask/src/tidy/edges.rs";
        check("misc", &json!({ "name": "api", "kind": null }), &[complaint]);
    }
}
