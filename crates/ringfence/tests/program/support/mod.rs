//! The program under test, running, and what is asked of it.

mod cluster;
mod running;

pub(crate) use cluster::{Cluster, Folder};
pub(crate) use running::{Running, Said, Speaks, ask};

use std::{env, path::PathBuf};

/// Where the program is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ringfence");

/// A rollout without traffic routing that waits for a person after its first step.
pub(crate) const CANARY: &str = r#"{
    "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": { "name": "web" },
    "spec": {
        "replicas": 5,
        "selector": { "matchLabels": { "app": "web" } },
        "template": {
            "metadata": { "labels": { "app": "web" } },
            "spec": { "containers": [{ "name": "app", "image": "argoproj/rollouts-demo:blue" }] }
        },
        "strategy": { "canary": { "steps": [{ "setWeight": 20 }, { "pause": {} }, { "setWeight": 60 }, { "pause": { "duration": "1s" } }] } }
    }
}"#;

/// Whether `program` is installed; says so loudly when a check has to be left out.
pub(crate) fn is_installed(program: &str, check: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&folders).any(|folder: PathBuf| folder.join(program).is_file());
    if !found {
        println!("NOT CHECKED: {check}, because {program} is not installed");
    }
    found
}
