//! The signs that stand before a state and a name, as upstream's plugin has them.

/// A rollout.
pub(super) const ROLLOUT: &str = "⟳";
/// A revision.
pub(super) const REVISION: &str = "#";
/// A ReplicaSet.
pub(super) const REPLICA_SET: &str = "⧉";
/// A pod.
pub(super) const POD: &str = "□";
/// A Job.
pub(super) const JOB: &str = "⊞";
/// An experiment.
pub(super) const EXPERIMENT: &str = "Σ";
/// An analysis run.
pub(super) const ANALYSIS: &str = "α";

/// Of a rollout's phase.
pub(super) fn rollout_icon(status: &str) -> &'static str {
    match status {
        "Progressing" => "◌",
        "Error" | "InvalidSpec" => "⚠",
        "Paused" => "॥",
        "Healthy" => "✔",
        "Degraded" => "✖",
        "Unknown" => "?",
        "ScaledDown" => "•",
        _ => " ",
    }
}

/// Of a ReplicaSet's state.
pub(super) fn set_icon(status: &str) -> &'static str {
    match status {
        "Progressing" => "◌",
        "Healthy" => "✔",
        "ReplicaFailure" => "✖",
        "ScaledDown" => "•",
        _ => " ",
    }
}

/// Of the phase of an analysis, a measurement or an experiment.
pub(super) fn run_icon(status: &str) -> &'static str {
    match status {
        "Successful" => "✔",
        "Failed" => "✖",
        "Inconclusive" => "?",
        "Error" => "⚠",
        "Running" => "◌",
        "Pending" => "◷",
        _ => " ",
    }
}

/// Of kubectl's word for a pod.
pub(super) fn pod_icon(status: &str) -> &'static str {
    if status.starts_with("Init:") {
        return "◌";
    }
    if status.starts_with("Signal:") || status.starts_with("ExitCode:") {
        return "✖";
    }
    if status.ends_with("Error") || status.starts_with("Err") {
        return "⚠";
    }
    match status {
        "Pending" | "Terminating" | "ContainerCreating" => "◌",
        "Running" | "Completed" => "✔",
        "Failed" | "InvalidImageName" | "CrashLoopBackOff" => "✖",
        "ImagePullBackOff" | "RegistryUnavailable" => "⚠",
        "Unknown" => "?",
        _ => " ",
    }
}
