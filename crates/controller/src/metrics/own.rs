//! The numbers of one object.
//!
//! Thousands of objects are kept, so what they share is kept once and what has a name in the text format gets
//! it when somebody asks.

use super::{
    Sample,
    families::buckets,
    info,
    text::{Histogram, as_f64, line},
};
use crate::{cache::Kind, key::Name};
use std::{collections::BTreeMap, sync::Arc};
use vocab::EventType;

/// The lines of each metric.
pub(super) type Lines = BTreeMap<&'static str, Vec<String>>;

/// What is known, counted and timed of one object.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// The object itself, if it has gauges.
    pub(super) text: Option<Arc<str>>,
    /// How many reconciles failed.
    pub(super) errors: u64,
    events: Vec<Events>,
    reconciles: Option<Histogram>,
}

/// How many events of one sort there were.
#[derive(Debug)]
struct Events {
    event_type: EventType,
    reason: Arc<str>,
    count: u64,
}

impl Own {
    /// Counts one event.
    pub(super) fn count_event(&mut self, event_type: EventType, reason: Arc<str>) {
        let sort = |events: &Events| (events.event_type, Arc::clone(&events.reason));
        match self.events.binary_search_by_key(&(event_type, Arc::clone(&reason)), sort) {
            Ok(place) => self.events[place].count += 1,
            Err(place) => self.events.insert(place, Events { event_type, reason, count: 1 }),
        }
    }

    /// Records how long one reconcile took, if the kind has such a metric.
    pub(super) fn time_reconcile(&mut self, kind: Kind, seconds: f64) {
        if let Some((name, _)) = reconciles(kind) {
            let times = self.reconciles.get_or_insert_with(|| Histogram::new(buckets(name)));
            times.record(seconds);
        }
    }

    /// Adds the lines of what the object is.
    pub(super) fn describe(&self, kind: Kind, lines: &mut Lines) {
        let gauges = self.text.iter().flat_map(|text| info::samples(&kind.read(text)));
        for Sample { name, labels, value } in gauges {
            lines.entry(name).or_default().push(line(name, &labels, value));
        }
    }

    /// Adds the lines of what this process did with the object.
    pub(super) fn account(&self, kind: Kind, name: &Name, lines: &mut Lines) {
        let labels = labels(name);
        for Events { event_type, reason, count } in &self.events {
            let sort = [("type", format!("{event_type:?}")), ("reason", reason.to_string())];
            let labels = [&labels[..], &sort].concat();
            let text = line("rollout_events_total", &labels, as_f64(*count));
            lines.entry("rollout_events_total").or_default().push(text);
        }
        let Some((times, errors)) = reconciles(kind) else { return };
        if let Some(reconciles) = &self.reconciles {
            lines.entry(times).or_default().push(reconciles.render(times, &labels));
        }
        if self.errors > 0 {
            let text = line(errors, &labels, as_f64(self.errors));
            lines.entry(errors).or_default().push(text);
        }
    }
}

/// Under what names the reconciles of a kind are timed, and counted when they fail.
fn reconciles(kind: Kind) -> Option<(&'static str, &'static str)> {
    match kind {
        Kind::Rollout => Some(("rollout_reconcile", "rollout_reconcile_error")),
        Kind::AnalysisRun => Some(("analysis_run_reconcile", "analysis_run_reconcile_error")),
        Kind::Experiment => Some(("experiment_reconcile", "experiment_reconcile_error")),
        _ => None,
    }
}

fn labels(Name { namespace, name }: &Name) -> [(&'static str, String); 2] {
    [("namespace", namespace.clone()), ("name", name.clone())]
}
