//! The objects that were read last, each in its own type.
//!
//! Most changes of a rollout or of a ReplicaSet are to its status. What it wants is the larger part of its
//! text, and is the same while its generation is; so that part is not read again.

use super::{Entry, Kept, Kind};
use crate::{key::Name, remembered::Remembered};

/// How many objects of a kind stay read at least, and half of how many at most.
const READ: usize = 256;

/// Objects of one kind that were read.
#[derive(Debug, Default)]
pub(super) struct Readings(Remembered<Name, Reading, READ>);

#[derive(Debug)]
struct Reading {
    kept: Kept,
    /// Whose it is and what was wanted; unknown where the kind does not count that.
    wanted: Option<(String, i64)>,
    /// Whether the object is still as it was read.
    is_current: bool,
}

impl Readings {
    /// The object that `entry` holds.
    pub(super) fn of(&mut self, kind: Kind, name: &Name, entry: &Entry) -> Kept {
        if let Some(known) = self.0.get_mut(name).filter(|known| known.is_current) {
            return known.kept.clone();
        }
        let wanted = entry.uid.clone().zip(entry.generation);
        let before = self.0.remove(name).filter(|before| before.wanted == wanted);
        let kept = match before {
            Some(Reading { kept, wanted: Some(_), .. }) => kind.read_on(kept, &entry.text),
            _ => kind.read(&entry.text),
        };
        let reading = Reading { kept: kept.clone(), wanted, is_current: true };
        self.0.insert(name.clone(), reading);
        kept
    }

    /// Notes that an object is another now.
    pub(super) fn outdate(&mut self, name: &Name) {
        if let Some(known) = self.0.get_mut(name) {
            known.is_current = false;
        }
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&mut self, name: &Name) {
        self.0.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Wire;
    use serde_json::{Value, json};

    fn set(uid: &str, generation: i64, replicas: i32, available: i32) -> Value {
        json!({
            "metadata": {"name": "a", "namespace": "shop", "uid": uid, "generation": generation},
            "spec": {"replicas": replicas, "selector": {}},
            "status": {"replicas": replicas, "availableReplicas": available},
        })
    }

    fn rollout(generation: i64, image: &str, step: i32) -> Value {
        json!({
            "metadata": {"name": "a", "namespace": "shop", "uid": "1", "generation": generation},
            "spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}},
            "status": {"currentStepIndex": step},
        })
    }

    /// What is read of one object after the other under one name, beside what each is by itself.
    fn read(kind: Kind, objects: &[Value]) -> Vec<(String, String)> {
        let (mut readings, name) = (Readings::default(), Name::new("shop", "a"));
        let entries = objects.iter().map(|object| Entry::new(kind, Wire::of(object).unwrap()));
        let read = |entry: Entry| {
            readings.outdate(&name);
            let (found, whole) = (readings.of(kind, &name, &entry), entry.read(kind));
            (format!("{found:?}"), format!("{whole:?}"))
        };
        entries.map(read).collect()
    }

    #[test]
    fn an_object_is_read_on_as_if_it_were_read_whole() {
        let sets = [set("1", 1, 2, 0), set("1", 1, 2, 2), set("1", 2, 3, 2), set("2", 2, 4, 0)];
        let mut broken = rollout(2, "web:2", 1);
        broken["status"] = json!("none");
        let rollouts = [rollout(1, "web:1", 0), rollout(1, "web:1", 1), rollout(2, "web:2", 1)];
        let rollouts = rollouts.into_iter().chain([broken, rollout(2, "web:2", 2)]);
        let rollouts = rollouts.collect::<Vec<_>>();
        for (kind, objects) in [(Kind::ReplicaSet, &sets[..]), (Kind::Rollout, &rollouts)] {
            for (found, whole) in read(kind, objects) {
                assert_eq!(found, whole);
            }
        }
    }

    #[test]
    fn what_is_wanted_is_taken_from_before_while_the_generation_is_the_same() {
        let found = read(Kind::Rollout, &[rollout(1, "web:1", 0), rollout(1, "other", 1)]);
        assert!(found[1].0.contains("web:1") && !found[1].0.contains("other"), "{}", found[1].0);
    }
}
