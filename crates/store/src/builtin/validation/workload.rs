//! Rules on kinds that make pods.

use serde_json::Value;

use super::{Problems, count_or_percent, immutable, not_negative, one_of, pod, required};
use crate::builtin::metadata;
use crate::error::FieldProblem;
use crate::object::items;
use crate::selector::LabelSelector;

/// The rules on a deployment.
pub(super) fn deployment(old: Option<&Value>, new: &Value, out: &mut Problems) {
    selected(old, new, out);
    let strategy = &new["spec"]["strategy"];
    one_of(&strategy["type"], &["Recreate", "RollingUpdate"], "spec.strategy.type", out);
    if strategy["type"] == "Recreate" && strategy.get("rollingUpdate").is_some() {
        let detail = "may not be specified when strategy `type` is 'Recreate'";
        out.push(FieldProblem::forbidden("spec.strategy.rollingUpdate", detail));
    }
    let rolling = &strategy["rollingUpdate"];
    for key in ["maxSurge", "maxUnavailable"] {
        count_or_percent(&rolling[key], &format!("spec.strategy.rollingUpdate.{key}"), out);
    }
    if rolling.is_object() && is_zero(&rolling["maxSurge"]) && is_zero(&rolling["maxUnavailable"]) {
        out.push(FieldProblem::invalid(
            "spec.strategy.rollingUpdate.maxUnavailable",
            rolling["maxUnavailable"].clone(),
            "may not be 0 when `maxSurge` is 0",
        ));
    }
    let (deadline, ready) =
        (&new["spec"]["progressDeadlineSeconds"], &new["spec"]["minReadySeconds"]);
    not_negative(ready, "spec.minReadySeconds", out);
    if deadline.as_i64().is_some_and(|deadline| deadline <= ready.as_i64().unwrap_or(0)) {
        out.push(FieldProblem::invalid(
            "spec.progressDeadlineSeconds",
            deadline.clone(),
            "must be greater than minReadySeconds",
        ));
    }
    not_negative(&new["spec"]["revisionHistoryLimit"], "spec.revisionHistoryLimit", out);
}

fn is_zero(value: &Value) -> bool {
    value == 0 || value == "0%"
}

/// The rules on replicas, selector and template that all of these kinds share.
pub(super) fn selected(old: Option<&Value>, new: &Value, out: &mut Problems) {
    let spec = &new["spec"];
    not_negative(&spec["replicas"], "spec.replicas", out);
    let selector = &spec["selector"];
    let labels = &spec["template"]["metadata"]["labels"];
    if required(selector, "spec.selector", out) {
        let empty = LabelSelector::from_object(selector).is_empty();
        if empty {
            let detail = "empty selector is invalid for deployment";
            out.push(FieldProblem::invalid("spec.selector", selector.clone(), detail));
        } else if !LabelSelector::from_object(selector).matches(labels) {
            out.push(FieldProblem::invalid(
                "spec.template.metadata.labels",
                labels.clone(),
                "`selector` does not match template `labels`",
            ));
        }
    }
    immutable(old, new, "spec.selector", out);
    template(spec, old.map(|old| &old["spec"]), out);
    let policy = &spec["template"]["spec"]["restartPolicy"];
    one_of(policy, &["Always"], "spec.template.spec.restartPolicy", out);
}

/// A template is checked when it is new or changed: old ones stay valid.
fn template(spec: &Value, old: Option<&Value>, out: &mut Problems) {
    let template = &spec["template"];
    if old.is_some_and(|old| old["template"] == *template) {
        return;
    }
    metadata::labels(&template["metadata"]["labels"], "spec.template.labels", out);
    pod::spec(&template["spec"], "spec.template.spec", out);
}

/// The rules on a stateful set.
pub(super) fn stateful_set(old: Option<&Value>, new: &Value, out: &mut Problems) {
    selected(old, new, out);
    let Some(old) = old else { return };
    let frozen = ["serviceName", "podManagementPolicy", "volumeClaimTemplates"];
    if frozen.iter().any(|key| old["spec"][*key] != new["spec"][*key]) {
        let detail = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        out.push(FieldProblem::forbidden("spec", detail));
    }
}

/// The rules on a job.
pub(super) fn job(old: Option<&Value>, new: &Value, out: &mut Problems) {
    job_spec(&new["spec"], "spec", out);
    immutable(old, new, "spec.selector", out);
    immutable(old, new, "spec.completionMode", out);
    if new["spec"]["suspend"] != true {
        immutable(old, new, "spec.template", out);
    }
}

fn job_spec(spec: &Value, path: &str, out: &mut Problems) {
    let keys = [
        "parallelism",
        "completions",
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
    ];
    for key in keys {
        not_negative(&spec[key], &format!("{path}.{key}"), out);
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
    required(&spec["schedule"], "spec.schedule", out);
    let policies = ["Allow", "Forbid", "Replace"];
    one_of(&spec["concurrencyPolicy"], &policies, "spec.concurrencyPolicy", out);
    job_spec(&spec["jobTemplate"]["spec"], "spec.jobTemplate.spec", out);
}

/// The rules on a horizontal pod autoscaler.
pub(super) fn autoscaler(new: &Value, out: &mut Problems) {
    let spec = &new["spec"];
    let (least, most) = (spec["minReplicas"].as_i64().unwrap_or(1), spec["maxReplicas"].as_i64());
    if least < 1 {
        let detail = "must be greater than or equal to 1";
        out.push(FieldProblem::invalid("spec.minReplicas", spec["minReplicas"].clone(), detail));
    }
    match most {
        Some(most) if most < 1 => {
            let detail = "must be greater than 0";
            out.push(FieldProblem::invalid("spec.maxReplicas", most.into(), detail));
        }
        Some(most) if most < least => {
            let detail = "must be greater than or equal to `minReplicas`";
            out.push(FieldProblem::invalid("spec.maxReplicas", most.into(), detail));
        }
        Some(_) => {}
        None => {
            let detail = "must be greater than 0";
            out.push(FieldProblem::invalid("spec.maxReplicas", 0.into(), detail));
        }
    }
    for key in ["kind", "name"] {
        required(&spec["scaleTargetRef"][key], format!("spec.scaleTargetRef.{key}"), out);
    }
    let kinds = ["ContainerResource", "External", "Object", "Pods", "Resource"];
    for (index, metric) in items(&spec["metrics"]).iter().enumerate() {
        one_of(&metric["type"], &kinds, format!("spec.metrics[{index}].type"), out);
    }
}

/// The rules on a pod disruption budget.
pub(super) fn disruption_budget(new: &Value, out: &mut Problems) {
    let spec = &new["spec"];
    if spec.get("minAvailable").is_some() && spec.get("maxUnavailable").is_some() {
        let detail = "minAvailable and maxUnavailable cannot be both set";
        out.push(FieldProblem::invalid("spec", spec.clone(), detail));
    }
    for key in ["minAvailable", "maxUnavailable"] {
        count_or_percent(&spec[key], &format!("spec.{key}"), out);
    }
}
