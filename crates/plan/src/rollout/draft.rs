//! A plan in the making.
//!
//! Start with [`Draft`]. Writes are kept in order, and no object is written twice in one plan: the second
//! write would rest on a version that the first one has made old.

use super::{sets::SetExt, subject::Subject, waits::Wait};
use api::argo::RolloutStatus;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use vocab::{
    Event, EventType, ObjectRef, PatchType, Precondition, Propagation, Subresource, Write,
};

/// What changes about pauses and the abort.
#[derive(Debug, Default)]
pub(crate) struct PauseChange {
    added: BTreeSet<&'static str>,
    removed: BTreeSet<&'static str>,
    cleared: bool,
    left: bool,
    abort: Option<(String, BTreeMap<String, String>)>,
    abort_removed: bool,
}

impl PauseChange {
    /// Adds a pause, unless it is there already.
    pub(crate) fn add(&mut self, reason: &'static str) {
        self.added.insert(reason);
    }

    /// Ends a pause.
    pub(crate) fn remove(&mut self, reason: &'static str) {
        self.removed.insert(reason);
    }

    /// Ends every pause.
    pub(crate) fn clear(&mut self) {
        self.cleared = true;
    }

    /// Leaves what people have resumed to the next pass.
    pub(crate) fn leave(&mut self) {
        self.left = true;
    }

    /// Whether this pass takes no notice of what people have resumed.
    pub(crate) fn is_left(&self) -> bool {
        self.left
    }

    /// Aborts the update, with the reason people read and the facts behind it; of two reasons the later counts.
    pub(crate) fn abort(&mut self, message: String, evidence: BTreeMap<String, String>) {
        self.abort = Some((message, evidence));
    }

    /// Takes an abort back.
    pub(crate) fn remove_abort(&mut self) {
        self.abort_removed = true;
    }

    /// Whether this pass adds a pause.
    pub(crate) fn adds(&self) -> bool {
        !self.added.is_empty()
    }

    /// The pauses added.
    pub(crate) fn added(&self) -> &BTreeSet<&'static str> {
        &self.added
    }

    /// Whether a pause is ended.
    pub(crate) fn removes(&self, reason: &str) -> bool {
        self.removed.contains(reason)
    }

    /// Whether all pauses are ended.
    pub(crate) fn is_cleared(&self) -> bool {
        self.cleared
    }

    /// Why this pass aborts.
    pub(crate) fn abort_message(&self) -> Option<&str> {
        self.abort.as_ref().map(|(message, _)| message.as_str())
    }

    /// The facts behind an abort.
    pub(crate) fn abort_evidence(&self) -> BTreeMap<String, String> {
        self.abort.as_ref().map(|(_, evidence)| evidence.clone()).unwrap_or_default()
    }

    /// Whether the rollout is aborted once this change is made.
    pub(crate) fn is_aborted(&self, status: &RolloutStatus) -> bool {
        !self.abort_removed && (self.abort.is_some() || status.abort)
    }
}

/// A plan in the making.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// Writes in order.
    pub(crate) writes: Vec<Write>,
    /// Events in order.
    pub(crate) events: Vec<Event>,
    /// Waits, most important first.
    pub(crate) waits: Vec<Wait>,
    /// When to plan again.
    pub(crate) wake: Option<Timestamp>,
    /// The status to be.
    pub(crate) status: RolloutStatus,
    /// Changes to pauses and the abort.
    pub(crate) pause: PauseChange,
    touched: BTreeSet<ObjectRef>,
}

impl Draft {
    /// A plan that changes nothing yet.
    pub(crate) fn of(status: &RolloutStatus) -> Self {
        Self { status: status.clone(), ..Self::default() }
    }

    /// Adds a write unless its object is written already.
    pub(crate) fn write(&mut self, write: Write) -> bool {
        let is_new = matches!(write, Write::Create { .. });
        let first = is_new || self.touched.insert(write.target());
        if first {
            self.writes.push(write);
        }
        first
    }

    /// Merges `body` into an object.
    pub(crate) fn patch(
        &mut self,
        target: ObjectRef,
        precondition: Precondition,
        body: Value,
    ) -> bool {
        self.write(Write::Patch {
            target,
            subresource: Subresource::Main,
            patch_type: PatchType::Merge,
            body,
            precondition,
        })
    }

    /// Merges `body` into a ReplicaSet.
    pub(crate) fn patch_set(&mut self, set: &ReplicaSet, body: Value) -> bool {
        self.patch(set.target(), set.precondition(), body)
    }

    /// Deletes an object; its dependents follow.
    pub(crate) fn delete(&mut self, target: ObjectRef, precondition: Precondition) -> bool {
        self.write(Write::Delete { target, propagation: Propagation::Background, precondition })
    }

    /// Tells people that something went as it should.
    pub(crate) fn note(&mut self, subject: &Subject<'_>, reason: &str, message: String) {
        self.event(subject, EventType::Normal, (reason, message), BTreeMap::new());
    }

    /// Tells people that somebody may have to act.
    pub(crate) fn warn(&mut self, subject: &Subject<'_>, reason: &str, message: String) {
        self.event(subject, EventType::Warning, (reason, message), BTreeMap::new());
    }

    /// Adds an event with its evidence.
    pub(crate) fn event(
        &mut self,
        subject: &Subject<'_>,
        event_type: EventType,
        (reason, message): (&str, String),
        evidence: BTreeMap<String, String>,
    ) {
        let regarding = subject.target();
        self.events.push(Event {
            event_type,
            regarding,
            reason: reason.to_owned(),
            message,
            evidence,
            after: None,
        });
    }

    /// Tells people what the last write did; they are told even if a later one fails.
    pub(crate) fn note_write(&mut self, subject: &Subject<'_>, reason: &str, message: String) {
        self.note(subject, reason, message);
        let after = Some(self.writes.len());
        if let Some(event) = self.events.last_mut() {
            event.after = after;
        }
    }

    /// Says what is waited for.
    pub(crate) fn wait(&mut self, wait: Wait) {
        if !self.waits.contains(&wait) {
            self.waits.push(wait);
        }
    }

    /// Asks to plan again at `time`, or sooner.
    pub(crate) fn wake_at(&mut self, time: Timestamp) {
        self.wake = Some(self.wake.map_or(time, |wake| wake.min(time)));
    }
}
