//! Objects by what they are looked for: children by their owner, slices by their service.
//!
//! Without it every plan would look through its whole namespace, and the cost of a change would grow
//! with the number of rollouts.
//!
//! **Invariant.** An object is in the group that [`group`] names for it as it was last seen, or in none.

use super::{Entry, Kind};
use crate::{key::Name, release};
use api::argo::keys::ANALYSIS_RUN_UID;
use std::collections::{BTreeMap, BTreeSet};

/// The label that ties an EndpointSlice to its service.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The names of a kind's objects, by namespace and group.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<Name, BTreeSet<String>>);

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
            self.leave(name, &before);
        }
        if let Some(after) = after {
            let group = Name::new(&name.namespace, &after);
            self.0.entry(group).or_default().insert(name.name.clone());
        }
    }

    /// The names in a group, in order; the group without a name holds what belongs to none.
    pub(super) fn members(&self, namespace: &str, group: &str) -> impl Iterator<Item = &String> {
        self.0.get(&Name::new(namespace, group)).into_iter().flatten()
    }

    fn leave(&mut self, name: &Name, group: &str) {
        let group = Name::new(&name.namespace, group);
        if let Some(members) = self.0.get_mut(&group) {
            members.remove(&name.name);
            if members.is_empty() {
                self.0.remove(&group);
            }
        }
    }
}

/// By what an object is looked for.
fn group(kind: Kind, entry: &Entry) -> Option<String> {
    match kind {
        Kind::AnalysisRun | Kind::Experiment | Kind::Pod | Kind::ReplicaSet => {
            entry.owner.as_ref().map(|owner| owner.name.clone())
        }
        Kind::EndpointSlice => entry.labels.get(SERVICE_NAME).cloned(),
        Kind::Job | Kind::JobPod => entry.labels.get(ANALYSIS_RUN_UID).cloned(),
        Kind::Service => release::holder(entry),
        _ => None,
    }
}
