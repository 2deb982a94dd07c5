//! Invariants of who writes.

use super::{Invariant, sight::text};
use crate::{history::Step, picture::Picture};
use std::collections::BTreeMap;

/// I6: whoever writes holds the lease, and a life that was followed by another writes no more.
#[derive(Default)]
pub(super) struct OneWriter {
    seat: Option<String>,
    lives: BTreeMap<String, usize>,
}

impl Invariant for OneWriter {
    fn name(&self) -> &'static str {
        "I6"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        let Some(by) = step.by.as_ref().filter(|_| step.resource != "leases") else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut leases =
            before.all("leases").map(|lease| text(lease, "/spec/holderIdentity")).peekable();
        let seat = by.name.rsplit_once('-').map_or(by.name.as_str(), |(seat, _)| seat);
        let object = format!("{} {}", step.resource, step.object.name());
        if leases.peek().is_some() {
            if !leases.any(|holder| holder == by.name) {
                found.push(format!("{} writes {object} and does not hold the lease", by.name));
            }
        } else if self.seat.as_deref().is_some_and(|other| other != seat) {
            found
                .push(format!("{} writes {object} beside another, and there is no lease", by.name));
        }
        self.seat = Some(seat.to_owned());
        let last = self.lives.entry(seat.to_owned()).or_default();
        if by.life < *last {
            found.push(format!("life {} of {seat} writes {object} after life {last}", by.life));
        }
        *last = by.life.max(*last);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tale, basic, set};
    use serde_json::{Value, json};

    fn lease(holder: &str) -> Value {
        json!({"metadata": {"name": "lock", "namespace": "kube-system"}, "spec": {"holderIdentity": holder}})
    }

    #[test]
    fn a_write_without_the_lease_is_found() {
        let tale = Tale::of(basic(2)).by("rehearsal-1-1", "leases", lease("rehearsal-1-1"));
        let tale = tale.by("rehearsal-1-1", "replicasets", set("new", 0, 0));
        assert_eq!(tale.breaches(), [""; 0]);
        let lost = tale.by("rehearsal-2-1", "leases", lease("rehearsal-2-1"));
        let late = lost.by("rehearsal-1-1", "replicasets", set("new", 1, 0));
        let breach = "I6: rehearsal-1-1 writes replicasets web-new and does not hold the lease";
        assert_eq!(late.breaches(), [breach]);
    }

    #[test]
    fn two_writers_without_a_lease_are_found() {
        let tale = Tale::of(basic(2)).by("rehearsal-1-1", "replicasets", set("new", 0, 0));
        let both = tale.by("rehearsal-2-1", "replicasets", set("new", 1, 0));
        let breach =
            "I6: rehearsal-2-1 writes replicasets web-new beside another, and there is no lease";
        assert_eq!(both.breaches(), [breach]);
    }
}
