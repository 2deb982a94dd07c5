//! The keyed queue: what to look at next, and when.
//!
//! A key is in the queue at most once, with the earliest time anybody asked for; a key that is being
//! worked on is held back until it is finished. Failures push a key out exponentially.
//!
//! **Invariant.** Nothing here sleeps or asks for the time: `now` is an argument.

use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The wait after a first failure.
const BACKOFF_FIRST: SignedDuration = SignedDuration::from_millis(1);
/// The longest wait after failures.
const BACKOFF_LONGEST: SignedDuration = SignedDuration::from_secs(10);

/// Keys with the time each is due.
#[derive(Debug)]
pub(crate) struct Queue<K> {
    due: BTreeMap<K, Timestamp>,
    order: BTreeSet<(Timestamp, K)>,
    /// Keys that are worked on, with the earliest time each was asked for meanwhile.
    running: BTreeMap<K, Option<Timestamp>>,
    failures: BTreeMap<K, u32>,
}

impl<K: Ord + Clone> Queue<K> {
    /// An empty queue.
    pub(crate) fn new() -> Self {
        Self {
            due: BTreeMap::new(),
            order: BTreeSet::new(),
            running: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Asks for `key` at `at`; an earlier time already asked for stays.
    pub(crate) fn push(&mut self, key: K, at: Timestamp) {
        if let Some(asked) = self.running.get_mut(&key) {
            *asked = Some(asked.map_or(at, |earlier| earlier.min(at)));
            return;
        }
        match self.due.get(&key).copied() {
            Some(earlier) if earlier <= at => return,
            Some(later) => {
                self.order.remove(&(later, key.clone()));
            }
            None => {}
        }
        self.due.insert(key.clone(), at);
        self.order.insert((at, key));
    }

    /// Asks for `key` before all that are due.
    pub(crate) fn push_first(&mut self, key: K) {
        self.push(key, Timestamp::MIN);
    }

    /// Takes the key that has been due longest and marks it as running.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<K> {
        if self.next_due()? > now {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.due.remove(&key);
        self.running.insert(key.clone(), None);
        Some(key)
    }

    /// When the next key that is not running is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Ends work on `key` that went well.
    pub(crate) fn succeed(&mut self, key: &K) {
        self.release(key);
        self.failures.remove(key);
    }

    /// Gives a key back untouched.
    pub(crate) fn release(&mut self, key: &K) {
        if let Some(at) = self.running.remove(key).flatten() {
            self.push(key.clone(), at);
        }
    }

    /// Ends work on `key` that failed, and asks for it again after its back-off, even if changes asked for it
    /// sooner.
    pub(crate) fn fail(&mut self, key: &K, now: Timestamp) {
        self.running.remove(key);
        let failures = self.failures.entry(key.clone()).or_default();
        let wait = backoff(*failures);
        *failures = failures.saturating_add(1);
        self.push(key.clone(), now.saturating_add(wait).unwrap_or(Timestamp::MAX));
    }

    /// Drops everything known about `key`.
    pub(crate) fn forget(&mut self, key: &K) {
        self.failures.remove(key);
        self.running.remove(key);
        if let Some(at) = self.due.remove(key) {
            self.order.remove(&(at, key.clone()));
        }
    }

    /// Number of keys waiting.
    pub(crate) fn len(&self) -> usize {
        self.due.len() + self.running.values().flatten().count()
    }
}

fn backoff(failures: u32) -> SignedDuration {
    let factor = 1_i32.checked_shl(failures.min(30)).unwrap_or(i32::MAX);
    BACKOFF_FIRST.checked_mul(factor).map_or(BACKOFF_LONGEST, |wait| wait.min(BACKOFF_LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    #[test]
    fn a_key_is_queued_once_at_the_earliest_time_asked_for() {
        let mut queue = Queue::new();
        queue.push("web", at(50));
        queue.push("web", at(10));
        queue.push("web", at(90));
        assert_eq!(queue.next_due(), Some(at(10)));
        assert_eq!(queue.pop(at(9)), None);
        assert_eq!(queue.pop(at(10)), Some("web"));
        queue.succeed(&"web");
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn a_running_key_is_never_handed_out_twice() {
        let mut queue = Queue::new();
        queue.push("web", at(0));
        assert_eq!(queue.pop(at(0)), Some("web"));
        queue.push("web", at(0));
        assert_eq!(queue.pop(at(5)), None);
        assert_eq!(queue.next_due(), None);
        queue.succeed(&"web");
        assert_eq!(queue.pop(at(5)), Some("web"));
    }

    #[test]
    fn failures_double_the_wait_up_to_ten_seconds() {
        let mut queue = Queue::new();
        let mut now = at(0);
        let mut waits = Vec::new();
        queue.push("web", now);
        for _ in 0..16 {
            assert_eq!(queue.pop(now), Some("web"));
            queue.push("web", now);
            queue.fail(&"web", now);
            let due = queue.next_due().unwrap();
            waits.push(due.as_millisecond() - now.as_millisecond());
            now = due;
        }
        assert_eq!(waits[..4], [1, 2, 4, 8]);
        assert_eq!(waits[13..], [8192, 10_000, 10_000]);
    }

    #[test]
    fn keys_due_together_come_in_order_of_name() {
        let mut queue = Queue::new();
        queue.push("b", at(0));
        queue.push("a", at(0));
        assert_eq!((queue.pop(at(0)), queue.pop(at(0))), (Some("a"), Some("b")));
    }
}
