//! A plan in the making.
//!
//! Start with [`Draft`]. No object is written twice in one plan: the second write would rest on a version
//! that the first one has made old.

use super::subject::Subject;
use crate::rollout::{Wait, sets, sets::SetExt};
use api::argo::{AnalysisPhase, ExperimentStatus};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{
    Event, EventType, ObjectRef, PatchType, Plan, Precondition, Propagation, Subresource, Urgency,
    Write, merge_patch_between,
};

/// A plan in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The status to be.
    pub(super) status: ExperimentStatus,
    writes: Vec<Write>,
    events: Vec<Event>,
    waits: Vec<Wait>,
    wake: Option<Timestamp>,
    touched: BTreeSet<ObjectRef>,
}

impl Draft {
    /// A plan that changes nothing yet.
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        Self { status: subject.status.clone(), ..Self::default() }
    }

    /// Makes an object.
    pub(super) fn create(&mut self, object: Value) {
        if self.touched.insert(ObjectRef::of(&object)) {
            self.writes.push(Write::Create { object });
        }
    }

    /// Merges `body` into an object; tells whether this plan had not written it before.
    pub(super) fn patch(
        &mut self,
        target: ObjectRef,
        precondition: Precondition,
        body: Value,
    ) -> Patched {
        if !self.touched.insert(target.clone()) {
            return Patched::Before;
        }
        self.writes.push(Write::Patch {
            target,
            subresource: Subresource::Main,
            patch_type: PatchType::Merge,
            body,
            precondition,
        });
        Patched::Now
    }

    /// Merges `body` into a ReplicaSet.
    pub(super) fn patch_set(&mut self, set: &ReplicaSet, body: Value) -> Patched {
        self.patch(set.target(), set.precondition(), body)
    }

    /// Deletes an object.
    pub(super) fn delete(&mut self, target: ObjectRef, precondition: Precondition) {
        if self.touched.insert(target.clone()) {
            let propagation = Propagation::Background;
            self.writes.push(Write::Delete { target, propagation, precondition });
        }
    }

    /// Tells people something about the experiment.
    pub(super) fn event(
        &mut self,
        subject: &Subject<'_>,
        event_type: EventType,
        reason: &str,
        message: String,
    ) {
        self.event_about(subject.target(), event_type, reason, message);
    }

    /// Tells people of the write that was added last, which stays true whatever becomes of those after it.
    pub(super) fn event_of_write(&mut self, subject: &Subject<'_>, reason: &str, message: String) {
        self.event(subject, EventType::Normal, reason, message);
        // Analysis runs are made last, whatever their place here.
        let before = self.writes.iter().filter(|write| !write.creates("AnalysisRun")).count();
        if let Some(event) = self.events.last_mut() {
            event.after = Some(before);
        }
    }

    /// Tells people something about another object.
    pub(super) fn event_about(
        &mut self,
        regarding: ObjectRef,
        event_type: EventType,
        reason: &str,
        message: String,
    ) {
        let evidence = BTreeMap::new();
        let reason = reason.to_owned();
        self.events.push(Event { event_type, regarding, reason, message, evidence, after: None });
    }

    /// Says what is waited for.
    pub(super) fn wait(&mut self, wait: Wait) {
        if !self.waits.contains(&wait) {
            self.waits.push(wait);
        }
    }

    /// Asks to plan again at `time`, or sooner.
    pub(super) fn wake_at(&mut self, time: Timestamp) {
        self.wake = Some(self.wake.map_or(time, |wake| wake.min(time)));
    }

    /// The finished plan; the change of phase is told last.
    pub(super) fn into_plan(mut self, subject: &Subject<'_>) -> Plan {
        let (before, after) = (subject.status.phase, self.status.phase);
        if let Some(phase) = after.filter(|_| before != after) {
            let before = before.map_or("", AnalysisPhase::as_str);
            let message = format!("Experiment transitioned from {before} -> {phase}");
            self.event(subject, event_type(phase), &format!("Experiment{phase}"), message);
        }
        self.waits.sort_by_key(Wait::rank);
        // Right before the status that notes them: were a write between the two refused again and again, one
        // run would be made after the other.
        self.writes.sort_by_key(|write| write.creates("AnalysisRun"));
        Plan {
            status: status_patch(subject, &self.status),
            urgency: Urgency::AtOnce,
            is_settled: false,
            writes: self.writes,
            events: self.events,
            reasons: self.waits.iter().map(Wait::reason).collect(),
            wake: self.wake.filter(|wake| *wake > subject.now),
        }
    }
}

/// Whether a patch was taken into the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patched {
    /// It was.
    Now,
    /// The plan writes the object already.
    Before,
}

/// How loudly a phase is told.
pub(super) fn event_type(phase: AnalysisPhase) -> EventType {
    match phase {
        AnalysisPhase::Error | AnalysisPhase::Failed | AnalysisPhase::Inconclusive => {
            EventType::Warning
        }
        _ => EventType::Normal,
    }
}

fn status_patch(subject: &Subject<'_>, status: &ExperimentStatus) -> Option<Write> {
    let json = |status: &ExperimentStatus| serde_json::to_value(status).unwrap_or_default();
    let body = merge_patch_between(&json(&subject.status), &json(status))?;
    Some(Write::Patch {
        target: subject.target(),
        subresource: Subresource::Main,
        patch_type: PatchType::Merge,
        body: json!({ "status": body }),
        precondition: sets::precondition(&subject.experiment.metadata),
    })
}
