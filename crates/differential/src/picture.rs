//! What a client sees of one case, without what is different every time: times, hashes and names that
//! are made from them.
//!
//! A hash becomes its place in the order in which versions came, `<1>`, `<2>`, that of an experiment's template
//! the name of the ReplicaSet that had it first, `<trial it-<2>-2-0-baseline>`; a time becomes `<time>`;
//! the name of the Rollout becomes `it`.

use api::argo::keys::{
    ANALYSIS_RUN_NAME, CONTROLLER_INSTANCE_ID, POD_TEMPLATE_HASH, WORKLOAD_GENERATION,
};
use regex::Regex;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// What we add to upstream's annotations begins with this.
const OUR_ADDITIONS: &str = "ringfence.dev/";
/// The conditions that we add to upstream's.
const OUR_CONDITIONS: [&str; 3] = ["Ready", "Reconciling", "Stalled"];
/// Of whose events a picture is made; the others are told by Kubernetes.
const TOLD_OF: [&str; 3] = ["Rollout", "AnalysisRun", "Experiment"];

/// Fewer seconds of a pause are nobody's: they pass between the writes of one act, if the controller looks
/// in between. What people do is further apart.
const SHORTEST_PAUSE: u64 = 3;

/// How often a Deployment was changed depends on how its pods came up.
const COUNTS: [&str; 2] = [WORKLOAD_GENERATION, "workloadObservedGeneration"];

static UID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").ok());
static TIME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").ok());

/// The objects of one case, in the order in which they were first seen.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Where they are.
    pub namespace: String,
    /// The name of the Rollout.
    pub name: String,
    /// What there is now.
    pub now: Vec<Value>,
    /// The hashes of all versions that there ever were, in the order in which they came.
    pub hashes: Vec<String>,
    /// The hashes of what experiments ran, each with the name of the ReplicaSet that had it first.
    pub trials: Vec<(String, String)>,
}

/// What a client sees.
pub fn picture(objects: &Objects) -> Value {
    let of_kind =
        |kind: &'static str| objects.now.iter().filter(move |object| object["kind"] == kind);
    let named = |kind: &'static str, shown: fn(&Value) -> Value| -> Map<String, Value> {
        of_kind(kind).map(|object| (name(object).to_owned(), shown(object))).collect()
    };
    let seen = json!({
        "rollout": of_kind("Rollout").next().map(rollout),
        "workloadIsSeen": of_kind("Rollout").next().map(|rollout| sees_workload(rollout, of_kind("Deployment").next())),
        "replicaSets": named("ReplicaSet", replica_set),
        "pods": pods(of_kind("Pod")),
        "services": named("Service", |object| kept(object, &["/spec/selector"])),
        "ingresses": named("Ingress", |object| kept(object, &["/spec"])),
        "runs": named("AnalysisRun", run),
        "experiments": named("Experiment", experiment),
        "jobs": jobs(of_kind("Job")),
        "deployments": named("Deployment", deployment),
        "events": events(of_kind("Event")),
        "reasonsInOrder": in_order(of_kind("Event")),
    });
    plain(&seen, objects)
}

