//! Rules on the content of built-in kinds: those that users meet.
//!
//! Start at [`validate`]. Each kind has one function; pod templates share the pod's.

mod access;
mod container;
mod network;
mod pod;
mod records;
mod scaling;
mod workload;

use serde_json::{Value, json};

use super::names;
use crate::error::FieldProblem;
use crate::resource::Resource;

type Problems = Vec<FieldProblem>;

/// The most bytes of a config map's or secret's content.
const CONTENT_LIMIT: usize = 1024 * 1024;

/// All broken rules.
pub(crate) fn validate(resource: &Resource, old: Option<&Value>, new: &Value) -> Problems {
    let mut problems = Problems::new();
    let out = &mut problems;
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => pod::pod(old, new, out),
        ("", "services") => network::service(old, new, out),
        ("", "configmaps") => content(old, new, &["data", "binaryData"], out),
        ("", "secrets") => secret(old, new, out),
        ("apps", "deployments") => workload::deployment(old, new, out),
        ("apps", "replicasets") => workload::replica_set(old, new, out),
        ("apps", "daemonsets") => workload::daemon_set(old, new, out),
        ("apps", "statefulsets") => workload::stateful_set(old, new, out),
        ("batch", "jobs") => workload::job(old, new, out),
        ("batch", "cronjobs") => workload::cron_job(new, out),
        ("autoscaling", _) => scaling::autoscaler(new, out),
        ("policy", "poddisruptionbudgets") => scaling::disruption_budget(new, out),
        ("" | "events.k8s.io", "events") => records::event(resource, old, new, out),
        ("coordination.k8s.io", "leases") => records::lease(new, out),
        ("apps", "controllerrevisions") => records::revision(old, new, out),
        ("", "endpoints") => network::endpoints(new, out),
        ("networking.k8s.io", "networkpolicies") => network::policy(new, out),
        ("networking.k8s.io", "ingressclasses") => {
            required(&new["spec"]["controller"], "spec.controller", out);
        }
        ("networking.k8s.io", "ingresses") => network::ingress(new, out),
        ("discovery.k8s.io", "endpointslices") => network::endpoint_slice(old, new, out),
        ("rbac.authorization.k8s.io", "roles" | "clusterroles") => access::role(resource, new, out),
        ("rbac.authorization.k8s.io", _) => access::binding(resource, old, new, out),
        ("apiextensions.k8s.io", _) => out.extend(crate::definition::validate(old, new)),
        _ => {}
    }
    problems
}

/// The value at a path must be present and, if a string, not empty.
fn required(value: &Value, path: impl Into<String>, out: &mut Problems) -> bool {
    let missing = value.is_null() || value.as_str().is_some_and(str::is_empty);
    if missing {
        out.push(FieldProblem::required(path, ""));
    }
    !missing
}

/// A count must not be below zero.
fn not_negative(value: &Value, path: &str, out: &mut Problems) {
    if value.as_i64().is_some_and(|count| count < 0) {
        let detail = "must be greater than or equal to 0";
        out.push(FieldProblem::invalid(path, value.clone(), detail));
    }
}

/// A word must be one of a few.
fn one_of(value: &Value, words: &[&str], path: impl Into<String>, out: &mut Problems) {
    if let Some(text) = value.as_str()
        && !words.contains(&text)
    {
        out.push(FieldProblem::not_supported(path, value.clone(), words.iter().copied()));
    }
}

/// A field must stay as it is.
fn immutable(old: Option<&Value>, new: &Value, path: &str, out: &mut Problems) {
    let Some(old) = old else { return };
    let (before, after) = (crate::path::get(old, path), crate::path::get(new, path));
    if before != after {
        let value = after.cloned().unwrap_or_default();
        out.push(FieldProblem::invalid(path, value, "field is immutable"));
    }
}

