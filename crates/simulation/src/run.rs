//! Playing one story under one set of conditions.

use crate::{
    ending::ending,
    history::{Chronicler, History},
    picture::Picture,
    story::Story,
    weights::{Weights, weights},
};
use faults::Passed;
use rehearsal::{Conditions, Report, Trace, rehearse_under};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// How long the cluster is left alone after the script at least.
const AFTERWARDS: Duration = Duration::from_hours(2);
/// How long after the script the controller may still have something to do.
pub(crate) const SETTLES_WITHIN: Duration = Duration::from_hours(1);

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What the script found.
    pub report: Report,
    /// What the controllers asked for.
    pub trace: Trace,
    /// What happened.
    pub history: History,
}

/// A run in which nothing went wrong, and what others are held against.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The run.
    pub ran: Ran,
    /// How it ended.
    pub ending: BTreeMap<String, Value>,
    /// Where traffic was sent.
    pub weights: Weights,
    /// The controller's requests, without those for events.
    pub writes: usize,
}

/// Plays a story under conditions.
///
/// # Errors
/// Why the script could not be played to its end.
pub fn run(story: &Story, conditions: Conditions) -> Result<Ran, String> {
    let chronicler = Chronicler::default();
    let conditions = Conditions {
        witness: Some(chronicler.witness()),
        afterwards: conditions.afterwards.max(AFTERWARDS),
        ..conditions
    };
    let (report, trace) =
        rehearse_under(&story.play, &conditions).map_err(|failed| chain(&failed))?;
    Ok(Ran { report, trace, history: chronicler.history() })
}

impl Reference {
    /// Plays a story undisturbed.
    ///
    /// # Errors
    /// Why the script could not be played to its end.
    pub fn of(story: &Story, conditions: Conditions) -> Result<Self, String> {
        let ran = run(story, conditions)?;
        let ending = ran.ending();
        let weights = weights(&ran.history);
        let writes = ran.writes().count();
        Ok(Self { ran, ending, weights, writes })
    }
}

impl Ran {
    /// How the cluster ended.
    pub fn ending(&self) -> BTreeMap<String, Value> {
        let mut picture = Picture::default();
        self.history.steps.iter().for_each(|step| picture.apply(step));
        ending(&picture)
    }

    /// What the controllers wrote, but for events and leases.
    pub fn writes(&self) -> impl Iterator<Item = &Passed> {
        let kept = |passed: &&Passed| {
            passed.verb.is_write() && !matches!(passed.resource.as_str(), "events" | "leases")
        };
        self.trace.passed.iter().filter(kept)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}
