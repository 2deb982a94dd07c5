//! `get rollout`: a header of facts, then the tree of revisions.

use super::{Colour, Table};
use crate::info::{ImageInfo, PodInfo, ReplicaSetInfo, RolloutInfo, RunInfo, images};

const ROLLOUT: &str = "⟳";
const REVISION: &str = "#";
const REPLICA_SET: &str = "⧉";
const POD: &str = "□";
const ANALYSIS: &str = "α";

/// The whole text.
pub fn rollout(info: &RolloutInfo, colour: Colour) -> String {
    let mut lines = header(info, colour);
    lines.push(String::new());
    lines.extend(tree(info, colour));
    lines.push(String::new());
    lines.join("\n")
}

fn header(info: &RolloutInfo, colour: Colour) -> Vec<String> {
    let icon = rollout_icon(&info.status);
    let mut lines = vec![
        fact("Name:", &info.name),
        fact("Namespace:", &info.namespace),
        fact("Status:", &format!("{} {}", colour.paint(icon, icon), info.status)),
    ];
    if !info.message.is_empty() {
        lines.push(fact("Message:", &info.message));
    }
    lines.push(fact("Strategy:", &info.strategy));
    if info.strategy == "Canary" {
        lines.push(fact("  Step:", &info.step));
        lines.push(fact("  SetWeight:", &info.set_weight));
        lines.push(fact("  ActualWeight:", &info.actual_weight));
    }
    for (index, image) in images(info).iter().enumerate() {
        lines.push(fact(if index == 0 { "Images:" } else { "" }, &image_text(image, colour)));
    }
    lines.push("Replicas:".to_owned());
    let counts = [
        ("  Desired:", info.desired),
        ("  Current:", info.current),
        ("  Updated:", info.updated),
        ("  Ready:", info.ready),
        ("  Available:", info.available),
    ];
    lines.extend(counts.map(|(label, count)| fact(label, &count.to_string())));
    lines
}

fn fact(label: &str, value: &str) -> String {
    format!("{label:<17}{value}")
}

fn image_text(image: &ImageInfo, colour: Colour) -> String {
    if image.tags.is_empty() {
        return image.image.clone();
    }
    let tags: Vec<_> =
        image.tags.iter().map(|tag| colour.paint(tag.as_str(), tag.as_str())).collect();
    format!("{} ({})", image.image, tags.join(", "))
}

fn tree(info: &RolloutInfo, colour: Colour) -> Vec<String> {
    let mut table = Table::default();
    table.row(["NAME", "KIND", "STATUS", "AGE", "INFO"].map(str::to_owned));
    let status = format!("{} {}", paint(rollout_icon(&info.status), colour), info.status);
    table.row([
        format!("{ROLLOUT} {}", info.name),
        "Rollout".to_owned(),
        status,
        info.age.clone(),
        String::new(),
    ]);
    let revisions = info.revisions();
    for (index, revision) in revisions.iter().enumerate() {
        let branch = Branch::below("", index + 1 == revisions.len());
        revision_rows(&mut table, info, *revision, (&branch, colour));
    }
    table.lines()
}

/// The lines drawn before a name and before what hangs below it.
struct Branch {
    own: String,
    below: String,
}

impl Branch {
    fn below(above: &str, is_last: bool) -> Self {
        let (own, below) = if is_last { ("└──", "   ") } else { ("├──", "│  ") };
        Self { own: format!("{above}{own}"), below: format!("{above}{below}") }
    }
}

fn revision_rows(
    table: &mut Table,
    info: &RolloutInfo,
    revision: u64,
    (branch, colour): (&Branch, Colour),
) {
    let name = format!("{}{REVISION} revision:{revision}", branch.own);
    table.row([name, String::new(), " ".to_owned(), String::new(), String::new()]);
    let sets: Vec<_> = info.replica_sets.iter().filter(|set| set.revision == revision).collect();
    let runs: Vec<_> = info.analysis_runs.iter().filter(|run| run.revision == revision).collect();
    let total = sets.len() + runs.len();
    for (index, set) in sets.iter().enumerate() {
        set_rows(table, set, &Branch::below(&branch.below, index + 1 == total), colour);
    }
    for (index, run) in runs.iter().enumerate() {
        let branch = Branch::below(&branch.below, sets.len() + index + 1 == total);
        table.row(run_row(run, &branch, colour));
    }
}

fn set_rows(table: &mut Table, set: &ReplicaSetInfo, branch: &Branch, colour: Colour) {
    let mut facts: Vec<_> =
        set.tags.iter().map(|tag| colour.paint(tag.as_str(), tag.as_str())).collect();
    facts.extend(set.delay.as_ref().map(|delay| format!("delay:{delay}")));
    let name = set
        .tags
        .last()
        .map_or_else(|| set.name.clone(), |tag| colour.paint(&set.name, tag.as_str()));
    let status = format!("{} {}", paint(set_icon(set.status), colour), set.status);
    table.row([
        format!("{}{REPLICA_SET} {name}", branch.own),
        "ReplicaSet".to_owned(),
        status,
        set.age.clone(),
        facts.join(","),
    ]);
    for (index, pod) in set.pods.iter().enumerate() {
        let branch = Branch::below(&branch.below, index + 1 == set.pods.len());
        table.row(pod_row(pod, &branch, colour));
    }
}

fn pod_row(pod: &PodInfo, branch: &Branch, colour: Colour) -> [String; 5] {
    let mut facts = format!("ready:{}", pod.ready);
    if pod.restarts > 0 {
        facts = format!("{facts},restarts:{}", pod.restarts);
    }
    let status = format!("{} {}", paint(pod_icon(&pod.status), colour), pod.status);
    [format!("{}{POD} {}", branch.own, pod.name), "Pod".to_owned(), status, pod.age.clone(), facts]
}

fn run_row(run: &RunInfo, branch: &Branch, colour: Colour) -> [String; 5] {
    let counts =
        [("✔", run.successful), ("✖", run.failed), ("?", run.inconclusive), ("⚠", run.error)];
    let facts: Vec<_> = counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(icon, count)| format!("{} {count}", paint(icon, colour)))
        .collect();
    let name = format!("{}{ANALYSIS} {}", branch.own, colour.paint(&run.name, &run.status));
    let status = format!("{} {}", paint(run_icon(&run.status), colour), run.status);
    [name, "AnalysisRun".to_owned(), status, run.age.clone(), facts.join(",")]
}

fn paint(icon: &str, colour: Colour) -> String {
    colour.paint(icon, icon)
}

fn rollout_icon(status: &str) -> &'static str {
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

fn set_icon(status: &str) -> &'static str {
    match status {
        "Progressing" => "◌",
        "Healthy" => "✔",
        "ReplicaFailure" => "✖",
        "ScaledDown" => "•",
        _ => " ",
    }
}

fn run_icon(status: &str) -> &'static str {
    match status {
        "Successful" => "✔",
        "Failed" => "✖",
        "Inconclusive" => "?",
        "Error" => "⚠",
        "Running" | "Pending" => "◌",
        _ => " ",
    }
}

fn pod_icon(status: &str) -> &'static str {
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
