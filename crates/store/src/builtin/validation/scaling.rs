//! Rules on autoscalers and disruption budgets.

use serde_json::{Value, json};

use super::{Problems, count_or_percent, one_of, required};
use crate::builtin::metadata;
use crate::error::FieldProblem;
use crate::object::items;

/// How long an autoscaler may look back, in seconds.
const WINDOW_MAX: i64 = 3600;
/// What metrics are of.
const METRICS: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];

/// The rules on a horizontal pod autoscaler.
pub(super) fn autoscaler(new: &Value, out: &mut Problems) {
    let spec = &new["spec"];
    let least = spec["minReplicas"].as_i64().unwrap_or(1);
    let most = spec["maxReplicas"].as_i64().unwrap_or(0);
    if least < 1 {
        let why = "must be greater than or equal to 1";
        out.push(FieldProblem::invalid("spec.minReplicas", json!(least), why));
    }
    if most < 1 {
        let why = "must be set and greater than 0";
        out.push(FieldProblem::required("spec.maxReplicas", why));
    }
    if most < least {
        let why = "must be greater than or equal to `minReplicas`";
        out.push(FieldProblem::invalid("spec.maxReplicas", json!(most), why));
    }
    target(&spec["scaleTargetRef"], out);
    for (index, metric) in items(&spec["metrics"]).iter().enumerate() {
        self::metric(metric, &format!("spec.metrics[{index}]"), out);
    }
    let others = |metric: &Value| metric["type"] == "Object" || metric["type"] == "External";
    if least == 0 && !items(&spec["metrics"]).iter().any(others) {
        let why = "must specify at least one Object or External metric to support scaling to zero replicas";
        out.push(FieldProblem::forbidden("spec.metrics", why));
    }
    for direction in ["scaleUp", "scaleDown"] {
        rules(&spec["behavior"][direction], &format!("spec.behavior.{direction}"), out);
    }
}

fn target(target: &Value, out: &mut Problems) {
    for key in ["kind", "name"] {
        required(&target[key], format!("spec.scaleTargetRef.{key}"), out);
    }
    if target["apiVersion"].as_str().unwrap_or_default().is_empty() && target["kind"].is_null() {
        let path = "spec.scaleTargetRef.apiVersion";
        let why = "apiVersion must specify API group";
        out.push(FieldProblem::invalid(path, json!(""), why));
    }
}

fn metric(metric: &Value, path: &str, out: &mut Problems) {
    let kind = metric["type"].as_str().unwrap_or_default();
    if !METRICS.contains(&kind) {
        one_of(&metric["type"], &METRICS, format!("{path}.type"), out);
        one_of(&metric["type"], &METRICS, format!("{path}.type"), out);
        return;
    }
    let key = kind.get(..1).unwrap_or_default().to_lowercase() + kind.get(1..).unwrap_or_default();
    let Some(source) = metric.get(&key) else {
        let why = "must populate information for the given metric source";
        out.push(FieldProblem::required(format!("{path}.{key}"), why));
        return;
    };
    let target = &source["target"];
    let place = format!("{path}.{key}.target");
    let share = &target["averageUtilization"];
    if share.as_i64().is_some_and(|share| share < 1) {
        let place = format!("{place}.averageUtilization");
        out.push(FieldProblem::invalid(place, share.clone(), "must be greater than 0"));
    } else if key == "resource" && share.is_null() && target["averageValue"].is_null() {
        let why = "must set either a target raw value or a target utilization";
        out.push(FieldProblem::required(format!("{place}.averageUtilization"), why));
    }
}

fn rules(rules: &Value, path: &str, out: &mut Problems) {
    if !rules.is_object() {
        return;
    }
    let window = &rules["stabilizationWindowSeconds"];
    if window.as_i64().is_some_and(|seconds| seconds > WINDOW_MAX) {
        let place = format!("{path}.stabilizationWindowSeconds");
        let why = format!("must be less than or equal to {WINDOW_MAX}");
        out.push(FieldProblem::invalid(place, window.clone(), why));
    }
    let policies = items(&rules["policies"]);
    if policies.is_empty() {
        let place = format!("{path}.policies");
        out.push(FieldProblem::required(place, "must specify at least one Policy"));
    }
    for (index, policy) in policies.iter().enumerate() {
        for key in ["value", "periodSeconds"] {
            if policy[key].as_i64().is_none_or(|count| count <= 0) {
                let place = format!("{path}.policies[{index}].{key}");
                let why = "must be greater than zero";
                out.push(FieldProblem::invalid(place, policy[key].clone(), why));
            }
        }
    }
}

/// The rules on a pod disruption budget.
pub(super) fn disruption_budget(new: &Value, out: &mut Problems) {
    let spec = &new["spec"];
    if spec.get("minAvailable").is_some() && spec.get("maxUnavailable").is_some() {
        let fields = ["MinAvailable", "Selector", "MaxUnavailable", "UnhealthyPodEvictionPolicy"];
        let keys = ["minAvailable", "selector", "maxUnavailable", "unhealthyPodEvictionPolicy"];
        let values = Value::Array(keys.iter().map(|key| spec[*key].clone()).collect());
        let why = "minAvailable and maxUnavailable cannot be both set";
        out.push(FieldProblem::invalid("spec", FieldProblem::record(&fields, &values), why));
    }
    for key in ["minAvailable", "maxUnavailable"] {
        count_or_percent(&spec[key], &format!("spec.{key}"), out);
        super::at_most_all(&spec[key], &format!("spec.{key}"), out);
    }
    let policies = ["AlwaysAllow", "IfHealthyBudget"];
    let place = "spec.unhealthyPodEvictionPolicy";
    one_of(&spec["unhealthyPodEvictionPolicy"], &policies, place, out);
    let labels = &spec["selector"]["matchLabels"];
    metadata::labels(labels, "spec.selector.matchLabels", out);
    for key in ["currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed"] {
        super::not_negative(&new["status"][key], &format!("status.{key}"), out);
    }
}
