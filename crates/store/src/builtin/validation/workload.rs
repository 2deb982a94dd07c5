//! Rules on kinds that make pods.

use serde_json::Value;

use super::{Problems, count_or_percent, immutable, not_negative, one_of, pod, required};
use crate::builtin::metadata;
use crate::error::FieldProblem;
use crate::object::items;
use crate::selector::LabelSelector;

/// The rules on a deployment.
pub(super) fn deployment(old: Option<&Value>, new: &Value, out: &mut Problems) {
    not_negative(&new["spec"]["replicas"], "spec.replicas", out);
    selector(new, Empty::Refused("deployment"), out);
    template(&new["spec"], old.map(|old| &old["spec"]), out);
    strategy(&new["spec"]["strategy"], out);
    let spec = &new["spec"];
    let (deadline, ready) = (&spec["progressDeadlineSeconds"], &spec["minReadySeconds"]);
    not_negative(ready, "spec.minReadySeconds", out);
    not_negative(&spec["revisionHistoryLimit"], "spec.revisionHistoryLimit", out);
    if deadline.as_i64().is_some_and(|deadline| deadline <= ready.as_i64().unwrap_or(0)) {
        let why = "must be greater than minReadySeconds";
        out.push(FieldProblem::invalid("spec.progressDeadlineSeconds", deadline.clone(), why));
    }
    let counts = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
    status(&new["status"], &counts, out);
    immutable(old, new, "spec.selector", out);
}

fn strategy(strategy: &Value, out: &mut Problems) {
    let kinds = ["Recreate", "RollingUpdate"];
    if strategy["type"].as_str().is_some_and(|kind| !kinds.contains(&kind)) {
        let values = Value::Array(vec![strategy["type"].clone(), Value::Null]);
        let value = FieldProblem::record(&["Type", "RollingUpdate"], &values);
        out.push(FieldProblem::not_supported("spec.strategy", value, kinds));
    }
    if strategy["type"] == "Recreate" && strategy.get("rollingUpdate").is_some() {
        let why = "may not be specified when strategy `type` is 'Recreate'";
        out.push(FieldProblem::forbidden("spec.strategy.rollingUpdate", why));
        return;
    }
    let rolling = &strategy["rollingUpdate"];
    for key in ["maxUnavailable", "maxSurge"] {
        count_or_percent(&rolling[key], &format!("spec.strategy.rollingUpdate.{key}"), out);
    }
    let path = "spec.strategy.rollingUpdate.maxUnavailable";
    if rolling.is_object() && is_zero(&rolling["maxSurge"]) && is_zero(&rolling["maxUnavailable"]) {
        let why = "may not be 0 when `maxSurge` is 0";
        out.push(FieldProblem::invalid(path, rolling["maxUnavailable"].clone(), why));
    }
    super::at_most_all(&rolling["maxUnavailable"], path, out);
}

fn is_zero(value: &Value) -> bool {
    value == 0 || value == "0%"
}

/// Counts of a status are not negative, and the first is the largest.
fn status(status: &Value, counts: &[&str], out: &mut Problems) {
    for key in counts {
        not_negative(&status[*key], &format!("status.{key}"), out);
    }
    let count = |key: &str| status[key].as_i64().unwrap_or(0);
    let Some((first, rest)) = counts.split_first() else { return };
    for key in rest.iter().filter(|key| count(key) > count(first)) {
        let why = format!("cannot be greater than status.{first}");
        out.push(FieldProblem::invalid(format!("status.{key}"), count(key).into(), why));
    }
    if count("availableReplicas") > count("readyReplicas") {
        let value = count("availableReplicas").into();
        let why = "cannot be greater than readyReplicas";
        out.push(FieldProblem::invalid("status.availableReplicas", value, why));
    }
}

