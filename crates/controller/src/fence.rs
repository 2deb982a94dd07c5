//! Reading our own writes: nothing is planned for a key while the cache is older than what the key
//! itself has written.
//!
//! **Invariant.** A fence holds for [`PATIENCE`] at most; then the objects are read one by one, so that
//! a lost watch event delays a rollout but never stops it.

use crate::{
    cache::Cache,
    key::Key,
    writer::{Expect, Written},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use vocab::ObjectRef;

/// How long the watches may take to show a write.
pub(crate) const PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// What each key has written and not seen yet.
#[derive(Debug, Default)]
pub(crate) struct Fence {
    unseen: BTreeMap<Key, Pending>,
    waiting: BTreeMap<ObjectRef, BTreeSet<Key>>,
}

#[derive(Debug)]
struct Pending {
    objects: BTreeMap<ObjectRef, Expect>,
    since: Timestamp,
}

/// Whether a key may be planned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// The cache shows all that was written.
    Open,
    /// Not yet; look again at that time even if no watch speaks up.
    ClosedUntil(Timestamp),
    /// Patience is over: read these objects.
    Overdue(Vec<ObjectRef>),
}

impl Fence {
    /// Notes what a key has written.
    pub(crate) fn raise(&mut self, key: &Key, written: Vec<Written>, now: Timestamp) {
        let written = written.into_iter().filter(|written| written.expect != Expect::Nothing);
        for Written { target, expect } in written {
            let fresh = || Pending { objects: BTreeMap::new(), since: now };
            let pending = self.unseen.entry(key.clone()).or_insert_with(fresh);
            self.waiting.entry(target.clone()).or_default().insert(key.clone());
            pending.objects.insert(target, expect);
            pending.since = now;
        }
    }

    /// Whether the cache is as new as what `key` has written.
    pub(crate) fn check(&mut self, key: &Key, cache: &Cache, now: Timestamp) -> Passage {
        self.lower(key, |target, expect| cache.has_seen(target, expect));
        let Some(pending) = self.unseen.get(key) else { return Passage::Open };
        let until = pending.since.saturating_add(PATIENCE).unwrap_or(Timestamp::MAX);
        if now < until {
            Passage::ClosedUntil(until)
        } else {
            Passage::Overdue(pending.objects.keys().cloned().collect())
        }
    }

    /// The keys that wait for a sight of `target`.
    pub(crate) fn waiting_for(&self, target: &ObjectRef) -> impl Iterator<Item = &Key> {
        self.waiting.get(target).into_iter().flatten()
    }

    /// Ends the wait for objects that were read one by one.
    pub(crate) fn settle(&mut self, key: &Key, read: &[ObjectRef]) {
        self.lower(key, |target, _| read.contains(target));
    }

    /// Forgets a key that is gone.
    pub(crate) fn forget(&mut self, key: &Key) {
        self.lower(key, |_, _| true);
    }

    /// Ends the wait of `key` for the objects that were seen.
    fn lower(&mut self, key: &Key, is_seen: impl Fn(&ObjectRef, &Expect) -> bool) {
        let Some(pending) = self.unseen.get_mut(key) else { return };
        let seen = pending.objects.extract_if(.., |target, expect| is_seen(target, expect));
        for (target, _) in seen {
            if let Some(keys) = self.waiting.get_mut(&target) {
                keys.remove(key);
                if keys.is_empty() {
                    self.waiting.remove(&target);
                }
            }
        }
        if pending.objects.is_empty() {
            self.unseen.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cache::Kind, key::Name};
    use serde_json::json;

    fn service() -> ObjectRef {
        Kind::Service.reference("shop", "web")
    }

    fn seen(cache: &mut Cache, version: &str) {
        let live =
            json!({"metadata": {"name": "web", "namespace": "shop", "resourceVersion": version}});
        cache.heal(&service(), Some(live));
    }

    fn raised(key: &Key) -> Fence {
        let mut fence = Fence::default();
        let expect = Expect::Version("7".to_owned());
        fence.raise(key, vec![Written { target: service(), expect }], Timestamp::UNIX_EPOCH);
        fence
    }

    #[test]
    fn a_key_waits_until_the_cache_shows_its_own_write() {
        let key = Key::Rollout(Name::new("shop", "web"));
        let mut fence = raised(&key);
        let mut cache = Cache::default();
        seen(&mut cache, "6");
        let until = Timestamp::from_second(5).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(fence.check(&key, &cache, now), Passage::ClosedUntil(until));
        assert_eq!(fence.waiting_for(&service()).count(), 1);
        seen(&mut cache, "7");
        assert_eq!(fence.check(&key, &cache, now), Passage::Open);
    }

    #[test]
    fn a_watch_that_stays_silent_is_not_waited_for_for_ever() {
        let key = Key::Rollout(Name::new("shop", "web"));
        let mut fence = raised(&key);
        let later = Timestamp::from_second(5).unwrap();
        let passage = fence.check(&key, &Cache::default(), later);
        assert_eq!(passage, Passage::Overdue(vec![service()]));
        fence.settle(&key, &[service()]);
        assert_eq!(fence.check(&key, &Cache::default(), later), Passage::Open);
    }

    #[test]
    fn keys_do_not_wait_for_each_other() {
        let mut fence = raised(&Key::Rollout(Name::new("shop", "web")));
        let other = Key::Rollout(Name::new("shop", "other"));
        assert_eq!(fence.check(&other, &Cache::default(), Timestamp::UNIX_EPOCH), Passage::Open);
    }
}
