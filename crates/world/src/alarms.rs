//! When to look at what again.

use crate::concerns::Key;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// One alarm per key; setting and ringing take the logarithm of their number.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    by_key: BTreeMap<Key, Timestamp>,
    by_time: BTreeSet<(Timestamp, Key)>,
}

impl Alarms {
    /// Sets an alarm, unless an earlier one is set.
    pub(crate) fn set(&mut self, key: &Key, at: Timestamp) {
        if self.by_key.get(key).is_some_and(|before| *before <= at) {
            return;
        }
        self.unset(key);
        self.by_key.insert(key.clone(), at);
        self.by_time.insert((at, key.clone()));
    }

    /// Takes an alarm back.
    pub(crate) fn unset(&mut self, key: &Key) {
        if let Some(at) = self.by_key.remove(key) {
            self.by_time.remove(&(at, key.clone()));
        }
    }

    /// When the next alarm rings.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes a key whose time has come.
    pub(crate) fn ring(&mut self, now: Timestamp) -> Option<Key> {
        self.next().filter(|at| *at <= now)?;
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{build::second, concerns::Desk};

    #[test]
    fn the_earliest_alarm_of_a_key_rings_once() {
        let mut alarms = Alarms::default();
        let key = |name: &str| Key::new(Desk::Kubelet, "default", name);
        alarms.set(&key("a"), second(20));
        alarms.set(&key("a"), second(10));
        alarms.set(&key("a"), second(30));
        alarms.set(&key("b"), second(15));
        alarms.set(&key("c"), second(5));
        alarms.unset(&key("c"));
        assert_eq!(alarms.next(), Some(second(10)));
        assert_eq!(alarms.ring(second(9)), None);
        assert_eq!(alarms.ring(second(15)), Some(key("a")));
        assert_eq!(alarms.ring(second(15)), Some(key("b")));
        assert_eq!((alarms.ring(second(99)), alarms.next()), (None, None));
    }
}
