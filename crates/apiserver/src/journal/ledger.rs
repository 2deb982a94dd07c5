//! What the journal's file says, in memory: every live object by its key.

use super::record::{self, Records};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::{Change, EventKind, GroupResource, RestoredChange, Store};

/// The version of the file's form.
const FORMAT: u32 = 1;

/// Group, resource, namespace and name.
type Key = (String, String, String, String);

/// The live objects and the version of the newest change.
pub(super) struct Ledger {
    objects: BTreeMap<Key, (u64, Bytes)>,
    pub(super) version: u64,
}

/// The first record of a file.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    objects: usize,
    version: u64,
}

/// The head of every other record; an object follows unless it is gone.
#[derive(Serialize, Deserialize)]
struct Line {
    group: String,
    resource: String,
    namespace: String,
    name: String,
    version: u64,
    /// `null` when the object is gone.
    object: Value,
}

impl Ledger {
    /// Everything that a store holds.
    pub(super) fn of(store: &Store) -> Self {
        let mut ledger = Self { objects: BTreeMap::new(), version: store.resource_version() };
        for change in store.snapshot() {
            ledger.enter(&change);
        }
        ledger
    }

    /// Enters a change and returns its record.
    pub(super) fn enter(&mut self, change: &Change) -> Vec<u8> {
        let key = key(change);
        self.version = self.version.max(change.resource_version);
        if change.kind == EventKind::Deleted {
            self.objects.remove(&key);
            return line(&key, change.resource_version, b"null");
        }
        let bytes = change.object.bytes();
        let record = line(&key, change.resource_version, &bytes);
        self.objects.insert(key, (change.resource_version, bytes));
        record
    }

    /// The records of a snapshot.
    pub(super) fn snapshot(&self) -> Vec<u8> {
        let head = Head { format: FORMAT, objects: self.objects.len(), version: self.version };
        let mut file = Vec::new();
        record::encode(serde_json::json!(head).to_string().as_bytes(), &mut file);
        for (key, (version, object)) in &self.objects {
            record::encode(&line(key, *version, object), &mut file);
        }
        file
    }

    /// Reads a file; `None` when it does not begin with a whole snapshot.
    pub(super) fn read(records: &mut Records<'_>) -> Option<Self> {
        let head: Head = serde_json::from_slice(records.next()?).ok()?;
        if head.format != FORMAT {
            return None;
        }
        let mut ledger = Self { objects: BTreeMap::new(), version: head.version };
        let mut read = 0;
        for record in records.by_ref() {
            let line: Line = serde_json::from_slice(record).ok()?;
            ledger.version = ledger.version.max(line.version);
            let key = (line.group, line.resource, line.namespace, line.name);
            if line.object.is_null() {
                ledger.objects.remove(&key);
            } else {
                ledger.objects.insert(key, (line.version, line.object.to_string().into()));
            }
            read += 1;
        }
        (read >= head.objects).then_some(ledger)
    }

    /// Every live object in the order of their versions, and then the newest version of all, which a
    /// deletion may have made.
    pub(super) fn restored(&self) -> Vec<RestoredChange> {
        let mut objects: Vec<_> = self.objects.iter().collect();
        objects.sort_by_key(|(_, (version, _))| *version);
        let live = objects.into_iter().filter_map(|((group, resource, ..), (_, bytes))| {
            let resource = GroupResource::new(group.clone(), resource.clone());
            let object = serde_json::from_slice(bytes).ok()?;
            Some(RestoredChange { resource, kind: EventKind::Added, object })
        });
        live.chain(std::iter::once(self.newest())).collect()
    }

    /// The deletion of nothing, at the newest version.
    fn newest(&self) -> RestoredChange {
        let object = json!({"metadata": {"resourceVersion": self.version.to_string()}});
        let resource = GroupResource::new("", "configmaps");
        RestoredChange { resource, kind: EventKind::Deleted, object }
    }
}

fn key(change: &Change) -> Key {
    let resource = change.resource.clone();
    (resource.group, resource.resource, change.namespace.clone(), change.name.clone())
}

/// A [`Line`], made without parsing the object that is already serialised.
fn line((group, resource, namespace, name): &Key, version: u64, object: &[u8]) -> Vec<u8> {
    let text = |text: &str| Value::from(text).to_string();
    let head = format!(
        "{{\"group\":{},\"resource\":{},\"namespace\":{},\"name\":{},\"version\":{version},\"object\":",
        text(group),
        text(resource),
        text(namespace),
        text(name),
    );
    let mut line = head.into_bytes();
    line.extend_from_slice(object);
    line.push(b'}');
    line
}
