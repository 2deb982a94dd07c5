//! Rules on pods and pod templates.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Problems, container, one_of, required};
use crate::builtin::{metadata, names};
use crate::error::FieldProblem;
use crate::object::items;

/// What may change in a pod's spec, in upstream's words.
const UPDATE_FORBIDDEN: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// The rules on a pod.
pub(super) fn pod(old: Option<&Value>, new: &Value, out: &mut Problems) {
    let Some(old) = old else {
        spec(&new["spec"], "spec", out);
        return;
    };
    if old["spec"] == new["spec"] {
        return;
    }
    spec(&new["spec"], "spec", out);
    for list in ["containers", "initContainers"] {
        if items(&old["spec"][list]).len() != items(&new["spec"][list]).len() {
            let why = "pod updates may not add or remove containers";
            out.push(FieldProblem::forbidden(format!("spec.{list}"), why));
            return;
        }
        for (index, one) in items(&new["spec"][list]).iter().enumerate() {
            required(&one["image"], format!("spec.{list}[{index}].image"), out);
        }
    }
    // A pod that stands nowhere may be given a node, as binding does.
    let placed = !old["spec"]["nodeName"].is_null();
    let moved = placed && old["spec"]["nodeName"] != new["spec"]["nodeName"];
    if moved || frozen(&old["spec"]) != frozen(&new["spec"]) {
        out.push(FieldProblem::forbidden("spec", UPDATE_FORBIDDEN));
    }
}

/// A pod's spec without what may change. The node is set by binding, once.
fn frozen(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(map) = spec.as_object_mut() {
        for key in
            ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName"]
        {
            map.remove(key);
        }
        for list in ["containers", "initContainers"] {
            for container in crate::builtin::defaults::each(map, list) {
                container.remove("image");
            }
        }
    }
    spec
}

/// The rules on a pod spec at a path.
pub(super) fn spec(spec: &Value, path: &str, out: &mut Problems) {
    let volumes = volumes(spec, path, out);
    containers(spec, path, &volumes, out);
    let policies = ["Always", "OnFailure", "Never"];
    one_of(&spec["restartPolicy"], &policies, format!("{path}.restartPolicy"), out);
    let dns = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(&spec["dnsPolicy"], &dns, format!("{path}.dnsPolicy"), out);
    metadata::labels(&spec["nodeSelector"], &format!("{path}.nodeSelector"), out);
    placement(spec, path, out);
    for (key, form) in [
        ("serviceAccountName", names::subdomain as fn(&str) -> names::Verdict),
        ("nodeName", names::subdomain),
    ] {
        formed(&spec[key], form, &format!("{path}.{key}"), out);
    }
    let deadline = &spec["activeDeadlineSeconds"];
    let most = i64::from(i32::MAX);
    if deadline.as_i64().is_some_and(|seconds| seconds < 1 || seconds > most) {
        let why = "must be between 1 and 2147483647, inclusive";
        let place = format!("{path}.activeDeadlineSeconds");
        out.push(FieldProblem::invalid(place, deadline.clone(), why));
    }
    for key in ["hostname", "subdomain"] {
        formed(&spec[key], names::label, &format!("{path}.{key}"), out);
    }
    tolerations(spec, path, out);
}

fn containers(spec: &Value, path: &str, volumes: &BTreeSet<String>, out: &mut Problems) {
    if items(&spec["containers"]).is_empty() {
        out.push(FieldProblem::required(format!("{path}.containers"), ""));
    }
    let mut seen = BTreeSet::new();
    for list in ["containers", "initContainers"] {
        for (index, one) in items(&spec[list]).iter().enumerate() {
            let place = format!("{path}.{list}[{index}]");
            container::container(one, &place, volumes, out);
            if let Some(name) = one["name"].as_str().filter(|name| !name.is_empty())
                && !seen.insert(name.to_owned())
            {
                out.push(FieldProblem::duplicate(format!("{place}.name"), json!(name)));
            }
        }
    }
}

