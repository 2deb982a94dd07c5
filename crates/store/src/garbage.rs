//! Collecting garbage: objects without owners, owners that wait, namespaces and definitions that empty
//! themselves, old events.
//!
//! Start at [`Store::collect_garbage`]. It only looks where something happened.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::definition::{self, CLEANUP};
use crate::links::{Place, owner_uids};
use crate::object::{Object, finalizers, is_deleting, items, map_mut, metadata_mut};
use crate::options::{DeleteOptions, Propagation};
use crate::resource::{GroupResource, Resource};
use crate::store::Store;
use crate::verbs::delete::{FOREGROUND, ORPHAN};
use crate::verbs::write::is_finished;

/// How long an event is kept after its last write.
pub const EVENT_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// The most places one call looks at.
pub const COLLECT_LIMIT: usize = 500;

/// What one round of collecting did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// How many places were looked at; zero means there was nothing to do.
    pub looked_at: usize,
    /// Whether there is more to do right away.
    pub more: bool,
}

impl Store {
    /// Whether [`Store::collect_garbage`] would find anything to look at.
    pub fn has_garbage(&self, now: Timestamp) -> bool {
        self.links.has_suspects() || self.links.has_old_event(expiry(now))
    }

    /// Takes one bounded round of collecting; call again while it says there is more.
    pub fn collect_garbage(&mut self, now: Timestamp) -> Collected {
        let mut looked_at = 0;
        while looked_at < COLLECT_LIMIT {
            let Some(place) = self.links.next_suspect() else { break };
            looked_at += 1;
            if let Some(object) = self.at_place(&place).cloned() {
                self.look_at(&place, &object, now);
            }
        }
        while looked_at < COLLECT_LIMIT {
            let Some((place, version)) = self.links.next_old_event(expiry(now)) else { break };
            looked_at += 1;
            let event = self.at_place(&place).cloned();
            if let Some(event) = event.filter(|event| event.resource_version() == version) {
                self.discard(&place.kind, &event, now);
            }
        }
        Collected { looked_at, more: self.has_garbage(now) }
    }

    fn look_at(&mut self, place: &Place, object: &Arc<Object>, now: Timestamp) {
        let value = object.value();
        if !is_deleting(value) {
            self.check_owners(place, object, now);
            return;
        }
        if finalizers(value).any(|one| one == ORPHAN) {
            self.orphan_dependents(place, object, now);
        } else if finalizers(value).any(|one| one == FOREGROUND) {
            self.delete_dependents(place, object, now);
        } else if place.kind == GroupResource::new("", "namespaces") {
            self.empty_namespace(place, object, now);
        } else if finalizers(value).any(|one| one == CLEANUP) {
            self.empty_definition(place, object, now);
        }
    }

    /// An object whose owners are all gone, or all waiting for it to go, goes; one that lost some forgets them.
    fn check_owners(&mut self, place: &Place, object: &Arc<Object>, now: Timestamp) {
        let value = object.value();
        if owner_uids(value).next().is_none() {
            return;
        }
        let standing: Vec<(String, Standing)> = owner_uids(value)
            .map(|uid| (uid.to_owned(), self.standing(uid, &place.namespace)))
            .collect();
        let some = |wanted: Standing| standing.iter().any(|(_, one)| *one == wanted);
        if !some(Standing::Solid) {
            let has_dependents = !self.links.dependents_of(object.uid()).is_empty();
            let foreground = some(Standing::Waiting) && has_dependents;
            let propagation =
                if foreground { Propagation::Foreground } else { Propagation::Background };
            self.delete_place(place, object, Some(propagation), now);
        } else if some(Standing::Absent) {
            let gone: Vec<String> = standing
                .into_iter()
                .filter(|(_, one)| *one == Standing::Absent)
                .map(|(uid, _)| uid)
                .collect();
            self.forget_owners(place, object, &gone, now);
        }
    }

    fn standing(&self, uid: &str, namespace: &str) -> Standing {
        let reachable = |place: &&Place| place.namespace.is_empty() || place.namespace == namespace;
        let place = self.links.place_of(uid).filter(reachable);
        let Some(owner) = place.and_then(|place| self.at_place(place)) else {
            return Standing::Absent;
        };
        let waits =
            is_deleting(owner.value()) && finalizers(owner.value()).any(|one| one == FOREGROUND);
        if waits { Standing::Waiting } else { Standing::Solid }
    }

    fn forget_owners(&mut self, place: &Place, object: &Object, gone: &[String], now: Timestamp) {
        let mut value = object.value().clone();
        let kept: Vec<Value> = items(&value["metadata"]["ownerReferences"])
            .iter()
            .filter(|owner| !gone.iter().any(|uid| owner["uid"] == uid.as_str()))
            .cloned()
            .collect();
        let metadata = metadata_mut(&mut value);
        if kept.is_empty() {
            metadata.remove("ownerReferences");
        } else {
            metadata.insert("ownerReferences".into(), Value::Array(kept));
        }
        self.keep(&place.kind, value, now);
    }

