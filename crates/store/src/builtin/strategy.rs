//! What the server itself decides about built-in kinds, after defaulting: admission, and what upstream calls a strategy.
//!
//! Nobody manages these fields, so they are set once managed fields are settled.

use serde_json::{Map, Value, json};

use super::defaults::fill;
use super::pod_defaults;
use crate::object::{field_mut, map_mut, metadata_mut};
use crate::path;
use crate::resource::{Resource, Subresource};

/// How long a pod stays on a node that went away, in seconds.
const AWAY_SECONDS: i64 = 300;
/// Counts a daemon set's templates for clients of long ago.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// Sets what is the server's.
pub(crate) fn apply(
    resource: &Resource,
    subresource: Subresource,
    old: Option<&Value>,
    new: &mut Value,
) {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "namespaces") => namespace(subresource, old, new),
        ("", "pods") if old.is_none() => new_pod(new),
        ("apps", "daemonsets") => daemon_set(old, new),
        // Upstream keeps no empty list here.
        ("rbac.authorization.k8s.io", "roles" | "clusterroles") if new["rules"] == json!([]) => {
            new["rules"] = Value::Null;
        }
        ("batch", "jobs") if old.is_none() => label_job(new),
        ("" | "events.k8s.io", "events") => event(resource, new),
        _ => {}
    }
}

/// What upstream writes of an event even when it was not said.
fn event(resource: &Resource, object: &mut Value) {
    let core = resource.group.is_empty();
    let names = if core {
        ["source", "firstTimestamp", "lastTimestamp", "reportingComponent"]
    } else {
        [
            "deprecatedSource",
            "deprecatedFirstTimestamp",
            "deprecatedLastTimestamp",
            "reportingController",
        ]
    };
    let map = map_mut(object);
    fill(map, &[(names[0], json!({}))]);
    for time in [names[1], names[2], "eventTime"] {
        map.entry(time).or_insert(Value::Null);
    }
    if core {
        fill(map, &[(names[3], json!("")), ("reportingInstance", json!(""))]);
    }
}

fn namespace(subresource: Subresource, old: Option<&Value>, namespace: &mut Value) {
    match old {
        None => {
            let name = namespace["metadata"]["name"].clone();
            path::set_label(namespace, "kubernetes.io/metadata.name", name);
            let spec = map_mut(field_mut(namespace, "spec"));
            let finalizers = spec.entry("finalizers").or_insert_with(|| json!([]));
            if let Value::Array(list) = finalizers
                && !list.contains(&json!("kubernetes"))
            {
                list.push(json!("kubernetes"));
            }
            fill(map_mut(field_mut(namespace, "status")), &[("phase", json!("Active"))]);
        }
        Some(_) if subresource == Subresource::Finalize => {}
        Some(old) => path::set(namespace, "spec.finalizers", old["spec"]["finalizers"].clone()),
    }
}

fn new_pod(pod: &mut Value) {
    let spec = map_mut(field_mut(pod, "spec"));
    fill(spec, &[("serviceAccountName", json!("default"))]);
    let account = spec["serviceAccountName"].clone();
    fill(
        spec,
        &[
            ("serviceAccount", account),
            ("priority", json!(0)),
            ("preemptionPolicy", json!("PreemptLowerPriority")),
        ],
    );
    tolerate_absent_nodes(spec);
    let class = pod_defaults::quality(&pod["spec"]);
    let status = map_mut(field_mut(pod, "status"));
    fill(status, &[("phase", json!("Pending")), ("qosClass", json!(class))]);
}

/// A pod stays a while on a node that is not ready or cannot be reached, unless it says otherwise.
fn tolerate_absent_nodes(spec: &mut Map<String, Value>) {
    let list = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Value::Array(list) = list else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerated = list.iter().any(|one| {
            let names = one["key"] == key || one["key"].as_str().unwrap_or_default().is_empty();
            names && (one["effect"] == "NoExecute" || one.get("effect").is_none())
        });
        if !tolerated {
            list.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": AWAY_SECONDS,
            }));
        }
    }
}

fn daemon_set(old: Option<&Value>, set: &mut Value) {
    let annotated = |set: &Value| {
        let text = set["metadata"]["annotations"][TEMPLATE_GENERATION].as_str();
        text.and_then(|text| text.parse::<i64>().ok())
    };
    let Some(old) = old else { return };
    let before = annotated(old).unwrap_or(0);
    let changed = old["spec"]["template"] != set["spec"]["template"];
    let count = (before + i64::from(changed)).to_string();
    let annotations = metadata_mut(set).entry("annotations").or_insert_with(|| json!({}));
    map_mut(annotations).insert(TEMPLATE_GENERATION.to_owned(), json!(count));
}

/// A job picks its pods by its own uid, unless the user insists on a selector.
fn label_job(job: &mut Value) {
    if job["spec"]["manualSelector"] == true {
        return;
    }
    let uid = job["metadata"]["uid"].clone();
    let name = job["metadata"]["name"].clone();
    let spec = map_mut(field_mut(job, "spec"));
    if spec.get("selector").is_none_or(Value::is_null) {
        spec.insert("selector".into(), json!({}));
    }
    let wanted = map_mut(field_mut(&mut spec["selector"], "matchLabels"));
    wanted.insert("batch.kubernetes.io/controller-uid".into(), uid.clone());
    let template = spec.entry("template").or_insert_with(|| json!({}));
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        path::set_label(template, key, value.clone());
    }
    let labels = job["spec"]["template"]["metadata"]["labels"].clone();
    if job["metadata"]["labels"].as_object().is_none_or(Map::is_empty) {
        metadata_mut(job).insert("labels".into(), labels);
    }
}
