//! The state: objects by kind, the version counter and the watch logs.
//!
//! Start at [`Store`]. Verbs live in `verbs/`; this file only keeps what they decide.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::catalogue::Catalogue;
use crate::error::ApiError;
use crate::generate::Generator;
use crate::links::{Links, Place};
use crate::object::{Object, metadata_mut};
use crate::resource::{GroupResource, Gvr, Resource, Scope};
use crate::selector::Selectors;
use crate::watch::{EventKind, Log, LoggedChange, POLL_LIMIT, Since, WatchCursor, WatchEvent};

/// The namespaces every cluster has.
pub const FIRST_NAMESPACES: [&str; 4] =
    ["default", "kube-node-lease", "kube-public", "kube-system"];

/// A Kubernetes cluster's objects and the rules of its API. A clone shares the objects and lives on alone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) catalogue: Catalogue,
    pub(crate) racks: BTreeMap<GroupResource, Rack>,
    pub(crate) generator: Generator,
    version: u64,
    changes: Option<Vec<Change>>,
    pub(crate) links: Links,
}

/// One kept write, for a journal and for waking watchers.
#[derive(Clone, Debug)]
pub struct Change {
    /// The kind, as stored.
    pub resource: GroupResource,
    /// Namespace; empty for cluster-wide kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The version this change made.
    pub resource_version: u64,
    /// What happened.
    pub kind: EventKind,
    /// The object after the change, or as it was last when it is gone.
    pub object: Arc<Object>,
}

/// A change read back from a journal.
#[derive(Clone, Debug)]
pub struct RestoredChange {
    /// The kind, as stored.
    pub resource: GroupResource,
    /// What happened.
    pub kind: EventKind,
    /// The object, with the version the change made.
    pub object: Value,
}

impl Change {
    fn of(key: &GroupResource, kind: EventKind, object: &Arc<Object>) -> Self {
        Self {
            resource: key.clone(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            resource_version: object.resource_version(),
            kind,
            object: Arc::clone(object),
        }
    }
}

/// All objects of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rack {
    pub(crate) objects: BTreeMap<String, BTreeMap<String, Arc<Object>>>,
    pub(crate) log: Log,
}

impl Rack {
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        self.objects.get(namespace)?.get(name)
    }

    /// The objects of one namespace, or all of them.
    pub(crate) fn within(&self, namespace: Option<&str>) -> impl Iterator<Item = &Arc<Object>> {
        let one = namespace.and_then(|namespace| self.objects.get(namespace));
        let all = self.objects.values().filter(move |_| namespace.is_none());
        one.into_iter().chain(all).flat_map(BTreeMap::values)
    }
}

impl Store {
    /// A cluster with the built-in kinds and the usual namespaces. The seed decides uids and generated names.
    pub fn new(seed: u64, now: Timestamp) -> Self {
        let mut store = Self::empty(seed);
        for name in FIRST_NAMESPACES {
            store.add_namespace(name, now);
        }
        store
    }

    /// A cluster without any object, to [`Store::restore`] a journal into.
    pub fn empty(seed: u64) -> Self {
        Self {
            catalogue: Catalogue::built_in(),
            racks: BTreeMap::new(),
            generator: Generator::new(seed),
            version: 0,
            changes: None,
            links: Links::default(),
        }
    }

