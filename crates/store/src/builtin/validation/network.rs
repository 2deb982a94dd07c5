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
    exposure(spec, out);
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
            let fields = ["Name", "Protocol", "AppProtocol", "Port", "TargetPort", "NodePort"];
            let values = json!(["", port["protocol"], null, port["port"], 0, 0]);
            out.push(FieldProblem::duplicate(path, FieldProblem::record(&fields, &values)));
        }
    }
    crate::builtin::metadata::labels(&spec["selector"], "spec.selector", out);
    let stays = |value: &Value| value["spec"]["type"] != "ExternalName";
    if old.is_some_and(stays) && stays(new) {
        immutable_address(old, new, out);
    }
}

/// The rules on how a service is reached from outside.
fn exposure(spec: &Value, out: &mut Problems) {
    let kind = spec["type"].as_str().unwrap_or_default();
    let outside = matches!(kind, "NodePort" | "LoadBalancer");
    let address = spec["clusterIP"].as_str().unwrap_or_default();
    if address == "None" && outside {
        let why = format!("may not be set to 'None' for {kind} services");
        out.push(FieldProblem::invalid("spec.clusterIPs[0]", json!("None"), why));
    } else if !matches!(address, "" | "None") && address.parse::<std::net::IpAddr>().is_err() {
        out.push(no_address("spec.clusterIPs[0]", address));
    }
    let policy = &spec["externalTrafficPolicy"];
    if policy.is_string() && !outside {
        let why = "may only be set for externally-accessible services";
        out.push(FieldProblem::invalid("spec.externalTrafficPolicy", policy.clone(), why));
    } else {
        one_of(policy, &["Cluster", "Local"], "spec.externalTrafficPolicy", out);
    }
    for (index, port) in items(&spec["ports"]).iter().enumerate() {
        let given = port["nodePort"].as_i64().is_some_and(|number| number != 0);
        if given && kind == "ClusterIP" {
            let why = "may not be used when `type` is 'ClusterIP'";
            out.push(FieldProblem::forbidden(format!("spec.ports[{index}].nodePort"), why));
        }
    }
}

fn no_address(path: impl Into<String>, text: &str) -> FieldProblem {
    let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    FieldProblem::invalid(path, json!(text), why)
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
    let target = &port["targetPort"];
    if target.is_number() {
        port_number(target, format!("{path}.targetPort"), out);
    }
    for bad in target.as_str().map(names::port).unwrap_or_default() {
        out.push(FieldProblem::invalid(format!("{path}.targetPort"), target.clone(), bad));
    }
}

/// The rules on an ingress.
pub(super) fn ingress(new: &Value, out: &mut Problems) {
    let spec = &new["spec"];
    if items(&spec["rules"]).is_empty() && spec.get("defaultBackend").is_none() {
        let why = "either `defaultBackend` or `rules` must be specified";
        out.push(FieldProblem::invalid("spec", Value::Null, why));
    }
    for (rule_index, rule) in items(&spec["rules"]).iter().enumerate() {
        let place = format!("spec.rules[{rule_index}]");
        host(&rule["host"], &format!("{place}.host"), out);
        let Some(http) = rule.get("http") else { continue };
        if items(&http["paths"]).is_empty() {
            out.push(FieldProblem::required(format!("{place}.http.paths"), ""));
        }
        for (index, path) in items(&http["paths"]).iter().enumerate() {
            ingress_path(path, &format!("{place}.http.paths[{index}]"), out);
        }
    }
    if let Some(backend) = spec.get("defaultBackend") {
        self::backend(backend, "spec.defaultBackend", out);
    }
    if let Some(bad) = spec["ingressClassName"].as_str().and_then(names::subdomain) {
        let value = spec["ingressClassName"].clone();
        out.push(FieldProblem::invalid("spec.ingressClassName", value, bad));
    }
}

fn host(host: &Value, path: &str, out: &mut Problems) {
    let Some(text) = host.as_str().filter(|text| !text.is_empty()) else { return };
    if text.parse::<std::net::IpAddr>().is_ok() {
        let why = "must be a DNS name, not an IP address";
        out.push(FieldProblem::invalid(path, host.clone(), why));
        return;
    }
    if let Some(bad) = names::subdomain(text.strip_prefix("*.").unwrap_or(text)) {
        out.push(FieldProblem::invalid(path, host.clone(), bad));
    }
}

