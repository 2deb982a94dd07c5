//! `list rollouts`: one line a rollout.

use super::Table;
use crate::info;
use api::argo::Rollout;
use jiff::Timestamp;
use serde::Serialize;

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListRow {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `Canary`, `BlueGreen` or `unknown`.
    pub strategy: String,
    /// Phase as clients see it.
    pub status: String,
    /// `i/n`, or `-`.
    pub step: String,
    /// The weight wanted, or `-`.
    pub set_weight: String,
    /// `ready/current` pods.
    pub ready: String,
    /// Pods wanted.
    pub desired: i32,
    /// Pods of the newest version.
    pub up_to_date: i32,
    /// Pods that are available.
    pub available: i32,
}

/// What the list shows of a rollout.
pub fn row(rollout: &Rollout) -> ListRow {
    let status = rollout.status.clone().unwrap_or_default();
    let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let weight =
        rollout.spec.strategy.canary.as_ref().map(|_| info::set_weight(rollout).to_string());
    ListRow {
        namespace: rollout.metadata.namespace.clone().unwrap_or_default(),
        name: rollout.metadata.name.clone().unwrap_or_default(),
        strategy: info::strategy(rollout).to_owned(),
        status: info::phase(rollout).0,
        step: dash(info::step(rollout)),
        set_weight: dash(weight.unwrap_or_default()),
        ready: format!("{}/{}", status.ready_replicas, status.replicas),
        desired: rollout.spec.replicas.unwrap_or(1),
        up_to_date: status.updated_replicas,
        available: status.available_replicas,
    }
}

const HEADER: [&str; 9] = [
    "NAME",
    "STRATEGY",
    "STATUS",
    "STEP",
    "SET-WEIGHT",
    "READY",
    "DESIRED",
    "UP-TO-DATE",
    "AVAILABLE",
];

/// The columns that are shown besides the usual ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extra {
    /// The time of the line.
    pub timestamp: Option<Timestamp>,
    /// Whether the namespace is shown.
    pub namespace: Namespace,
}

/// Whether the namespace is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Namespace {
    /// It is the one that was asked for.
    #[default]
    Hidden,
    /// Rollouts of several namespaces are listed.
    Shown,
}

/// The table with its header.
pub fn list(rows: &[ListRow], extra: Extra) -> String {
    let mut table = Table::default();
    let mut header: Vec<String> = HEADER.map(str::to_owned).into();
    if extra.namespace == Namespace::Shown {
        header.insert(0, "NAMESPACE".to_owned());
    }
    if extra.timestamp.is_some() {
        header.insert(0, "TIMESTAMP".to_owned());
    }
    table.push(header);
    for row in rows {
        table.push(cells(row, extra));
    }
    table.lines().join("\n") + "\n"
}

/// One line without the header, as a watch prints it.
pub fn line(row: &ListRow, extra: Extra) -> String {
    let mut table = Table::default();
    table.push(cells(row, extra));
    table.lines().remove(0)
}

/// Cells are padded to about the width of their headers, so that lines of a watch line up too.
fn cells(row: &ListRow, extra: Extra) -> Vec<String> {
    let mut cells = vec![
        format!("{:<10}", row.name),
        format!("{:<9}", row.strategy),
        format!("{:<12}", row.status),
        format!("{:<4}", row.step),
        format!("{:<10}", row.set_weight),
        format!("{:<5}", row.ready),
        format!("{:<7}", row.desired),
        format!("{:<10}", row.up_to_date),
        format!("{:<9}", row.available),
    ];
    if extra.namespace == Namespace::Shown {
        cells.insert(0, format!("{:<9}", row.namespace));
    }
    if let Some(at) = extra.timestamp {
        cells.insert(0, format!("{:<20}", at.strftime("%Y-%m-%dT%H:%M:%SZ")));
    }
    cells
}
