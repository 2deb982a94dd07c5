//! One pass over a run, from what was observed to a plan.
//!
//! Start with [`Session::open`]; then measurements begin or answers come in; [`Session::close`] makes
//! of it all what is to be written.

use super::{
    AnalysisPlan, MeasurementCall, Observed, events, jobs,
    learned::{self, LEARNED},
    lifetime, measuring, patch,
    prepare::{self, Prepared},
    redact::Redactor,
    schedule::{self, Next},
};
use analysis::{
    counting::{DEFAULT_MEASUREMENTS_KEPT, Ending, record},
    duration,
    verdict::{Verdict, ending, roll_up},
};
use api::argo::{AnalysisPhase, AnalysisRun, AnalysisRunStatus, Measurement, Metric, MetricResult};
use jiff::Timestamp;
use providers::{Asked, MeasureError, Measured, Provider, Turn};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use vocab::{Event, Exchange, Plan, Reason, Reply, ReplyError, Urgency, Write};

/// A run under planning.
pub(super) struct Session<'a> {
    observed: &'a Observed,
    now: Timestamp,
    prepared: Arc<Prepared>,
    redactor: Redactor,
    status: AnalysisRunStatus,
    /// What the metrics' measurements go on from.
    learned: BTreeMap<String, Value>,
    in_flight: BTreeSet<String>,
    calls: Vec<MeasurementCall>,
    writes: Vec<Write>,
    settled: Vec<String>,
    unresolved: Option<String>,
}

impl<'a> Session<'a> {
    /// Opens a run that goes on.
    ///
    /// # Errors
    /// The whole plan of a run that has ended, or cannot begin.
    pub(super) fn open(observed: &'a Observed, now: Timestamp) -> Result<Self, Box<AnalysisPlan>> {
        let run = &observed.run;
        if run.metadata.deletion_timestamp.is_some() {
            return Err(Box::default());
        }
        let mut status = run.status.clone().unwrap_or_default();
        if status.phase.completed() {
            return Err(Box::new(lifetime::plan(run, &status, now)));
        }
        status.started_at.get_or_insert(measuring::seconds(now));
        let prepared = match prepare::prepared(observed) {
            Ok(prepared) => prepared,
            Err(message) => return Err(Box::new(ended_early(run, status, message, now))),
        };
        Ok(Self {
            observed,
            now,
            prepared,
            redactor: prepare::redactor(observed),
            learned: known(run, &status),
            status,
            in_flight: observed.in_flight.clone(),
            calls: Vec::new(),
            writes: Vec::new(),
            settled: Vec::new(),
            unresolved: None,
        })
    }

    /// Begins or resumes every measurement that is due; a run that is being ended begins none.
    pub(super) fn begin_due(&mut self) {
        if self.ending() == Ending::Terminating {
            return;
        }
        let due: Vec<(usize, Next)> = self.due().collect();
        if due.is_empty() {
            return;
        }
        let prepared = Arc::clone(&self.prepared);
        let metrics = match prepare::with_secrets(&prepared, self.observed) {
            Ok(metrics) => metrics,
            Err(message) => return self.unresolved = Some(self.redactor.clean(&message)),
        };
        for (index, next) in due {
            self.begin(&metrics[index], next);
        }
    }

    /// Takes in the answer to one call.
    pub(super) fn take_in(&mut self, call: &MeasurementCall, reply: Result<Reply, ReplyError>) {
        self.in_flight.remove(&call.metric);
        let found = self.prepared.metrics.iter().position(|metric| metric.name == call.metric);
        let settled = self.result(&call.metric).is_some_and(|result| result.phase.completed());
        let (Some(index), false) = (found, settled) else { return };
        let prepared = Arc::clone(&self.prepared);
        let metrics = match prepare::with_secrets(&prepared, self.observed) {
            Ok(metrics) => metrics,
            Err(message) => return self.unresolved = Some(self.redactor.clean(&message)),
        };
        if let Some((provider, config)) = self.provider(&metrics[index]) {
            let asked = self.asked(&metrics[index], &config);
            let turn = provider.resume(&asked, &call.state, reply, self.now);
            self.follow(&metrics[index], provider, turn, call.started_at);
        }
    }

