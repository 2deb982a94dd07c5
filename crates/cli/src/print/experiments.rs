//! `list experiments`: one line an experiment.

use super::{Namespace, Table};
use crate::info::{human_duration, since};
use api::argo::{AnalysisPhase, Experiment};
use jiff::Timestamp;
use serde::Serialize;

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentRow {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Phase.
    pub status: String,
    /// How long it runs, or `-`.
    pub duration: String,
    /// How long it still runs, or `-`.
    pub remaining: String,
    /// How old it is.
    pub age: String,
}

/// What the list shows of an experiment at `now`.
pub fn experiment_row(experiment: &Experiment, now: Timestamp) -> ExperimentRow {
    let metadata = &experiment.metadata;
    let status = experiment.status.clone().unwrap_or_default();
    let duration = experiment.spec.duration.as_deref().filter(|text| !text.is_empty());
    let duration = duration.and_then(|text| api::go_duration::parse(text).ok());
    let ends = || status.available_at.as_ref()?.0.checked_add(duration?).ok();
    let left = || Some(ends()?.duration_since(now)).filter(jiff::SignedDuration::is_positive);
    let left = if is_over(status.phase) { None } else { left() };
    let words = |length: Option<jiff::SignedDuration>| {
        length.map_or_else(|| "-".to_owned(), |length| human_duration(length.as_secs()))
    };
    ExperimentRow {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        status: status.phase.map(|phase| phase.to_string()).unwrap_or_default(),
        duration: words(duration),
        remaining: words(left),
        age: since(metadata.creation_timestamp.as_ref(), now),
    }
}

fn is_over(phase: Option<AnalysisPhase>) -> bool {
    matches!(
        phase,
        Some(
            AnalysisPhase::Successful
                | AnalysisPhase::Failed
                | AnalysisPhase::Error
                | AnalysisPhase::Inconclusive
        )
    )
}

/// The table with its header.
pub fn experiments(rows: &[ExperimentRow], namespace: Namespace) -> String {
    let mut table = Table::default();
    let mut push = |first: String, others: [String; 5]| {
        let first = (namespace == Namespace::Shown).then_some(first);
        table.push(first.into_iter().chain(others).collect());
    };
    let header = ["NAME", "STATUS", "DURATION", "REMAINING", "AGE"];
    push("NAMESPACE".to_owned(), header.map(str::to_owned));
    for row in rows {
        let cells = [
            format!("{:<10}", row.name),
            format!("{:<6}", row.status),
            format!("{:<8}", row.duration),
            format!("{:<9}", row.remaining),
            format!("{:<3}", row.age),
        ];
        push(format!("{:<9}", row.namespace), cells);
    }
    table.lines().join("\n") + "\n"
}