/// A port number must be one.
fn port_number(value: &Value, path: impl Into<String>, out: &mut Problems) {
    let good = value.as_i64().is_some_and(|port| (1..=65_535).contains(&port));
    if !good {
        let detail = "must be between 1 and 65535, inclusive";
        out.push(FieldProblem::invalid(path, value.clone(), detail));
    }
}

/// A count or a percentage.
fn count_or_percent(value: &Value, path: &str, out: &mut Problems) {
    match value {
        Value::String(text) => {
            let number = text.strip_suffix('%').and_then(|number| number.parse::<u32>().ok());
            if number.is_none() {
                let detail = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
                out.push(FieldProblem::invalid(path, value.clone(), detail));
            }
        }
        other => not_negative(other, path, out),
    }
}

/// A share must not be more than all.
fn at_most_all(value: &Value, path: &str, out: &mut Problems) {
    let share = value.as_str().and_then(|text| text.strip_suffix('%')?.parse::<u32>().ok());
    if share.is_some_and(|share| share > 100) {
        out.push(FieldProblem::invalid(path, value.clone(), "must not be greater than 100%"));
    }
}

fn content(old: Option<&Value>, new: &Value, maps: &[&str], out: &mut Problems) {
    let mut size = 0;
    for map in maps {
        for (key, value) in new[*map].as_object().into_iter().flatten() {
            size += value.as_str().map_or(0, str::len);
            if let Some(bad) = names::config_key(key) {
                out.push(FieldProblem::invalid(format!("{map}[{key}]"), json!(key), bad));
            }
            if *map == "data" && new["binaryData"].get(key).is_some() {
                let why = "duplicate of key present in binaryData";
                out.push(FieldProblem::invalid(format!("{map}[{key}]"), json!(key), why));
            }
        }
    }
    if size > CONTENT_LIMIT {
        out.push(FieldProblem::too_long("", u64::try_from(CONTENT_LIMIT).unwrap_or_default()));
    }
    let Some(old) = old.filter(|old| old["immutable"] == true) else { return };
    if new["immutable"] != true {
        let detail = "field is immutable when `immutable` is set";
        out.push(FieldProblem::forbidden("immutable", detail));
    }
    for map in maps {
        if old[*map] != new[*map] {
            let detail = "field is immutable when `immutable` is set";
            out.push(FieldProblem::forbidden(*map, detail));
        }
    }
}

fn secret(old: Option<&Value>, new: &Value, out: &mut Problems) {
    content(old, new, &["data"], out);
    immutable(old, new, "type", out);
    let needed: &[&str] = match new["type"].as_str() {
        Some("kubernetes.io/tls") => &["tls.crt", "tls.key"],
        Some("kubernetes.io/dockerconfigjson") => &[".dockerconfigjson"],
        Some("kubernetes.io/ssh-auth") => &["ssh-privatekey"],
        Some("kubernetes.io/basic-auth") => {
            let either = ["username", "password"];
            if either.iter().any(|key| new["data"].get(key).is_some()) {
                &[]
            } else {
                &["username", "password"]
            }
        }
        _ => &[],
    };
    let account = "kubernetes.io/service-account";
    if new["type"] == "kubernetes.io/service-account-token" {
        let name = format!("{account}.name");
        let path = format!("metadata.annotations[{name}]");
        required(&new["metadata"]["annotations"][&name], path, out);
    }
    docker_file(new, out);
    for key in needed.iter().filter(|key| new["data"].get(**key).is_none()) {
        out.push(FieldProblem::required(format!("data[{key}]"), ""));
    }
}

/// The file of a registry's secret must be JSON; the message does not tell what it is instead.
fn docker_file(new: &Value, out: &mut Problems) {
    use base64::Engine as _;
    if new["type"] != "kubernetes.io/dockerconfigjson" {
        return;
    }
    let Some(text) = new["data"][".dockerconfigjson"].as_str() else { return };
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    if let Err(error) = crate::json::parse(&bytes) {
        let value = json!("<secret contents redacted>");
        out.push(FieldProblem::invalid("data[.dockerconfigjson]", value, error.message));
    }
}
