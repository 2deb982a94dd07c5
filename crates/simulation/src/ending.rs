//! How a cluster ended, without what may differ between two good runs: times, versions, identifiers.

use crate::picture::Picture;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Fields of a rollout's status that must end the same.
const STATUS: &[&str] = &[
    "phase",
    "abort",
    "currentPodHash",
    "stableRS",
    "currentStepIndex",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "promoteFull",
];

/// What is shown of an object.
type Shown = fn(&Value) -> Value;

/// The ending of a cluster, object by object.
pub fn ending(picture: &Picture) -> BTreeMap<String, Value> {
    let mut ending = BTreeMap::new();
    let shown: [(&str, Shown); 7] = [
        ("rollouts", rollout),
        ("replicasets", replica_set),
        ("services", |service| service["spec"]["selector"].clone()),
        ("httproutes", |route| route["spec"].clone()),
        ("ingresses", |ingress| json!([ingress["metadata"]["annotations"], ingress["spec"]])),
        ("analysisruns", |run| run["status"]["phase"].clone()),
        ("deployments", |deployment| deployment["spec"]["replicas"].clone()),
    ];
    for (resource, show) in shown {
        for object in picture.all(resource) {
            let metadata = &object["metadata"];
            let text = |field: &str| metadata[field].as_str().unwrap_or_default();
            ending
                .insert(format!("{resource} {}/{}", text("namespace"), text("name")), show(object));
        }
    }
    ending
}

fn rollout(rollout: &Value) -> Value {
    let status = &rollout["status"];
    let mut shown = Map::new();
    for field in STATUS {
        shown.insert((*field).to_owned(), status[*field].clone());
    }
    let condition = |condition: &Value| {
        let word = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        (word("type"), json!([word("status"), word("reason")]))
    };
    // A controller that was away may never have seen the last pause; those that go on are in `pauses`.
    let lasting = |condition: &&Value| condition["type"] != "Paused";
    let conditions = status["conditions"].as_array().into_iter().flatten().filter(lasting);
    shown.insert("conditions".to_owned(), conditions.map(condition).collect());
    let reasons = status["pauseConditions"].as_array().into_iter().flatten();
    shown.insert("pauses".to_owned(), reasons.map(|pause| pause["reason"].clone()).collect());
    shown.insert("weights".to_owned(), status["canary"]["weights"].clone());
    for field in ["activeSelector", "previewSelector"] {
        shown.insert(field.to_owned(), status["blueGreen"][field].clone());
    }
    let mut spec = rollout["spec"].clone();
    if let Some(spec) = spec.as_object_mut() {
        // A moment, and somebody else's.
        spec.remove("restartAt");
    }
    shown.insert("spec".to_owned(), spec);
    Value::Object(shown)
}

fn replica_set(set: &Value) -> Value {
    let status = &set["status"];
    // Like upstream's, the deadline of a version that was scaled down after an abort stays where it is.
    let deadline = set["metadata"]["annotations"].get("scale-down-deadline").is_some()
        && set["spec"]["replicas"] != 0;
    json!({
        "replicas": set["spec"]["replicas"],
        "available": status["availableReplicas"],
        "labels": set["metadata"]["labels"],
        "scalesDownLater": deadline,
    })
}

/// The first differences of two endings, each as a sentence.
pub(crate) fn differences(
    expected: &BTreeMap<String, Value>,
    found: &BTreeMap<String, Value>,
) -> Vec<String> {
    let mut differences = Vec::new();
    for name in expected.keys().chain(found.keys().filter(|name| !expected.contains_key(*name))) {
        let (expected, found) = (expected.get(name), found.get(name));
        compare(
            name,
            expected.unwrap_or(&Value::Null),
            found.unwrap_or(&Value::Null),
            &mut differences,
        );
    }
    differences
}

fn compare(path: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let (a, b) = (a.get(key), b.get(key));
                let path = format!("{path} .{key}");
                compare(&path, a.unwrap_or(&Value::Null), b.unwrap_or(&Value::Null), differences);
            }
        }
        _ if expected == found => {}
        _ => differences.push(format!("{path}: {found}, not {expected}")),
    }
}
