//! Objects kept in one version and shown in another.

use serde_json::{Value, json};

use crate::object::{field_mut, map_mut, metadata_mut};
use crate::resource::{Origin, Resource};

/// An object as kept, shown in this resource's version.
pub(crate) fn from_storage(mut value: Value, resource: &Resource) -> Value {
    if resource.origin == Origin::BuiltIn {
        match resource.group.as_str() {
            "events.k8s.io" => {
                rename(&mut value, |pair| *pair);
                for key in ["reportingController", "reportingInstance"] {
                    if value[key] == "" {
                        map_mut(&mut value).remove(key);
                    }
                }
            }
            "autoscaling" => autoscaler_to_v1(&mut value),
            _ => {}
        }
    }
    value["apiVersion"] = json!(resource.api_version());
    value
}

/// An object in this resource's version, as it is kept.
pub(crate) fn to_storage(mut value: Value, resource: &Resource) -> Value {
    if resource.is_stored() {
        return value;
    }
    if resource.origin == Origin::BuiltIn {
        match resource.group.as_str() {
            "events.k8s.io" => rename(&mut value, |(old, new)| (*new, *old)),
            "autoscaling" => autoscaler_to_v2(&mut value),
            _ => {}
        }
    }
    let api_version =
        crate::resource::api_version(&resource.storage_group, &resource.storage_version);
    value["apiVersion"] = json!(api_version);
    value
}

/// Event fields: the name in `v1`, then in `events.k8s.io/v1`.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

fn rename(
    value: &mut Value,
    direction: impl Fn(&(&'static str, &'static str)) -> (&'static str, &'static str),
) {
    let map = map_mut(value);
    for (from, to) in EVENT_FIELDS.iter().map(direction) {
        if let Some(field) = map.remove(from) {
            map.insert(to.into(), field);
        }
    }
}

fn is_cpu_target(metric: &Value) -> bool {
    metric["type"] == "Resource"
        && metric["resource"]["name"] == "cpu"
        && metric["resource"]["target"]["type"] == "Utilization"
}

fn autoscaler_to_v1(value: &mut Value) {
    let spec = map_mut(field_mut(value, "spec"));
    let metrics = spec.remove("metrics").unwrap_or_default();
    let behavior = spec.remove("behavior").filter(|behavior| !behavior.is_null());
    let cpu = crate::object::items(&metrics).iter().find(|metric| is_cpu_target(metric));
    if let Some(cpu) = cpu {
        let percent = cpu["resource"]["target"]["averageUtilization"].clone();
        spec.insert("targetCPUUtilizationPercentage".into(), percent);
    }
    let status = map_mut(field_mut(value, "status"));
    let current = status.remove("currentMetrics").unwrap_or_default();
    status.remove("conditions");
    status.entry("currentReplicas").or_insert(json!(0));
    let cpu = crate::object::items(&current).iter().find(|one| one["resource"]["name"] == "cpu");
    if let Some(cpu) = cpu {
        let percent = cpu["resource"]["current"]["averageUtilization"].clone();
        status.insert("currentCPUUtilizationPercentage".into(), percent);
    }
    if let Some(behavior) = behavior {
        let annotations = metadata_mut(value).entry("annotations").or_insert_with(|| json!({}));
        map_mut(annotations).insert(BEHAVIOR.to_owned(), json!(behavior_text(&behavior)));
    }
}

/// Where the first version keeps how an autoscaler scales.
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// Scaling rules in the names and the order of upstream's structures.
fn behavior_text(behavior: &Value) -> String {
    let rules = |key: &str| {
        let rules = &behavior[key];
        if rules.is_null() {
            return "null".to_owned();
        }
        let policies = crate::object::items(&rules["policies"]).iter().map(|policy| {
            format!(
                "{{\"Type\":{},\"Value\":{},\"PeriodSeconds\":{}}}",
                policy["type"], policy["value"], policy["periodSeconds"]
            )
        });
        format!(
            "{{\"StabilizationWindowSeconds\":{},\"SelectPolicy\":{},\"Policies\":[{}],\"Tolerance\":{}}}",
            rules["stabilizationWindowSeconds"],
            rules["selectPolicy"],
            policies.collect::<Vec<_>>().join(","),
            rules["tolerance"],
        )
    };
    format!("{{\"ScaleUp\":{},\"ScaleDown\":{}}}", rules("scaleUp"), rules("scaleDown"))
}

fn autoscaler_to_v2(value: &mut Value) {
    let spec = map_mut(field_mut(value, "spec"));
    if let Some(percent) = spec.remove("targetCPUUtilizationPercentage") {
        let target = json!({ "type": "Utilization", "averageUtilization": percent });
        let metric = json!({ "type": "Resource", "resource": { "name": "cpu", "target": target } });
        spec.insert("metrics".into(), json!([metric]));
    }
    let status = map_mut(field_mut(value, "status"));
    status.remove("currentCPUUtilizationPercentage");
    if status.get("currentReplicas").is_some_and(|count| *count == 0) {
        status.remove("currentReplicas");
    }
    status.entry("currentMetrics").or_insert(Value::Null);
}
