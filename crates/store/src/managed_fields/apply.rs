//! Server-side apply: merge, conflicts, and the fields a manager applies no more.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::compare::{claims, compare};
use super::merge::{Cut, merge, remove};
use super::set::FieldSet;
use super::{Entry, Operation, Writer, read, write};
use crate::error::{ApiError, Cause};
use crate::object::map_mut;
use crate::options::Force;
use crate::resource::Subresource;
use crate::schema::Schema;

/// The object after an apply, with its `managedFields`; a conflict names every manager and field.
pub(crate) fn apply(
    schema: &Schema,
    live: Option<&Value>,
    config: &Value,
    writer: &Writer<'_>,
    force: Force,
) -> Result<Value, ApiError> {
    let empty = json!({});
    let before = live.unwrap_or(&empty);
    let mut entries = live.map(read).unwrap_or_default();
    if let Some(live) = live.filter(|_| entries.is_empty()) {
        entries.extend(before_first_apply(schema, live, writer));
    }
    let mut claimed = claims(Some(schema), config);
    writer.restrict(&mut claimed);
    let mut merged = merge(Some(schema), before, &without_foreign(config, writer));
    drop_unapplied(schema, &mut merged, &entries, (&claimed, writer));
    let difference = compare(Some(schema), before, &merged);
    let mut changed = difference.changed;
    writer.restrict(&mut changed);
    let conflicts = conflicts(&entries, &changed, writer);
    if !conflicts.is_empty() && force == Force::No {
        return Err(conflict_error(&conflicts));
    }
    for entry in &mut entries {
        if !is_mine(entry, writer) {
            entry.fields.subtract(&changed);
            entry.fields.subtract(&difference.removed);
        }
    }
    settle(&mut entries, claimed, writer);
    carry_versions(config, &mut merged);
    write(&mut merged, entries);
    Ok(merged)
}

/// Who owns what was there before anybody applied, where nobody was noted.
fn before_first_apply(schema: &Schema, live: &Value, writer: &Writer<'_>) -> Option<Entry> {
    let main = Writer { subresource: Subresource::Main, ..writer.clone() };
    let mut fields = compare(Some(schema), &json!({}), live).changed;
    main.restrict(&mut fields);
    let entry = Entry {
        manager: "before-first-apply".to_owned(),
        operation: Operation::Update,
        api_version: writer.api_version.clone(),
        subresource: String::new(),
        time: main.time(),
        fields,
    };
    (!entry.fields.is_empty()).then_some(entry)
}

/// What an apply to this part of the object may not say.
fn without_foreign(config: &Value, writer: &Writer<'_>) -> Value {
    let mut config = config.clone();
    let map = map_mut(&mut config);
    if writer.subresource == Subresource::Status {
        map.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind" | "status" | "metadata"));
        if let Some(metadata) = map.get_mut("metadata") {
            map_mut(metadata).retain(|key, _| {
                matches!(key.as_str(), "name" | "namespace" | "resourceVersion" | "uid")
            });
        }
    } else if writer.has_status {
        map.remove("status");
    }
    config
}

fn is_mine(entry: &Entry, writer: &Writer<'_>) -> bool {
    entry.operation == Operation::Apply
        && entry.manager == writer.name()
        && entry.subresource == writer.subresource.word()
}

/// Removes what this manager applied before, applies no more, and nobody else owns.
fn drop_unapplied(
    schema: &Schema,
    merged: &mut Value,
    entries: &[Entry],
    (claimed, writer): (&FieldSet, &Writer<'_>),
) {
    let Some(mine) = entries.iter().find(|entry| is_mine(entry, writer)) else { return };
    let mut gone = mine.fields.clone();
    let mut wanted = claimed.clone();
    for entry in entries.iter().filter(|entry| !is_mine(entry, writer)) {
        wanted.merge(entry.fields.clone());
    }
    gone.subtract(&wanted);
    spare_parents(&mut gone, &wanted);
    remove(Some(schema), merged, Cut { gone: &gone, wanted: Some(&wanted) });
}

/// A path stays when somebody owns something below it.
fn spare_parents(gone: &mut FieldSet, owned: &FieldSet) {
    for step in owned.steps() {
        if owned.at(step).is_some_and(|below| !below.is_empty()) {
            gone.forget(step);
            if let Some(below) = owned.at(step) {
                gone.edit(step, |gone| spare_parents(gone, below));
            }
        }
    }
}

/// The managers that own a changed field, with those fields.
fn conflicts(
    entries: &[Entry],
    changed: &FieldSet,
    writer: &Writer<'_>,
) -> Vec<(String, Vec<String>)> {
    let others = entries.iter().filter(|entry| !is_mine(entry, writer));
    let owned = others.map(|entry| (describe(entry), entry.fields.intersection(changed).paths()));
    owned.filter(|(_, paths)| !paths.is_empty()).collect()
}

fn describe(entry: &Entry) -> String {
    let mut text = format!("{:?}", entry.manager);
    if !entry.subresource.is_empty() {
        let _ = write!(text, " with subresource {:?}", entry.subresource);
    }
    if entry.operation == Operation::Update {
        let _ = write!(text, " using {}", entry.api_version);
    }
    text
}

fn conflict_error(conflicts: &[(String, Vec<String>)]) -> ApiError {
    let count: usize = conflicts.iter().map(|(_, paths)| paths.len()).sum();
    let message = match conflicts {
        [(manager, paths)] if paths.len() == 1 => {
            format!("Apply failed with 1 conflict: conflict with {manager}: {}", paths[0])
        }
        many => {
            let mut sorted = many.to_vec();
            sorted.sort();
            let parts: Vec<String> = sorted
                .iter()
                .map(|(manager, paths)| {
                    format!("conflicts with {manager}:\n- {}", paths.join("\n- "))
                })
                .collect();
            format!("Apply failed with {count} conflicts: {}", parts.join("\n"))
        }
    };
    let mut error = ApiError::new(409, "Conflict", message);
    for (manager, paths) in conflicts {
        error.details.causes.extend(paths.iter().map(|path| Cause {
            reason: "FieldManagerConflict".into(),
            message: format!("conflict with {manager}"),
            field: path.clone(),
        }));
    }
    error
}

fn settle(entries: &mut Vec<Entry>, claimed: FieldSet, writer: &Writer<'_>) {
    let time = writer.time();
    if let Some(entry) = entries.iter_mut().find(|entry| is_mine(entry, writer)) {
        if entry.fields != claimed || entry.api_version != writer.api_version {
            entry.fields = claimed;
            entry.api_version.clone_from(&writer.api_version);
            entry.time = time;
        }
        return;
    }
    entries.push(Entry {
        manager: writer.name().to_owned(),
        operation: Operation::Apply,
        api_version: writer.api_version.clone(),
        subresource: writer.subresource.word().to_owned(),
        time,
        fields: claimed,
    });
}

/// A version or uid in the configuration is a precondition, not a value to merge.
fn carry_versions(config: &Value, merged: &mut Value) {
    for key in ["resourceVersion", "uid"] {
        let metadata = crate::object::metadata_mut(merged);
        match config["metadata"].get(key) {
            Some(value) => metadata.insert(key.into(), value.clone()),
            None => metadata.remove(key),
        };
    }
}
