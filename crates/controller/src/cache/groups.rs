//! Objects by what they are looked for: children by their owner, slices by their service.
//!
//! Without it every plan would look through its whole namespace, and the cost of a change would grow
//! with the number of rollouts.
//!
//! **Invariant.** An object is in the group that [`group`] names for it as it was last seen, or in none.

use super::{Entry, Kind};
use crate::{key::Name, release};
use std::collections::BTreeSet;

/// The names of a kind's objects, by namespace and group. Most groups have one member or two.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeSet<Member>);

/// One object in its group.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    group: Name,
    name: String,
}

impl Groups {
    /// Takes in an object as it was and as it is.
    pub(super) fn note(
        &mut self,
        kind: Kind,
        name: &Name,
        (before, after): (Option<&Entry>, Option<&Entry>),
    ) {
        let of = |entry: Option<&Entry>| entry.map(|entry| group(kind, entry).unwrap_or_default());
        let (before, after) = (of(before), of(after));
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.0.remove(&member(name, &before));
        }
        if let Some(after) = after {
            self.0.insert(member(name, &after));
        }
    }

    /// The names in a group, in order; the group without a name holds what belongs to none.
    pub(super) fn members(&self, namespace: &str, group: &str) -> impl Iterator<Item = &String> {
        let group = Name::new(namespace, group);
        let first = Member { group: group.clone(), name: String::new() };
        let own = self.0.range(first..).take_while(move |member| member.group == group);
        own.map(|member| &member.name)
    }
}

fn member(name: &Name, group: &str) -> Member {
    Member { group: Name::new(&name.namespace, group), name: name.name.clone() }
}

/// By what an object is looked for.
fn group(kind: Kind, entry: &Entry) -> Option<String> {
    match kind {
        Kind::AnalysisRun | Kind::Experiment | Kind::Pod | Kind::ReplicaSet => {
            entry.owner.as_ref().map(|owner| owner.name.clone())
        }
        Kind::EndpointSlice | Kind::Job | Kind::JobPod => entry.label.as_deref().map(str::to_owned),
        Kind::Service => release::holder(entry),
        _ => None,
    }
}
