//! Rules on services, ingresses and endpoint slices.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Problems, immutable, one_of, port_number, required};
use crate::builtin::names;
use crate::error::FieldProblem;
use crate::object::items;

/// The most endpoints of one slice.
const ENDPOINTS_LIMIT: u64 = 1000;

/// The rules on a service.
pub(super) fn service(old: Option<&Value>, new: &Value, out: &mut Problems) {
    let spec = &new["spec"];
    let kinds = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    one_of(&spec["type"], &kinds, "spec.type", out);
    one_of(&spec["sessionAffinity"], &["ClientIP", "None"], "spec.sessionAffinity", out);
    let ports = items(&spec["ports"]);
    let headless = spec["clusterIP"] == "None";
    if spec["type"] == "ExternalName" {
        required(&spec["externalName"], "spec.externalName", out);
    } else if ports.is_empty() && !headless {
        out.push(FieldProblem::required("spec.ports", ""));
    }
    let (mut seen_names, mut seen_ports) = (BTreeSet::new(), BTreeSet::new());
    for (index, port) in ports.iter().enumerate() {
        let path = format!("spec.ports[{index}]");
        service_port(port, &path, ports.len() > 1, out);
        if let Some(name) = port["name"].as_str().filter(|name| !name.is_empty())
            && !seen_names.insert(name)
        {
            out.push(FieldProblem::duplicate(format!("{path}.name"), json!(name)));
        }
        if !seen_ports.insert((port["protocol"].as_str(), port["port"].as_i64())) {
            let key = json!({ "port": port["port"], "protocol": port["protocol"] });
            out.push(FieldProblem::duplicate(path, key));
        }
    }
    crate::builtin::metadata::labels(&spec["selector"], "spec.selector", out);
    let stays = |value: &Value| value["spec"]["type"] != "ExternalName";
    if old.is_some_and(stays) && stays(new) {
        immutable_address(old, new, out);
    }
}

fn immutable_address(old: Option<&Value>, new: &Value, out: &mut Problems) {
    let Some(old) = old else { return };
    if old["spec"]["clusterIP"] != new["spec"]["clusterIP"] {
        let value = json!([new["spec"]["clusterIP"]]);
        let detail = "may not change once set";
        out.push(FieldProblem::invalid("spec.clusterIPs[0]", value, detail));
    }
}

fn service_port(port: &Value, path: &str, many: bool, out: &mut Problems) {
    if many {
        required(&port["name"], format!("{path}.name"), out);
    }
    if let Some(name) = port["name"].as_str().filter(|name| !name.is_empty())
        && let Some(bad) = names::label(name)
    {
        out.push(FieldProblem::invalid(format!("{path}.name"), json!(name), bad));
    }
    port_number(&port["port"], format!("{path}.port"), out);
    one_of(&port["protocol"], &["SCTP", "TCP", "UDP"], format!("{path}.protocol"), out);
    if port["targetPort"].is_number() {
        port_number(&port["targetPort"], format!("{path}.targetPort"), out);
    }
}

/// The rules on an ingress.
pub(super) fn ingress(new: &Value, out: &mut Problems) {
    let spec = &new["spec"];
    if items(&spec["rules"]).is_empty() && spec.get("defaultBackend").is_none() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        out.push(FieldProblem::invalid("spec", spec.clone(), detail));
    }
    if let Some(backend) = spec.get("defaultBackend") {
        self::backend(backend, "spec.defaultBackend", out);
    }
    for (rule_index, rule) in items(&spec["rules"]).iter().enumerate() {
        for (index, path) in items(&rule["http"]["paths"]).iter().enumerate() {
            ingress_path(path, &format!("spec.rules[{rule_index}].http.paths[{index}]"), out);
        }
    }
}

fn ingress_path(path: &Value, place: &str, out: &mut Problems) {
    let kinds = ["Exact", "ImplementationSpecific", "Prefix"];
    if path.get("pathType").is_none() {
        out.push(FieldProblem::required(format!("{place}.pathType"), "pathType must be specified"));
    }
    one_of(&path["pathType"], &kinds, format!("{place}.pathType"), out);
    let text = path["path"].as_str().unwrap_or_default();
    if path["pathType"] != "ImplementationSpecific" && !text.starts_with('/') {
        let detail = "must be an absolute path";
        out.push(FieldProblem::invalid(format!("{place}.path"), json!(text), detail));
    }
    backend(&path["backend"], &format!("{place}.backend"), out);
}

fn backend(backend: &Value, place: &str, out: &mut Problems) {
    let Some(service) = backend.get("service") else {
        if backend.get("resource").is_none() {
            let detail = "must specify a service or a resource";
            out.push(FieldProblem::required(place, detail));
        }
        return;
    };
    required(&service["name"], format!("{place}.service.name"), out);
    let port = &service["port"];
    if port.get("name").is_none() && port.get("number").is_none() {
        let detail = "port name or number is required";
        out.push(FieldProblem::required(place, detail));
    }
}

/// The rules on an endpoint slice.
pub(super) fn endpoint_slice(old: Option<&Value>, new: &Value, out: &mut Problems) {
    required(&new["addressType"], "addressType", out);
    one_of(&new["addressType"], &["FQDN", "IPv4", "IPv6"], "addressType", out);
    immutable(old, new, "addressType", out);
    let count = items(&new["endpoints"]).len();
    if u64::try_from(count).unwrap_or(u64::MAX) > ENDPOINTS_LIMIT {
        out.push(FieldProblem::too_many("endpoints", count, ENDPOINTS_LIMIT));
    }
    for (index, endpoint) in items(&new["endpoints"]).iter().enumerate() {
        if items(&endpoint["addresses"]).is_empty() {
            let path = format!("endpoints[{index}].addresses");
            out.push(FieldProblem::required(path, "must contain at least 1 address"));
        }
    }
}
