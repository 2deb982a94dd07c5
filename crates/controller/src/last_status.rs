//! When a status may follow another one that tells nothing but numbers of pods and what is waited for.
//!
//! While pods start, such a status changes with each of their steps; it waits and is written together with what
//! follows. After a change of the specification somebody watches, and is told sooner; of a release that moves while
//! much is to be done at once, it is told later, and at the latest when that is done.

use jiff::{SignedDuration, Timestamp};
use vocab::Write;

/// How often such a status is written at most.
const LITTLE_EVERY: SignedDuration = SignedDuration::from_secs(1);
/// How often soon after a change of the specification was answered. ReplicaSets count what they were asked for
/// within that time.
const LITTLE_EVERY_AT_FIRST: SignedDuration = SignedDuration::from_millis(250);
/// How often while much else is to be done, without a lull: what moves a release comes first.
const LITTLE_EVERY_UNDER_LOAD: SignedDuration = SignedDuration::from_secs(10);
/// How long that is soon.
const AT_FIRST: SignedDuration = SignedDuration::from_millis(500);

/// What a status tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// That another specification was seen.
    Answer,
    /// Anything else.
    News,
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Most workers are free.
    Light,
    /// At least half of several workers are at it, so that requests wait for each other.
    Heavy,
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

    /// From when on one may follow that tells little.
    pub(crate) fn little_from(&self, load: Load) -> Timestamp {
        let is_early =
            self.answered_at.is_some_and(|answered| self.at.duration_since(answered) < AT_FIRST);
        let pause = match load {
            Load::Heavy => LITTLE_EVERY_UNDER_LOAD,
            Load::Light if is_early => LITTLE_EVERY_AT_FIRST,
            Load::Light => LITTLE_EVERY,
        };
        self.at.saturating_add(pause).unwrap_or(Timestamp::MAX)
    }
}

impl Load {
    /// The load of so many workers of whom some are `busy`. One that works alone is never under load.
    pub(crate) fn of(busy: usize, workers: usize) -> Self {
        if workers > 1 && busy * 2 >= workers { Self::Heavy } else { Self::Light }
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
            assert_eq!(next.little_from(Load::Light), at(from), "{millis} {body}");
            assert_eq!(next.little_from(Load::Heavy), at(millis + 10_000), "{millis} {body}");
            last = Some(next);
        }
    }

    #[test]
    fn half_of_several_workers_are_a_load() {
        let cases =
            [(0, 1, Load::Light), (1, 1, Load::Light), (4, 10, Load::Light), (5, 10, Load::Heavy)];
        for (busy, workers, expected) in cases {
            assert_eq!(Load::of(busy, workers), expected, "{busy} of {workers}");
        }
    }
}
