//! Defaults of built-in kinds: what a user sees after a create that the manifest did not say.
//!
//! Start at [`apply`]. Each kind's defaults are one function; pod templates share the pod's.

use serde_json::{Map, Value, json};

use super::pod_defaults;
use crate::object::{field_mut, map_mut};
use crate::path;
use crate::resource::Resource;

/// Fills in what the user left out.
pub(crate) fn apply(resource: &Resource, new: &mut Value) {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "namespaces") => {
            namespace(new);
            condition_times(new, &["lastTransitionTime"]);
        }
        ("", "pods") => {
            pod_defaults::pod(new);
            condition_times(new, &["lastProbeTime", "lastTransitionTime"]);
            for list in ["containerStatuses", "initContainerStatuses"] {
                for status in each(map_mut(field_mut(new, "status")), list) {
                    fill(status, &[("lastState", json!({}))]);
                }
            }
        }
        ("", "services") => service(new),
        ("", "secrets") => secret(new),
        ("", "endpoints") => endpoints(new),
        ("", "persistentvolumeclaims") => {
            fill(spec(new), &[("volumeMode", json!("Filesystem"))]);
            phase(new, "Pending");
        }
        ("apps", "deployments") => {
            deployment(new);
            condition_times(new, &["lastTransitionTime", "lastUpdateTime"]);
        }
        ("apps", "replicasets") => replica_set(new),
        ("apps", "statefulsets") => stateful_set(new),
        ("apps", "daemonsets") => daemon_set(new),
        ("batch", "jobs") => job(new),
        ("batch", "cronjobs") => cron_job(new),
        ("autoscaling", _) => autoscaler(new),
        ("networking.k8s.io", "networkpolicies") => network_policy(new),
        ("networking.k8s.io", "ingresses") => status_map(new, "loadBalancer"),
        ("rbac.authorization.k8s.io", "roles" | "clusterroles") => rules(new),
        ("rbac.authorization.k8s.io", _) => binding(new),
        ("policy", "poddisruptionbudgets") => budget(new),
        ("coordination.k8s.io", "leases") => {
            spec(new);
        }
        ("apiextensions.k8s.io", _) => crate::definition::default(new),
        ("discovery.k8s.io", "endpointslices") => endpoint_slice(new),
        _ => {}
    }
}

/// Sets the fields that are absent.
pub(crate) fn fill(map: &mut Map<String, Value>, defaults: &[(&str, Value)]) {
    for (key, value) in defaults {
        if map.get(*key).is_none_or(Value::is_null) {
            map.insert((*key).to_owned(), value.clone());
        }
    }
}

/// The items of a list field, to be changed.
pub(crate) fn each<'a>(
    map: &'a mut Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let list = map.get_mut(key).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn child<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    map_mut(map.entry(key).or_insert(Value::Null))
}

fn spec(object: &mut Value) -> &mut Map<String, Value> {
    map_mut(field_mut(object, "spec"))
}

fn phase(object: &mut Value, phase: &str) {
    fill(map_mut(field_mut(object, "status")), &[("phase", json!(phase))]);
}

/// Times that upstream writes even when there is none.
fn condition_times(object: &mut Value, times: &[&str]) {
    let status = map_mut(field_mut(object, "status"));
    for condition in each(status, "conditions") {
        for time in times {
            condition.entry(*time).or_insert(Value::Null);
        }
    }
}

fn status_map(object: &mut Value, key: &str) {
    fill(map_mut(field_mut(object, "status")), &[(key, json!({}))]);
}

fn namespace(object: &mut Value) {
    let name = object["metadata"]["name"].clone();
    if name.is_string() {
        path::set_label(object, "kubernetes.io/metadata.name", name);
    }
}

fn template(spec: &mut Map<String, Value>) {
    let template = spec.entry("template").or_insert_with(|| json!({}));
    map_mut(template).entry("metadata").or_insert_with(|| json!({}));
    pod_defaults::pod_spec(map_mut(field_mut(template, "spec")));
}

fn service(object: &mut Value) {
    let spec = spec(object);
    fill(spec, &[("sessionAffinity", json!("None")), ("type", json!("ClusterIP"))]);
    let kind = spec["type"].clone();
    if spec["sessionAffinity"] == "ClientIP" {
        fill(
            spec,
            &[("sessionAffinityConfig", json!({ "clientIP": { "timeoutSeconds": 10800 } }))],
        );
    }
    if kind != "ExternalName" {
        fill(spec, &[("internalTrafficPolicy", json!("Cluster"))]);
    }
    if kind == "NodePort" || kind == "LoadBalancer" {
        fill(spec, &[("externalTrafficPolicy", json!("Cluster"))]);
    }
    if kind == "LoadBalancer" {
        fill(spec, &[("allocateLoadBalancerNodePorts", json!(true))]);
    }
    for port in each(spec, "ports") {
        let number = port.get("port").cloned().unwrap_or_default();
        fill(port, &[("protocol", json!("TCP")), ("targetPort", number)]);
        if port["targetPort"] == 0 || port["targetPort"] == "" {
            port["targetPort"] = port.get("port").cloned().unwrap_or_default();
        }
    }
    status_map(object, "loadBalancer");
    let balancer = map_mut(field_mut(field_mut(object, "status"), "loadBalancer"));
    for ingress in each(balancer, "ingress").filter(|ingress| ingress.contains_key("ip")) {
        fill(ingress, &[("ipMode", json!("VIP"))]);
    }
}

