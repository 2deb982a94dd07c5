//! The built-in resource types as one table.

use std::sync::{Arc, LazyLock};

use k8s_openapi::api::{
    admissionregistration::v1 as admission, apps::v1 as apps, autoscaling::v1 as hpa1,
    autoscaling::v2 as hpa2, batch::v1 as batch, coordination::v1 as coordination,
    core::v1 as core, discovery::v1 as discovery, events::v1 as events, networking::v1 as net,
    policy::v1 as policy, rbac::v1 as rbac, scheduling::v1 as scheduling, storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as extensions;

use super::schemas::{Source, source};
use crate::resource::{Origin, Reach, Resource, ScalePaths, SchemaSource, Subresources};
use crate::schema::Schema;

/// The verbs every kept resource has, in discovery's order.
pub(crate) const VERBS: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// One row: `group/version`, kind, plural, marks and schema.
///
/// Marks: `n` namespaced, `s` status, `c` scale, `a` category `all`; then the short names.
type Row = (&'static str, &'static str, &'static str, &'static str, Source);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("v1", "ConfigMap", "configmaps", "n cm", source::<core::ConfigMap>()),
    ("v1", "Endpoints", "endpoints", "n ep", source::<core::Endpoints>()),
    ("v1", "Event", "events", "n ev", source::<core::Event>()),
    ("v1", "LimitRange", "limitranges", "n limits", source::<core::LimitRange>()),
    ("v1", "Namespace", "namespaces", "s ns", source::<core::Namespace>()),
    ("v1", "Node", "nodes", "s no", source::<core::Node>()),
    ("v1", "PersistentVolume", "persistentvolumes", "s pv", source::<core::PersistentVolume>()),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "ns pvc", source::<core::PersistentVolumeClaim>()),
    ("v1", "Pod", "pods", "nsa po", source::<core::Pod>()),
    ("v1", "ReplicationController", "replicationcontrollers", "nsca rc", source::<core::ReplicationController>()),
    ("v1", "ResourceQuota", "resourcequotas", "ns quota", source::<core::ResourceQuota>()),
    ("v1", "Secret", "secrets", "n", source::<core::Secret>()),
    ("v1", "ServiceAccount", "serviceaccounts", "n sa", source::<core::ServiceAccount>()),
    ("v1", "Service", "services", "nsa svc", source::<core::Service>()),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "-", source::<admission::MutatingWebhookConfiguration>()),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "-", source::<admission::ValidatingWebhookConfiguration>()),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", "s crd crds", source::<extensions::CustomResourceDefinition>()),
    ("apps/v1", "ControllerRevision", "controllerrevisions", "n", source::<apps::ControllerRevision>()),
    ("apps/v1", "DaemonSet", "daemonsets", "nsa ds", source::<apps::DaemonSet>()),
    ("apps/v1", "Deployment", "deployments", "nsca deploy", source::<apps::Deployment>()),
    ("apps/v1", "ReplicaSet", "replicasets", "nsca rs", source::<apps::ReplicaSet>()),
    ("apps/v1", "StatefulSet", "statefulsets", "nsca sts", source::<apps::StatefulSet>()),
    ("autoscaling/v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "nsa hpa", source::<hpa1::HorizontalPodAutoscaler>()),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "nsa hpa", source::<hpa2::HorizontalPodAutoscaler>()),
    ("batch/v1", "CronJob", "cronjobs", "nsa cj", source::<batch::CronJob>()),
    ("batch/v1", "Job", "jobs", "nsa", source::<batch::Job>()),
    ("coordination.k8s.io/v1", "Lease", "leases", "n", source::<coordination::Lease>()),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", "n", source::<discovery::EndpointSlice>()),
    ("events.k8s.io/v1", "Event", "events", "n ev", source::<events::Event>()),
    ("networking.k8s.io/v1", "IngressClass", "ingressclasses", "-", source::<net::IngressClass>()),
    ("networking.k8s.io/v1", "Ingress", "ingresses", "ns ing", source::<net::Ingress>()),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", "n netpol", source::<net::NetworkPolicy>()),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "ns pdb", source::<policy::PodDisruptionBudget>()),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", "-", source::<rbac::ClusterRoleBinding>()),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", "-", source::<rbac::ClusterRole>()),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", "n", source::<rbac::RoleBinding>()),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", "n", source::<rbac::Role>()),
    ("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", "- pc", source::<scheduling::PriorityClass>()),
    ("storage.k8s.io/v1", "StorageClass", "storageclasses", "- sc", source::<storage::StorageClass>()),
];

/// Every built-in resource type.
pub(crate) fn resources() -> Vec<Resource> {
    ROWS.iter().map(resource).collect()
}

/// Whether there is such a kind, or a list of it.
pub(crate) fn is_known(api_version: &str, kind: &str) -> bool {
    let single = kind.strip_suffix("List").unwrap_or(kind);
    ROWS.iter().any(|row| row.0 == api_version && (row.1 == kind || row.1 == single))
}

/// The schema of a kind.
pub(crate) fn schema(api_version: &str, kind: &str) -> Option<Arc<Schema>> {
    let row = ROWS.iter().find(|row| row.0 == api_version && row.1 == kind)?;
    Some((row.4.schema)())
}

fn resource(row: &Row) -> Resource {
    let &(api_version, kind, plural, words, source) = row;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let (marks, short_names) = words.split_once(' ').unwrap_or((words, ""));
    let has = |mark| marks.contains(mark);
    let scale = has('c').then(|| ScalePaths {
        spec_replicas: ".spec.replicas".into(),
        status_replicas: ".status.replicas".into(),
        selector: Some(".spec.selector".into()),
    });
    Resource {
        group: group.into(),
        version: version.into(),
        plural: plural.into(),
        singular: kind.to_lowercase(),
        kind: kind.into(),
        list_kind: format!("{kind}List"),
        short_names: short_names.split_whitespace().map(str::to_owned).collect(),
        categories: match plural {
            "customresourcedefinitions" => vec!["api-extensions".into()],
            _ if has('a') => vec!["all".into()],
            _ => Vec::new(),
        },
        reach: if has('n') { Reach::Namespaced } else { Reach::Cluster },
        subresources: Subresources { status: has('s'), scale },
        verbs: VERBS
            .iter()
            .copied()
            .filter(|verb| plural != "namespaces" || *verb != "deletecollection")
            .collect(),
        columns: Vec::new(),
        selectable_fields: Vec::new(),
        deprecation: None,
        origin: Origin::BuiltIn,
        storage_group: storage_group(group).into(),
        storage_version: storage_version(group, version).into(),
        schema: SchemaSource::BuiltIn(Arc::new(LazyLock::new(source.schema)), source),
    }
}

/// Events are one kind in two groups; they are kept in the older one.
fn storage_group(group: &str) -> &str {
    if group == "events.k8s.io" { "" } else { group }
}

fn storage_version<'a>(group: &str, version: &'a str) -> &'a str {
    if group == "autoscaling" { "v2" } else { version }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads_as_kubernetes_names_things() {
        let all = resources();
        let find = |kind: &str| all.iter().find(|one| one.kind == kind).unwrap();
        assert_eq!(find("Deployment").short_names, ["deploy"]);
        assert!(find("Deployment").subresources.scale.is_some());
        assert_eq!(find("Namespace").reach, Reach::Cluster);
        assert!(find("ClusterRole").short_names.is_empty());
        assert!(!find("IngressClass").is_namespaced());
        assert_eq!(find("CustomResourceDefinition").short_names, ["crd", "crds"]);
        assert_eq!(find("Endpoints").singular, "endpoints");
    }
}
