//! `why`: what is waited for and what was decided, with the evidence.

use super::print_json;
use crate::{
    Failure, Screen,
    args::{Output, WhyArguments},
    connect::{Connection, connect},
    info,
};
use api::argo::{AnalysisRun, Measurement, Rollout};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use vocab::Reason;

const EVIDENCE: &str = "ringfence.dev/evidence";

/// Everything that answers the question.
#[derive(Debug, Serialize)]
struct Answer {
    rollout: String,
    phase: String,
    message: String,
    waits: Vec<Reason>,
    decisions: Vec<Decision>,
}

/// One event with its evidence.
#[derive(Debug, Serialize)]
struct Decision {
    at: Timestamp,
    /// Tells apart what happened within one second, which is all that an event's time tells.
    #[serde(skip)]
    version: u64,
    object: String,
    #[serde(rename = "type")]
    kind: String,
    reason: String,
    message: String,
    count: i32,
    evidence: BTreeMap<String, String>,
}

pub(super) async fn run(arguments: WhyArguments, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let connection = connect(&arguments.connect).await?;
    let answer = answer(&connection, &arguments).await?;
    match arguments.output {
        Output::Json => print_json(screen, &answer),
        Output::Text => Ok(write!(screen.out, "{}", text(&answer))?),
    }
}

async fn answer(connection: &Connection, arguments: &WhyArguments) -> Result<Answer, Failure> {
    let rollout = connection.rollout(&arguments.name).await?;
    let runs = connection.api::<AnalysisRun>().list(&ListParams::default()).await?;
    let names = concerned(&rollout, &runs.items);
    let events = connection.api::<Event>().list(&ListParams::default()).await?;
    let mut decisions: Vec<_> = events
        .items
        .into_iter()
        .filter(|event| concerns(event, &names))
        .filter_map(decision)
        .collect();
    decisions.sort_by_key(|decision| (decision.at, decision.version));
    let surplus = decisions.len().saturating_sub(arguments.limit);
    decisions.drain(..surplus);
    let (phase, message) = info::phase(&rollout);
    let waits = rollout.status.map(|status| status.reasons).unwrap_or_default();
    let waits = waits.into_iter().map(|wait| with_measurements(wait, &runs.items)).collect();
    Ok(Answer { rollout: arguments.name.clone(), phase, message, waits, decisions })
}

/// Adds what the run that is waited for has measured so far.
fn with_measurements(mut wait: Reason, runs: &[AnalysisRun]) -> Reason {
    let waited = wait.evidence.get("run");
    let run = runs.iter().find(|run| waited.is_some() && run.metadata.name.as_ref() == waited);
    for result in
        run.iter().filter_map(|run| run.status.as_ref()).flat_map(|status| &status.metric_results)
    {
        let last = result.measurements.last().and_then(Measurement::value_or_evidence);
        let text = format!(
            "{}: {} measured, {} successful, {} failed, last value {}",
            result.phase,
            result.count,
            result.successful,
            result.failed,
            last.unwrap_or("none"),
        );
        wait.evidence.insert(format!("metric/{}", result.name), text);
    }
    wait
}

/// Kind and name of everything whose events matter.
fn concerned(rollout: &Rollout, runs: &[AnalysisRun]) -> BTreeSet<(String, String)> {
    let uid = rollout.metadata.uid.as_deref();
    let owned = |run: &&AnalysisRun| {
        run.metadata.owner_references.iter().flatten().any(|owner| Some(owner.uid.as_str()) == uid)
    };
    let runs = runs
        .iter()
        .filter(owned)
        .map(|run| ("AnalysisRun".to_owned(), run.metadata.name.clone().unwrap_or_default()));
    runs.chain([("Rollout".to_owned(), rollout.metadata.name.clone().unwrap_or_default())])
        .collect()
}

fn concerns(event: &Event, names: &BTreeSet<(String, String)>) -> bool {
    let object = &event.involved_object;
    names.contains(&(
        object.kind.clone().unwrap_or_default(),
        object.name.clone().unwrap_or_default(),
    ))
}

fn decision(event: Event) -> Option<Decision> {
    let at = event.last_timestamp.map(|time| time.0).or(event.event_time.map(|time| time.0))?;
    let evidence = event.metadata.annotations.unwrap_or_default().remove(EVIDENCE);
    let version = event.metadata.resource_version.and_then(|version| version.parse().ok());
    let object = event.involved_object;
    Some(Decision {
        at,
        version: version.unwrap_or_default(),
        object: format!(
            "{}/{}",
            object.kind.unwrap_or_default().to_lowercase(),
            object.name.unwrap_or_default()
        ),
        kind: event.type_.unwrap_or_default(),
        reason: event.reason.unwrap_or_default(),
        message: event.message.unwrap_or_default(),
        count: event.count.unwrap_or(1),
        evidence: evidence.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
    })
}

fn text(answer: &Answer) -> String {
    let mut lines = vec![format!(
        "rollout/{} is {}{}",
        answer.rollout,
        answer.phase,
        after_dash(&answer.message)
    )];
    if answer.waits.is_empty() {
        lines.push("It waits for nothing.".to_owned());
    } else {
        lines.push("It waits for:".to_owned());
        for wait in &answer.waits {
            lines.push(format!("  {}: {}", wait.code, wait.message));
            lines.extend(wait.evidence.iter().map(|(key, value)| format!("      {key}: {value}")));
        }
    }
    lines.push(if answer.decisions.is_empty() {
        "No decision is on record.".to_owned()
    } else {
        "Decisions, newest last:".to_owned()
    });
    for decision in &answer.decisions {
        lines.extend(decision_lines(decision));
    }
    lines.join("\n") + "\n"
}

fn decision_lines(decision: &Decision) -> Vec<String> {
    let mark = if decision.kind == "Warning" { "!" } else { " " };
    let again =
        if decision.count > 1 { format!(" ({} times)", decision.count) } else { String::new() };
    let at = decision.at.strftime("%Y-%m-%dT%H:%M:%SZ");
    let mut lines = vec![format!("{mark} {at}  {}: {}{again}", decision.reason, decision.message)];
    lines.extend(decision.evidence.iter().map(|(key, value)| format!("      {key}: {value}")));
    lines
}

fn after_dash(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" - {message}") }
}
