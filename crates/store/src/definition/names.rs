//! Names of a definition: those that another definition of the group has are not accepted.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::object::{field_mut, items, strings};
use crate::resource::GroupResource;
use crate::store::{Store, time_text};

/// Whether objects of a definition are served.
pub(super) fn is_established(definition: &Value) -> bool {
    condition(definition, "Established").is_some_and(|found| found["status"] == "True")
}

fn condition<'a>(definition: &'a Value, kind: &str) -> Option<&'a Value> {
    items(&definition["status"]["conditions"]).iter().find(|found| found["type"] == kind)
}

/// What other definitions of a group are called.
#[derive(Default)]
struct Taken {
    resources: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

impl Taken {
    fn by_others(store: &Store, definition: &Value) -> Self {
        let mut taken = Self::default();
        let all = store.racks.get(&definitions()).into_iter().flat_map(|rack| rack.within(None));
        for other in all {
            let other = other.value();
            let same = other["metadata"]["name"] == definition["metadata"]["name"];
            if same || other["spec"]["group"] != definition["spec"]["group"] {
                continue;
            }
            let names = &other["status"]["acceptedNames"];
            // A name that was not accepted is empty.
            let texts =
                |key: &str| names[key].as_str().filter(|name| !name.is_empty()).map(str::to_owned);
            taken.resources.extend(["plural", "singular"].into_iter().filter_map(texts));
            taken.resources.extend(strings(&names["shortNames"]).map(str::to_owned));
            taken.kinds.extend(["kind", "listKind"].into_iter().filter_map(texts));
        }
        taken
    }
}

/// Where definitions are kept.
pub(super) fn definitions() -> GroupResource {
    GroupResource::new("apiextensions.k8s.io", "customresourcedefinitions")
}

/// The definitions of a group whose names were taken.
pub(super) fn waiting(store: &Store, group: &Value) -> Vec<Value> {
    let all = store.racks.get(&definitions()).into_iter().flat_map(|rack| rack.within(None));
    let all = all.map(|object| object.value());
    let waiting = all.filter(|other| other["spec"]["group"] == *group && !is_established(other));
    waiting.cloned().collect()
}

/// Accepts the names that are free and says so in the conditions.
pub(super) fn settle(store: &Store, definition: &mut Value, now: Timestamp) {
    let taken = Taken::by_others(store, definition);
    let wanted = definition["spec"]["names"].clone();
    let before = definition["status"]["acceptedNames"].clone();
    let mut accepted =
        if before.is_object() { before.clone() } else { json!({ "kind": "", "plural": "" }) };
    let mut conflict = None;
    let names = [
        ("plural", "PluralConflict", &taken.resources),
        ("singular", "SingularConflict", &taken.resources),
        ("kind", "KindConflict", &taken.kinds),
        ("listKind", "ListKindConflict", &taken.kinds),
    ];
    for (key, reason, taken) in names {
        let name = wanted[key].as_str().unwrap_or_default();
        if before[key] != name && taken.contains(name) {
            conflict = Some((reason, format!("{name:?} is already in use")));
        } else if !name.is_empty() {
            accepted[key] = json!(name);
        }
    }
    let short = strings(&wanted["shortNames"]).find(|name| taken.resources.contains(*name));
    match short {
        Some(name) if before["shortNames"] != wanted["shortNames"] => {
            conflict = Some(("ShortNamesConflict", format!("{name:?} is already in use")));
        }
        _ => copy(&wanted, &mut accepted, "shortNames"),
    }
    copy(&wanted, &mut accepted, "categories");
    let established = is_established(definition);
    let status = field_mut(definition, "status");
    status["acceptedNames"] = accepted;
    let conditions = conditions(conflict, established);
    let ours = conditions.map(|condition| since(status, condition, now));
    let is_ours = |one: &&Value| ours.iter().any(|ours| ours["type"] == one["type"]);
    let others = items(&status["conditions"]).iter().filter(|one| !is_ours(one)).cloned();
    status["conditions"] = ours.iter().cloned().chain(others).collect();
}

fn copy(from: &Value, to: &mut Value, key: &str) {
    match from.get(key) {
        Some(value) => to[key] = value.clone(),
        None => {
            to.as_object_mut().map(|map| map.remove(key));
        }
    }
}

/// Whether the names are accepted, and whether objects are served.
fn conditions(conflict: Option<(&str, String)>, established: bool) -> [Value; 2] {
    let condition = |kind: &str, status: &str, (reason, message): (&str, &str)| json!({ "type": kind, "status": status, "reason": reason, "message": message });
    let good = ("InitialNamesAccepted", "the initial names have been accepted");
    match conflict {
        None => [
            condition("NamesAccepted", "True", ("NoConflicts", "no conflicts found")),
            condition("Established", "True", good),
        ],
        Some((reason, message)) => [
            condition("NamesAccepted", "False", (reason, &message)),
            if established {
                condition("Established", "True", good)
            } else {
                let why = ("NotAccepted", "not all names are accepted");
                condition("Established", "False", why)
            },
        ],
    }
}

/// A condition with the time since when it has been so.
fn since(status: &Value, mut condition: Value, now: Timestamp) -> Value {
    let before = items(&status["conditions"]).iter().find(|old| old["type"] == condition["type"]);
    let same = before.filter(|before| before["status"] == condition["status"]);
    let time =
        same.map_or_else(|| json!(time_text(now)), |same| same["lastTransitionTime"].clone());
    condition["lastTransitionTime"] = time;
    condition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_is_not_established_unless_it_was() {
        let states = |conflict: Option<&str>, established| {
            let conflict = conflict.map(|name| ("KindConflict", name.to_owned()));
            conditions(conflict, established).map(|one| one["status"] == "True")
        };
        assert_eq!(states(None, false), [true, true]);
        assert_eq!(states(Some("Thing"), false), [false, false]);
        assert_eq!(states(Some("Thing"), true), [false, true]);
    }
}
