//! Analysis runs: starting, judging, ending and keeping them.
//!
//! Start with [`reconcile`]. An inconclusive run pauses the rollout, a failed or erroneous one aborts it.

use super::{
    analysis_run::{self, Part},
    draft::Draft,
    sets::{self, SetExt},
    spent,
    subject::Subject,
    waits::Wait,
};
use api::argo::{AnalysisPhase, AnalysisRun, RolloutAnalysis, RolloutAnalysisRunStatus, keys};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use vocab::{EventType, ObjectRef};

/// Finished runs kept when the spec does not say.
const DEFAULT_HISTORY: i32 = 5;

/// The phase of a run, pending until it has a status.
pub(crate) fn phase(run: &AnalysisRun) -> AnalysisPhase {
    run.status.as_ref().map_or(AnalysisPhase::Pending, |status| status.phase)
}

fn name(run: &AnalysisRun) -> &str {
    run.metadata.name.as_deref().unwrap_or_default()
}

/// The run a status field names, if it exists.
pub(crate) fn current<'a>(subject: &'a Subject<'_>, part: Part) -> Option<&'a AnalysisRun> {
    let wanted = recorded(subject, part)?.name.as_str();
    subject.observed.analysis_runs.iter().map(Arc::as_ref).find(|run| name(run) == wanted)
}

/// What the status says of a run.
pub(crate) fn recorded<'a>(
    subject: &'a Subject<'_>,
    part: Part,
) -> Option<&'a RolloutAnalysisRunStatus> {
    let status = &subject.status;
    match part {
        Part::Step => status.canary.current_step_analysis_run_status.as_ref(),
        Part::Background => status.canary.current_background_analysis_run_status.as_ref(),
        Part::PrePromotion => status.blue_green.pre_promotion_analysis_run_status.as_ref(),
        Part::PostPromotion => status.blue_green.post_promotion_analysis_run_status.as_ref(),
    }
}

/// Decides what becomes of every run.
pub(crate) fn reconcile(subject: &Subject<'_>, draft: &mut Draft) {
    let mut kept = BTreeSet::new();
    // Asked once: of two parts that fail at one look each has its say.
    let next = if is_moot(subject, draft) { let_go } else { judged };
    for part in Part::ALL {
        if let Some(run) = next(subject, part, draft) {
            kept.insert(name(&run).to_owned());
            tell(subject, part, &run, draft);
            record(part, &run, draft);
        }
    }
    let others: Vec<&AnalysisRun> = subject
        .observed
        .analysis_runs
        .iter()
        .map(Arc::as_ref)
        .filter(|run| !kept.contains(name(run)))
        .collect();
    for run in &others {
        cancel(run, draft);
    }
    for run in beyond_history(subject, &others) {
        draft.delete(target(run), sets::precondition(&run.metadata));
    }
}

/// Whether no analysis has a say any more.
fn is_moot(subject: &Subject<'_>, draft: &Draft) -> bool {
    subject.is_fully_promoted()
        || draft.pause.is_aborted(&subject.status)
        || subject.status.promote_full
        || subject.is_fast_rollback()
        || subject.stable_hash().is_empty()
}

/// Ends the run of `part`. Blue-green goes on showing it, a canary does not.
fn let_go(subject: &Subject<'_>, part: Part, draft: &mut Draft) -> Option<AnalysisRun> {
    let found = current(subject, part);
    cancel_if_any(found, draft);
    found.filter(|_| part.is_blue_green()).cloned()
}

/// The run that plays `part` from now on, after it had its say.
fn judged(subject: &Subject<'_>, part: Part, draft: &mut Draft) -> Option<AnalysisRun> {
    let found = current(subject, part);
    let Some(analysis) = asked(subject, part) else {
        cancel_if_any(found, draft);
        return None;
    };
    match readiness(subject, part, found) {
        Readiness::Skip => {
            cancel_if_any(found, draft);
            // After a retry the run that failed is over and done with.
            let retried = subject.status.aborted_at.is_some();
            found.filter(|_| part.is_blue_green() && !retried).cloned()
        }
        Readiness::Hold => found.cloned(),
        Readiness::Go if needs_new(subject, found) => {
            start(subject, part, analysis, draft).or(found.cloned())
        }
        Readiness::Go => {
            if let Some(run) = found {
                judge(part, run, draft);
            }
            found.cloned()
        }
    }
}

