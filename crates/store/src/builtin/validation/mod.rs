//! Rules on the content of built-in kinds: those that users meet.
//!
//! Start at [`validate`]. Each kind has one function; pod templates share the pod's.

mod network;
mod pod;
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
        ("apps", "replicasets" | "daemonsets") => workload::selected(old, new, out),
        ("apps", "statefulsets") => workload::stateful_set(old, new, out),
        ("batch", "jobs") => workload::job(old, new, out),
        ("batch", "cronjobs") => workload::cron_job(new, out),
        ("autoscaling", _) => workload::autoscaler(new, out),
        ("policy", "poddisruptionbudgets") => workload::disruption_budget(new, out),
        ("networking.k8s.io", "ingresses") => network::ingress(new, out),
        ("discovery.k8s.io", "endpointslices") => network::endpoint_slice(old, new, out),
        ("rbac.authorization.k8s.io", _) => binding(old, new, out),
        ("apiextensions.k8s.io", _) => out.extend(crate::definition::validate(new)),
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

fn content(old: Option<&Value>, new: &Value, maps: &[&str], out: &mut Problems) {
    let mut size = 0;
    for map in maps {
        for (key, value) in new[*map].as_object().into_iter().flatten() {
            size += value.as_str().map_or(0, str::len);
            if let Some(bad) = names::config_key(key) {
                out.push(FieldProblem::invalid(format!("{map}[{key}]"), json!(key), bad));
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
        _ => &[],
    };
    for key in needed.iter().filter(|key| new["data"].get(**key).is_none()) {
        out.push(FieldProblem::required(format!("data[{key}]"), ""));
    }
}

fn binding(old: Option<&Value>, new: &Value, out: &mut Problems) {
    if new.get("roleRef").is_none() {
        return;
    }
    if old.is_some_and(|old| old["roleRef"] != new["roleRef"]) {
        let value = new["roleRef"].clone();
        out.push(FieldProblem::invalid("roleRef", value, "cannot change roleRef"));
    }
    required(&new["roleRef"]["name"], "roleRef.name", out);
    one_of(&new["roleRef"]["kind"], &["Role", "ClusterRole"], "roleRef.kind", out);
}
