//! What is known of analyses that were inconclusive, and of what either side made of them.

use super::{Situation, hash, is_paused, lines, text_of};
use api::argo::keys;
use serde_json::Value;

/// How a release is called complete because its steps are.
const STEPS_DONE: &str = "): Completed all ";

/// How it is told; a rollout that was paused already tells of no other pause.
const TOLD: [&str; 2] = ["paused (InconclusiveAnalysisRun)", " Status New: 'Inconclusive' "];

impl Situation<'_> {
    /// Whether both are paused by an inconclusive analysis.
    pub(crate) fn is_inconclusive(&self) -> bool {
        self.both().iter().all(|picture| is_paused(picture, "InconclusiveAnalysisRun"))
    }

    /// Whether both told of an inconclusive analysis, or of a pause by one.
    pub(crate) fn was_inconclusive(&self) -> bool {
        let told = |(line, _): (&str, u64)| TOLD.iter().any(|told| line.contains(told));
        self.both().iter().all(|picture| lines(picture).any(told))
    }

    /// Whether the peer is paused by an inconclusive analysis and has pods of a time when another number was
    /// wanted, which it would have to scale before anything else.
    pub(crate) fn is_stuck_in_scaling(&self) -> bool {
        let wanted = text_of(&self.peer["rollout"]["spec.replicas"]);
        let is_stale = |set: &Value| {
            let noted = &set["annotations"][keys::DESIRED_REPLICAS];
            set["spec.replicas"] != 0 && !noted.is_null() && text_of(noted) != wanted
        };
        let mut sets = self.peer["replicaSets"].as_object().into_iter().flatten();
        is_paused(self.peer, "InconclusiveAnalysisRun") && sets.any(|(_, set)| is_stale(set))
    }

    /// Whether another version is wanted or stable here than at the peer's.
    pub(crate) fn is_heard_here_alone(&self) -> bool {
        let [peer, ours] = self
            .both()
            .map(|picture| ["/currentPodHash", "/stableRS"].map(|place| hash(picture, place)));
        peer != ours
    }

    /// Whether it follows from a release that the peer called complete although its analysis was inconclusive.
    pub(crate) fn follows_early_completion(&self) -> bool {
        let [peer, ours] = self.both().map(|picture| hash(picture, "/stableRS"));
        self.is_completed_early_by_peer() && (self.is_event() || peer != ours)
    }

    /// Whether the peer alone took the last step of a version that both judged as inconclusive.
    fn is_completed_early_by_peer(&self) -> bool {
        let is_ours = |line: &str| lines(self.ours).any(|(ours, _)| ours == line);
        let mut completed = lines(self.peer)
            .filter(|(line, _)| line.contains(STEPS_DONE) && !is_ours(line))
            .filter_map(|(line, _)| line.split_once(" (")?.1.split_once(')'));
        completed.any(|(version, _)| self.both().iter().all(|side| is_unclear(side, version)))
    }
}

/// Whether an analysis of a version was inconclusive.
fn is_unclear(picture: &Value, version: &str) -> bool {
    let mut runs = picture["runs"].as_object().into_iter().flatten();
    let name = format!("it-{version}-");
    runs.any(|(run, of)| run.starts_with(&name) && of["status"]["phase"] == "Inconclusive")
}