/// The analysis the spec asks for in this part, if it has templates.
fn asked<'a>(subject: &'a Subject<'_>, part: Part) -> Option<&'a RolloutAnalysis> {
    let asked = match part {
        Part::Step => subject.current_step()?.analysis.as_ref()?,
        Part::Background => &subject.canary()?.analysis.as_ref()?.analysis,
        Part::PrePromotion => subject.blue_green()?.pre_promotion_analysis.as_ref()?,
        Part::PostPromotion => subject.blue_green()?.post_promotion_analysis.as_ref()?,
    };
    Some(asked).filter(|analysis| !analysis.templates.is_empty())
}

/// Whether a part may run now.
enum Readiness {
    /// Not in this state of the rollout.
    Skip,
    /// As it stands, but nothing new.
    Hold,
    /// Yes.
    Go,
}

fn readiness(subject: &Subject<'_>, part: Part, found: Option<&AnalysisRun>) -> Readiness {
    let inconclusive = subject.pause(keys::PAUSE_INCONCLUSIVE_ANALYSIS).is_some();
    match part {
        Part::Step if !subject.status.pause_conditions.is_empty() => Readiness::Hold,
        Part::Step if is_of_another_step(subject, found) => Readiness::Skip,
        Part::Step => Readiness::Go,
        Part::Background if is_before_start(subject) => Readiness::Skip,
        Part::PrePromotion if skips_pre_promotion(subject, found) => Readiness::Skip,
        Part::PostPromotion if skips_post_promotion(subject, found) => Readiness::Skip,
        _ if inconclusive => Readiness::Hold,
        _ => Readiness::Go,
    }
}

fn is_of_another_step(subject: &Subject<'_>, found: Option<&AnalysisRun>) -> bool {
    let index = subject.step_index().to_string();
    found.is_some_and(|run| sets::label(&run.metadata, keys::STEP_INDEX) != Some(&index))
}

fn is_before_start(subject: &Subject<'_>) -> bool {
    let start = subject.canary().and_then(|canary| canary.analysis.as_ref()?.starting_step);
    !subject.steps().is_empty() && start.is_some_and(|start| subject.step_index() < start)
}

fn skips_pre_promotion(subject: &Subject<'_>, found: Option<&AnalysisRun>) -> bool {
    let active = active_hash(subject);
    let Some(new) = subject.new_set() else { return true };
    if subject.stable_hash() == new.hash() || active.is_empty() || active == new.hash() {
        return true;
    }
    // Once begun it goes on, even if a pod is replaced meanwhile.
    let preview = subject.blue_green().and_then(|blue_green| blue_green.preview_replica_count);
    found.is_none()
        && match preview {
            Some(count) => new.wanted() != count || new.available() != count,
            None => !is_saturated(subject),
        }
}

fn skips_post_promotion(subject: &Subject<'_>, found: Option<&AnalysisRun>) -> bool {
    let Some(new) = subject.new_set() else { return true };
    let is_early = subject.stable_hash() == new.hash() || active_hash(subject) != new.hash();
    is_early || (found.is_none() && !is_saturated(subject))
}

fn active_hash<'a>(subject: &'a Subject<'_>) -> &'a str {
    subject.status.blue_green.active_selector.as_deref().unwrap_or_default()
}

/// Whether the new version has every pod of the rollout, and knows that it should.
pub(crate) fn is_saturated(subject: &Subject<'_>) -> bool {
    let replicas = subject.replicas();
    subject.new_set().is_some_and(|set| {
        set.wanted() == replicas
            && set.desired_replicas() == Some(replicas)
            && set.available() == replicas
    })
}

