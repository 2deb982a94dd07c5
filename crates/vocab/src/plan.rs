//! The value in which all deciding ends.

use crate::{ObjectRef, Reason, Write};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What is to be done for one object, in full and in order.
///
/// The executor performs `writes` in order, stops at the first failure, then writes `status`, then
/// emits `events`; after a failure those that say what a write before it did. A status that follows another
/// write to its own object rests on the version which that one has made. It decides nothing. The same
/// observation and time always give the same plan.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a plan does nothing until it is carried out"]
pub struct Plan {
    /// Writes in the order they must happen.
    pub writes: Vec<Write>,
    /// The status write, made only after every other write succeeded.
    pub status: Option<Write>,
    /// How soon the status has to be written.
    pub urgency: Urgency,
    /// Whether a look at what this leaves behind would plan nothing before `wake`, as long as nobody else
    /// changes anything and no call is answered.
    pub is_settled: bool,
    /// What happened, for people; emitted after the writes.
    pub events: Vec<Event>,
    /// What is being waited for, most important first; empty when nothing is.
    pub reasons: Vec<Reason>,
    /// When to plan again even if nothing changes.
    pub wake: Option<Timestamp>,
}

/// How soon a status has to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Urgency {
    /// People or programs act upon it.
    #[default]
    AtOnce,
    /// It tells nothing but numbers of pods and what is waited for: a moment later nobody misses it.
    Soon,
    /// It tells nothing but what is waited for, in words that change with every step of a pod's start.
    Later,
}

/// One Kubernetes Event to emit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Normal or Warning.
    pub event_type: EventType,
    /// What it is about.
    pub regarding: ObjectRef,
    /// Upstream's reason word, such as `RolloutStepCompleted`.
    pub reason: String,
    /// The sentence.
    pub message: String,
    /// Facts behind a decision, kept in the event's annotations.
    pub evidence: BTreeMap<String, String>,
    /// After how many writes it has happened, whatever becomes of the others; `None` when it has happened
    /// only once the whole plan is carried out.
    pub after: Option<usize>,
}

/// The two types of Kubernetes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// Things went as they should.
    Normal,
    /// Somebody may have to act.
    Warning,
}