fn formed(value: &Value, form: fn(&str) -> names::Verdict, path: &str, out: &mut Problems) {
    if let Some(text) = value.as_str().filter(|text| !text.is_empty())
        && let Some(bad) = form(text)
    {
        out.push(FieldProblem::invalid(path, value.clone(), bad));
    }
}

fn volumes(spec: &Value, path: &str, out: &mut Problems) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (index, volume) in items(&spec["volumes"]).iter().enumerate() {
        let place = format!("{path}.volumes[{index}]");
        sources(volume, &place, out);
        let place = format!("{place}.name");
        let Some(name) = volume["name"].as_str().filter(|_| required(&volume["name"], &place, out))
        else {
            continue;
        };
        if let Some(bad) = names::label(name) {
            out.push(FieldProblem::invalid(&place, json!(name), bad));
        }
        if !seen.insert(name.to_owned()) {
            out.push(FieldProblem::duplicate(place, json!(name)));
        }
    }
    seen
}

fn sources(volume: &Value, place: &str, out: &mut Problems) {
    let sources = [
        "emptyDir",
        "hostPath",
        "secret",
        "persistentVolumeClaim",
        "downwardAPI",
        "configMap",
        "projected",
    ];
    let given = sources.into_iter().filter(|source| volume.get(source).is_some());
    for more in given.skip(1) {
        let why = "may not specify more than 1 volume type";
        out.push(FieldProblem::forbidden(format!("{place}.{more}"), why));
    }
    for (source, key) in
        [("secret", "secretName"), ("configMap", "name"), ("persistentVolumeClaim", "claimName")]
    {
        if let Some(inner) = volume.get(source) {
            required(&inner[key], format!("{place}.{source}.{key}"), out);
        }
    }
}

/// The rules on where a pod may stand.
fn placement(spec: &Value, path: &str, out: &mut Problems) {
    let needed = "requiredDuringSchedulingIgnoredDuringExecution";
    let terms = &spec["affinity"]["nodeAffinity"][needed];
    if terms.is_object() && items(&terms["nodeSelectorTerms"]).is_empty() {
        let place = format!("{path}.affinity.nodeAffinity.{needed}.nodeSelectorTerms");
        out.push(FieldProblem::required(place, "must have at least one node selector term"));
    }
    for (index, gate) in items(&spec["readinessGates"]).iter().enumerate() {
        let place = format!("{path}.readinessGates[{index}].conditionType");
        formed(&gate["conditionType"], names::qualified_name, &place, out);
    }
    for (index, spread) in items(&spec["topologySpreadConstraints"]).iter().enumerate() {
        let place = format!("{path}.topologySpreadConstraints[{index}]");
        if spread["maxSkew"].as_i64().is_none_or(|skew| skew <= 0) {
            let value = json!(spread["maxSkew"].as_i64().unwrap_or(0));
            let why = "must be greater than zero";
            out.push(FieldProblem::invalid(format!("{place}.maxSkew"), value, why));
        }
        if spread["topologyKey"].as_str().unwrap_or_default().is_empty() {
            let place = format!("{place}.topologyKey");
            out.push(FieldProblem::required(place, "can not be empty"));
        }
        let words = ["DoNotSchedule", "ScheduleAnyway"];
        one_of(&spread["whenUnsatisfiable"], &words, format!("{place}.whenUnsatisfiable"), out);
    }
}

fn tolerations(spec: &Value, path: &str, out: &mut Problems) {
    for (index, one) in items(&spec["tolerations"]).iter().enumerate() {
        let place = format!("{path}.tolerations[{index}].operator");
        let keyless = one["key"].as_str().unwrap_or_default().is_empty();
        if keyless && one["operator"] != "Exists" {
            let value = json!(one["operator"].as_str().unwrap_or_default());
            let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            out.push(FieldProblem::invalid(&place, value, why));
        }
        one_of(&one["operator"], &["Equal", "Exists"], place, out);
    }
}