    fn orphan_dependents(&mut self, place: &Place, object: &Object, now: Timestamp) {
        let uid = object.uid().to_owned();
        for dependent in self.links.dependents_of(&uid) {
            if let Some(child) = self.at_place(&dependent).cloned() {
                self.forget_owners(&dependent, &child, std::slice::from_ref(&uid), now);
            }
        }
        self.drop_finalizer(place, ORPHAN, now);
    }

    /// Dependents that block go first; the others only have to be told.
    fn delete_dependents(&mut self, place: &Place, object: &Object, now: Timestamp) {
        for dependent in self.links.dependents_of(object.uid()) {
            let child = self.at_place(&dependent).cloned();
            let child = child.filter(|child| !is_deleting(child.value()));
            if let Some(child) = child {
                self.check_owners(&dependent, &child, now);
            }
        }
        let blocks = |place: &Place| {
            let Some(child) = self.at_place(place) else { return false };
            let owners = items(&child.value()["metadata"]["ownerReferences"]).iter();
            owners
                .filter(|owner| owner["uid"] == object.uid())
                .any(|owner| owner["blockOwnerDeletion"] == true)
        };
        if !self.links.dependents_of(object.uid()).iter().any(blocks) {
            self.drop_finalizer(place, FOREGROUND, now);
        }
    }

    fn empty_namespace(&mut self, place: &Place, object: &Object, now: Timestamp) {
        let name = object.name();
        let mut contents = Vec::new();
        for (kind, rack) in &self.racks {
            let inside = rack.objects.get(name).into_iter().flat_map(|space| space.values());
            contents.extend(inside.map(|inner| (Place::of(kind, inner), Arc::clone(inner))));
        }
        for (inner, content) in contents {
            if !is_deleting(content.value()) {
                self.delete_place(&inner, &content, Some(Propagation::Background), now);
            }
        }
        let left = self.racks.values().any(|rack| rack.objects.contains_key(name));
        if left {
            return;
        }
        let mut value = object.value().clone();
        crate::path::set(&mut value, "spec.finalizers", json!([]));
        self.keep_or_finish(place, value, now);
    }

    fn empty_definition(&mut self, place: &Place, object: &Object, now: Timestamp) {
        let kind = definition::defined(object.value());
        let instances: Vec<Arc<Object>> =
            self.racks.get(&kind).into_iter().flat_map(|rack| rack.within(None)).cloned().collect();
        for instance in instances {
            if !is_deleting(instance.value()) {
                let inner = Place::of(&kind, &instance);
                self.delete_place(&inner, &instance, Some(Propagation::Background), now);
            }
        }
        let left = self.racks.get(&kind).is_some_and(|rack| !rack.objects.is_empty());
        if !left {
            self.drop_finalizer(place, CLEANUP, now);
        }
    }

    fn drop_finalizer(&mut self, place: &Place, finalizer: &str, now: Timestamp) {
        let Some(object) = self.at_place(place).cloned() else { return };
        let mut value = object.value().clone();
        let kept: Vec<String> =
            finalizers(&value).filter(|one| *one != finalizer).map(str::to_owned).collect();
        let metadata = map_mut(&mut value["metadata"]);
        if kept.is_empty() {
            metadata.remove("finalizers");
        } else {
            metadata.insert("finalizers".into(), json!(kept));
        }
        self.keep_or_finish(place, value, now);
    }

    fn keep_or_finish(&mut self, place: &Place, value: Value, now: Timestamp) {
        if !is_finished(&value) {
            self.keep(&place.kind, value, now);
            return;
        }
        let last = Arc::new(Object::new(value, self.resource_version()));
        let last = self.discard(&place.kind, &last, now);
        if place.kind.resource == "customresourcedefinitions" {
            definition::discarded(self, &last, now);
        }
    }

    fn delete_place(
        &mut self,
        place: &Place,
        object: &Arc<Object>,
        propagation: Option<Propagation>,
        now: Timestamp,
    ) {
        let options = DeleteOptions { propagation, ..DeleteOptions::default() };
        let resource: Option<Arc<Resource>> = self.catalogue.stored(&place.kind).cloned();
        match resource {
            // The object was read just now and there are no preconditions, so only a protected
            // namespace can refuse, and namespaces have no owners.
            Some(resource) => drop(self.delete_stored(&resource, object, &options, now)),
            None => drop(self.discard(&place.kind, object, now)),
        }
    }
}

/// How an owner stands to its dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Absent,
    Waiting,
    Solid,
}

fn expiry(now: Timestamp) -> Timestamp {
    now.checked_sub(EVENT_LIFETIME).unwrap_or(Timestamp::MIN)
}