    /// Settles metrics and run and says what to write, when to look again and what is waited for.
    pub(super) fn close(mut self) -> AnalysisPlan {
        if let Some(message) = self.unresolved {
            return ended_early(&self.observed.run, self.status, message, self.now);
        }
        let run = &self.observed.run;
        let verdict = self.settle();
        let changed = verdict.phase != self.status.phase;
        if changed {
            self.status.phase = verdict.phase;
            self.status.message = Some(verdict.message).filter(|message| !message.is_empty());
        }
        self.note_verdicts();
        let mut told = self.events_of_settled();
        if verdict.phase.completed() {
            self.calls.clear();
            self.status.completed_at.get_or_insert(measuring::seconds(self.now));
            told.push(events::run_completed(run, &self.prepared.metrics, &self.status));
        }
        self.trim();
        let (wake, reasons) = self.waits();
        let has_jobs = self.prepared.metrics.iter().any(|metric| metric.provider.job.is_some());
        let plan = Plan {
            writes: self.writes,
            status: patch::status(run, &self.status),
            urgency: Urgency::AtOnce,
            is_settled: !has_jobs && !self.status.phase.completed(),
            events: told,
            reasons,
            wake,
        };
        AnalysisPlan { plan, calls: self.calls }
    }

    fn due(&self) -> impl Iterator<Item = (usize, Next)> {
        let next = |(index, metric): (usize, &Metric)| (index, self.next(metric));
        let is_due = |(index, next): &(usize, Next)| {
            let flying = self.in_flight.contains(&self.prepared.metrics[*index].name);
            !flying && next.is_due(self.now)
        };
        self.prepared.metrics.iter().enumerate().map(next).filter(is_due)
    }

    fn begin(&mut self, metric: &Metric, next: Next) {
        if metric.provider.job.is_some() {
            return self.begin_job(metric, next);
        }
        let Some((provider, config)) = self.provider(metric) else { return };
        let unfinished =
            self.result(&metric.name).and_then(|result| result.measurements.last()).cloned();
        let asked = self.asked(metric, &config);
        let turn = match (next, &unfinished) {
            (Next::Resume(_), Some(last)) => {
                provider.wake(&asked, &measuring::state_of(last), self.now)
            }
            _ => provider.start(&asked, self.now),
        };
        let began =
            unfinished.filter(|last| last.finished_at.is_none()).and_then(|last| last.started_at);
        self.follow(metric, provider, turn, began.map_or(self.now, |began| began.0));
    }

    /// Makes the Job of a measurement, or takes in what became of it.
    fn begin_job(&mut self, metric: &Metric, next: Next) {
        let result = self.result(&metric.name);
        let last = result.and_then(|result| result.measurements.last()).cloned();
        let measurement = if let (Next::Watch, Some(last)) = (next, last) {
            jobs::resume(self.observed, last, self.now)
        } else {
            let (measurement, write) = jobs::start(self.observed, metric, result, self.now);
            self.writes.extend(write);
            Some(measurement)
        };
        if let Some(mut measurement) = measurement {
            measurement.message = measurement.message.map(|text| self.redactor.clean(&text));
            self.put(&metric.name, measurement);
        }
    }

    /// The provider of a metric; one that is not there settles the metric at once.
    fn provider(&mut self, metric: &Metric) -> Option<(&'static dyn Provider, Value)> {
        let name = match measuring::provider_of(metric, self.observed) {
            Ok(found) => return Some(found),
            Err(name) => name,
        };
        let message = format!("provider {name} is not supported yet");
        let error = MeasureError { message: message.clone() };
        let measurement = self.finished(metric, Err(error));
        self.put(
            &metric.name,
            Measurement { started_at: Some(measuring::seconds(self.now)), ..measurement },
        );
        if let Some(result) = self.result_mut(&metric.name) {
            result.phase = AnalysisPhase::Error;
            result.message = Some(message);
        }
        self.settled.push(metric.name.clone());
        None
    }

    fn asked<'b>(&'b self, metric: &Metric, config: &'b Value) -> Asked<'b> {
        let interval = metric.interval.as_deref();
        Asked {
            config,
            credentials: &self.observed.credentials,
            interval: interval.and_then(|interval| duration::parse(interval).ok()),
            run_started_at: self.began(),
            namespace: self.observed.run.metadata.namespace.as_deref().unwrap_or_default(),
            learned: self.learned.get(&metric.name),
        }
    }

