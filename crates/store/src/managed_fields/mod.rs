//! Who manages which field: `metadata.managedFields`, kept on every write.
//!
//! Start at [`update`] for plain writes and [`apply::apply`] for server-side apply.

pub(crate) mod apply;
pub(crate) mod compare;
pub(crate) mod merge;
pub(crate) mod set;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::object::{items, metadata_mut};
use crate::resource::{Origin, Subresource};
use crate::schema::Schema;
use crate::store::time_text;
use crate::verbs::write::{Draft, Ownership};
use set::{FieldSet, Step};

/// The most entries of plain writes; beyond it the oldest become one.
const UPDATE_ENTRY_LIMIT: usize = 10;
/// The manager of entries that became one.
const ANCIENT: &str = "ancient-changes";

/// Who writes, and how.
#[derive(Clone)]
pub(crate) struct Writer<'a> {
    pub(crate) manager: &'a str,
    pub(crate) api_version: String,
    pub(crate) subresource: Subresource,
    pub(crate) has_status: bool,
    pub(crate) origin: Origin,
    pub(crate) now: Timestamp,
    /// What an object of the kind has before anything is said.
    pub(crate) zero: Value,
    /// Whether the writer owns what it changes.
    pub(crate) claims: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn of(draft: &'a Draft<'_>) -> Self {
        Self {
            manager: &draft.options.field_manager,
            api_version: draft.resource.api_version(),
            subresource: draft.subresource,
            has_status: draft.resource.subresources.status,
            origin: draft.resource.origin,
            now: draft.now,
            claims: draft.ownership != Ownership::Dropped,
            zero: match draft.old {
                Some(_) => json!({}),
                None => crate::builtin::zero::of(&draft.resource),
            },
        }
    }

    /// Takes away what this kind of write cannot own.
    pub(crate) fn restrict(&self, set: &mut FieldSet) {
        for key in ["apiVersion", "kind"] {
            set.remove(&Step::field(key));
        }
        if self.subresource == Subresource::Finalize {
            set.keep_only(&["spec"]);
        } else if self.subresource == Subresource::Status {
            let labels = self.origin == Origin::BuiltIn;
            set.keep_only(if labels { &["metadata", "status"] } else { &["status"] });
        } else if self.has_status {
            set.remove(&Step::field("status"));
        }
        set.forget(&Step::field("metadata"));
        set.edit(&Step::field("metadata"), |metadata| {
            for key in UNOWNED_METADATA {
                metadata.remove(&Step::field(key));
            }
        });
        if self.origin == Origin::BuiltIn {
            forget_structs(set);
        }
    }

    /// When the write is made; upstream says no time of writes to a scale.
    pub(crate) fn time(&self) -> String {
        if self.subresource == Subresource::Scale { String::new() } else { time_text(self.now) }
    }

    fn is(&self, entry: &Entry) -> bool {
        entry.manager == self.name()
            && entry.api_version == self.api_version
            && entry.subresource == self.subresource.word()
    }

    fn name(&self) -> &str {
        if self.manager.is_empty() { "unknown" } else { self.manager }
    }
}

/// Metadata that nobody owns.
const UNOWNED_METADATA: [&str; 9] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
    "deletionTimestamp",
];
/// Fields of built-in kinds that are always there, so that making an object does not add them.
const ALWAYS_THERE: [&str; 10] = [
    "spec",
    "status",
    "template",
    "metadata",
    "containers",
    "strategy",
    "updateStrategy",
    "scaleTargetRef",
    "jobTemplate",
    "resources",
];

/// Of those, the ones that are nobody's while they are empty.
const EMPTY_STRUCTS: [&str; 5] = ["spec", "status", "template", "metadata", "jobTemplate"];

fn forget_structs(set: &mut FieldSet) {
    for key in ALWAYS_THERE {
        let step = Step::field(key);
        if set.at(&step).is_some_and(FieldSet::is_empty) && EMPTY_STRUCTS.contains(&key) {
            set.remove(&step);
        } else if set.at(&step).is_some_and(|below| !below.is_empty()) {
            set.forget(&step);
            set.edit(&step, forget_structs);
        }
    }
}

/// One entry of `managedFields`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) manager: String,
    pub(crate) operation: Operation,
    pub(crate) api_version: String,
    pub(crate) subresource: String,
    pub(crate) time: String,
    pub(crate) fields: FieldSet,
}

impl Entry {
    fn rank(&self) -> (Operation, &str, &str, &str, &str) {
        (self.operation, &self.time, &self.manager, &self.api_version, &self.subresource)
    }
}

/// How a manager came to own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Apply,
    Update,
}

