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