/// Whether a rollout knows the Deployment that it takes its template from as it is now.
fn sees_workload(rollout: &Value, workload: Option<&Value>) -> bool {
    let now = workload.map(|workload| workload["metadata"]["generation"].to_string());
    let noted = rollout["metadata"]["annotations"].get(WORKLOAD_GENERATION).map(text_of);
    let observed = rollout["status"].get("workloadObservedGeneration").map(text_of);
    noted == now && observed == now
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// Metadata that clients look at, and these places.
fn kept(object: &Value, places: &[&str]) -> Value {
    let metadata = &object["metadata"];
    let mut shown = json!({
        "labels": metadata["labels"],
        "annotations": metadata["annotations"],
        "finalizers": metadata["finalizers"],
        "owners": owners(metadata),
        "deleting": !metadata["deletionTimestamp"].is_null(),
    });
    for place in places {
        shown[place.trim_start_matches('/').replace('/', ".")] =
            object.pointer(place).cloned().unwrap_or_default();
    }
    shown
}

fn owners(metadata: &Value) -> Vec<Value> {
    let owners = metadata["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
    let shown = |owner: &Value| {
        json!([owner["kind"], owner["name"], owner["controller"], owner["blockOwnerDeletion"]])
    };
    owners.iter().map(shown).collect()
}

/// Without empty objects, which the peer writes for fields that nobody set.
fn filled(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().map(|(key, value)| (key.clone(), filled(value)));
            let kept =
                kept.filter(|(_, value)| value.as_object().is_none_or(|fields| !fields.is_empty()));
            Value::Object(kept.collect())
        }
        Value::Array(items) => items.iter().map(filled).collect(),
        other => other.clone(),
    }
}

fn rollout(object: &Value) -> Value {
    let mut shown = kept(object, &["/spec/replicas", "/spec/restartAt"]);
    shown["paused"] = json!(object["spec"]["paused"] == json!(true));
    let mut status = object["status"].clone();
    if let Some(status) = status.as_object_mut() {
        status.shift_remove("reasons");
        // How long things took is never the same twice.
        if let Some(lasted) = status.get_mut("duration").and_then(Value::as_object_mut) {
            lasted.retain(|_, lasted| lasted.as_u64().is_none_or(|time| time >= SHORTEST_PAUSE));
            let spans = lasted.iter_mut().filter(|(field, _)| *field != "completionStatus");
            spans.for_each(|(_, lasted)| *lasted = json!("<time>"));
        }
        // What is empty or false says as much as what is absent.
        let says = |value: &Value| *value != json!(false) && *value != json!({});
        status.retain(|_, value| says(value));
        // The peer writes defaults into the specification, which counts as a generation.
        if status.get("observedGeneration").map(text_of)
            == Some(object["metadata"]["generation"].to_string())
        {
            status.insert("observedGeneration".to_owned(), json!("as it is now"));
        }
        let conditions = status.shift_remove("conditions").unwrap_or_default();
        status.insert("conditions".to_owned(), by_type(&conditions));
    }
    shown["status"] = status;
    shown
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Conditions under their type; their order means nothing.
fn by_type(conditions: &Value) -> Value {
    let conditions = conditions.as_array().map(Vec::as_slice).unwrap_or_default();
    let typed = conditions.iter().map(|condition| {
        let mut shown = condition.clone();
        let kind = shown.as_object_mut().and_then(|fields| fields.shift_remove("type"));
        (kind.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(), shown)
    });
    typed.filter(|(kind, _)| !OUR_CONDITIONS.contains(&kind.as_str())).collect::<Map<_, _>>().into()
}

fn replica_set(object: &Value) -> Value {
    let mut shown = kept(
        object,
        &["/spec/replicas", "/spec/minReadySeconds", "/spec/selector", "/spec/template"],
    );
    for count in ["replicas", "readyReplicas", "availableReplicas"] {
        shown[count] = object["status"][count].clone();
    }
    shown
}

/// Metrics are measured at the same time, so their order means nothing.
fn run(object: &Value) -> Value {
    let mut shown = kept(object, &["/spec", "/status"]);
    if let Some(results) = shown["status"]["metricResults"].as_array_mut() {
        results.sort_by_key(|result| text_of(&result["name"]));
        let metadata = results.iter_mut().filter_map(|result| result.get_mut("metadata"));
        for metadata in metadata.filter_map(Value::as_object_mut) {
            metadata.retain(|key, _| !key.starts_with(OUR_ADDITIONS));
        }
    }
    filled(&shown)
}

fn experiment(object: &Value) -> Value {
    let mut shown = kept(object, &["/spec", "/status"]);
    shown["status"]["conditions"] = by_type(&object["status"]["conditions"]);
    filled(&shown)
}

fn deployment(object: &Value) -> Value {
    let mut shown = kept(object, &["/spec/replicas", "/spec/template"]);
    for count in ["replicas", "readyReplicas", "availableReplicas"] {
        shown[count] = object["status"][count].clone();
    }
    shown
}

/// Jobs under the analysis run that they measure for.
fn jobs<'a>(jobs: impl Iterator<Item = &'a Value>) -> Value {
    let shown = jobs.map(|job| {
        let run = job["metadata"]["annotations"][ANALYSIS_RUN_NAME].as_str().unwrap_or_default();
        let places = ["/spec/template/spec", "/spec/backoffLimit", "/spec/suspend"];
        let mut shown = kept(job, &places);
        for count in ["active", "succeeded", "failed"] {
            shown[count] = job["status"][count].clone();
        }
        (format!("{run} {}", name(job)), shown)
    });
    shown.collect::<Map<_, _>>().into()
}