/// Whether a run has to be made: there is none, it was resumed after an inconclusive one, or retried after an abort.
fn needs_new(subject: &Subject<'_>, found: Option<&AnalysisRun>) -> bool {
    let Some(run) = found else { return true };
    let others = [keys::PAUSE_CANARY_STEP, keys::PAUSE_BLUE_GREEN];
    if subject.status.controller_pause
        && others.iter().all(|reason| subject.pause(reason).is_none())
    {
        return phase(run) == AnalysisPhase::Inconclusive;
    }
    subject.status.aborted_at.is_some()
}

fn start(
    subject: &Subject<'_>,
    part: Part,
    analysis: &RolloutAnalysis,
    draft: &mut Draft,
) -> Option<AnalysisRun> {
    match analysis_run::build(subject, part, analysis) {
        Ok(analysis_run::Built::There(run)) => Some(run),
        Ok(analysis_run::Built::New(run)) => {
            let object = serde_json::to_value(&run).ok()?;
            draft.write(vocab::Write::Create { object });
            Some(run)
        }
        Err(problem) => {
            draft.wait(Wait::InvalidSpec { path: part.path().to_owned(), problem });
            None
        }
    }
}

/// Draws the consequence of a finished run.
fn judge(part: Part, run: &AnalysisRun, draft: &mut Draft) {
    match phase(run) {
        AnalysisPhase::Inconclusive => draft.pause.add(keys::PAUSE_INCONCLUSIVE_ANALYSIS),
        AnalysisPhase::Error | AnalysisPhase::Failed => {
            let message = run
                .status
                .as_ref()
                .and_then(|status| status.message.as_deref())
                .unwrap_or_default();
            let separator = if message.is_empty() { "" } else { ": " };
            let title = part.title();
            let mut evidence = counts(run);
            evidence.insert("run".to_owned(), name(run).to_owned());
            let why = format!("{title} analysis phase error/failed{separator}{message}");
            draft.pause.abort(why, evidence);
        }
        _ => {}
    }
}

/// Emits an event when a run changed its phase.
fn tell(subject: &Subject<'_>, part: Part, run: &AnalysisRun, draft: &mut Draft) {
    let Some(status) = &run.status else { return };
    let before = recorded(subject, part).filter(|before| before.name == name(run));
    if before.is_some_and(|before| before.status == status.phase) {
        return;
    }
    let previous = match before.map(|before| before.status) {
        None => "NoPreviousStatus",
        // A run without a status yet: no run is ever told to be pending.
        Some(AnalysisPhase::Pending) => "",
        Some(phase) => phase.as_str(),
    };
    let bad = matches!(status.phase, AnalysisPhase::Failed | AnalysisPhase::Error);
    let event_type = if bad { EventType::Warning } else { EventType::Normal };
    let (kind, run_name, phase) = (part.label(), name(run), status.phase);
    let message =
        format!("{kind} Analysis Run '{run_name}' Status New: '{phase}' Previous: '{previous}'");
    draft.event(subject, event_type, (&format!("AnalysisRun{phase}"), message), counts(run));
}

fn record(part: Part, run: &AnalysisRun, draft: &mut Draft) {
    let entry = RolloutAnalysisRunStatus {
        name: name(run).to_owned(),
        status: phase(run),
        message: run.status.as_ref().and_then(|status| status.message.clone()),
    };
    let status = &mut draft.status;
    let place = match part {
        Part::Step => &mut status.canary.current_step_analysis_run_status,
        Part::Background => &mut status.canary.current_background_analysis_run_status,
        Part::PrePromotion => &mut status.blue_green.pre_promotion_analysis_run_status,
        Part::PostPromotion => &mut status.blue_green.post_promotion_analysis_run_status,
    };
    *place = Some(entry);
}

fn cancel_if_any(found: Option<&AnalysisRun>, draft: &mut Draft) {
    if let Some(run) = found {
        cancel(run, draft);
    }
}

