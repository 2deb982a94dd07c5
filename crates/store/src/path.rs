//! Dotted paths into JSON: `spec.replicas`, with or without the leading dot.

use serde_json::Value;

use crate::object::field_mut;

/// The value at a path; `None` when any part is missing.
pub(crate) fn get<'a>(value: &'a Value, dotted: &str) -> Option<&'a Value> {
    parts(dotted).try_fold(value, |value, part| value.get(part))
}

/// Sets the value at a path, making objects on the way.
pub(crate) fn set(value: &mut Value, dotted: &str, new: Value) {
    let mut place = value;
    for part in parts(dotted) {
        place = field_mut(place, part);
    }
    *place = new;
}

fn parts(dotted: &str) -> impl Iterator<Item = &str> {
    dotted.split('.').filter(|part| !part.is_empty())
}

/// `base.key`, or `key` at the root.
pub(crate) fn join(base: &str, key: &str) -> String {
    if base.is_empty() { key.to_owned() } else { format!("{base}.{key}") }
}

/// Sets a label of an object or template.
pub(crate) fn set_label(object: &mut Value, key: &str, value: Value) {
    let labels = field_mut(field_mut(object, "metadata"), "labels");
    crate::object::map_mut(labels).insert(key.to_owned(), value);
}
