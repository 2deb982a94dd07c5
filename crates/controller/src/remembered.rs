//! A map that forgets what nobody asked for in a long time.

use std::{
    borrow::Borrow,
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

/// A number for something that is only asked for again. Of a few thousand two are the same by chance once in
/// a million million processes; use it where that does little harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Digest(u64);

impl Digest {
    /// The digest of `whole`.
    pub(crate) fn of(whole: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        whole.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Remembers at least the last `GENERATION` keys that were asked for or inserted, and at most twice as many.
///
/// Two generations make that cheap: whatever is asked for moves to the young one, and when that is full
/// the old one goes.
#[derive(Debug)]
pub(crate) struct Remembered<K, V, const GENERATION: usize = 4096> {
    young: BTreeMap<K, V>,
    old: BTreeMap<K, V>,
}

impl<K, V, const GENERATION: usize> Default for Remembered<K, V, GENERATION> {
    fn default() -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new() }
    }
}

impl<K: Ord, V, const GENERATION: usize> Remembered<K, V, GENERATION> {
    /// What is remembered of `key`.
    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    /// Forgets what is remembered of `key`, and gives it.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let young = self.young.remove(key);
        young.or_else(|| self.old.remove(key))
    }

    /// Remembers `value`.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATION: usize = 100;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut numbers = Remembered::<_, _, GENERATION>::default();
        for number in 0..10 * GENERATION {
            numbers.insert(number, number);
            assert_eq!(numbers.get_mut(&0).copied(), Some(0));
        }
        assert_eq!(numbers.get_mut(&1), None);
        let newest = 9 * GENERATION..10 * GENERATION;
        assert!(newest.into_iter().all(|number| numbers.get_mut(&number).is_some()));
        assert!(numbers.young.len() + numbers.old.len() <= 2 * GENERATION);
    }

    #[test]
    fn an_entry_is_replaced_whatever_its_generation() {
        let mut numbers = Remembered::<_, _, GENERATION>::default();
        for number in 0..=GENERATION {
            numbers.insert(number, 1);
        }
        numbers.insert(0, 2);
        assert_eq!(numbers.get_mut(&0).copied(), Some(2));
        assert_eq!(numbers.remove(&0), Some(2));
        assert_eq!(numbers.get_mut(&0), None);
    }
}
