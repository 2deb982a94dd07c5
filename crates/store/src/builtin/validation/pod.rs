//! Rules on pods and pod templates.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Problems, not_negative, one_of, port_number, required};
use crate::builtin::names;
use crate::error::{FieldProblem, ProblemKind};
use crate::object::items;

/// What may change in a pod's spec, in upstream's words.
const UPDATE_FORBIDDEN: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// The rules on a pod.
pub(super) fn pod(old: Option<&Value>, new: &Value, out: &mut Problems) {
    match old {
        None => spec(&new["spec"], "spec", out),
        Some(old) => {
            if frozen(&old["spec"]) != frozen(&new["spec"]) {
                out.push(FieldProblem::forbidden("spec", UPDATE_FORBIDDEN));
            }
        }
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
    if items(&spec["containers"]).is_empty() {
        out.push(FieldProblem::required(format!("{path}.containers"), ""));
    }
    let volumes = volumes(spec, path, out);
    let mut seen = BTreeSet::new();
    for list in ["initContainers", "containers"] {
        for (index, container) in items(&spec[list]).iter().enumerate() {
            let place = format!("{path}.{list}[{index}]");
            if let Some(name) = container["name"].as_str()
                && !seen.insert(name.to_owned())
            {
                let place = format!("{place}.name");
                out.push(FieldProblem::duplicate(place, json!(name)));
            }
            self::container(container, &place, &volumes, out);
        }
    }
    let policies = ["Always", "OnFailure", "Never"];
    one_of(&spec["restartPolicy"], &policies, format!("{path}.restartPolicy"), out);
    let dns = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(&spec["dnsPolicy"], &dns, format!("{path}.dnsPolicy"), out);
    let grace = &spec["terminationGracePeriodSeconds"];
    not_negative(grace, &format!("{path}.terminationGracePeriodSeconds"), out);
}

fn volumes(spec: &Value, path: &str, out: &mut Problems) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (index, volume) in items(&spec["volumes"]).iter().enumerate() {
        let place = format!("{path}.volumes[{index}].name");
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

fn container(container: &Value, path: &str, volumes: &BTreeSet<String>, out: &mut Problems) {
    if required(&container["name"], format!("{path}.name"), out) {
        let name = container["name"].as_str().unwrap_or_default();
        if let Some(bad) = names::label(name) {
            out.push(FieldProblem::invalid(format!("{path}.name"), json!(name), bad));
        }
    }
    required(&container["image"], format!("{path}.image"), out);
    let policies = ["Always", "IfNotPresent", "Never"];
    one_of(&container["imagePullPolicy"], &policies, format!("{path}.imagePullPolicy"), out);
    ports(container, path, out);
    for (index, variable) in items(&container["env"]).iter().enumerate() {
        required(&variable["name"], format!("{path}.env[{index}].name"), out);
    }
    for (index, mount) in items(&container["volumeMounts"]).iter().enumerate() {
        let place = format!("{path}.volumeMounts[{index}]");
        required(&mount["mountPath"], format!("{place}.mountPath"), out);
        let name = mount["name"].as_str().unwrap_or_default();
        if !volumes.contains(name) {
            out.push(FieldProblem {
                path: format!("{place}.name"),
                kind: ProblemKind::NotFound,
                value: json!(name),
                detail: String::new(),
            });
        }
    }
    for kind in ["limits", "requests"] {
        quantities(&container["resources"][kind], &format!("{path}.resources.{kind}"), out);
    }
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        probe(&container[key], &format!("{path}.{key}"), out);
    }
}

fn ports(container: &Value, path: &str, out: &mut Problems) {
    let mut seen = BTreeSet::new();
    for (index, port) in items(&container["ports"]).iter().enumerate() {
        let place = format!("{path}.ports[{index}]");
        if required(&port["containerPort"], format!("{place}.containerPort"), out) {
            port_number(&port["containerPort"], format!("{place}.containerPort"), out);
        }
        one_of(&port["protocol"], &["TCP", "UDP", "SCTP"], format!("{place}.protocol"), out);
        if let Some(name) = port["name"].as_str()
            && !seen.insert(name)
        {
            out.push(FieldProblem::duplicate(format!("{place}.name"), json!(name)));
        }
    }
}

/// The rules on amounts by name.
pub(super) fn quantities(map: &Value, path: &str, out: &mut Problems) {
    for (name, amount) in map.as_object().into_iter().flatten() {
        let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
        if let Some(bad) = names::quantity(&text) {
            out.push(FieldProblem::invalid(format!("{path}[{name}]"), amount.clone(), bad));
        }
    }
}

fn probe(probe: &Value, path: &str, out: &mut Problems) {
    let Some(map) = probe.as_object() else { return };
    let handlers = ["httpGet", "tcpSocket", "exec", "grpc"];
    match handlers.iter().filter(|handler| map.contains_key(**handler)).count() {
        0 => out.push(FieldProblem::required(path, "must specify a handler type")),
        1 => {}
        _ => out.push(FieldProblem::forbidden(path, "may not specify more than 1 handler type")),
    }
    for key in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "failureThreshold"] {
        not_negative(&probe[key], &format!("{path}.{key}"), out);
    }
}
