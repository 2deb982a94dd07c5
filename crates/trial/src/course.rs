//! One run from beginning to end, as the controller would take it.
//!
//! A [`Course`] does what the controller does between two plans, and nothing else: it writes the status
//! back into the run, and remembers which calls are under way. What is due, what is counted and what it
//! comes to is decided by `plan::analysis_run`.

use crate::{
    length::shown_metrics,
    report::{Report, Taken, Verdict},
};
use analysis::assess;
use api::argo::{AnalysisPhase, AnalysisRun, AnalysisRunStatus, Metric, MetricResult};
use jiff::Timestamp;
use plan::analysis_run::{self, AnalysisPlan, Answer, MeasurementCall, Observed};
use std::{collections::BTreeMap, sync::Arc};
use vocab::{Event, Write};

/// A run under way.
pub struct Course {
    observed: Observed,
    /// The metrics with their arguments, fit to be shown.
    metrics: Vec<Metric>,
    /// How many measurements of each metric were told.
    told: BTreeMap<String, i32>,
    taken: Vec<Taken>,
    events: Vec<Event>,
    wake: Option<Timestamp>,
}

impl Course {
    /// A run that nobody has looked at yet, with what was read for it.
    pub fn new(observed: Observed) -> Self {
        let metrics = shown_metrics(&observed.run);
        let (told, taken, events) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { observed, metrics, told, taken, events, wake: None }
    }

    /// Plans; the calls that are due now.
    pub fn plan(&mut self, now: Timestamp) -> Vec<MeasurementCall> {
        let planned = analysis_run::plan(&self.observed, now);
        self.carry_out(planned)
    }

    /// Takes in an answer; further calls of the same conversation.
    pub fn absorb(&mut self, answer: Answer, now: Timestamp) -> Vec<MeasurementCall> {
        let (call, _) = &answer;
        self.observed.in_flight.remove(&call.metric);
        let planned = analysis_run::absorb(&self.observed, &[answer], now);
        self.carry_out(planned)
    }

    /// Ends the run as a promotion ends one in the background.
    pub fn terminate(&mut self) {
        Arc::make_mut(&mut self.observed.run).spec.terminate = true;
    }

    /// When to plan again, calls under way aside.
    pub fn wake(&self) -> Option<Timestamp> {
        self.wake
    }

    /// Every measurement so far, oldest first.
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }

    /// Whether nothing more will be measured.
    pub fn is_over(&self) -> bool {
        self.observed.run.status.as_ref().is_some_and(|status| status.phase.completed())
    }

    /// Why the run ended before anything was measured.
    pub fn refusal(&self) -> Option<&str> {
        let status = self.observed.run.status.as_ref()?;
        let is_refused = status.phase == AnalysisPhase::Error && status.metric_results.is_empty();
        status.message.as_deref().filter(|_| is_refused)
    }

    /// What it came to.
    pub fn report(&self) -> Report {
        let status = self.observed.run.status.clone().unwrap_or_default();
        let verdict = |event: &Event| {
            let name =
                event.evidence.get("metric").filter(|_| event.reason.starts_with("Metric"))?;
            let metric = self.metrics.iter().find(|metric| metric.name == *name)?;
            let result = status.metric_results.iter().find(|result| result.name == *name)?;
            Some(Verdict::new(metric, result, &event.evidence, &self.taken))
        };
        Report {
            phase: status.phase,
            message: status.message.unwrap_or_default(),
            started_at: status.started_at.map(|at| at.0),
            completed_at: status.completed_at.map(|at| at.0),
            metrics: self.events.iter().filter_map(verdict).collect(),
            measurements: self.taken.clone(),
        }
    }

    fn carry_out(&mut self, planned: AnalysisPlan) -> Vec<MeasurementCall> {
        if let Some(Write::Patch { body, .. }) = &planned.plan.status {
            self.write(body);
        }
        self.events.extend(planned.plan.events);
        self.wake = planned.plan.wake;
        self.note_measurements();
        self.observed.in_flight.extend(planned.calls.iter().map(|call| call.metric.clone()));
        planned.calls
    }

    fn write(&mut self, status: &serde_json::Value) {
        let Ok(mut run) = serde_json::to_value(&*self.observed.run) else { return };
        json_patch::merge(&mut run, status);
        if let Ok(run) = serde_json::from_value::<AnalysisRun>(run) {
            self.observed.run = Arc::new(run);
        }
    }

    /// A plan finishes one measurement of a metric at most, and never drops the newest.
    fn note_measurements(&mut self) {
        let status: Option<AnalysisRunStatus> = self.observed.run.status.clone();
        for result in status.map(|status| status.metric_results).unwrap_or_default() {
            let finished = result.count.saturating_add(result.error);
            let told = self.told.entry(result.name.clone()).or_default();
            if finished > *told {
                *told = finished;
                let taken = self.newest(&result, finished);
                self.taken.extend(taken);
            }
        }
    }

    fn newest(&self, result: &MetricResult, number: i32) -> Option<Taken> {
        let last = result.measurements.iter().rev().find(|it| it.finished_at.is_some())?;
        let metric = self.metrics.iter().find(|metric| metric.name == result.name);
        let needs_words = matches!(last.phase, AnalysisPhase::Failed | AnalysisPhase::Inconclusive);
        let to_explain = metric.filter(|_| needs_words).zip(last.value.as_deref());
        Some(Taken {
            metric: result.name.clone(),
            number,
            at: last.finished_at.as_ref().map(|at| at.0).unwrap_or_default(),
            phase: last.phase,
            value: last.value.clone(),
            finding: to_explain.map(|(metric, value)| assess::finding(metric, value, last.phase)),
            error: last.message.clone(),
        })
    }
}
