//! The store behind its lock, and everyone who waits for a change of it.
//!
//! **Invariant.** The lock is held for one call of the pure store (and the journal's append, so that the
//! file has the order of the changes); nothing is serialised, sent or awaited under it.

use crate::journal::Journal;
use clock::Clock;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use store::{Change, GroupResource, Store};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The state that every request, watch and background task shares.
pub(crate) struct Hub {
    store: RwLock<Store>,
    journal: Option<Mutex<Journal>>,
    pub(crate) clock: Clock,
    pub(crate) shutdown: CancellationToken,
    topics: Mutex<BTreeMap<GroupResource, Arc<Notify>>>,
    any: Arc<Notify>,
    witness: OnceLock<Witness>,
}

/// Told of every change as it happens, in order and before anybody else.
pub type Witness = Box<dyn Fn(&Change, Timestamp) + Send + Sync>;

impl Hub {
    pub(crate) fn new(mut store: Store, journal: Option<Journal>, clock: Clock) -> Self {
        store.record_changes();
        Self {
            any: Arc::default(),
            store: RwLock::new(store),
            journal: journal.map(Mutex::new),
            clock,
            shutdown: CancellationToken::new(),
            topics: Mutex::default(),
            witness: OnceLock::new(),
        }
    }

    /// The store as it is now; drop the guard before any other work.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one change, journals what it did, and wakes those who wait for it.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut Store, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        let done = change(&mut store, now);
        let changes = store.take_changes();
        if let Some(journal) = &self.journal {
            journal.lock().unwrap_or_else(PoisonError::into_inner).append(&changes, now);
        }
        if let Some(witness) = self.witness.get() {
            for change in &changes {
                witness(change, now);
            }
        }
        drop(store);
        self.announce(&changes);
        done
    }

    /// Sets who is told of every change; the first one stays.
    pub(crate) fn set_witness(&self, witness: Witness) {
        drop(self.witness.set(witness));
    }

    /// Wakes those who wait when a resource changes, in the order in which they began to wait: a rehearsal
    /// that is played twice then sees the same (tokio's `watch` wakes in a random order).
    ///
    /// Begin to wait before reading the store, or a change in between is missed.
    pub(crate) fn topic(&self, resource: GroupResource) -> Arc<Notify> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(topics.entry(resource).or_default())
    }

    /// As [`Hub::topic`], when anything changes.
    pub(crate) fn any_change(&self) -> Arc<Notify> {
        Arc::clone(&self.any)
    }

    fn announce(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told: Option<&GroupResource> = None;
        for change in changes {
            if told == Some(&change.resource) {
                continue;
            }
            if let Some(topic) = topics.get(&change.resource) {
                topic.notify_waiters();
            }
            told = Some(&change.resource);
        }
        drop(topics);
        self.any.notify_waiters();
    }
}

impl Drop for Hub {
    /// Who waits for a change of a cluster that is gone waits no longer.
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
