//! Rules on events, leases and revisions.

use serde_json::{Value, json};

use super::{Problems, not_negative, required};
use crate::builtin::names;
use crate::error::FieldProblem;
use crate::object::meta_str;
use crate::resource::Resource;

/// The rules on an event; those of the newer group are stricter when it is made.
pub(super) fn event(resource: &Resource, old: Option<&Value>, new: &Value, out: &mut Problems) {
    let about = if resource.group.is_empty() { "involvedObject" } else { "regarding" };
    let namespace = new[about]["namespace"].as_str().unwrap_or_default();
    let own = meta_str(new, "namespace");
    let fits = namespace == own || namespace.is_empty() && own == "default";
    if resource.group.is_empty() || old.is_some() {
        if !fits {
            let why = "does not match event.namespace";
            out.push(FieldProblem::invalid("involvedObject.namespace", json!(namespace), why));
        }
        return;
    }
    required(&new["eventTime"], "eventTime", out);
    let controller = new["reportingController"].as_str().unwrap_or_default();
    if required(&new["reportingController"], "reportingController", out) {
        if let Some(bad) = names::qualified_name(controller) {
            out.push(FieldProblem::invalid("reportingController", json!(controller), bad));
        }
    } else {
        for why in [names::NO_NAME, names::QUALIFIED_NAME] {
            out.push(FieldProblem::invalid("reportingController", json!(controller), why));
        }
    }
    for key in ["reportingInstance", "action", "reason"] {
        required(&new[key], key, out);
    }
    let kind = new["type"].as_str().unwrap_or_default();
    if !matches!(kind, "Normal" | "Warning") {
        out.push(FieldProblem::invalid("type", json!(""), format!("has invalid value: {kind}")));
    }
}

/// The rules on a lease.
pub(super) fn lease(new: &Value, out: &mut Problems) {
    let seconds = &new["spec"]["leaseDurationSeconds"];
    if seconds.as_i64().is_some_and(|seconds| seconds <= 0) {
        let path = "spec.leaseDurationSeconds";
        out.push(FieldProblem::invalid(path, seconds.clone(), "must be greater than 0"));
    }
    not_negative(&new["spec"]["leaseTransitions"], "spec.leaseTransitions", out);
}

/// The rules on a revision: what it holds stays.
pub(super) fn revision(old: Option<&Value>, new: &Value, out: &mut Problems) {
    if old.is_some_and(|old| old["data"] != new["data"]) {
        let value = new["data"].clone();
        out.push(FieldProblem::invalid("data", value, "field is immutable"));
    }
}
