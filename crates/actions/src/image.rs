//! Changing an image.

use crate::{Refused, Subject, resource_version, templated};
use serde_json::{Map, Value, json};
use vocab::{ObjectRef, PatchType, Subresource, Write};

const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Replaces the container lists that change, on condition that nobody else wrote meanwhile.
pub(crate) fn set(subject: Subject<'_>, container: &str, image: &str) -> Result<Write, Refused> {
    let object = templated(subject)?;
    let mut lists = Map::new();
    for list in LISTS {
        let path = format!("/spec/template/spec/{list}");
        if let Some(changed) =
            object.pointer(&path).and_then(|list| changed(list, container, image))
        {
            lists.insert(list.to_owned(), changed);
        }
    }
    if lists.is_empty() {
        return Err(Refused::ContainerNotFound(container.to_owned()));
    }
    Ok(Write::Patch {
        target: ObjectRef::of(object),
        subresource: Subresource::Main,
        patch_type: PatchType::Merge,
        body: json!({ "spec": { "template": { "spec": lists } } }),
        precondition: resource_version(object),
    })
}

fn changed(list: &Value, container: &str, image: &str) -> Option<Value> {
    let mut list = list.clone();
    let mut is_found = false;
    for item in list.as_array_mut()? {
        if container == "*" || item.get("name").and_then(Value::as_str) == Some(container) {
            item["image"] = json!(image);
            is_found = true;
        }
    }
    is_found.then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout() -> Value {
        json!({
            "metadata": { "name": "web", "resourceVersion": "7" },
            "spec": { "template": { "spec": {
                "initContainers": [{ "name": "init", "image": "a" }],
                "containers": [{ "name": "app", "image": "a", "new-field": 1 }, { "name": "side", "image": "a" }],
            } } },
        })
    }

    fn body(container: &str) -> Result<Value, Refused> {
        let rollout = rollout();
        let subject = Subject { rollout: &rollout, replica_sets: &[], workload: None };
        match set(subject, container, "b")? {
            Write::Patch { body, precondition, .. } => {
                assert_eq!(precondition.resource_version.as_deref(), Some("7"));
                Ok(body)
            }
            other => panic!("not a patch: {other:?}"),
        }
    }

    #[test]
    fn only_the_named_container_changes_and_unknown_fields_stay() {
        let containers = json!([{ "name": "app", "image": "b", "new-field": 1 }, { "name": "side", "image": "a" }]);
        let wanted = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
        assert_eq!(body("app").unwrap(), wanted);
    }

    #[test]
    fn a_star_changes_init_containers_too() {
        let changed = body("*").unwrap();
        assert_eq!(
            changed.pointer("/spec/template/spec/initContainers/0/image"),
            Some(&json!("b"))
        );
        assert_eq!(changed.pointer("/spec/template/spec/containers/1/image"), Some(&json!("b")));
    }

    #[test]
    fn a_container_that_is_not_there_is_named() {
        assert_eq!(
            body("nope").unwrap_err().to_string(),
            "unable to find container named \"nope\""
        );
    }
}