fn secret(object: &mut Value) {
    use base64::Engine as _;
    let map = map_mut(object);
    fill(map, &[("type", json!("Opaque"))]);
    let Some(Value::Object(plain)) = map.remove("stringData") else { return };
    let data = map_mut(map.entry("data").or_insert_with(|| json!({})));
    for (key, text) in plain {
        let bytes = text.as_str().unwrap_or_default().as_bytes();
        data.insert(key, json!(base64::engine::general_purpose::STANDARD.encode(bytes)));
    }
}

fn deployment(object: &mut Value) {
    let spec = spec(object);
    fill(
        spec,
        &[
            ("replicas", json!(1)),
            ("revisionHistoryLimit", json!(10)),
            ("progressDeadlineSeconds", json!(600)),
            ("strategy", json!({})),
        ],
    );
    let strategy = child(spec, "strategy");
    fill(strategy, &[("type", json!("RollingUpdate"))]);
    if strategy["type"] == "RollingUpdate" {
        let rolling = child(strategy, "rollingUpdate");
        fill(rolling, &[("maxSurge", json!("25%")), ("maxUnavailable", json!("25%"))]);
    }
    template(spec);
    map_mut(field_mut(object, "status"));
}

fn replica_set(object: &mut Value) {
    let spec = spec(object);
    fill(spec, &[("replicas", json!(1))]);
    template(spec);
    fill(map_mut(field_mut(object, "status")), &[("replicas", json!(0))]);
}

fn stateful_set(object: &mut Value) {
    let spec = spec(object);
    fill(
        spec,
        &[
            ("replicas", json!(1)),
            ("revisionHistoryLimit", json!(10)),
            ("podManagementPolicy", json!("OrderedReady")),
            ("updateStrategy", json!({ "type": "RollingUpdate" })),
            ("persistentVolumeClaimRetentionPolicy", json!({})),
        ],
    );
    let retention = child(spec, "persistentVolumeClaimRetentionPolicy");
    fill(retention, &[("whenDeleted", json!("Retain")), ("whenScaled", json!("Retain"))]);
    claims(spec);
    let strategy = child(spec, "updateStrategy");
    fill(strategy, &[("type", json!("RollingUpdate"))]);
    if strategy["type"] == "RollingUpdate" {
        let rolling = child(strategy, "rollingUpdate");
        fill(rolling, &[("partition", json!(0))]);
    }
    template(spec);
    let status = map_mut(field_mut(object, "status"));
    fill(status, &[("replicas", json!(0)), ("availableReplicas", json!(0))]);
}

/// Claims in templates read as claims do.
fn claims(spec: &mut Map<String, Value>) {
    for claim in each(spec, "volumeClaimTemplates") {
        fill(claim, &[("apiVersion", json!("v1")), ("kind", json!("PersistentVolumeClaim"))]);
        fill(child(claim, "spec"), &[("volumeMode", json!("Filesystem"))]);
        fill(claim, &[("status", json!({ "phase": "Pending" }))]);
    }
}

fn daemon_set(object: &mut Value) {
    if object["metadata"]["annotations"]["deprecated.daemonset.template.generation"].is_null() {
        let annotations = crate::object::metadata_mut(object).entry("annotations");
        let annotations = map_mut(annotations.or_insert_with(|| json!({})));
        annotations.insert("deprecated.daemonset.template.generation".into(), json!("1"));
    }
    let spec = spec(object);
    fill(spec, &[("revisionHistoryLimit", json!(10)), ("updateStrategy", json!({}))]);
    let strategy = child(spec, "updateStrategy");
    fill(strategy, &[("type", json!("RollingUpdate"))]);
    if strategy["type"] == "RollingUpdate" {
        let rolling = child(strategy, "rollingUpdate");
        fill(rolling, &[("maxSurge", json!(0)), ("maxUnavailable", json!(1))]);
    }
    template(spec);
    let counts =
        ["currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"];
    let status = map_mut(field_mut(object, "status"));
    fill(status, &counts.map(|count| (count, json!(0))));
}

fn job(object: &mut Value) {
    job_spec(spec(object));
    map_mut(field_mut(object, "status"));
}

