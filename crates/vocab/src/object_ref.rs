//! Naming one Kubernetes object.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Names one Kubernetes object of any kind; `namespace` is empty for cluster-scoped kinds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// Group and version as on the wire: `apps/v1`, `v1`.
    pub api_version: String,
    /// Kind as on the wire: `ReplicaSet`.
    pub kind: String,
    /// Namespace, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Object name.
    pub name: String,
}

impl ObjectRef {
    /// Names an object by its four parts.
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Whether there can be such an object: what Kubernetes calls a path segment name is neither empty nor dots,
    /// and has no slash and no percent sign. What people write into a status or a reference may be anything.
    pub fn can_exist(&self) -> bool {
        let is_segment = !matches!(self.name.as_str(), "" | "." | "..");
        is_segment && !self.name.contains(['/', '%'])
    }

    /// Names the object that `object` is; a part that it does not say is empty.
    pub fn of(object: &Value) -> Self {
        let metadata = &object["metadata"];
        let [api_version, kind, namespace, name] =
            [&object["apiVersion"], &object["kind"], &metadata["namespace"], &metadata["name"]]
                .map(|part| part.as_str().unwrap_or_default());
        Self::new(api_version, kind, namespace, name)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_part_of_a_path_names_nothing() {
        let can_exist = |name| ObjectRef::new("batch/v1", "Job", "shop", name).can_exist();
        for name in ["web", "web-1.2", "system:node", "?watch=1", "...", " "] {
            assert!(can_exist(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "%2e%2e"] {
            assert!(!can_exist(name), "{name}");
        }
    }
}
