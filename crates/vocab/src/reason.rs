//! Why something waits, or why it was decided.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// One wait or decision in a form that people and programs can read.
///
/// It reaches `status.reasons`, the event, the command line and the page unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// A stable code in `CamelCase`, such as `WaitingForPods`.
    pub code: String,
    /// One sentence without a full stop.
    pub message: String,
    /// The facts the sentence rests on, such as `{"ready": "1", "wanted": "3"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: BTreeMap<String, String>,
}

impl Reason {
    /// Makes a reason from its code, its sentence and its evidence.
    pub fn new<const N: usize>(code: &str, message: String, evidence: [(&str, String); N]) -> Self {
        let evidence = evidence.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Self { code: code.to_owned(), message, evidence }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
