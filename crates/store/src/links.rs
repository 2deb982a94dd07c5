//! Who owns whom, kept with every write so that collecting garbage never searches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use serde_json::Value;

use crate::object::{Object, is_deleting, items};
use crate::resource::GroupResource;

/// Where an object is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) kind: GroupResource,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Place {
    pub(crate) fn of(kind: &GroupResource, object: &Object) -> Self {
        let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
        Self { kind: kind.clone(), namespace, name }
    }
}

/// The index over all objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    places: BTreeMap<String, Place>,
    dependents: BTreeMap<String, BTreeSet<Place>>,
    suspects: BTreeSet<Place>,
    closing: BTreeSet<String>,
    events: VecDeque<(Timestamp, Place, u64)>,
}

impl Links {
    /// Notes a kept object.
    pub(crate) fn put(
        &mut self,
        kind: &GroupResource,
        before: Option<&Object>,
        object: &Object,
        now: Timestamp,
    ) {
        let place = Place::of(kind, object);
        if kind.resource == "events" && kind.group.is_empty() {
            self.events.push_back((now, place, object.resource_version()));
            return;
        }
        let value = object.value();
        let old = before.map(Object::value);
        let same_owners = old.is_some_and(|old| {
            old["metadata"]["ownerReferences"] == value["metadata"]["ownerReferences"]
        });
        if before.is_none() {
            self.places.insert(object.uid().to_owned(), place.clone());
        }
        if !same_owners {
            if let Some(old) = old {
                self.unlink(old, &place);
            }
            for owner in owner_uids(value) {
                self.dependents.entry(owner.to_owned()).or_default().insert(place.clone());
            }
            if owner_uids(value).next().is_some() {
                self.suspects.insert(place.clone());
            }
            self.suspect_owners(old);
        }
        if is_deleting(value) {
            if kind.resource == "namespaces" && kind.group.is_empty() {
                self.closing.insert(object.name().to_owned());
            }
            self.suspects.insert(place);
        }
    }

    /// Notes a removed object: its dependents lost an owner, its owners a dependent.
    pub(crate) fn remove(&mut self, kind: &GroupResource, object: &Object) {
        let place = Place::of(kind, object);
        let value = object.value();
        if self.places.get(object.uid()) == Some(&place) {
            self.places.remove(object.uid());
        }
        self.unlink(value, &place);
        self.suspects.remove(&place);
        self.suspects.extend(self.dependents.get(object.uid()).into_iter().flatten().cloned());
        self.suspect_owners(Some(value));
        if kind.resource == "namespaces" && kind.group.is_empty() {
            self.closing.remove(object.name());
        }
        self.suspect_container(kind, object);
    }

    /// A place to look at, if there is any; it is not offered again until something happens to it.
    pub(crate) fn next_suspect(&mut self) -> Option<Place> {
        self.suspects.pop_first()
    }

    /// Whether there is a place to look at.
    pub(crate) fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// The first event noted before a time.
    pub(crate) fn next_old_event(&mut self, before: Timestamp) -> Option<(Place, u64)> {
        if !self.has_old_event(before) {
            return None;
        }
        self.events.pop_front().map(|(_, place, version)| (place, version))
    }

    /// Whether an event was noted before a time.
    pub(crate) fn has_old_event(&self, before: Timestamp) -> bool {
        self.events.front().is_some_and(|(at, ..)| *at < before)
    }

    pub(crate) fn place_of(&self, uid: &str) -> Option<&Place> {
        self.places.get(uid)
    }

    pub(crate) fn dependents_of(&self, uid: &str) -> Vec<Place> {
        self.dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    fn unlink(&mut self, value: &Value, place: &Place) {
        for owner in owner_uids(value) {
            if let Some(places) = self.dependents.get_mut(owner) {
                places.remove(place);
                if places.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
    }

    fn suspect_owners(&mut self, value: Option<&Value>) {
        for owner in value.into_iter().flat_map(owner_uids) {
            if let Some(place) = self.places.get(owner) {
                self.suspects.insert(place.clone());
            }
        }
    }

    /// A closing namespace or definition may have lost the last object it waits for.
    fn suspect_container(&mut self, kind: &GroupResource, object: &Object) {
        if self.closing.contains(object.namespace()) {
            let kind = GroupResource::new("", "namespaces");
            let name = object.namespace().to_owned();
            self.suspects.insert(Place { kind, namespace: String::new(), name });
        }
        if kind.group.contains('.') {
            let name = kind.to_string();
            let kind = GroupResource::new("apiextensions.k8s.io", "customresourcedefinitions");
            self.suspects.insert(Place { kind, namespace: String::new(), name });
        }
    }
}

/// The uids of an object's owners.
pub(crate) fn owner_uids(value: &Value) -> impl Iterator<Item = &str> {
    items(&value["metadata"]["ownerReferences"]).iter().filter_map(|owner| owner["uid"].as_str())
}
