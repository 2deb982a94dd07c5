//! Which fields a field selector may use, by kind.

use crate::resource::{Origin, Resource};

/// Whether field selectors may use this path on this resource.
pub(crate) fn is_selectable(resource: &Resource, path: &str) -> bool {
    if path == "metadata.name" || path == "metadata.namespace" && resource.is_namespaced() {
        return true;
    }
    match resource.origin {
        Origin::Custom => {
            resource.selectable_fields.iter().any(|field| field.trim_start_matches('.') == path)
        }
        Origin::BuiltIn if resource.group == "events.k8s.io" => {
            path.starts_with("regarding.") || offered("events").contains(&path)
        }
        Origin::BuiltIn => offered(&resource.plural).contains(&path),
    }
}

/// Whether a kind says itself which fields there are, and so words its own refusal.
pub(crate) fn has_own(resource: &Resource) -> bool {
    resource.origin == Origin::Custom || !offered(&resource.plural).is_empty()
}

fn offered(plural: &str) -> &'static [&'static str] {
    match plural {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "secrets" => &["type"],
        "services" => &["spec.clusterIP", "spec.type"],
        "nodes" => &["spec.unschedulable"],
        "namespaces" => &["status.phase"],
        "replicationcontrollers" => &["status.replicas"],
        "jobs" => &["status.successful"],
        _ => &[],
    }
}
