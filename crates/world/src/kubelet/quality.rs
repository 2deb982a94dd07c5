//! The quality-of-service class of a pod.

use k8s_openapi::{
    api::core::v1::{Pod, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};
use std::collections::BTreeMap;

type Quantities = Option<BTreeMap<String, Quantity>>;

/// `Guaranteed`, `Burstable` or `BestEffort`, by the requests and limits of the containers.
pub(crate) fn class(pod: &Pod) -> &'static str {
    let containers: Vec<ResourceRequirements> = pod
        .spec
        .iter()
        .flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()))
        .map(|container| container.resources.clone().unwrap_or_default())
        .collect();
    let empty = |quantities: &Quantities| quantities.as_ref().is_none_or(BTreeMap::is_empty);
    if containers.iter().all(|needs| empty(&needs.requests) && empty(&needs.limits)) {
        "BestEffort"
    } else if containers.iter().all(is_guaranteed) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

fn is_guaranteed(needs: &ResourceRequirements) -> bool {
    ["cpu", "memory"].iter().all(|resource| {
        let limit = needs.limits.as_ref().and_then(|limits| limits.get(*resource));
        let request = needs.requests.as_ref().and_then(|requests| requests.get(*resource));
        limit.is_some() && (request.is_none() || request == limit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(resources: &serde_json::Value, expected: &str) {
        let pod = json!({"metadata": {}, "spec": {"containers": [{"name": "a", "resources": resources}]}});
        assert_eq!(class(&serde_json::from_value(pod).unwrap()), expected, "{resources}");
    }

    #[test]
    fn the_class_follows_requests_and_limits() {
        check(&json!({}), "BestEffort");
        check(&json!({"requests": {"cpu": "1"}}), "Burstable");
        check(&json!({"limits": {"cpu": "1", "memory": "1Gi"}}), "Guaranteed");
        check(
            &json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}),
            "Burstable",
        );
    }
}
