//! Going back to an earlier revision.

use crate::{Refused, Subject, templated};
use serde_json::{Value, json};
use vocab::{ObjectRef, PatchType, Precondition, Subresource, Write};

const HASH_LABEL: &str = "rollouts-pod-template-hash";

/// Replaces the template by the one of an earlier ReplicaSet, without its hash label.
pub(crate) fn to(subject: Subject<'_>, to_revision: Option<u64>) -> Result<Write, Refused> {
    let object = templated(subject)?;
    let replica_set = match to_revision.filter(|number| *number > 0) {
        Some(number) => owned(subject)
            .find(|set| revision(set) == Some(number))
            .ok_or(Refused::RevisionNotFound(number))?,
        None => previous(subject)?,
    };
    let template = without_hash(&replica_set["spec"]["template"]);
    if covers(&template, &without_hash(&object["spec"]["template"])) {
        return Err(Refused::AlreadyAtRevision(revision(replica_set).unwrap_or_default()));
    }
    Ok(Write::Patch {
        target: ObjectRef::of(object),
        subresource: Subresource::Main,
        patch_type: PatchType::Json,
        body: json!([{ "op": "replace", "path": "/spec/template", "value": template }]),
        precondition: Precondition::default(),
    })
}

fn previous(subject: Subject<'_>) -> Result<&Value, Refused> {
    let mut sets: Vec<&Value> = owned(subject).collect();
    sets.sort_by_key(|set| std::cmp::Reverse(revision(set)));
    let name =
        subject.rollout.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    sets.get(1).copied().ok_or_else(|| Refused::NoEarlierRevision(name.to_owned()))
}

fn owned(subject: Subject<'_>) -> impl Iterator<Item = &Value> {
    let uid = subject.rollout.pointer("/metadata/uid");
    subject.replica_sets.iter().filter(move |set| {
        let owners = set.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        owners.is_some_and(|owners| {
            owners.iter().any(|owner| owner["controller"] == true && owner.get("uid") == uid)
        })
    })
}

fn revision(replica_set: &Value) -> Option<u64> {
    let annotations = replica_set.pointer("/metadata/annotations")?;
    annotations.get("rollout.argoproj.io/revision")?.as_str()?.parse().ok()
}

fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH_LABEL);
    }
    template
}

/// Whether `full` has everything that `part` asks for; what `part` leaves out was defaulted.
fn covers(full: &Value, part: &Value) -> bool {
    match (full, part) {
        (_, Value::Null) => true,
        (Value::Object(full), Value::Object(part)) => part.iter().all(|(key, value)| {
            full.get(key).map_or_else(|| is_empty(value), |found| covers(found, value))
        }),
        (Value::Array(full), Value::Array(part)) => {
            part.is_empty()
                || (full.len() == part.len()
                    && full.iter().zip(part).all(|(full, part)| covers(full, part)))
        }
        (full, part) => full == part,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(revision: &str, image: &str, owner: &str) -> Value {
        json!({
            "metadata": {
                "annotations": { "rollout.argoproj.io/revision": revision },
                "ownerReferences": [{ "uid": owner, "controller": true }],
            },
            "spec": { "template": {
                "metadata": { "labels": { "app": "web", HASH_LABEL: image } },
                "spec": { "containers": [{ "name": "app", "image": image, "imagePullPolicy": "Always" }] },
            } },
        })
    }

    fn undo(to_revision: Option<u64>, image: &str) -> Result<Value, Refused> {
        let rollout = json!({
            "metadata": { "name": "web", "uid": "u" },
            "spec": { "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "app", "image": image }] },
            } },
        });
        let sets =
            [set("10", "c", "u"), set("9", "b", "u"), set("2", "a", "u"), set("11", "x", "other")];
        let subject = Subject { rollout: &rollout, replica_sets: &sets, workload: None };
        match to(subject, to_revision)? {
            Write::Patch { body, .. } => Ok(body),
            other => panic!("not a patch: {other:?}"),
        }
    }

    #[test]
    fn the_revision_before_the_newest_is_taken_and_its_hash_label_dropped() {
        let body = undo(None, "c").unwrap();
        assert_eq!(body.pointer("/0/value/spec/containers/0/image"), Some(&json!("b")));
        assert_eq!(body.pointer("/0/value/metadata/labels"), Some(&json!({ "app": "web" })));
    }

    #[test]
    fn a_named_revision_is_taken() {
        let body = undo(Some(2), "c").unwrap();
        assert_eq!(body.pointer("/0/value/spec/containers/0/image"), Some(&json!("a")));
    }

    #[test]
    fn what_cannot_be_undone_is_said_in_upstreams_words() {
        for (revision, image, words) in [
            (Some(7), "c", "unable to find specified revision 7 in history"),
            (Some(2), "a", "skipped rollback (current template already matches revision 2)"),
        ] {
            assert_eq!(undo(revision, image).unwrap_err().to_string(), words);
        }
    }
}