/// Reads `metadata.managedFields`.
pub(crate) fn read(object: &Value) -> Vec<Entry> {
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let entries = items(&object["metadata"]["managedFields"]).iter();
    let entries = entries.map(|entry| Entry {
        manager: text(entry, "manager"),
        operation: if entry["operation"] == "Apply" { Operation::Apply } else { Operation::Update },
        api_version: text(entry, "apiVersion"),
        subresource: text(entry, "subresource"),
        time: text(entry, "time"),
        fields: FieldSet::from_json(&entry["fieldsV1"]),
    });
    entries.filter(|entry| !entry.fields.is_empty()).collect()
}

/// Writes `metadata.managedFields`, sorted as upstream does; nothing is left out but empty entries.
pub(crate) fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    entries.sort_by(|one, two| one.rank().cmp(&two.rank()));
    if entries.is_empty() {
        metadata_mut(object).remove("managedFields");
        return;
    }
    let list: Vec<Value> = entries.iter().map(entry_json).collect();
    metadata_mut(object).insert("managedFields".into(), Value::Array(list));
}

fn entry_json(entry: &Entry) -> Value {
    let operation = if entry.operation == Operation::Apply { "Apply" } else { "Update" };
    let mut json = json!({
        "manager": entry.manager, "operation": operation, "apiVersion": entry.api_version,
        "time": entry.time, "fieldsType": "FieldsV1", "fieldsV1": entry.fields.to_json(),
    });
    if let Some(map) = json.as_object_mut().filter(|_| entry.time.is_empty()) {
        map.remove("time");
    }
    if !entry.subresource.is_empty() {
        json["subresource"] = json!(entry.subresource);
    }
    json
}

/// Gives a plain write what it changed, and takes it from everybody else.
///
/// The entries are the new object's if the client sent some (that is how clients hand fields over).
pub(crate) fn update(schema: &Schema, old: Option<&Value>, new: &mut Value, writer: &Writer<'_>) {
    let difference = compare::compare(Some(schema), old.unwrap_or(&writer.zero), new);
    let mut taken = difference.changed;
    writer.restrict(&mut taken);
    let sent = &new["metadata"]["managedFields"];
    let unchanged = old.is_some_and(|old| old["metadata"]["managedFields"] == *sent);
    if unchanged && taken.is_empty() && difference.removed.is_empty() {
        return;
    }
    let mut entries = match old {
        Some(_) => read(new),
        None => Vec::new(),
    };
    if old.is_some() && entries.is_empty() {
        // What nobody managed from the beginning is not managed by changing it.
        write(new, entries);
        return;
    }
    for entry in &mut entries {
        entry.fields.subtract(&difference.removed);
        if !(entry.operation == Operation::Update && writer.is(entry)) {
            entry.fields.subtract(&taken);
        }
    }
    if writer.claims {
        claim(&mut entries, taken, writer);
    }
    limit_updates(&mut entries);
    write(new, entries);
}

fn claim(entries: &mut Vec<Entry>, taken: FieldSet, writer: &Writer<'_>) {
    if taken.is_empty() {
        return;
    }
    let time = writer.time();
    let mine = |entry: &&mut Entry| entry.operation == Operation::Update && writer.is(entry);
    if let Some(entry) = entries.iter_mut().find(mine) {
        entry.fields.merge(taken);
        entry.time = time;
        return;
    }
    entries.push(Entry {
        manager: writer.name().to_owned(),
        operation: Operation::Update,
        api_version: writer.api_version.clone(),
        subresource: writer.subresource.word().to_owned(),
        time,
        fields: taken,
    });
}

fn limit_updates(entries: &mut Vec<Entry>) {
    let updates = |entries: &[Entry]| {
        entries.iter().filter(|entry| entry.operation == Operation::Update).count()
    };
    while updates(entries) > UPDATE_ENTRY_LIMIT {
        let oldest = |entries: &[Entry]| {
            let places = entries.iter().enumerate();
            let updates = places.filter(|(_, entry)| {
                entry.operation == Operation::Update && entry.manager != ANCIENT
            });
            updates.min_by(|one, two| one.1.time.cmp(&two.1.time)).map(|(place, _)| place)
        };
        let Some(place) = oldest(entries) else { return };
        let mut old = entries.remove(place);
        if let Some(ancient) = entries.iter_mut().find(|entry| entry.manager == ANCIENT) {
            ancient.fields.merge(old.fields);
        } else {
            ANCIENT.clone_into(&mut old.manager);
            entries.push(old);
        }
        if updates(entries) <= UPDATE_ENTRY_LIMIT {
            return;
        }
    }
}