    fn follow(
        &mut self,
        metric: &Metric,
        provider: &dyn Provider,
        turn: Turn,
        started_at: Timestamp,
    ) {
        let began = Some(measuring::seconds(started_at));
        match turn {
            Exchange::Call(call, state) => {
                self.in_flight.insert(metric.name.clone());
                self.calls.push(MeasurementCall {
                    metric: metric.name.clone(),
                    to: provider.destination(&state),
                    call,
                    state,
                    started_at,
                });
            }
            Exchange::Wait(at, state) => {
                let told = provider.waiting(&state);
                let waiting = measuring::waiting(at, &state, told, &self.redactor);
                self.put(&metric.name, Measurement { started_at: began, ..waiting });
            }
            Exchange::Done(outcome) => {
                let learned = outcome.as_ref().ok().and_then(|measured| measured.learned.clone());
                self.learn(&metric.name, learned);
                let finished = self.finished(metric, outcome);
                self.put(&metric.name, Measurement { started_at: began, ..finished });
            }
        }
    }

    fn finished(&self, metric: &Metric, outcome: Result<Measured, MeasureError>) -> Measurement {
        let conditions = self.prepared.conditions(metric);
        measuring::finished(&conditions, outcome, &self.redactor, self.now)
    }

    /// Keeps what a measurement that ends has learned; where it ends without a word, what it knew before.
    fn learn(&mut self, metric: &str, learned: Option<Value>) {
        let shown = self.prepared.metrics.iter().find(|shown| shown.name == metric);
        let last = self.result(metric).and_then(|result| result.measurements.last());
        let before = || learned::of_waiting(shown?, last?);
        let Some(learned) = learned.or_else(before) else { return };
        let kept = self.redactor.clean_texts(&learned);
        if self.result(metric).is_none() {
            let result = self.new_result(metric);
            self.status.metric_results.push(result);
        }
        if let Some(result) = self.result_mut(metric) {
            result.metadata.insert(LEARNED.to_owned(), kept.to_string());
        }
        self.learned.insert(metric.to_owned(), kept);
    }

    /// Adds a measurement in place of an unfinished one.
    fn put(&mut self, metric: &str, measurement: Measurement) {
        if self.result(metric).is_none() {
            let result = self.new_result(metric);
            self.status.metric_results.push(result);
        }
        if let Some(result) = self.result_mut(metric) {
            drop_unfinished(result);
            record(result, measurement);
        }
    }

    fn new_result(&self, metric: &str) -> MetricResult {
        let shown = self.prepared.metrics.iter().find(|shown| shown.name == metric);
        let provider = shown.and_then(|shown| measuring::provider_of(shown, self.observed).ok());
        MetricResult {
            name: metric.to_owned(),
            phase: AnalysisPhase::Running,
            dry_run: self.prepared.dry_run.contains(metric),
            metadata: provider
                .map(|(provider, config)| provider.metadata(&config))
                .unwrap_or_default(),
            ..MetricResult::default()
        }
    }

    /// Rolls up; once more when a metric was lost just now, since that ends the others.
    fn settle(&mut self) -> Verdict {
        let requested = requested(&self.observed.run);
        let before = self.ending();
        if before == Ending::Terminating {
            self.abandon();
        }
        let (metrics, dry_run) = (&self.prepared.metrics, &self.prepared.dry_run);
        let verdict = roll_up(metrics, dry_run, requested, &mut self.status);
        self.settled.extend(verdict.settled.clone());
        if verdict.phase.completed() || self.ending() == before {
            return verdict;
        }
        self.abandon();
        let (metrics, dry_run) = (&self.prepared.metrics, &self.prepared.dry_run);
        let verdict = roll_up(metrics, dry_run, requested, &mut self.status);
        self.settled.extend(verdict.settled.clone());
        verdict
    }

    /// Forgets what is under way: it was not measured, so it counts as nothing. A Job that runs is
    /// ended, and counts as inconclusive.
    fn abandon(&mut self) {
        self.calls.clear();
        self.writes.retain(|write| !write.creates("Job"));
        let open = self.status.metric_results.iter().filter(|result| !result.phase.completed());
        for name in open.map(|result| result.name.clone()).collect::<Vec<_>>() {
            self.learn(&name, None);
        }
        let open = self.status.metric_results.iter_mut();
        for result in open.filter(|result| !result.phase.completed()) {
            let running = result.measurements.last().filter(|last| last.finished_at.is_none());
            let ended = running.and_then(|last| jobs::end(self.observed, last, self.now));
            drop_unfinished(result);
            if let Some((measurement, delete)) = ended {
                record(result, measurement);
                self.writes.push(delete);
            }
        }
    }