fn job_spec(spec: &mut Map<String, Value>) {
    let judged = spec.get("podFailurePolicy").is_some_and(|policy| !policy.is_null());
    let replacement = if judged { "Failed" } else { "TerminatingOrFailed" };
    if let Some(Value::Object(policy)) = spec.get_mut("podFailurePolicy") {
        for rule in each(policy, "rules") {
            each(rule, "onPodConditions").for_each(|one| fill(one, &[("status", json!("True"))]));
        }
    }
    fill(
        spec,
        &[
            ("backoffLimit", json!(6)),
            ("completionMode", json!("NonIndexed")),
            ("suspend", json!(false)),
            ("podReplacementPolicy", json!(replacement)),
            ("manualSelector", json!(false)),
        ],
    );
    if spec.get("completions").is_none_or(Value::is_null) && !spec.contains_key("parallelism") {
        spec.insert("completions".into(), json!(1));
    }
    fill(spec, &[("parallelism", json!(1))]);
    template(spec);
}

fn cron_job(object: &mut Value) {
    let spec = spec(object);
    fill(
        spec,
        &[
            ("concurrencyPolicy", json!("Allow")),
            ("suspend", json!(false)),
            ("successfulJobsHistoryLimit", json!(3)),
            ("failedJobsHistoryLimit", json!(1)),
        ],
    );
    let template = spec.entry("jobTemplate").or_insert_with(|| json!({}));
    map_mut(template).entry("metadata").or_insert_with(|| json!({}));
    let inner = map_mut(field_mut(template, "spec"));
    self::template(inner);
    map_mut(field_mut(object, "status"));
}

fn autoscaler(object: &mut Value) {
    let version_two = object["apiVersion"] == "autoscaling/v2";
    let spec = spec(object);
    fill(spec, &[("minReplicas", json!(1))]);
    if !version_two {
        let status = map_mut(field_mut(object, "status"));
        fill(status, &[("currentReplicas", json!(0)), ("desiredReplicas", json!(0))]);
        return;
    }
    if let Some(Value::Object(behavior)) = spec.get_mut("behavior") {
        scaling_rules(behavior);
    }
    let target = json!({ "type": "Utilization", "averageUtilization": 80 });
    let cpu = json!([{ "type": "Resource", "resource": { "name": "cpu", "target": target } }]);
    fill(spec, &[("metrics", cpu)]);
    let status = map_mut(field_mut(object, "status"));
    fill(status, &[("desiredReplicas", json!(0)), ("currentMetrics", Value::Null)]);
}

/// What an autoscaler may do in either direction; only a direction that is mentioned is filled in.
fn scaling_rules(behavior: &mut Map<String, Value>) {
    let policy =
        |kind: &str, value: i64| json!({ "type": kind, "value": value, "periodSeconds": 15 });
    let up = json!([policy("Pods", 4), policy("Percent", 100)]);
    let down = json!([policy("Percent", 100)]);
    for (key, policies, window) in [("scaleUp", up, Some(json!(0))), ("scaleDown", down, None)] {
        let rules = match behavior.get_mut(key) {
            Some(Value::Object(rules)) => rules,
            _ => map_mut(behavior.entry(key).or_insert_with(|| json!({}))),
        };
        fill(rules, &[("policies", policies), ("selectPolicy", json!("Max"))]);
        if let Some(window) = window {
            fill(rules, &[("stabilizationWindowSeconds", window)]);
        }
    }
}

fn network_policy(object: &mut Value) {
    let spec = spec(object);
    let has_egress = spec.get("egress").is_some_and(|rules| !rules.is_null());
    let kinds = if has_egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    fill(spec, &[("policyTypes", kinds), ("podSelector", json!({}))]);
    for direction in ["ingress", "egress"] {
        for rule in each(spec, direction) {
            each(rule, "ports").for_each(|port| fill(port, &[("protocol", json!("TCP"))]));
        }
    }
}

/// A role always says its rules, even none.
fn rules(object: &mut Value) {
    map_mut(object).entry("rules").or_insert(Value::Null);
}

fn budget(object: &mut Value) {
    let counts = ["currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"];
    let status = map_mut(field_mut(object, "status"));
    fill(status, &counts.map(|count| (count, json!(0))));
}

fn binding(object: &mut Value) {
    let map = map_mut(object);
    if map.contains_key("roleRef") {
        let group = ("apiGroup", json!("rbac.authorization.k8s.io"));
        fill(child(map, "roleRef"), std::slice::from_ref(&group));
        for subject in each(map, "subjects") {
            if subject.get("kind").is_some_and(|kind| kind == "User" || kind == "Group") {
                fill(subject, std::slice::from_ref(&group));
            }
        }
    }
}

fn endpoints(object: &mut Value) {
    for subset in each(map_mut(object), "subsets") {
        each(subset, "ports").for_each(|port| fill(port, &[("protocol", json!("TCP"))]));
    }
}

fn endpoint_slice(object: &mut Value) {
    for port in each(map_mut(object), "ports") {
        fill(port, &[("name", json!("")), ("protocol", json!("TCP"))]);
    }
    for endpoint in each(map_mut(object), "endpoints") {
        fill(endpoint, &[("conditions", json!({}))]);
    }
}
