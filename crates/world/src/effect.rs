//! What a world controller decides: effects in order, and when to look again.

use jiff::Timestamp;
use kube::core::Resource;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use vocab::{Event, EventType, ObjectRef, merge_patch_between};

/// What one look at one object led to.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a decision does nothing until it is carried out"]
pub(crate) struct Decision {
    /// Writes in the order they happen; the first failure ends them.
    pub(crate) effects: Vec<Effect>,
    /// When to look again even if nothing changes.
    pub(crate) wake: Option<Timestamp>,
}

/// One write, complete in itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Creates a whole object.
    Create(Value),
    /// Merge-patches an object or a subresource of it.
    Patch { target: ObjectRef, part: Part, body: Value },
    /// Puts a pod on a node.
    Bind { target: ObjectRef, uid: Option<String>, node: String },
    /// Deletes an object, and only the one with that uid.
    Delete { target: ObjectRef, uid: Option<String>, grace: Grace },
    /// Records a Kubernetes Event.
    Tell(Event),
}

/// The part of an object that a patch addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Main,
    Status,
    /// The status of a pod, of which others own some conditions: a strategic merge patch.
    PodStatus,
    Scale,
}

/// How long a deleted object may take to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grace {
    /// As its spec says.
    Asked,
    /// Not at all: the kubelet's last word on a pod.
    None,
}

impl Decision {
    /// Appends an effect.
    pub(crate) fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Asks to be woken at `at`, or earlier if something else asked for that.
    pub(crate) fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |before| before.min(at)));
    }

    /// Records a Normal event.
    pub(crate) fn tell<K: Resource<DynamicType = ()>>(
        &mut self,
        about: &K,
        reason: &str,
        message: String,
    ) {
        self.push(Effect::Tell(event(EventType::Normal, about, reason, message)));
    }

    /// Records a Warning event.
    pub(crate) fn warn<K: Resource<DynamicType = ()>>(
        &mut self,
        about: &K,
        reason: &str,
        message: String,
    ) {
        self.push(Effect::Tell(event(EventType::Warning, about, reason, message)));
    }

    /// Patches `/status` from `old` to `new`; nothing happens when they are equal on the wire.
    pub(crate) fn settle<S: Serialize>(&mut self, target: &ObjectRef, old: &S, new: &S) {
        if let Some(diff) = merge_patch_between(&wire(old), &wire(new)) {
            let body = serde_json::json!({ "status": diff });
            self.push(Effect::Patch { target: target.clone(), part: Part::Status, body });
        }
    }
}

fn event<K: Resource<DynamicType = ()>>(
    kind: EventType,
    about: &K,
    reason: &str,
    message: String,
) -> Event {
    let uid = crate::objects::uid_of(about.meta()).to_owned();
    Event {
        event_type: kind,
        regarding: crate::objects::reference(about),
        reason: reason.to_owned(),
        message,
        evidence: BTreeMap::from([("uid".to_owned(), uid)]),
        after: None,
    }
}

/// The value as it goes over the wire; types of the Kubernetes API always have such a form.
pub(crate) fn wire<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_wake_wins() {
        let mut decision = Decision::default();
        decision.wake_at(Timestamp::from_second(20).unwrap());
        decision.wake_at(Timestamp::from_second(10).unwrap());
        decision.wake_at(Timestamp::from_second(30).unwrap());
        assert_eq!(decision.wake, Timestamp::from_second(10).ok());
    }
}
