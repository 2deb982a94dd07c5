//! What happened, in order of virtual time.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Event;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// Entries kept at most; the rest is counted.
pub(crate) const ENTRIES_MAX: usize = 10_000;
const EVIDENCE: &str = "ringfence.dev/evidence";

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Seconds since the rehearsal began.
    pub seconds: i64,
    /// Who did it.
    pub actor: Actor,
    /// One word for it, such as an event's reason.
    pub what: String,
    /// The sentence.
    pub message: String,
    /// The facts it rests on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: BTreeMap<String, String>,
}

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Actor {
    /// The script.
    Script,
    /// The controller.
    Controller,
}

/// A growing timeline; copies share it.
#[derive(Clone, Debug)]
pub struct Timeline {
    began: Timestamp,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    seen: BTreeSet<(String, i32)>,
}

impl Timeline {
    /// Begins at `began`.
    pub fn starting_at(began: Timestamp) -> Self {
        Self { began, state: Arc::default() }
    }

    /// Notes what the script did.
    pub fn note(&self, now: Timestamp, what: &str, message: &str) {
        self.push(Entry {
            seconds: self.seconds(now),
            actor: Actor::Script,
            what: what.to_owned(),
            message: message.to_owned(),
            evidence: BTreeMap::new(),
        });
    }

    /// Takes an event of the cluster; one that was seen already is passed over.
    pub fn observe(&self, event: &Event) {
        if !matches!(
            event.involved_object.kind.as_deref(),
            Some("Rollout" | "AnalysisRun" | "Experiment")
        ) {
            return;
        }
        let key = (event.metadata.uid.clone().unwrap_or_default(), event.count.unwrap_or(1));
        if !self.lock().seen.insert(key) {
            return;
        }
        let at = event
            .last_timestamp
            .as_ref()
            .map(|time| time.0)
            .or(event.event_time.as_ref().map(|time| time.0));
        let evidence = event.metadata.annotations.as_ref().and_then(|all| all.get(EVIDENCE));
        self.push(Entry {
            seconds: at.map_or(0, |at| self.seconds(at)),
            actor: Actor::Controller,
            what: event.reason.clone().unwrap_or_default(),
            message: event.message.clone().unwrap_or_default(),
            evidence: evidence.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
        });
    }

    /// How many events with this reason were seen.
    pub fn count(&self, reason: &str) -> usize {
        self.events().into_iter().filter(|seen| seen == reason).count()
    }

    /// The first of `reasons` that was not seen after those before it.
    pub(crate) fn first_missing<'a>(&self, reasons: &'a [String]) -> Option<&'a String> {
        let mut seen = self.events().into_iter();
        reasons.iter().find(|reason| !seen.by_ref().any(|event| event == **reason))
    }

    /// Reasons of all events, in order of time.
    fn events(&self) -> Vec<String> {
        let entries = self.entries().into_iter();
        entries.filter(|entry| entry.actor == Actor::Controller).map(|entry| entry.what).collect()
    }

    /// Everything so far, in order of time.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = self.lock().entries.clone();
        entries.sort_by_key(|entry| entry.seconds);
        entries
    }

    fn push(&self, entry: Entry) {
        let mut state = self.lock();
        if state.entries.len() < ENTRIES_MAX {
            state.entries.push(entry);
        }
    }

    /// Seconds from the beginning to `at`.
    pub(crate) fn seconds(&self, at: Timestamp) -> i64 {
        at.duration_since(self.began).as_secs()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Words a point of the timeline: `+1h02m03s`.
pub(crate) fn clock_words(seconds: i64) -> String {
    let span = SignedDuration::from_secs(seconds).as_secs();
    format!("+{}h{:02}m{:02}s", span / 3600, span / 60 % 60, span % 60)
}
