//! Objects as the tables that `kubectl get` shows.
//!
//! Start at [`Layout::of`]: built-in kinds have their columns in `workload`, `network` and `cluster`
//! (one constant per kind), custom kinds bring theirs as `additionalPrinterColumns`.
//!
//! **Invariant.** A cell is a pure function of one object and the present time.

mod age;
mod cluster;
mod column;
mod network;
mod path;
mod pod;
mod workload;

use column::{Column, NAME};
use jiff::Timestamp;
use path::Path;
use serde_json::{Value, json};
use store::{Origin, Resource};

/// The columns of one kind.
pub(crate) enum Layout {
    BuiltIn(&'static [Column]),
    Custom(Vec<CustomColumn>),
}

/// A column that a CRD declares; without a path when the server cannot read the declared one.
pub(crate) struct CustomColumn {
    declared: store::Column,
    path: Option<Path>,
}

/// How much of each object a row carries (`includeObject`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Include {
    Nothing,
    Metadata,
    Object,
}

impl Layout {
    fn built_in(group: &str, resource: &str) -> Self {
        Self::BuiltIn(match (group, resource) {
            ("", "pods") => pod::POD,
            ("", "services") => network::SERVICE,
            ("", "endpoints") => network::ENDPOINTS,
            ("", "configmaps") => cluster::CONFIG_MAP,
            ("", "secrets") => cluster::SECRET,
            ("", "serviceaccounts") => cluster::SERVICE_ACCOUNT,
            ("" | "events.k8s.io", "events") => cluster::EVENT,
            ("", "namespaces") => cluster::NAMESPACE,
            ("", "nodes") => cluster::NODE,
            ("apps", "deployments") => workload::DEPLOYMENT,
            ("apps", "replicasets") => workload::REPLICA_SET,
            ("apps", "statefulsets") => workload::STATEFUL_SET,
            ("apps", "daemonsets") => workload::DAEMON_SET,
            ("apps", "controllerrevisions") => workload::CONTROLLER_REVISION,
            ("batch", "jobs") => workload::JOB,
            ("batch", "cronjobs") => workload::CRON_JOB,
            ("autoscaling", "horizontalpodautoscalers") => workload::AUTOSCALER,
            ("policy", "poddisruptionbudgets") => workload::DISRUPTION_BUDGET,
            ("discovery.k8s.io", "endpointslices") => network::ENDPOINT_SLICE,
            ("networking.k8s.io", "ingresses") => network::INGRESS,
            ("networking.k8s.io", "ingressclasses") => network::INGRESS_CLASS,
            ("networking.k8s.io", "networkpolicies") => network::NETWORK_POLICY,
            ("coordination.k8s.io", "leases") => cluster::LEASE,
            ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => {
                cluster::BINDING
            }
            ("rbac.authorization.k8s.io", _)
            | ("apiextensions.k8s.io", "customresourcedefinitions") => cluster::DATED,
            _ => cluster::PLAIN,
        })
    }

    /// The columns of a resource; custom kinds that declare none show name and age.
    pub(crate) fn of(resource: &Resource) -> Self {
        match resource.origin {
            Origin::BuiltIn => Self::built_in(&resource.group, &resource.plural),
            Origin::Custom => Self::custom(&resource.columns),
        }
    }

    fn custom(columns: &[store::Column]) -> Self {
        if columns.is_empty() {
            return Self::BuiltIn(cluster::PLAIN);
        }
        Self::Custom(columns.iter().map(CustomColumn::of).collect())
    }

    /// The table's `columnDefinitions`.
    pub(crate) fn definitions(&self) -> Vec<Value> {
        match self {
            Self::BuiltIn(columns) => columns.iter().map(Column::definition).collect(),
            Self::Custom(columns) => std::iter::once(NAME.definition())
                .chain(columns.iter().map(CustomColumn::definition))
                .collect(),
        }
    }

    /// One row for one object.
    pub(crate) fn row(&self, object: &Value, include: Include, now: Timestamp) -> Value {
        let cells: Vec<Value> = match self {
            Self::BuiltIn(columns) => {
                columns.iter().map(|column| (column.cell)(object, now)).collect()
            }
            Self::Custom(columns) => std::iter::once((NAME.cell)(object, now))
                .chain(columns.iter().map(|column| column.cell(object, now)))
                .collect(),
        };
        match include {
            Include::Nothing => json!({"cells": cells, "object": null}),
            Include::Metadata => json!({"cells": cells, "object": partial(object)}),
            Include::Object => json!({"cells": cells, "object": object}),
        }
    }
}

/// An object reduced to its metadata.
pub(crate) fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").unwrap_or(&Value::Null),
    })
}

impl CustomColumn {
    fn of(declared: &store::Column) -> Self {
        Self { declared: declared.clone(), path: Path::parse(&declared.json_path) }
    }

    fn definition(&self) -> Value {
        json!({
            "name": self.declared.name,
            "type": self.declared.kind,
            "format": self.declared.format,
            "description": self.declared.description,
            "priority": self.declared.priority,
        })
    }

    fn cell(&self, object: &Value, now: Timestamp) -> Value {
        let found = self.path.as_ref().and_then(|path| path.first(object));
        let Some(value) = found.filter(|value| !value.is_null()) else { return Value::Null };
        match self.declared.kind.as_str() {
            "integer" => value.as_i64().map_or(Value::Null, Value::from),
            "number" | "boolean" => value.clone(),
            "date" => json!(age::since(value.as_str(), now)),
            _ => json!(column::plain(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(name: &str, kind: &str, json_path: &str) -> store::Column {
        store::Column {
            name: name.into(),
            kind: kind.into(),
            format: String::new(),
            description: String::new(),
            priority: 0,
            json_path: json_path.into(),
        }
    }

    #[test]
    fn custom_columns_follow_the_name() {
        let layout = Layout::custom(&[
            declared("Desired", "integer", ".spec.replicas"),
            declared("Phase", "string", ".status.phase"),
            declared("Age", "date", ".metadata.creationTimestamp"),
        ]);
        let object = json!({
            "metadata": {"name": "web", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"replicas": 3},
        });
        let row = layout.row(&object, Include::Nothing, "2026-01-01T00:00:07Z".parse().unwrap());
        assert_eq!(row, json!({"cells": ["web", 3, null, "7s"], "object": null}));
        assert_eq!(layout.definitions().len(), 4);
    }

    #[test]
    fn a_row_carries_only_metadata_unless_asked() {
        let object = json!({"metadata": {"name": "a"}, "data": {"k": "v"}});
        let row = Layout::built_in("", "configmaps").row(
            &object,
            Include::Metadata,
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(row["object"]["kind"], "PartialObjectMetadata");
        assert_eq!(row["object"].get("data"), None);
    }
}