/// For each version how many pods there are of each look.
fn pods<'a>(pods: impl Iterator<Item = &'a Value>) -> Value {
    let mut looks = Map::new();
    for pod in pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()) {
        let hash = pod["metadata"]["labels"][POD_TEMPLATE_HASH].as_str().unwrap_or_default();
        let look = json!([
            pod["metadata"]["labels"],
            pod["metadata"]["annotations"],
            pod["status"]["phase"]
        ]);
        let counts = looks.entry(hash).or_insert_with(|| json!({}));
        let count = counts[look.to_string()].as_u64().unwrap_or_default();
        counts[look.to_string()] = json!(count + 1);
    }
    looks.into()
}

fn is_told(event: &Value) -> bool {
    event["involvedObject"]["kind"].as_str().is_some_and(|kind| TOLD_OF.contains(&kind))
}

/// What was told of the rollout, one after the other. What is told of runs and experiments meanwhile is
/// told by others, at their own pace.
fn in_order<'a>(events: impl Iterator<Item = &'a Value>) -> Vec<&'a Value> {
    let of_rollout = events.filter(|event| event["involvedObject"]["kind"] == "Rollout");
    of_rollout.map(|event| &event["reason"]).collect()
}

/// How often each sentence was told.
fn events<'a>(events: impl Iterator<Item = &'a Value>) -> Value {
    let mut counts = Map::new();
    for event in events.filter(|event| is_told(event)) {
        let text = |field: &str| event[field].as_str().unwrap_or_default();
        let of = event["involvedObject"]["kind"].as_str().unwrap_or_default();
        let line = format!("{of} {} {}: {}", text("type"), text("reason"), text("message"));
        let before = counts.get(&line).and_then(Value::as_u64).unwrap_or_default();
        counts.insert(line, json!(before + event["count"].as_u64().unwrap_or(1)));
    }
    counts.into()
}

/// Without nulls, times, hashes and what we add.
fn plain(value: &Value, objects: &Objects) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, value)| {
                !value.is_null()
                    && !key.starts_with(OUR_ADDITIONS)
                    && *key != CONTROLLER_INSTANCE_ID
                    && !COUNTS.contains(&key.as_str())
            });
            // Annotations of which none is left say as much as none.
            let says = |(key, value): &(String, Value)| key != "annotations" || *value != json!({});
            let kept: Map<_, _> = kept
                .map(|(key, value)| (plain_text(key, objects), plain(value, objects)))
                .filter(says)
                .collect();
            Value::Object(kept)
        }
        Value::Array(items) => items.iter().map(|item| plain(item, objects)).collect(),
        Value::String(text) => Value::String(plain_text(text, objects)),
        other => other.clone(),
    }
}

