//! Rules on metadata that hold for every kind.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::names::{self, Verdict};
use crate::error::FieldProblem;
use crate::object::{finalizers, is_deleting, items, meta_str};
use crate::resource::{Origin, Resource};

/// The most bytes all annotations of an object have together.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// All broken rules.
pub(crate) fn validate(resource: &Resource, old: Option<&Value>, new: &Value) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    if old.is_none() {
        let name = meta_str(new, "name");
        if let Some(bad) = name_form(resource)(name) {
            problems.push(FieldProblem::invalid("metadata.name", json!(name), bad));
        }
    }
    let metadata = &new["metadata"];
    if old.is_none_or(|old| old["metadata"]["labels"] != metadata["labels"]) {
        labels(&metadata["labels"], "metadata.labels", &mut problems);
    }
    if old.is_none_or(|old| old["metadata"]["annotations"] != metadata["annotations"]) {
        annotations(&metadata["annotations"], &mut problems);
    }
    owners(metadata, &mut problems);
    if let Some(old) = old {
        new_finalizers(old, new, &mut problems);
    }
    problems
}

/// The rules on labels at a path.
pub(crate) fn labels(labels: &Value, path: &str, problems: &mut Vec<FieldProblem>) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        if let Some(bad) = names::qualified_name(key) {
            problems.push(FieldProblem::invalid(path, json!(key), bad));
        }
        if let Some(bad) = value.as_str().and_then(names::label_value) {
            problems.push(FieldProblem::invalid(path, value.clone(), bad));
        }
    }
}

fn name_form(resource: &Resource) -> fn(&str) -> Verdict {
    if resource.origin == Origin::Custom {
        return names::subdomain;
    }
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "namespaces") => names::label,
        ("", "services") => names::service_label,
        ("rbac.authorization.k8s.io", _) => names::path_segment,
        _ => names::subdomain,
    }
}

fn annotations(annotations: &Value, problems: &mut Vec<FieldProblem>) {
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        if let Some(bad) = names::qualified_name(&key.to_lowercase()) {
            problems.push(FieldProblem::invalid("metadata.annotations", json!(key), bad));
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_LIMIT {
        let limit = u64::try_from(ANNOTATIONS_LIMIT).unwrap_or_default();
        problems.push(FieldProblem::too_long("metadata.annotations", limit));
    }
}

fn owners(metadata: &Value, problems: &mut Vec<FieldProblem>) {
    let mut controllers = 0;
    for (index, owner) in items(&metadata["ownerReferences"]).iter().enumerate() {
        for key in ["apiVersion", "kind", "name", "uid"] {
            if owner[key].as_str().is_none_or(str::is_empty) {
                let path = format!("metadata.ownerReferences[{index}].{key}");
                problems.push(FieldProblem::invalid(path, owner[key].clone(), "must not be empty"));
            }
        }
        controllers += usize::from(owner["controller"] == true);
    }
    if controllers > 1 {
        problems.push(FieldProblem::invalid(
            "metadata.ownerReferences",
            metadata["ownerReferences"].clone(),
            "Only one reference can have Controller set to true.",
        ));
    }
}

fn new_finalizers(old: &Value, new: &Value, problems: &mut Vec<FieldProblem>) {
    if !is_deleting(old) {
        return;
    }
    let before: BTreeSet<&str> = finalizers(old).collect();
    let added: Vec<&str> = finalizers(new).filter(|one| !before.contains(one)).collect();
    if !added.is_empty() {
        let words: Vec<String> = added.iter().map(|one| format!("{one:?}")).collect();
        problems.push(FieldProblem::forbidden(
            "metadata.finalizers",
            format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                words.join(", ")
            ),
        ));
    }
}
