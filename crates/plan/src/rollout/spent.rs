//! What a release has given of its error budget to comparisons that it has begun, and which runs tell.
//!
//! Templates may be edited while a release is under way, and runs go when the history is full. So every run
//! that compares has an annotation with all parts that were given up to then, its own among them.
//!
//! A release that is retried after an abort has a fresh budget. The runs of an attempt are told from those
//! before it by what an attempt never does: go back a step, or do again what was concluded.

use super::{analysis, analysis_run::Part, release::STABLE_HASH, sets, subject::Subject};
use api::argo::{AnalysisPhase, AnalysisRun, keys};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Annotation of a run: what its release has given of the budget, as JSON, and at which step.
const SPENT: &str = "ringfence.dev/spent";

/// What was given to a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Given {
    /// The name of its metric.
    pub(super) metric: String,
    /// The largest part of the budget that it ever had.
    pub(super) alpha: f64,
}

/// What was given, by the marks of comparisons.
pub(super) type Ledger = BTreeMap<String, Given>;

/// What the annotation says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Note {
    /// The step at which the run began.
    step: i32,
    given: Ledger,
}

/// What the present attempt of the release has given so far, but to a run for `making` that is there already.
pub(super) fn of(subject: &Subject<'_>, making: Option<Part>) -> Ledger {
    let runs = attempt(subject, making).into_iter();
    runs.filter_map(note).fold(Ledger::new(), |all, note| merged(all, note.given))
}

/// The annotation of a run that gives `own`.
pub(super) fn annotation(subject: &Subject<'_>, part: Part, own: Ledger) -> (String, String) {
    let given = merged(of(subject, Some(part)), own);
    let note = Note { step: subject.step_index(), given };
    (SPENT.to_owned(), serde_json::to_string(&note).unwrap_or_default())
}

/// The runs of the release in its present attempt, the newest first, whatever part they play.
///
/// A run of a part that was concluded is followed by another one of that part, at that step, only in
/// another attempt; one that was inconclusive also where somebody let the release go on. A run of `making`, and
/// of each part of which the status knows none, is about to follow; one that goes on is that run.
pub(super) fn attempt<'a>(subject: &'a Subject<'_>, making: Option<Part>) -> Vec<&'a AnalysisRun> {
    let is_retried = subject.status.aborted_at.is_some() && !subject.status.abort;
    let mut runs = of_release(subject);
    runs.retain(|_| !is_retried);
    let mut step = subject.step_index();
    let mut places: BTreeSet<(&str, Option<i32>)> = BTreeSet::new();
    let is_to_come =
        |part: &Part| Some(*part) == making || analysis::recorded(subject, *part).is_none();
    let to_come = Part::ALL.into_iter().filter(is_to_come);
    places.extend(to_come.map(|part| (part.label(), (part == Part::Step).then_some(step))));
    let mut found = Vec::new();
    for run in runs {
        let at = step_of(run).unwrap_or(step);
        let part = sets::label(&run.metadata, keys::ROLLOUT_TYPE).unwrap_or_default();
        let place = (part, (part == Part::Step.label()).then_some(at));
        let is_again = !places.insert(place);
        if at > step || (is_again && is_concluded(run)) {
            break;
        }
        step = at;
        if !is_again || analysis::phase(run).completed() {
            found.push(run);
        }
    }
    found
}

/// The names of the runs that hand on what the release has given and learned: the newest of each part.
pub(super) fn handing_on(subject: &Subject<'_>) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    let mut newest = attempt(subject, None);
    newest.retain(|run| parts.insert(sets::label(&run.metadata, keys::ROLLOUT_TYPE)));
    newest.into_iter().filter_map(|run| run.metadata.name.clone()).collect()
}

/// Whether a run has come, or is made to come, to an end that nobody lets the release go on from.
fn is_concluded(run: &AnalysisRun) -> bool {
    let phase = analysis::phase(run);
    let is_over = phase.completed() || run.spec.terminate;
    is_over && phase != AnalysisPhase::Inconclusive
}

fn of_release<'a>(subject: &'a Subject<'_>) -> Vec<&'a AnalysisRun> {
    let hash = subject.new_hash();
    let is_of_release = |run: &&AnalysisRun| {
        sets::label(&run.metadata, keys::POD_TEMPLATE_HASH) == Some(hash.as_str())
            && sets::annotation(&run.metadata, STABLE_HASH) == Some(subject.stable_hash())
    };
    let runs = subject.observed.analysis_runs.iter().map(Arc::as_ref);
    let mut runs: Vec<&AnalysisRun> = runs.filter(is_of_release).collect();
    runs.sort_by_key(|run| Reverse((sets::created(&run.metadata), run.metadata.name.clone())));
    runs
}

fn step_of(run: &AnalysisRun) -> Option<i32> {
    let label = sets::label(&run.metadata, keys::STEP_INDEX).and_then(|step| step.parse().ok());
    label.or_else(|| Some(note(run)?.step))
}

fn note(run: &AnalysisRun) -> Option<Note> {
    serde_json::from_str(sets::annotation(&run.metadata, SPENT)?).ok()
}

/// Both together; of a comparison that is in both the larger part.
fn merged(mut all: Ledger, more: Ledger) -> Ledger {
    for (mark, given) in more {
        let known = all.get(&mark).is_some_and(|known| known.alpha >= given.alpha);
        if !known {
            all.insert(mark, given);
        }
    }
    all
}
