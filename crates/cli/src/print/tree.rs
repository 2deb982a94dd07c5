//! `get rollout` and `get experiment`: a header of facts, then a tree.

use super::{
    Colour, Table,
    icons::{
        ANALYSIS, EXPERIMENT, JOB, POD, REPLICA_SET, REVISION, ROLLOUT, pod_icon, rollout_icon,
        run_icon, set_icon,
    },
};
use crate::info::{
    ExperimentInfo, ImageInfo, JobInfo, PodInfo, ReplicaSetInfo, RolloutInfo, RunInfo,
    experiment_images, images,
};

/// The whole text of an experiment.
pub fn experiment(info: &ExperimentInfo, colour: Colour) -> String {
    let mut lines = vec![
        fact("Name:", &info.name),
        fact("Namespace:", &info.namespace),
        fact("Status:", &state(run_icon(&info.status), &info.status, colour)),
    ];
    if !info.message.is_empty() {
        lines.push(fact("Message:", &info.message));
    }
    lines.extend(image_lines(&experiment_images(info), colour));
    lines.push(String::new());
    let mut table = heading();
    experiment_rows(&mut table, info, &Branch::root(), colour);
    lines.extend(table.lines());
    lines.push(String::new());
    lines.join("\n")
}

/// The whole text of a rollout.
pub fn rollout(info: &RolloutInfo, colour: Colour) -> String {
    let mut lines = header(info, colour);
    lines.push(String::new());
    lines.extend(tree(info, colour));
    lines.push(String::new());
    lines.join("\n")
}

fn header(info: &RolloutInfo, colour: Colour) -> Vec<String> {
    let mut lines = vec![
        fact("Name:", &info.name),
        fact("Namespace:", &info.namespace),
        fact("Status:", &state(rollout_icon(&info.status), &info.status, colour)),
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
    lines.extend(image_lines(&images(info), colour));
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

/// A state behind its icon.
fn state(icon: &str, status: &str, colour: Colour) -> String {
    format!("{} {status}", colour.paint(icon, icon))
}

fn image_lines(images: &[ImageInfo], colour: Colour) -> Vec<String> {
    let label = |index| if index == 0 { "Images:" } else { "" };
    let lines = images.iter().enumerate();
    lines.map(|(index, image)| fact(label(index), &image_text(image, colour))).collect()
}

fn image_text(image: &ImageInfo, colour: Colour) -> String {
    if image.tags.is_empty() {
        return image.image.clone();
    }
    let tags: Vec<_> = image.tags.iter().map(|tag| colour.paint(tag, tag)).collect();
    format!("{} ({})", image.image, tags.join(", "))
}

fn heading() -> Table {
    let mut table = Table::default();
    table.row(["NAME", "KIND", "STATUS", "AGE", "INFO"].map(str::to_owned));
    table
}

fn tree(info: &RolloutInfo, colour: Colour) -> Vec<String> {
    let mut table = heading();
    let status = state(rollout_icon(&info.status), &info.status, colour);
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
    fn root() -> Self {
        Self { own: String::new(), below: String::new() }
    }

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
    let of_revision = |experiment: &&ExperimentInfo| experiment.revision == revision;
    let experiments: Vec<_> = info.experiments.iter().filter(of_revision).collect();
    let runs: Vec<_> = info.analysis_runs.iter().filter(|run| run.revision == revision).collect();
    let mut branches = branches(branch, sets.len() + experiments.len() + runs.len());
    for (set, branch) in sets.into_iter().zip(&mut branches) {
        set_rows(table, set, &branch, colour);
    }
    for (experiment, branch) in experiments.into_iter().zip(&mut branches) {
        experiment_rows(table, experiment, &branch, colour);
    }
    for (run, branch) in runs.into_iter().zip(&mut branches) {
        run_rows(table, run, &branch, colour);
    }
}

/// The branches of `count` things that hang below one.
fn branches(above: &Branch, count: usize) -> impl Iterator<Item = Branch> {
    (1..=count).map(move |place| Branch::below(&above.below, place == count))
}

fn experiment_rows(table: &mut Table, info: &ExperimentInfo, branch: &Branch, colour: Colour) {
    table.row([
        format!("{}{EXPERIMENT} {}", branch.own, colour.paint(&info.name, &info.status)),
        "Experiment".to_owned(),
        state(run_icon(&info.status), &info.status, colour),
        info.age.clone(),
        String::new(),
    ]);
    let mut branches = branches(branch, info.replica_sets.len() + info.analysis_runs.len());
    for (set, branch) in info.replica_sets.iter().zip(&mut branches) {
        set_rows(table, set, &branch, colour);
    }
    for (run, branch) in info.analysis_runs.iter().zip(&mut branches) {
        run_rows(table, run, &branch, colour);
    }
}

fn set_rows(table: &mut Table, set: &ReplicaSetInfo, branch: &Branch, colour: Colour) {
    let mut facts: Vec<_> =
        set.tags.iter().map(|tag| colour.paint(tag.as_str(), tag.as_str())).collect();
    facts.extend(set.delay.as_ref().map(|delay| format!("delay:{delay}")));
    // Each part that it plays colours what the one before has coloured.
    let name =
        set.tags.iter().fold(set.name.clone(), |name, tag| colour.paint(&name, tag.as_str()));
    table.row([
        format!("{}{REPLICA_SET} {name}", branch.own),
        "ReplicaSet".to_owned(),
        state(set_icon(set.status), set.status, colour),
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
    let status = state(pod_icon(&pod.status), &pod.status, colour);
    [format!("{}{POD} {}", branch.own, pod.name), "Pod".to_owned(), status, pod.age.clone(), facts]
}

fn run_rows(table: &mut Table, run: &RunInfo, branch: &Branch, colour: Colour) {
    let counts =
        [("✔", run.successful), ("✖", run.failed), ("?", run.inconclusive), ("⚠", run.error)];
    let facts: Vec<_> = counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(icon, count)| state(icon, &count.to_string(), colour))
        .collect();
    table.row([
        format!("{}{ANALYSIS} {}", branch.own, colour.paint(&run.name, &run.status)),
        "AnalysisRun".to_owned(),
        state(run_icon(&run.status), &run.status, colour),
        run.age.clone(),
        facts.join(","),
    ]);
    for (job, branch) in run.jobs.iter().zip(branches(branch, run.jobs.len())) {
        table.row(job_row(job, &branch, colour));
    }
}

fn job_row(job: &JobInfo, branch: &Branch, colour: Colour) -> [String; 5] {
    let name = format!("{}{JOB} {}", branch.own, colour.paint(&job.name, &job.status));
    let status = state(run_icon(&job.status), &job.status, colour);
    [name, "Job".to_owned(), status, job.age.clone(), String::new()]
}
