//! When a status may follow another one that tells nothing but numbers of pods and what is waited for.
//!
//! While pods start, such a status changes with each of their steps; it waits and is written together with what
//! follows. After a change of the specification somebody watches, and is told sooner.

use jiff::{SignedDuration, Timestamp};
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

    /// Until when the next one waits, if it may.
    pub(crate) fn next_from(&self, urgency: Urgency) -> Option<Timestamp> {
        let is_early =
            self.answered_at.is_some_and(|answered| self.at.duration_since(answered) < AT_FIRST);
        let pause = match urgency {
            Urgency::AtOnce => return None,
            Urgency::Soon if is_early => NUMBERS_EVERY_AT_FIRST,
            Urgency::Soon => NUMBERS_EVERY,
            Urgency::Later => REASONS_EVERY,
        };
        Some(self.at.saturating_add(pause).unwrap_or(Timestamp::MAX))
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
            assert_eq!(next.next_from(Urgency::Soon), Some(at(from)), "{millis} {body}");
            assert_eq!(next.next_from(Urgency::Later), Some(at(millis + 5000)), "{millis} {body}");
            assert_eq!(next.next_from(Urgency::AtOnce), None);
            last = Some(next);
        }
    }
}
