//! The watch log: every change of a kind, remembered for a while and read by cursors.
//!
//! Start at [`WatchCursor`] and [`WatchEvent`]. An event's bytes are made once, however many watch.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::object::{Object, metadata_mut};
use crate::resource::Gvr;
use crate::selector::Selectors;

/// The most changes remembered per kind.
pub const WATCH_LOG_LIMIT: usize = 8_192;
/// Changes beyond this many per kind are forgotten once they are [`WATCH_LOG_AGE`] old.
pub const WATCH_LOG_KEPT: usize = 512;
/// How long a change is remembered at least, short of [`WATCH_LOG_LIMIT`].
pub const WATCH_LOG_AGE: SignedDuration = SignedDuration::from_secs(75);
/// The most events one poll returns.
pub const POLL_LIMIT: usize = 1_000;

/// What happened to an object, as a watcher sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It is new, or newly selected.
    Added,
    /// It changed.
    Modified,
    /// It is gone, or no longer selected.
    Deleted,
}

impl EventKind {
    /// The word in the event's `type`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// With an `ADDED` event for every object there is, then changes.
    Initial,
    /// With the next change.
    Now,
    /// With the first change after this version.
    Version(u64),
}

/// One watch: what it selects and how far it has read.
#[derive(Clone, Debug)]
pub struct WatchCursor {
    pub(crate) resource: Gvr,
    pub(crate) storage: crate::resource::GroupResource,
    pub(crate) converts: bool,
    pub(crate) namespace: Option<String>,
    pub(crate) selectors: Selectors,
    pub(crate) initial: VecDeque<Arc<Object>>,
    pub(crate) seen: u64,
}

impl WatchCursor {
    /// The version up to which every event has been handed out; what a bookmark carries.
    pub fn resource_version(&self) -> u64 {
        self.seen
    }

    /// Whether initial objects are still to be handed out.
    pub fn is_listing(&self) -> bool {
        !self.initial.is_empty()
    }

    /// The type watched.
    pub fn resource(&self) -> &Gvr {
        &self.resource
    }

    /// What this watch makes of a change, if it concerns it.
    pub(crate) fn view(&self, change: &Arc<LoggedChange>) -> Option<(EventKind, Arc<Object>)> {
        let namespace = self.namespace.as_deref();
        if namespace.is_some_and(|namespace| namespace != change.now.namespace()) {
            return None;
        }
        let selects = |object: &Arc<Object>| self.selectors.matches(object.value());
        let before = change.before.as_ref().is_some_and(selects);
        let after = change.kind != EventKind::Deleted && selects(&change.now);
        match (before, after) {
            (false, false) => None,
            (false, true) => Some((EventKind::Added, Arc::clone(&change.now))),
            (true, true) => Some((EventKind::Modified, Arc::clone(&change.now))),
            (true, false) => Some((EventKind::Deleted, change.last_seen())),
        }
    }
}

/// One change as one watcher sees it.
#[derive(Clone, Debug)]
pub struct WatchEvent {
    /// What happened.
    pub kind: EventKind,
    /// The object after the change; before it, when it is gone.
    pub object: Arc<Object>,
    shared: Option<Arc<LoggedChange>>,
}

impl WatchEvent {
    pub(crate) fn unshared(kind: EventKind, object: Arc<Object>) -> Self {
        Self { kind, object, shared: None }
    }

    pub(crate) fn shared(kind: EventKind, object: Arc<Object>, change: Arc<LoggedChange>) -> Self {
        Self { kind, object, shared: Some(change) }
    }

    /// The event as one line of a watch stream, newline included; made once for all watchers.
    pub fn line(&self) -> Bytes {
        match &self.shared {
            Some(change) => change.lines[self.kind as usize]
                .get_or_init(|| line(self.kind, &self.object))
                .clone(),
            None => line(self.kind, &self.object),
        }
    }
}

fn line(kind: EventKind, object: &Object) -> Bytes {
    let object = object.bytes();
    let mut line = Vec::with_capacity(object.len() + 40);
    line.extend_from_slice(b"{\"type\":\"");
    line.extend_from_slice(kind.word().as_bytes());
    line.extend_from_slice(b"\",\"object\":");
    line.extend_from_slice(&object);
    line.extend_from_slice(b"}\n");
    line.into()
}

/// The line of a bookmark at a version. `annotations` may carry `k8s.io/initial-events-end`.
pub fn bookmark_line(kind: &str, api_version: &str, version: u64, annotations: &Value) -> Bytes {
    let mut metadata = json!({ "resourceVersion": version.to_string() });
    if annotations.is_object() {
        metadata["annotations"] = annotations.clone();
    }
    let object = json!({ "kind": kind, "apiVersion": api_version, "metadata": metadata });
    let mut line = json!({ "type": "BOOKMARK", "object": object }).to_string();
    line.push('\n');
    line.into()
}

/// One remembered change.
#[derive(Debug)]
pub(crate) struct LoggedChange {
    pub(crate) version: u64,
    pub(crate) at: Timestamp,
    pub(crate) kind: EventKind,
    pub(crate) before: Option<Arc<Object>>,
    pub(crate) now: Arc<Object>,
    last_seen: OnceLock<Arc<Object>>,
    lines: [OnceLock<Bytes>; 3],
}

impl LoggedChange {
    pub(crate) fn new(
        kind: EventKind,
        before: Option<Arc<Object>>,
        now: Arc<Object>,
        at: Timestamp,
    ) -> Self {
        let version = now.resource_version();
        let lines = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
        Self { version, at, kind, before, now, last_seen: OnceLock::new(), lines }
    }

    /// The object a watcher loses sight of: as it was, at this change's version.
    fn last_seen(&self) -> Arc<Object> {
        if self.kind == EventKind::Deleted {
            return Arc::clone(&self.now);
        }
        let make = || {
            let before = self.before.as_ref().unwrap_or(&self.now);
            let mut value = before.value().clone();
            metadata_mut(&mut value)
                .insert("resourceVersion".into(), self.version.to_string().into());
            Arc::new(Object::new(value, self.version))
        };
        Arc::clone(self.last_seen.get_or_init(make))
    }
}

/// The remembered changes of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    changes: VecDeque<Arc<LoggedChange>>,
    forgotten: u64,
}

impl Log {
    pub(crate) fn push(&mut self, change: LoggedChange) {
        let now = change.at;
        self.changes.push_back(Arc::new(change));
        while self.has_surplus(now) {
            if let Some(old) = self.changes.pop_front() {
                self.forgotten = old.version;
            }
        }
    }

    /// The changes after a version; `None` if some of them are forgotten.
    pub(crate) fn after(&self, version: u64) -> Option<impl Iterator<Item = &Arc<LoggedChange>>> {
        let start = self.changes.partition_point(|change| change.version <= version);
        (version >= self.forgotten).then(|| self.changes.range(start..))
    }

    /// The newest version that is no longer remembered.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Forgets everything up to a version, as after a restart.
    pub(crate) fn forget_through(&mut self, version: u64) {
        self.changes.clear();
        self.forgotten = version;
    }

    fn has_surplus(&self, now: Timestamp) -> bool {
        let stale = |change: &Arc<LoggedChange>| now.duration_since(change.at) > WATCH_LOG_AGE;
        self.changes.len() > WATCH_LOG_LIMIT
            || self.changes.len() > WATCH_LOG_KEPT && self.changes.front().is_some_and(stale)
    }
}
