//! When a status may follow another one that tells nothing but numbers of pods and what is waited for.
//!
//! While pods start, such a status changes with each of their steps; it waits and is written together with what
//! follows. After a change of the specification somebody watches, and is told sooner. Where hundreds of objects
//! move at the same time each is told of less often, so that all together take the API server a hundred such
//! statuses a second.

use crate::key::Key;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{Urgency, Write};

/// How often numbers of pods are written at most.
const NUMBERS_EVERY: SignedDuration = SignedDuration::from_secs(1);
/// How often soon after a change of the specification was answered. ReplicaSets count what they were asked for
/// within that time.
const NUMBERS_EVERY_AT_FIRST: SignedDuration = SignedDuration::from_millis(250);
/// How often what is waited for is written at most. Nobody is in doubt so soon, and what lasts is told.
const REASONS_EVERY: SignedDuration = SignedDuration::from_secs(5);
/// How long that is soon.
const AT_FIRST: SignedDuration = SignedDuration::from_millis(500);
/// How many may move before each waits longer, and by how many more it is twice, three times as long.
const CROWD: usize = 100;
/// The longest wait for numbers.
const NUMBERS_LONGEST: SignedDuration = SignedDuration::from_secs(10);
/// The longest wait for what is waited for; people are promised that after 30 seconds.
const REASONS_LONGEST: SignedDuration = SignedDuration::from_secs(20);
/// An object moves if it had a status within this time, which no wait for numbers exceeds.
const LATELY: SignedDuration = NUMBERS_LONGEST;

/// What a status tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// That another specification was seen.
    Answer,
    /// Anything else.
    News,
}

/// The last status of an object that this process has written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastStatus {
    at: Timestamp,
    answered_at: Option<Timestamp>,
}

impl LastStatus {
    /// The status that was written at `now`, after the one `before`.
    pub(crate) fn of(telling: Telling, before: Option<Self>, now: Timestamp) -> Self {
        let answered_at = match telling {
            Telling::Answer => Some(now),
            Telling::News => before.and_then(|before| before.answered_at),
        };
        Self { at: now, answered_at }
    }

    /// Until when the next one waits, if it may, while so many objects move.
    pub(crate) fn next_from(&self, urgency: Urgency, moving: usize) -> Option<Timestamp> {
        let is_early =
            self.answered_at.is_some_and(|answered| self.at.duration_since(answered) < AT_FIRST);
        let (alone, longest) = match urgency {
            Urgency::AtOnce => return None,
            Urgency::Soon if is_early => (NUMBERS_EVERY_AT_FIRST, NUMBERS_LONGEST),
            Urgency::Soon => (NUMBERS_EVERY, NUMBERS_LONGEST),
            Urgency::Later => (REASONS_EVERY, REASONS_LONGEST),
        };
        let times = i32::try_from(moving.div_ceil(CROWD).max(1)).unwrap_or(i32::MAX);
        let pause = alone.saturating_mul(times).min(longest);
        Some(self.at.saturating_add(pause).unwrap_or(Timestamp::MAX))
    }
}

/// The last status of each object that this process has written.
#[derive(Debug, Default)]
pub(crate) struct LastStatuses {
    of: BTreeMap<Key, LastStatus>,
    lately: BTreeSet<(Timestamp, Key)>,
}

impl LastStatuses {
    /// Takes in what was written of an object.
    pub(crate) fn note(&mut self, key: &Key, last: LastStatus) {
        self.forget(key);
        self.of.insert(key.clone(), last);
        // A run has a status for each measurement, however few pods move.
        if !matches!(key, Key::Run(_)) {
            self.lately.insert((last.at, key.clone()));
        }
        let since = last.at.saturating_sub(LATELY).unwrap_or(Timestamp::MIN);
        while self.lately.first().is_some_and(|(at, _)| *at < since) {
            self.lately.pop_first();
        }
    }

    /// The last one of an object.
    pub(crate) fn of(&self, key: &Key) -> Option<LastStatus> {
        self.of.get(key).copied()
    }

    /// How many rollouts and experiments had one lately, when the last of all was written.
    pub(crate) fn moving(&self) -> usize {
        self.lately.len()
    }

    /// Drops what is known of an object.
    pub(crate) fn forget(&mut self, key: &Key) {
        if let Some(last) = self.of.remove(key) {
            self.lately.remove(&(last.at, key.clone()));
        }
    }
}

impl Telling {
    /// What the write of a status tells.
    pub(crate) fn of(status: &Write) -> Self {
        match status {
            Write::Patch { body, .. } if body["status"].get("observedGeneration").is_some() => {
                Self::Answer
            }
            _ => Self::News,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Name;
    use serde_json::{Value, json};
    use vocab::{ObjectRef, PatchType, Precondition, Subresource};

    fn status(status: &Value) -> Write {
        Write::Patch {
            target: ObjectRef::new("argoproj.io/v1alpha1", "Rollout", "shop", "web"),
            subresource: Subresource::Status,
            patch_type: PatchType::Merge,
            body: json!({ "status": status }),
            precondition: Precondition::default(),
        }
    }

    #[test]
    fn numbers_follow_an_answer_soon_and_anything_else_after_a_second() {
        let (answer, step) = (json!({"observedGeneration": "2"}), json!({"currentStepIndex": 1}));
        let at = |millis: i64| Timestamp::from_millisecond(millis).unwrap();
        let mut last = None;
        for (millis, body, from) in
            [(0, &step, 1000), (2000, &answer, 2250), (2100, &step, 2350), (2600, &step, 3600)]
        {
            let next = LastStatus::of(Telling::of(&status(body)), last, at(millis));
            assert_eq!(next.next_from(Urgency::Soon, 1), Some(at(from)), "{millis} {body}");
            let later = next.next_from(Urgency::Later, 1);
            assert_eq!(later, Some(at(millis + 5000)), "{millis} {body}");
            assert_eq!(next.next_from(Urgency::AtOnce, 1000), None);
            last = Some(next);
        }
    }

    #[test]
    fn each_is_told_of_less_often_where_many_move() {
        let last = LastStatus { at: Timestamp::UNIX_EPOCH, answered_at: None };
        for (moving, numbers, reasons) in
            [(0, 1, 5), (100, 1, 5), (101, 2, 10), (450, 5, 20), (30_000, 10, 20)]
        {
            let waits = [Urgency::Soon, Urgency::Later]
                .map(|urgency| last.next_from(urgency, moving).map(Timestamp::as_second));
            assert_eq!(waits, [Some(numbers), Some(reasons)], "{moving}");
        }
    }

    #[test]
    fn an_object_moves_for_ten_seconds_after_its_status() {
        let key = |name: &str| Key::Rollout(Name::new("shop", name));
        let at =
            |second| LastStatus { at: Timestamp::from_second(second).unwrap(), answered_at: None };
        let mut all = LastStatuses::default();
        for (name, second, moving) in
            [("a", 0, 1), ("b", 4, 2), ("b", 9, 2), ("c", 11, 2), ("b", 30, 1)]
        {
            all.note(&key(name), at(second));
            assert_eq!(all.moving(), moving, "{name} {second}");
        }
        all.note(&Key::Run(Name::new("shop", "a")), at(30));
        all.forget(&key("b"));
        assert_eq!((all.moving(), all.of(&key("b")).is_none()), (0, true));
    }
}
