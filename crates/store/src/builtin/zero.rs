//! What an object of a kind has before anything is said: fields that Go keeps as values, not as pointers.
//!
//! Who makes an object does not own them while they are empty.

use serde_json::{Value, json};

use crate::resource::Resource;

/// The empty object of a kind.
pub(crate) fn of(resource: &Resource) -> Value {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "events") => json!({
            "involvedObject": {}, "source": {}, "reportingComponent": "", "reportingInstance": "",
        }),
        ("events.k8s.io", "events") => json!({ "regarding": {}, "deprecatedSource": {} }),
        ("networking.k8s.io", "networkpolicies") => json!({ "spec": { "podSelector": {} } }),
        ("rbac.authorization.k8s.io", "roles" | "clusterroles") => json!({ "rules": null }),
        ("apiextensions.k8s.io", _) => json!({
            "spec": { "group": "", "names": { "kind": "", "plural": "" }, "scope": "" },
        }),
        _ => json!({}),
    }
}
