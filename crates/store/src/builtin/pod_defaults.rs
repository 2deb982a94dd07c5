//! Defaults of pod specs, alone and in templates.

use serde_json::{Map, Value, json};

use super::defaults::{each, fill};
use crate::object::{items, map_mut};

/// How long a pod may take to stop when it does not say, in seconds.
const GRACE_SECONDS: i64 = 30;
/// Permissions of files in volumes: 0644.
const FILE_MODE: i64 = 420;

/// Fills in what a pod left out.
pub(crate) fn pod(object: &mut Value) {
    let spec = map_mut(crate::object::field_mut(object, "spec"));
    pod_spec(spec);
    fill(spec, &[("enableServiceLinks", json!(true))]);
    for list in ["containers", "initContainers"] {
        each(spec, list).for_each(requests_from_limits);
    }
}

/// Fills in what a pod spec left out.
pub(crate) fn pod_spec(spec: &mut Map<String, Value>) {
    if spec.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|s| s < 0) {
        spec.insert("terminationGracePeriodSeconds".into(), json!(1));
    }
    fill(
        spec,
        &[
            ("restartPolicy", json!("Always")),
            ("dnsPolicy", json!("ClusterFirst")),
            ("schedulerName", json!("default-scheduler")),
            ("terminationGracePeriodSeconds", json!(GRACE_SECONDS)),
            ("securityContext", json!({})),
        ],
    );
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        fill(spec, &[("serviceAccount", account)]);
    } else if let Some(account) = spec.get("serviceAccount").cloned() {
        fill(spec, &[("serviceAccountName", account)]);
    }
    let on_host = spec.get("hostNetwork") == Some(&json!(true));
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for one in each(spec, list) {
            container(one, on_host);
        }
    }
    each(spec, "volumes").for_each(volume);
}

fn container(container: &mut Map<String, Value>, on_host: bool) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
    fill(
        container,
        &[
            ("imagePullPolicy", json!(policy)),
            ("terminationMessagePath", json!("/dev/termination-log")),
            ("terminationMessagePolicy", json!("File")),
            ("resources", json!({})),
        ],
    );
    for port in each(container, "ports") {
        fill(port, &[("protocol", json!("TCP"))]);
        if on_host {
            let number = port.get("containerPort").cloned().unwrap_or_default();
            fill(port, &[("hostPort", number)]);
        }
    }
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(Value::Object(one)) = container.get_mut(key) {
            probe(one);
        }
    }
    for variable in each(container, "env") {
        if let Some(Value::Object(source)) = variable.get_mut("valueFrom")
            && let Some(reference) = source.get_mut("fieldRef")
        {
            fill(map_mut(reference), &[("apiVersion", json!("v1"))]);
        }
        if let Some(reference) = variable
            .get_mut("valueFrom")
            .and_then(|source| source.get_mut("resourceFieldRef"))
            .and_then(Value::as_object_mut)
        {
            fill(reference, &[("divisor", json!("0"))]);
        }
    }
    if let Some(Value::Object(lifecycle)) = container.get_mut("lifecycle") {
        for hook in lifecycle.values_mut().filter_map(Value::as_object_mut) {
            http_get(hook);
        }
    }
}

fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn probe(probe: &mut Map<String, Value>) {
    fill(
        probe,
        &[
            ("timeoutSeconds", json!(1)),
            ("periodSeconds", json!(10)),
            ("successThreshold", json!(1)),
            ("failureThreshold", json!(3)),
        ],
    );
    http_get(probe);
    if let Some(Value::Object(grpc)) = probe.get_mut("grpc") {
        fill(grpc, &[("service", json!(""))]);
    }
}

fn http_get(handler: &mut Map<String, Value>) {
    if let Some(Value::Object(get)) = handler.get_mut("httpGet") {
        fill(get, &[("path", json!("/")), ("scheme", json!("HTTP"))]);
    }
}

/// What a container may use at most is what it asks for, unless it says otherwise.
fn requests_from_limits(container: &mut Map<String, Value>) {
    let Some(Value::Object(resources)) = container.get_mut("resources") else { return };
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
    let requests = map_mut(resources.entry("requests").or_insert_with(|| json!({})));
    for (name, limit) in limits {
        requests.entry(name).or_insert(limit);
    }
}

fn volume(volume: &mut Map<String, Value>) {
    let has_source = volume.keys().any(|key| key != "name");
    if !has_source {
        volume.insert("emptyDir".into(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(Value::Object(inner)) = volume.get_mut(source) {
            fill(inner, &[("defaultMode", json!(FILE_MODE))]);
        }
    }
    if let Some(Value::Object(inner)) = volume.get_mut("downwardAPI") {
        references(inner);
    }
    if let Some(Value::Object(inner)) = volume.get_mut("projected") {
        for source in each(inner, "sources") {
            if let Some(Value::Object(token)) = source.get_mut("serviceAccountToken") {
                fill(token, &[("expirationSeconds", json!(3600))]);
            }
            if let Some(Value::Object(inner)) = source.get_mut("downwardAPI") {
                references(inner);
            }
        }
    }
    if let Some(Value::Object(host)) = volume.get_mut("hostPath") {
        fill(host, &[("type", json!(""))]);
    }
}

fn references(downward: &mut Map<String, Value>) {
    for item in each(downward, "items") {
        if let Some(Value::Object(reference)) = item.get_mut("fieldRef") {
            fill(reference, &[("apiVersion", json!("v1"))]);
        }
    }
}

/// The quality-of-service class of a pod spec.
pub(crate) fn quality(spec: &Value) -> &'static str {
    let mut any = false;
    let mut guaranteed = true;
    for container in items(&spec["containers"]).iter().chain(items(&spec["initContainers"])) {
        let resources = &container["resources"];
        for name in ["cpu", "memory"] {
            let (request, limit) = (&resources["requests"][name], &resources["limits"][name]);
            any |= !request.is_null() || !limit.is_null();
            guaranteed &= !limit.is_null() && request == limit;
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_latest_images_are_always_pulled() {
        let check = |image: &str, expected: bool| assert_eq!(is_latest(image), expected, "{image}");
        check("nginx", true);
        check("nginx:latest", true);
        check("nginx:1.2", false);
        check("registry:5000/nginx", true);
        check("registry:5000/nginx:1", false);
        check("nginx@sha256:abc", false);
    }

    #[test]
    fn a_pod_without_requests_is_best_effort() {
        let spec = |resources: Value| json!({"containers": [{"resources": resources}]});
        assert_eq!(quality(&spec(json!({}))), "BestEffort");
        assert_eq!(quality(&spec(json!({"requests": {"cpu": "1"}}))), "Burstable");
        let both = json!({"cpu": "1", "memory": "1Gi"});
        assert_eq!(quality(&spec(json!({"requests": both, "limits": both}))), "Guaranteed");
    }
}
