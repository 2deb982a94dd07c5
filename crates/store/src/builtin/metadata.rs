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
    let metadata = &new["metadata"];
    if old.is_none() {
        names(resource, new, &mut problems);
    }
    let generation = &metadata["generation"];
    if generation.as_i64().is_some_and(|generation| generation < 0) {
        let why = "must be greater than or equal to 0";
        problems.push(FieldProblem::invalid("metadata.generation", generation.clone(), why));
    }
    // A job takes its labels from its template, where they are judged.
    let own = resource.plural != "jobs"
        || new["spec"]["template"]["metadata"]["labels"] != metadata["labels"];
    if own && old.is_none_or(|old| old["metadata"]["labels"] != metadata["labels"]) {
        labels(&metadata["labels"], "metadata.labels", &mut problems);
    }
    if old.is_none_or(|old| old["metadata"]["annotations"] != metadata["annotations"]) {
        annotations(&metadata["annotations"], "metadata.annotations", &mut problems);
    }
    if old.is_none_or(|old| old["metadata"]["ownerReferences"] != metadata["ownerReferences"]) {
        owners(metadata, &mut problems);
    }
    if old.is_none_or(|old| old["metadata"]["finalizers"] != metadata["finalizers"]) {
        finalizer_names(new, &mut problems);
    }
    if let Some(old) = old {
        new_finalizers(old, new, &mut problems);
    }
    problems
}

fn names(resource: &Resource, new: &Value, problems: &mut Vec<FieldProblem>) {
    let (name, base) = (meta_str(new, "name"), meta_str(new, "generateName"));
    let form = name_form(resource);
    if let Some(bad) = Some(base).filter(|base| !base.is_empty()).and_then(|base| {
        form(
            base.strip_suffix('-')
                .map_or_else(|| base.to_owned(), |base| format!("{base}a"))
                .as_str(),
        )
    }) {
        problems.push(FieldProblem::invalid("metadata.generateName", json!(base), bad));
    }
    if name.is_empty() {
        let why = "name or generateName is required";
        problems.push(FieldProblem::required("metadata.name", why));
    } else if let Some(bad) = form(name) {
        problems.push(FieldProblem::invalid("metadata.name", json!(name), bad));
    }
}

/// Finalizers of Kubernetes itself, which have no domain.
const STANDARD_FINALIZERS: [&str; 4] =
    ["foregroundDeletion", "orphan", "kubernetes", "customresourcecleanup.apiextensions.k8s.io"];

fn finalizer_names(new: &Value, problems: &mut Vec<FieldProblem>) {
    for (index, name) in finalizers(new).enumerate() {
        if let Some(bad) = names::qualified_name(name) {
            problems.push(FieldProblem::invalid("metadata.finalizers", json!(name), bad));
        } else if !name.contains('/') && !STANDARD_FINALIZERS.contains(&name) {
            let path = format!("metadata.finalizers[{index}]");
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            problems.push(FieldProblem::invalid(path, json!(name), why));
        }
    }
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
        ("", "services") => names::label,
        ("rbac.authorization.k8s.io", _) => names::path_segment,
        _ => names::subdomain,
    }
}

/// The rules on annotations at a path.
pub(crate) fn annotations(annotations: &Value, path: &str, problems: &mut Vec<FieldProblem>) {
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        if let Some(bad) = names::qualified_name(&key.to_lowercase()) {
            problems.push(FieldProblem::invalid(path, json!(key), bad));
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_LIMIT {
        let limit = u64::try_from(ANNOTATIONS_LIMIT).unwrap_or_default();
        problems.push(FieldProblem::too_long(path, limit));
    }
}

fn owners(metadata: &Value, problems: &mut Vec<FieldProblem>) {
    const PATH: &str = "metadata.ownerReferences";
    let mut controllers: Vec<String> = Vec::new();
    for owner in items(&metadata["ownerReferences"]) {
        let text = |key: &str| owner[key].as_str().unwrap_or_default();
        let version = text("apiVersion");
        if version.is_empty() || version.matches('/').count() > 1 {
            let path = format!("{PATH}.apiVersion");
            problems.push(FieldProblem::invalid(path, json!(version), "version must not be empty"));
        }
        for key in ["kind", "name", "uid"] {
            if text(key).is_empty() {
                let path = format!("{PATH}.{key}");
                problems.push(FieldProblem::invalid(path, json!(""), "must not be empty"));
            }
        }
        if version == "v1" && text("kind") == "Event" {
            let why = "/v1, Kind=Event is disallowed from being an owner";
            problems.push(FieldProblem::invalid(PATH, owner.clone(), why));
        }
        if owner["controller"] == true {
            controllers.push(format!("{}/{}", text("kind"), text("name")));
        }
    }
    if let [first, second, ..] = controllers.as_slice() {
        let all = metadata["ownerReferences"].clone();
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
        );
        problems.push(FieldProblem::invalid(PATH, all, why));
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
