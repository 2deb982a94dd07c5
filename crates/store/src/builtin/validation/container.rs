//! Rules on the containers of a pod.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Problems, not_negative, one_of, port_number, required};
use crate::builtin::names;
use crate::builtin::quantity::Quantity;
use crate::error::{FieldProblem, ProblemKind};
use crate::object::items;

/// What a probe or a hook may do.
const HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
/// Resources that containers may ask for without a domain.
const STANDARD: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// Fields that an environment variable may take its value from.
const FIELDS: [&str; 10] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
    "metadata.labels",
];

/// The rules on one container.
pub(super) fn container(one: &Value, path: &str, volumes: &BTreeSet<String>, out: &mut Problems) {
    if required(&one["name"], format!("{path}.name"), out) {
        let name = one["name"].as_str().unwrap_or_default();
        if let Some(bad) = names::label(name) {
            out.push(FieldProblem::invalid(format!("{path}.name"), json!(name), bad));
        }
    }
    image(&one["image"], path, out);
    ports(one, path, out);
    for (index, variable) in items(&one["env"]).iter().enumerate() {
        self::variable(variable, &format!("{path}.env[{index}]"), out);
    }
    mounts(one, path, volumes, out);
    let policies = ["Always", "IfNotPresent", "Never"];
    one_of(&one["imagePullPolicy"], &policies, format!("{path}.imagePullPolicy"), out);
    resources(&one["resources"], &format!("{path}.resources"), out);
    for hook in ["postStart", "preStop"] {
        if let Some(handler) = one["lifecycle"].get(hook) {
            self::handler(handler, &format!("{path}.lifecycle.{hook}"), out);
        }
    }
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        probe(&one[key], key, &format!("{path}.{key}"), out);
    }
}

fn image(image: &Value, path: &str, out: &mut Problems) {
    let place = format!("{path}.image");
    if required(image, place.clone(), out) {
        let text = image.as_str().unwrap_or_default();
        if text.trim() != text {
            let why = "must not have leading or trailing whitespace";
            out.push(FieldProblem::invalid(place, image.clone(), why));
        }
    }
}

fn ports(container: &Value, path: &str, out: &mut Problems) {
    let mut seen = BTreeSet::new();
    for (index, port) in items(&container["ports"]).iter().enumerate() {
        let place = format!("{path}.ports[{index}]");
        if let Some(name) = port["name"].as_str().filter(|name| !name.is_empty()) {
            let bad = names::port(name);
            let fits = bad.is_empty();
            for bad in bad {
                out.push(FieldProblem::invalid(format!("{place}.name"), json!(name), bad));
            }
            if fits && !seen.insert(name) {
                out.push(FieldProblem::duplicate(format!("{place}.name"), json!(name)));
            }
        }
        let number = &port["containerPort"];
        if number.is_null() || *number == 0 {
            out.push(FieldProblem::required(format!("{place}.containerPort"), ""));
        } else {
            port_number(number, format!("{place}.containerPort"), out);
        }
        if required(&port["protocol"], format!("{place}.protocol"), out) {
            one_of(&port["protocol"], &["SCTP", "TCP", "UDP"], format!("{place}.protocol"), out);
        }
    }
}

fn variable(variable: &Value, path: &str, out: &mut Problems) {
    if required(&variable["name"], format!("{path}.name"), out) {
        let name = variable["name"].as_str().unwrap_or_default();
        let printable = |byte: u8| byte != b'=' && (b' '..=b'~').contains(&byte);
        if !name.bytes().all(printable) {
            let why = "a valid environment variable name must consist only of printable ASCII characters other than '='";
            out.push(FieldProblem::invalid(format!("{path}.name"), json!(name), why));
        }
    }
    let Some(source) = variable.get("valueFrom") else { return };
    let place = format!("{path}.valueFrom");
    if let Some(field) = source["fieldRef"]["fieldPath"].as_str() {
        let known = FIELDS.contains(&field)
            || field.starts_with("metadata.labels['")
            || field.starts_with("metadata.annotations");
        if !known {
            let why = format!("error converting fieldPath: field label not supported: {field}");
            let place = format!("{place}.fieldRef.fieldPath");
            out.push(FieldProblem::invalid(place, json!(field), why));
        }
    }
    if variable["value"].as_str().is_some_and(|value| !value.is_empty()) {
        let why = "may not be specified when `value` is not empty";
        out.push(FieldProblem::invalid(place, json!(""), why));
    }
}