    /// Every resource type, sorted by group, version and plural.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.catalogue.all()
    }

    /// One resource type.
    pub fn resource(&self, gvr: &Gvr) -> Option<&Arc<Resource>> {
        self.catalogue.find(gvr)
    }

    /// The version of the newest change.
    pub fn resource_version(&self) -> u64 {
        self.version
    }

    /// Starts to collect changes for [`Store::take_changes`], which must then be called often.
    pub fn record_changes(&mut self) {
        self.changes.get_or_insert_default();
    }

    /// The changes kept since the last call, oldest first; always empty before [`Store::record_changes`].
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.changes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Puts a journalled change back. Changes must come in the order they were taken; nothing is checked, and
    /// watchers cannot start before the last one.
    pub fn restore(&mut self, change: RestoredChange, now: Timestamp) {
        let RestoredChange { resource: key, kind, object } = change;
        let version = crate::object::meta_str(&object, "resourceVersion").parse().unwrap_or(0);
        self.version = self.version.max(version);
        let object = Arc::new(Object::new(object, version));
        let is_definition = key.resource == "customresourcedefinitions";
        if kind == EventKind::Deleted {
            self.remove(&key, &object, now);
            if is_definition {
                crate::definition::removed(self, &object);
            }
        } else {
            self.put(&key, &object, now);
            if is_definition {
                crate::definition::changed(self, &object);
            }
        }
        if let Some(rack) = self.racks.get_mut(&key) {
            rack.log.forget_through(version);
        }
    }

    /// Ends a restore: lists and watches start from here, and new identifiers repeat none of before.
    pub fn restored(&mut self) {
        self.generator.reseed(self.version.max(1));
        for rack in self.racks.values_mut() {
            rack.log.forget_through(self.version);
        }
    }

    /// Every object there is, for a snapshot: in the order of their versions.
    pub fn snapshot(&self) -> Vec<Change> {
        let mut all = Vec::new();
        for (key, rack) in &self.racks {
            all.extend(rack.within(None).map(|object| Change::of(key, EventKind::Added, object)));
        }
        all.sort_by_key(|change| change.resource_version);
        all
    }

    /// Starts a watch.
    pub fn watch(
        &self,
        scope: &Scope,
        selectors: Selectors,
        since: Since,
    ) -> Result<WatchCursor, ApiError> {
        let resource = self.catalogue.get(&scope.resource)?;
        crate::verbs::read::check_fields(&resource, &selectors)?;
        let storage = resource.storage();
        let mut cursor = WatchCursor {
            resource: scope.resource.clone(),
            converts: !resource.is_stored(),
            namespace: scope.namespace.clone(),
            initial: std::collections::VecDeque::new(),
            seen: self.version,
            selectors,
            storage,
        };
        match since {
            Since::Initial => cursor.initial = self.selected(scope, &cursor.selectors).collect(),
            Since::Now => {}
            Since::Version(version) => {
                self.check_remembered(&cursor.storage, version)?;
                cursor.seen = version;
            }
        }
        Ok(cursor)
    }

    /// The next events of a watch, at most [`POLL_LIMIT`]; empty when there is nothing new.
    ///
    /// A watch that fell behind what is remembered gets a 410 and must list again.
    pub fn poll(&self, cursor: &mut WatchCursor) -> Result<Vec<WatchEvent>, ApiError> {
        if !cursor.initial.is_empty() {
            return Ok(self.poll_initial(cursor));
        }
        if cursor.seen >= self.version {
            return Ok(Vec::new());
        }
        let Some(rack) = self.racks.get(&cursor.storage) else {
            cursor.seen = self.version;
            return Ok(Vec::new());
        };
        let Some(changes) = rack.log.after(cursor.seen) else {
            return Err(ApiError::too_old(cursor.seen, rack.log.forgotten()));
        };
        let mut events = Vec::new();
        let mut seen = self.version;
        for logged in changes {
            if events.len() == POLL_LIMIT {
                seen = logged.version - 1;
                break;
            }
            if let Some((kind, object)) = cursor.view(logged) {
                events.push(self.event(cursor, kind, object, logged));
            }
        }
        cursor.seen = seen;
        Ok(events)
    }

    fn poll_initial(&self, cursor: &mut WatchCursor) -> Vec<WatchEvent> {
        let count = cursor.initial.len().min(POLL_LIMIT);
        let objects = cursor.initial.drain(..count);
        let shown = objects.map(|object| self.in_version(&object, &cursor.resource));
        shown.map(|object| WatchEvent::unshared(EventKind::Added, object)).collect()
    }

    fn event(
        &self,
        cursor: &WatchCursor,
        kind: EventKind,
        object: Arc<Object>,
        change: &Arc<LoggedChange>,
    ) -> WatchEvent {
        if cursor.converts {
            return WatchEvent::unshared(kind, self.in_version(&object, &cursor.resource));
        }
        WatchEvent::shared(kind, object, Arc::clone(change))
    }

    pub(crate) fn check_remembered(
        &self,
        storage: &GroupResource,
        version: u64,
    ) -> Result<(), ApiError> {
        let forgotten = self.racks.get(storage).map_or(0, |rack| rack.log.forgotten());
        if version < forgotten { Err(ApiError::too_old(version, forgotten)) } else { Ok(()) }
    }

    pub(crate) fn at_place(&self, place: &Place) -> Option<&Arc<Object>> {
        self.found(&place.kind, &place.namespace, &place.name)
    }

    pub(crate) fn found(&self, key: &GroupResource, ns: &str, name: &str) -> Option<&Arc<Object>> {
        self.racks.get(key)?.get(ns, name)
    }

    /// Keeps a new version of an object and tells watchers.
    pub(crate) fn keep(
        &mut self,
        key: &GroupResource,
        mut value: Value,
        now: Timestamp,
    ) -> Arc<Object> {
        self.version += 1;
        metadata_mut(&mut value).insert("resourceVersion".into(), self.version.to_string().into());
        let object = Arc::new(Object::new(value, self.version));
        self.put(key, &object, now);
        object
    }

    /// Removes an object and tells watchers; the answer carries the version of the removal.
    pub(crate) fn discard(
        &mut self,
        key: &GroupResource,
        object: &Arc<Object>,
        now: Timestamp,
    ) -> Arc<Object> {
        self.version += 1;
        let mut value = object.value().clone();
        metadata_mut(&mut value).insert("resourceVersion".into(), self.version.to_string().into());
        let last = Arc::new(Object::new(value, self.version));
        self.remove(key, &last, now);
        last
    }

    fn put(&mut self, key: &GroupResource, object: &Arc<Object>, now: Timestamp) {
        let rack = self.racks.entry(key.clone()).or_default();
        let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
        let space = rack.objects.entry(namespace).or_default();
        let before = space.insert(name, Arc::clone(object));
        let kind = if before.is_some() { EventKind::Modified } else { EventKind::Added };
        self.links.put(key, before.as_deref(), object, now);
        rack.log.push(LoggedChange::new(kind, before, Arc::clone(object), now));
        self.note(key, kind, object);
    }

    fn remove(&mut self, key: &GroupResource, last: &Arc<Object>, now: Timestamp) {
        let Some(rack) = self.racks.get_mut(key) else { return };
        let Some(space) = rack.objects.get_mut(last.namespace()) else { return };
        let Some(before) = space.remove(last.name()) else { return };
        if space.is_empty() {
            rack.objects.remove(last.namespace());
        }
        self.links.remove(key, &before);
        let kind = EventKind::Deleted;
        rack.log.push(LoggedChange::new(kind, Some(before), Arc::clone(last), now));
        self.note(key, kind, last);
    }

    fn note(&mut self, key: &GroupResource, kind: EventKind, object: &Arc<Object>) {
        if let Some(changes) = &mut self.changes {
            changes.push(Change::of(key, kind, object));
        }
    }

    /// Brings objects kept before a definition changed up to it: new defaults show, and the storage version is
    /// the new one. Resource versions stay, for nothing was written.
    pub(crate) fn refresh(&mut self, key: &GroupResource) {
        let Some(resource) = self.catalogue.stored(key).cloned() else { return };
        let (schema, api_version) = (resource.schema(), json!(resource.api_version()));
        let spaces = self.racks.get_mut(key).into_iter().flat_map(|rack| rack.objects.values_mut());
        for object in spaces.flat_map(BTreeMap::values_mut) {
            if !schema.has_defaults && object.value()["apiVersion"] == api_version {
                continue;
            }
            let mut value = object.value().clone();
            value["apiVersion"].clone_from(&api_version);
            crate::schema::default::apply(&schema, &mut value);
            if value != *object.value() {
                *object = Arc::new(Object::new(value, object.resource_version()));
            }
        }
    }

    fn add_namespace(&mut self, name: &str, now: Timestamp) {
        let value = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {
                "name": name, "uid": self.generator.uid(), "creationTimestamp": time_text(now),
                "labels": { "kubernetes.io/metadata.name": name },
            },
            "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" },
        });
        self.keep(&GroupResource::new("", "namespaces"), value, now);
    }
}

/// A time as Kubernetes writes it: whole seconds in UTC.
pub(crate) fn time_text(time: Timestamp) -> String {
    let seconds = time.as_second();
    Timestamp::from_second(seconds).unwrap_or(time).to_string()
}