/// Ends a run that has no say any more.
fn cancel(run: &AnalysisRun, draft: &mut Draft) {
    if !run.spec.terminate && !phase(run).completed() {
        draft.patch(
            target(run),
            sets::precondition(&run.metadata),
            json!({"spec": {"terminate": true}}),
        );
    }
}

fn target(run: &AnalysisRun) -> ObjectRef {
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    ObjectRef::new(api::argo::API_VERSION, "AnalysisRun", namespace, name(run))
}

/// Runs without a ReplicaSet, and finished ones beyond the limits, oldest first to go. Those that hand on what
/// a release has learned stay with it.
fn beyond_history<'a>(subject: &Subject<'_>, others: &[&'a AnalysisRun]) -> Vec<&'a AnalysisRun> {
    let spec = subject.rollout.spec.analysis.as_ref();
    let limit = |limit: Option<i32>| limit.unwrap_or(DEFAULT_HISTORY);
    let mut successful = limit(spec.and_then(|spec| spec.successful_run_history_limit));
    let mut unsuccessful = limit(spec.and_then(|spec| spec.unsuccessful_run_history_limit));
    let mut newest_first: Vec<&AnalysisRun> = others.to_vec();
    newest_first
        .sort_by_key(|run| std::cmp::Reverse((sets::created(&run.metadata), name(run).to_owned())));
    let finished = |wanted: fn(AnalysisPhase) -> bool| {
        others.iter().filter(|run| wanted(phase(run))).count().try_into().unwrap_or(i32::MAX)
    };
    // With room for all of them it does not matter which hand on; that takes reading what each was given.
    let is_roomy = finished(|phase| phase == AnalysisPhase::Successful) <= successful
        && finished(|phase| phase.completed() && phase != AnalysisPhase::Successful)
            <= unsuccessful;
    let handing_on = if is_roomy { BTreeSet::new() } else { spent::handing_on(subject) };
    newest_first.retain(|run| {
        let hash = sets::label(&run.metadata, keys::POD_TEMPLATE_HASH);
        let set = hash.and_then(|hash| subject.set_of(hash));
        let room = match phase(run) {
            _ if run.metadata.deletion_timestamp.is_some() => return false,
            _ if set.is_none_or(|set| set.metadata.deletion_timestamp.is_some()) => return true,
            _ if handing_on.contains(name(run)) => return false,
            AnalysisPhase::Successful => &mut successful,
            phase if phase.completed() => &mut unsuccessful,
            _ => return false,
        };
        *room -= 1;
        *room < 0
    });
    newest_first
}

/// Says which run is waited for.
pub(crate) fn explain(subject: &Subject<'_>, part: Part, draft: &mut Draft) {
    let Some(run) = current(subject, part).filter(|run| !phase(run).completed()) else { return };
    draft.wait(Wait::Analysis {
        run: name(run).to_owned(),
        phase: phase(run).to_string(),
        metrics: standing(run),
    });
}

/// What of each metric matters to the rollout. Counts that grow with every measurement stay in the
/// run, or the rollout's status would be written as often as something is measured.
fn standing(run: &AnalysisRun) -> BTreeMap<String, String> {
    let results = run.status.iter().flat_map(|status| &status.metric_results);
    let text = |result: &api::argo::MetricResult| {
        let failed =
            if result.failed > 0 { format!(", {} failed", result.failed) } else { String::new() };
        (result.name.clone(), format!("{}{failed}", result.phase))
    };
    results.map(text).collect()
}

fn counts(run: &AnalysisRun) -> BTreeMap<String, String> {
    let results = run.status.iter().flat_map(|status| &status.metric_results);
    let text = |result: &api::argo::MetricResult| {
        let (good, bad) = (result.successful, result.failed);
        let last = result.measurements.last().and_then(|measurement| measurement.value.as_deref());
        let value = last.map_or_else(String::new, |value| format!(", last value {value}"));
        (
            result.name.clone(),
            format!(
                "{}: {} measured, {good} successful, {bad} failed{value}",
                result.phase, result.count
            ),
        )
    };
    results.map(text).collect()
}
