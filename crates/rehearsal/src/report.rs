//! What a rehearsal found: timeline, verdict and blast radius.

use crate::timeline::{Actor, Entry, clock_words};
use serde::Serialize;
use std::fmt::Write;

/// Evidence up to this many characters stands on one line.
const EVIDENCE_WIDTH: usize = 100;

/// What a rehearsal found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether everything expected came true.
    pub ok: bool,
    /// Phase and message of each rollout at the end.
    pub rollouts: Vec<Outcome>,
    /// Expectations that did not come true.
    pub failures: Vec<Unmet>,
    /// What users felt.
    pub blast_radius: BlastRadius,
    /// Virtual seconds that passed.
    pub virtual_seconds: i64,
    /// What happened.
    pub timeline: Vec<Entry>,
}

/// Where a rollout stood at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Its phase.
    pub phase: String,
    /// Its message.
    pub message: String,
}

/// An expectation that did not come true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// `file:line`.
    pub place: String,
    /// The line.
    pub expectation: String,
    /// What was the case instead.
    pub found: String,
}

/// What users felt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlastRadius {
    /// All modelled user requests.
    pub requests: u64,
    /// Requests that met a version which was taken back.
    pub met_bad: u64,
    /// Requests answered with a code of 500 or more.
    pub failed: u64,
    /// Requests among them that no pod could take.
    pub unserved: u64,
    /// Copies of requests, whose answers nobody got; they are among no other number here.
    #[serde(skip_serializing_if = "is_none")]
    pub mirrored: u64,
    /// Where that began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_unserved: Option<Unserved>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// Requests that no pod could take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unserved {
    /// Seconds since the beginning.
    pub seconds: i64,
    /// The Service that led nowhere; empty where a route had none to lead to.
    pub service: String,
}

/// Short evidence on one line, long evidence with a line for each fact.
fn evidence_lines(entry: &Entry) -> Vec<String> {
    let facts: Vec<String> =
        entry.evidence.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    let joined = facts.join(", ");
    match joined.chars().count() {
        0 => Vec::new(),
        1..=EVIDENCE_WIDTH => vec![joined],
        _ => facts,
    }
}

fn first_words(first: &Unserved) -> String {
    let service = if first.service.is_empty() { "no service" } else { &first.service };
    format!(", the first at {} behind {service}", clock_words(first.seconds))
}

/// The report for people.
pub fn text(report: &Report) -> String {
    let mut text = String::from("Timeline\n");
    for entry in &report.timeline {
        let mark = if entry.actor == Actor::Script { ">" } else { " " };
        let _ = writeln!(
            text,
            "{mark} {:>11}  {:<28} {}",
            clock_words(entry.seconds),
            entry.what,
            entry.message
        );
        for line in evidence_lines(entry) {
            let _ = writeln!(text, "{:>44}{line}", "");
        }
    }
    let _ = writeln!(
        text,
        "\nVerdict: {}",
        if report.ok { "went as expected" } else { "did not go as expected" }
    );
    for rollout in &report.rollouts {
        let dash = if rollout.message.is_empty() { "" } else { " - " };
        let _ = writeln!(
            text,
            "  rollout/{}: {}{dash}{}",
            rollout.name, rollout.phase, rollout.message
        );
    }
    for unmet in &report.failures {
        let _ = writeln!(
            text,
            "  {}: {}\n      found: {}",
            unmet.place, unmet.expectation, unmet.found
        );
    }
    let blast = &report.blast_radius;
    let _ = writeln!(
        text,
        "\nBlast radius: {} of {} requests met a version that was taken back; {} failed, {} of them because no pod could take them{}",
        blast.met_bad,
        blast.requests,
        blast.failed,
        blast.unserved,
        blast.first_unserved.as_ref().map(first_words).unwrap_or_default(),
    );
    if blast.mirrored > 0 {
        let _ = writeln!(text, "Copies: {} requests were also sent to a canary", blast.mirrored);
    }
    let _ = writeln!(
        text,
        "Virtual time: {}",
        clock_words(report.virtual_seconds).trim_start_matches('+')
    );
    text
}