/// What an empty selector means to a kind.
#[derive(Clone, Copy)]
enum Empty {
    Refused(&'static str),
    /// It selects nothing, so the template cannot match it; a missing one is not named.
    Unmatched,
}

/// The rules on a selector and the labels it must match.
fn selector(new: &Value, empty: Empty, out: &mut Problems) {
    let spec = &new["spec"];
    let selector = &spec["selector"];
    let labels = &spec["template"]["metadata"]["labels"];
    let missing = selector.is_null();
    if missing && matches!(empty, Empty::Refused(_)) {
        out.push(FieldProblem::required("spec.selector", ""));
    }
    if !expressions(selector, out) {
        let why = "invalid label selector";
        out.push(FieldProblem::invalid("spec.selector", selector.clone(), why));
        return;
    }
    let parsed = LabelSelector::from_object(selector);
    if let (Empty::Refused(kind), false, true) = (empty, missing, parsed.is_empty()) {
        let why = format!("empty selector is invalid for {kind}");
        out.push(FieldProblem::invalid("spec.selector", selector.clone(), why));
    }
    if missing || !parsed.is_empty() && !parsed.matches(labels) {
        let why = "`selector` does not match template `labels`";
        out.push(FieldProblem::invalid("spec.template.metadata.labels", labels.clone(), why));
    }
}

/// Whether the expressions of a selector make sense.
fn expressions(selector: &Value, out: &mut Problems) -> bool {
    let before = out.len();
    for (index, one) in items(&selector["matchExpressions"]).iter().enumerate() {
        let path = format!("spec.selector.matchExpressions[{index}]");
        let given = !items(&one["values"]).is_empty();
        match one["operator"].as_str().unwrap_or_default() {
            "In" | "NotIn" if !given => {
                let why = "must be specified when `operator` is 'In' or 'NotIn'";
                out.push(FieldProblem::required(format!("{path}.values"), why));
            }
            "Exists" | "DoesNotExist" if given => {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                out.push(FieldProblem::forbidden(format!("{path}.values"), why));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => {
                let value = one["operator"].clone();
                let why = "not a valid selector operator";
                out.push(FieldProblem::invalid(format!("{path}.operator"), value, why));
            }
        }
    }
    before == out.len()
}

/// The rules on a replica set.
pub(super) fn replica_set(old: Option<&Value>, new: &Value, out: &mut Problems) {
    not_negative(&new["spec"]["replicas"], "spec.replicas", out);
    not_negative(&new["spec"]["minReadySeconds"], "spec.minReadySeconds", out);
    selector(new, Empty::Refused("deployment"), out);
    template(&new["spec"], old.map(|old| &old["spec"]), out);
    let counts = ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
    status(&new["status"], &counts, out);
    immutable(old, new, "spec.selector", out);
}

/// The rules on a daemon set.
pub(super) fn daemon_set(old: Option<&Value>, new: &Value, out: &mut Problems) {
    selector(new, Empty::Unmatched, out);
    template(&new["spec"], old.map(|old| &old["spec"]), out);
    let strategy = &new["spec"]["updateStrategy"];
    update_kind(
        strategy,
        |value| {
            FieldProblem::not_supported("spec.updateStrategy", value, ["RollingUpdate", "OnDelete"])
        },
        out,
    );
    let rolling = &strategy["rollingUpdate"];
    if rolling.is_object() && is_zero(&rolling["maxSurge"]) && is_zero(&rolling["maxUnavailable"]) {
        let path = "spec.updateStrategy.rollingUpdate.maxUnavailable";
        out.push(FieldProblem::required(path, "cannot be 0 when maxSurge is 0"));
    }
    immutable(old, new, "spec.selector", out);
}

fn update_kind(strategy: &Value, bad: impl Fn(Value) -> FieldProblem, out: &mut Problems) {
    let known = strategy["type"] == "RollingUpdate" || strategy["type"] == "OnDelete";
    if !known {
        let values = Value::Array(vec![strategy["type"].clone(), Value::Null]);
        out.push(bad(FieldProblem::record(&["Type", "RollingUpdate"], &values)));
    }
}

/// A template is checked when it is new or changed: old ones stay valid.
fn template(spec: &Value, old: Option<&Value>, out: &mut Problems) {
    let template = &spec["template"];
    if old.is_some_and(|old| old["template"] == *template) {
        return;
    }
    metadata::labels(&template["metadata"]["labels"], "spec.template.labels", out);
    let annotations = &template["metadata"]["annotations"];
    metadata::annotations(annotations, "spec.template.annotations", out);
    let inner = &template["spec"];
    pod::spec(inner, "spec.template.spec", out);
    if inner["restartPolicy"] == "Never" || inner["restartPolicy"] == "OnFailure" {
        let path = "spec.template.spec.restartPolicy";
        one_of(&inner["restartPolicy"], &["Always"], path, out);
    }
    if inner["activeDeadlineSeconds"].is_number() {
        let path = "spec.template.spec.activeDeadlineSeconds";
        let why = "activeDeadlineSeconds in ReplicaSet is not Supported";
        out.push(FieldProblem::forbidden(path, why));
    }
}

/// The rules on a stateful set.
pub(super) fn stateful_set(old: Option<&Value>, new: &Value, out: &mut Problems) {
    let spec = &new["spec"];
    let policy = &spec["podManagementPolicy"];
    if policy != "OrderedReady" && policy != "Parallel" {
        let why = "must be 'OrderedReady' or 'Parallel'";
        out.push(FieldProblem::invalid("spec.podManagementPolicy", policy.clone(), why));
    }
    let strategy = &spec["updateStrategy"];
    update_kind(
        strategy,
        |value| {
            let why = "must be 'RollingUpdate' or 'OnDelete'";
            FieldProblem::invalid("spec.updateStrategy", value, why)
        },
        out,
    );
    let partition = &strategy["rollingUpdate"]["partition"];
    not_negative(partition, "spec.updateStrategy.rollingUpdate.partition", out);
    not_negative(&spec["replicas"], "spec.replicas", out);
    not_negative(&spec["minReadySeconds"], "spec.minReadySeconds", out);
    selector(new, Empty::Refused("statefulset"), out);
    template(spec, old.map(|old| &old["spec"]), out);
    let Some(old) = old else { return };
    let frozen = ["serviceName", "podManagementPolicy", "volumeClaimTemplates", "selector"];
    if frozen.iter().any(|key| old["spec"][*key] != spec[*key]) {
        let detail = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        out.push(FieldProblem::forbidden("spec", detail));
    }
}

/// The rules on a job.
pub(super) fn job(old: Option<&Value>, new: &Value, out: &mut Problems) {
    let spec = &new["spec"];
    if old.is_none() && spec["manualSelector"] != true {
        own_selector(new, out);
    }
    job_spec(spec, "spec", out);
    if old.is_none() {
        metadata::labels(&spec["template"]["metadata"]["labels"], "spec.template.labels", out);
    }
    let indexed = spec["completionMode"] == "Indexed";
    if old.is_some_and(|old| !indexed && old["spec"]["completions"] != spec["completions"]) {
        let value = spec["completions"].clone();
        out.push(FieldProblem::invalid("spec.completions", value, "field is immutable"));
    }
    immutable(old, new, "spec.selector", out);
    immutable(old, new, "spec.completionMode", out);
    if let Some(old) = old
        && frozen_template(old) != frozen_template(new)
    {
        let same_pods = old["spec"]["template"]["metadata"] == spec["template"]["metadata"];
        let (path, value) = if same_pods {
            ("spec.template.spec", spec["template"]["spec"].clone())
        } else {
            ("spec.template", spec["template"].clone())
        };
        out.push(FieldProblem::invalid(path, value, "field is immutable"));
    }
}

/// A job's template without what may change while the job has not started.
fn frozen_template(job: &Value) -> Value {
    let mut template = job["spec"]["template"].clone();
    let waits = job["spec"]["suspend"] == true && job["status"]["startTime"].is_null();
    if waits {
        for key in ["nodeSelector", "tolerations", "affinity", "schedulingGates"] {
            if let Some(spec) = template["spec"].as_object_mut() {
                spec.remove(key);
            }
        }
        if let Some(map) = template.as_object_mut() {
            map.remove("metadata");
        }
    }
    template
}

/// A job that does not insist gets its selector from the server; one of its own is a mistake.
fn own_selector(new: &Value, out: &mut Problems) {
    let selector = &new["spec"]["selector"];
    let count = |key: &str| selector[key].as_object().map_or(0, serde_json::Map::len);
    if count("matchLabels") <= 1 && items(&selector["matchExpressions"]).is_empty() {
        return;
    }
    let why = "`selector` not auto-generated";
    out.push(FieldProblem::invalid("spec.selector", selector.clone(), why));
    let labels = &new["spec"]["template"]["metadata"]["labels"];
    if !LabelSelector::from_object(selector).matches(labels) {
        let why = "`selector` does not match template `labels`";
        out.push(FieldProblem::invalid("spec.template.metadata.labels", labels.clone(), why));
    }
}

fn job_spec(spec: &Value, path: &str, out: &mut Problems) {
    let keys = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ];
    for key in keys {
        not_negative(&spec[key], &format!("{path}.{key}"), out);
    }
    let modes = ["NonIndexed", "Indexed"];
    one_of(&spec["completionMode"], &modes, format!("{path}.completionMode"), out);
    if spec["completionMode"] == "Indexed" && spec["completions"].is_null() {
        let why = "when completion mode is Indexed";
        out.push(FieldProblem::required(format!("{path}.completions"), why));
    }
    let inner = &spec["template"]["spec"];
    pod::spec(inner, &format!("{path}.template.spec"), out);
    if inner["restartPolicy"] == "Always" {
        let path = format!("{path}.template.spec.restartPolicy");
        let detail = "valid values: \"OnFailure\", \"Never\"";
        out.push(FieldProblem::required(path, detail));
    }
}

/// The rules on a cron job.
pub(super) fn cron_job(new: &Value, out: &mut Problems) {
    let spec = &new["spec"];
    if required(&spec["schedule"], "spec.schedule", out) {
        let text = spec["schedule"].as_str().unwrap_or_default();
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != 5 && !text.starts_with('@') {
            let why = format!(
                "expected exactly 5 fields, found {}: [{}]",
                fields.len(),
                fields.join(" ")
            );
            out.push(FieldProblem::invalid("spec.schedule", spec["schedule"].clone(), why));
        }
    }
    not_negative(&spec["startingDeadlineSeconds"], "spec.startingDeadlineSeconds", out);
    let policies = ["Allow", "Forbid", "Replace"];
    one_of(&spec["concurrencyPolicy"], &policies, "spec.concurrencyPolicy", out);
    for key in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        not_negative(&spec[key], &format!("spec.{key}"), out);
    }
    job_spec(&spec["jobTemplate"]["spec"], "spec.jobTemplate.spec", out);
}