fn plain_text(text: &str, objects: &Objects) -> String {
    if text == objects.namespace {
        return "here".to_owned();
    }
    let mut plain = text.to_owned();
    // Their names have a version's hash in them, which goes next.
    for (hash, set) in objects.trials.iter().filter(|(hash, _)| !objects.hashes.contains(hash)) {
        plain = plain.replace(hash.as_str(), &format!("<trial {set}>"));
    }
    for (place, hash) in objects.hashes.iter().enumerate() {
        plain = plain.replace(hash.as_str(), &format!("<{}>", place + 1));
    }
    if !objects.name.is_empty() {
        plain = plain.replace(&format!("{}/{}", objects.namespace, objects.name), "it");
        plain = plain.replace(&objects.name, "it");
    }
    for (pattern, word) in [(&TIME, "<time>"), (&UID, "<uid>")] {
        if let Some(pattern) = pattern.as_ref() {
            plain = pattern.replace_all(&plain, word).into_owned();
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(now: &Value) -> Objects {
        let hashes = vec!["aaa111".to_owned(), "bbb222".to_owned()];
        Objects {
            namespace: "here".to_owned(),
            name: "c00001".to_owned(),
            now: now.as_array().cloned().unwrap_or_default(),
            hashes,
            trials: vec![
                ("ccc333".to_owned(), "c00001-bbb222-2-0-candidate".to_owned()),
                ("aaa111".to_owned(), "c00001-bbb222-2-0-baseline".to_owned()),
            ],
        }
    }

    #[test]
    fn what_an_experiment_runs_is_named_after_it_unless_it_is_a_version() {
        let labels = |hash: &str| json!({"kind": "ReplicaSet", "metadata": {"name": hash, "labels": {"hash": hash}}});
        let seen = picture(&objects(&json!([labels("ccc333"), labels("aaa111")])));
        let sets = &seen["replicaSets"];
        let trial = "<trial it-<2>-2-0-candidate>";
        assert_eq!(sets[trial]["labels"]["hash"], trial);
        assert_eq!(sets["<1>"]["labels"]["hash"], "<1>");
    }

    #[test]
    fn hashes_times_and_names_are_the_same_every_time() {
        let seen = picture(&objects(&json!([{
            "kind": "Rollout", "metadata": {"name": "c00001"},
            "status": {"currentPodHash": "bbb222", "abortedAt": "2026-01-02T03:04:05Z", "reasons": [1],
                "conditions": [{"type": "Ready"}, {"type": "Healthy", "message": "c00001-aaa111"}]},
        }])));
        let status = &seen["rollout"]["status"];
        let expected = json!({"currentPodHash": "<2>", "abortedAt": "<time>",
            "conditions": {"Healthy": {"message": "it-<1>"}}});
        assert_eq!(*status, expected);
    }

    #[test]
    fn a_pause_that_nobody_made_is_none() {
        let total = |seconds: u64| {
            let lasted = json!({"totalManualPauseDurationSeconds": seconds});
            let rollout = json!([{"kind": "Rollout", "metadata": {"name": "c00001"}, "status": {"duration": lasted}}]);
            picture(&objects(&rollout))["rollout"]["status"]["duration"].clone()
        };
        assert!(total(1).is_null());
        assert_eq!(total(4), json!({"totalManualPauseDurationSeconds": "<time>"}));
    }

    #[test]
    fn sentences_are_counted_and_kept_in_order() {
        let event = |kind: &str, reason: &str| {
            json!({"kind": "Event", "involvedObject": {"kind": kind},
            "type": "Normal", "reason": reason, "message": "m", "count": 2})
        };
        let seen = picture(&objects(&json!([
            event("Rollout", "B"),
            event("Pod", "X"),
            event("Rollout", "A")
        ])));
        assert_eq!(seen["reasonsInOrder"], json!(["B", "A"]));
        assert_eq!(seen["events"], json!({"Rollout Normal B: m": 2, "Rollout Normal A: m": 2}));
    }

    #[test]
    fn our_annotations_are_additions() {
        let seen =
            picture(&objects(&json!([{"kind": "Service", "metadata": {"name": "c00001-one",
            "annotations": {"ringfence.dev/a": "b", "x": "y"}}}])));
        assert_eq!(seen["services"]["it-one"]["annotations"], json!({"x": "y"}));
    }
}