fn ingress_path(path: &Value, place: &str, out: &mut Problems) {
    let kinds = ["Exact", "ImplementationSpecific", "Prefix"];
    let kind = &path["pathType"];
    if kind.is_null() {
        out.push(FieldProblem::required(format!("{place}.pathType"), "pathType must be specified"));
    }
    one_of(kind, &kinds, format!("{place}.pathType"), out);
    let text = path["path"].as_str().unwrap_or_default();
    let strict = kind == "Exact" || kind == "Prefix";
    if strict && !text.starts_with('/') {
        let why = "must be an absolute path";
        out.push(FieldProblem::invalid(format!("{place}.path"), json!(text), why));
    }
    for bad in ["//", "/./", "/../", "%2f", "%2F"].into_iter().filter(|_| strict) {
        if text.contains(bad) {
            let why = format!("must not contain '{bad}'");
            out.push(FieldProblem::invalid(format!("{place}.path"), json!(text), why));
        }
    }
    backend(&path["backend"], &format!("{place}.backend"), out);
}

fn backend(backend: &Value, place: &str, out: &mut Problems) {
    let Some(service) = backend.get("service") else {
        if backend.get("resource").is_none() {
            let why = "resource or service backend is required";
            out.push(FieldProblem::invalid(place, json!(""), why));
        }
        return;
    };
    let path = format!("{place}.service.name");
    if required(&service["name"], path.clone(), out)
        && let Some(bad) = service["name"].as_str().and_then(names::label)
    {
        out.push(FieldProblem::invalid(path, service["name"].clone(), bad));
    }
    match (service["port"].get("name").is_some(), service["port"].get("number").is_some()) {
        (false, false) => {
            out.push(FieldProblem::required(place, "port name or number is required"));
        }
        (true, true) => {
            let why = "cannot set both port name & port number";
            out.push(FieldProblem::invalid(place, json!(""), why));
        }
        _ => {}
    }
}

/// The rules on endpoints.
pub(super) fn endpoints(new: &Value, out: &mut Problems) {
    for (index, subset) in items(&new["subsets"]).iter().enumerate() {
        for key in ["addresses", "notReadyAddresses"] {
            for (at, address) in items(&subset[key]).iter().enumerate() {
                let text = address["ip"].as_str().unwrap_or_default();
                if text.parse::<std::net::IpAddr>().is_err() {
                    let path = format!("subsets[{index}].{key}[{at}].ip");
                    out.push(no_address(path.clone(), text));
                    let why = "must be a valid IP address";
                    out.push(FieldProblem::invalid(path, json!(text), why));
                }
            }
        }
        for (at, port) in items(&subset["ports"]).iter().enumerate() {
            port_number(&port["port"], format!("subsets[{index}].ports[{at}].port"), out);
        }
    }
}

/// The rules on a network policy.
pub(super) fn policy(new: &Value, out: &mut Problems) {
    let spec = &new["spec"];
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for (index, rule) in items(&spec[direction]).iter().enumerate() {
            let place = format!("spec.{direction}[{index}]");
            for (at, port) in items(&rule["ports"]).iter().enumerate() {
                policy_port(port, &format!("{place}.ports[{at}]"), out);
            }
            for (at, peer) in items(&rule[peers]).iter().enumerate() {
                self::peer(peer, &format!("{place}.{peers}[{at}]"), out);
            }
        }
    }
    for (index, kind) in items(&spec["policyTypes"]).iter().enumerate() {
        one_of(kind, &["Ingress", "Egress"], format!("spec.policyTypes[{index}]"), out);
    }
}

fn policy_port(port: &Value, place: &str, out: &mut Problems) {
    if port["port"].is_number() {
        port_number(&port["port"], format!("{place}.port"), out);
    }
    let (first, last) = (port["port"].as_i64(), port["endPort"].as_i64());
    if let (Some(first), Some(last)) = (first, last)
        && last < first
    {
        let why = "must be greater than or equal to `port`";
        out.push(FieldProblem::invalid(format!("{place}.endPort"), json!(first), why));
    }
}

fn peer(peer: &Value, place: &str, out: &mut Problems) {
    let others = ["podSelector", "namespaceSelector"].iter().any(|key| peer.get(key).is_some());
    let block = peer.get("ipBlock");
    match (block, others) {
        (None, false) => out.push(FieldProblem::required(place, "must specify a peer")),
        (Some(_), true) => {
            let why = "may not specify both ipBlock and another peer";
            out.push(FieldProblem::forbidden(place, why));
        }
        (Some(block), false) => {
            let text = block["cidr"].as_str().unwrap_or_default();
            let parts = text.split_once('/');
            let fits = parts.is_some_and(|(address, length)| {
                address.parse::<std::net::IpAddr>().is_ok() && length.parse::<u8>().is_ok()
            });
            if !fits {
                let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
                out.push(FieldProblem::invalid(format!("{place}.ipBlock.cidr"), json!(text), why));
            }
        }
        (None, true) => {}
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
        for (at, address) in items(&endpoint["addresses"]).iter().enumerate() {
            let text = address.as_str().unwrap_or_default();
            if new["addressType"] != "FQDN" && text.parse::<std::net::IpAddr>().is_err() {
                out.push(no_address(format!("endpoints[{index}].addresses[{at}]"), text));
            }
        }
    }
}