fn mounts(container: &Value, path: &str, volumes: &BTreeSet<String>, out: &mut Problems) {
    let mut seen = BTreeSet::new();
    for (index, mount) in items(&container["volumeMounts"]).iter().enumerate() {
        let place = format!("{path}.volumeMounts[{index}]");
        let name = mount["name"].as_str().unwrap_or_default();
        if !volumes.contains(name) {
            out.push(FieldProblem {
                path: format!("{place}.name"),
                kind: ProblemKind::NotFound,
                value: json!(name),
                detail: String::new(),
            });
        }
        if required(&mount["mountPath"], format!("{place}.mountPath"), out)
            && !seen.insert(mount["mountPath"].as_str())
        {
            let value = mount["mountPath"].clone();
            out.push(FieldProblem::invalid(format!("{place}.mountPath"), value, "must be unique"));
        }
    }
}

/// The rules on what a container asks for.
pub(super) fn resources(resources: &Value, path: &str, out: &mut Problems) {
    let mut limits = BTreeMap::new();
    for kind in ["limits", "requests"] {
        for (name, amount) in resources[kind].as_object().into_iter().flatten() {
            let place = format!("{path}.{kind}[{name}]");
            resource_name(name, &place, out);
            let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
            let Some(quantity) = Quantity::parse(&text) else { continue };
            if quantity.is_negative() {
                let why = "must be greater than or equal to 0";
                out.push(FieldProblem::invalid(place, amount.clone(), why));
            } else if kind == "limits" {
                limits.insert(name, (quantity, text));
            } else if let Some((limit, words)) = limits.get(name)
                && quantity > *limit
            {
                let why = format!("must be less than or equal to {name} limit of {words}");
                let place = format!("{path}.requests");
                out.push(FieldProblem::invalid(place, amount.clone(), why));
            }
        }
    }
}

fn resource_name(name: &str, place: &str, out: &mut Problems) {
    if name.contains('/') || STANDARD.contains(&name) || name.starts_with("hugepages-") {
        return;
    }
    for why in [
        "must be a standard resource type or fully qualified",
        "must be a standard resource for containers",
    ] {
        out.push(FieldProblem::invalid(place, json!(name), why));
    }
}

fn probe(probe: &Value, key: &str, path: &str, out: &mut Problems) {
    if !probe.is_object() {
        return;
    }
    handler(probe, path, out);
    let times = [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ];
    for key in times {
        not_negative(&probe[key], &format!("{path}.{key}"), out);
    }
    let successes = &probe["successThreshold"];
    if key != "readinessProbe" && successes.as_i64().is_some_and(|count| count > 1) {
        let place = format!("{path}.successThreshold");
        out.push(FieldProblem::invalid(place, successes.clone(), "must be 1"));
    }
}

/// What a probe or a hook does must be one thing.
fn handler(handler: &Value, path: &str, out: &mut Problems) {
    let mut given = HANDLERS.into_iter().filter(|one| handler.get(one).is_some());
    let Some(first) = given.next() else {
        if handler.get("sleep").is_none() {
            out.push(FieldProblem::required(path, "must specify a handler type"));
        }
        return;
    };
    for more in given {
        let why = "may not specify more than 1 handler type";
        out.push(FieldProblem::forbidden(format!("{path}.{more}"), why));
    }
    if first == "httpGet" || first == "tcpSocket" {
        let port = &handler[first]["port"];
        if !port.is_string() {
            let port = if port.is_null() { json!(0) } else { port.clone() };
            port_number(&port, format!("{path}.{first}.port"), out);
        }
    }
}