    /// Writes beside the measurements of a settled metric what its verdict rests on.
    fn note_verdicts(&mut self) {
        for name in &self.settled {
            let metric = self.prepared.metrics.iter().find(|metric| metric.name == *name);
            let mut results = self.status.metric_results.iter_mut();
            let result = results.find(|result| result.name == *name);
            let (Some(metric), Some(result)) = (metric, result) else { continue };
            for (key, text) in events::rests_on(metric, result) {
                let text = self.redactor.clean(&text);
                result.metadata.insert(events::noted_as(key), text);
            }
        }
    }

    fn events_of_settled(&self) -> Vec<Event> {
        let told = self.settled.iter().filter_map(|name| {
            let metric = self.prepared.metrics.iter().find(|metric| metric.name == *name)?;
            Some(events::metric_settled(&self.observed.run, metric, self.result(name)?))
        });
        told.collect()
    }

    fn trim(&mut self) {
        for result in &mut self.status.metric_results {
            let kept =
                self.prepared.kept.get(&result.name).copied().unwrap_or(DEFAULT_MEASUREMENTS_KEPT);
            let surplus = result.measurements.len().saturating_sub(kept);
            result.measurements.drain(..surplus);
            self.writes.extend(jobs::surplus(self.observed, &result.name, kept));
        }
    }

    /// When to look again, and for what; measurements under way wake the run by their answers.
    fn waits(&self) -> (Option<Timestamp>, Vec<Reason>) {
        if self.status.phase.completed() {
            let ended = lifetime::plan(&self.observed.run, &self.status, self.now);
            return (ended.plan.wake, Vec::new());
        }
        let open = self.prepared.metrics.iter().map(|metric| (metric, self.next(metric)));
        let open: Vec<(&Metric, Next)> = open.filter(|(_, next)| *next != Next::Nothing).collect();
        let resting = open.iter().filter(|(metric, _)| !self.in_flight.contains(&metric.name));
        let wake = resting.filter_map(|(_, next)| next.at()).min();
        let reason = |(metric, next): &(&Metric, Next)| {
            events::waiting(metric, self.result(&metric.name), *next)
        };
        (wake, open.iter().map(reason).collect())
    }

    fn next(&self, metric: &Metric) -> Next {
        match schedule::next(metric, self.result(&metric.name), self.began()) {
            Next::Resume(_) if metric.provider.job.is_some() => Next::Watch,
            next => next,
        }
    }

    fn began(&self) -> Timestamp {
        self.status.started_at.as_ref().map_or(self.now, |began| began.0)
    }

    fn ending(&self) -> Ending {
        ending(requested(&self.observed.run), &self.status.metric_results)
    }

    fn result(&self, metric: &str) -> Option<&MetricResult> {
        self.status.metric_results.iter().find(|result| result.name == metric)
    }

    fn result_mut(&mut self, metric: &str) -> Option<&mut MetricResult> {
        self.status.metric_results.iter_mut().find(|result| result.name == metric)
    }
}

/// What is known of a run's metrics, from runs before it and from itself.
fn known(run: &AnalysisRun, status: &AnalysisRunStatus) -> BTreeMap<String, Value> {
    let own = status.metric_results.iter();
    let own = own.filter_map(|it| Some((it.name.clone(), learned::of_result(&it.metadata)?)));
    learned::before(run).into_iter().chain(own).collect()
}

fn requested(run: &AnalysisRun) -> Ending {
    if run.spec.terminate { Ending::Terminating } else { Ending::No }
}

fn drop_unfinished(result: &mut MetricResult) {
    if result.measurements.last().is_some_and(|last| last.finished_at.is_none()) {
        result.measurements.pop();
    }
}

/// Ends a run that cannot go on, with the time of it.
fn ended_early(
    run: &AnalysisRun,
    mut status: AnalysisRunStatus,
    message: String,
    now: Timestamp,
) -> AnalysisPlan {
    status.phase = AnalysisPhase::Error;
    status.message = Some(message);
    status.completed_at.get_or_insert(measuring::seconds(now));
    let told = events::run_completed(run, &[], &status);
    let wake = lifetime::plan(run, &status, now).plan.wake;
    Plan { status: patch::status(run, &status), events: vec![told], wake, ..Plan::default() }.into()
}
