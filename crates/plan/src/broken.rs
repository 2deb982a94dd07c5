//! Objects that are there and cannot be understood: some field is none that we, or upstream, can read.
//!
//! To those who refer to one it is not missing, and its own author has to act. Upstream drops the field and
//! goes on with the rest, as if nobody had asked for it; here an analysis or experiment ends in error instead.

use crate::rollout::{seconds_text, sets};
use analysis::template::TemplateError;
use api::argo::{
    AnalysisPhase, AnalysisRun, AnalysisRunSpec, AnalysisRunStatus, Experiment, ExperimentSpec,
    ExperimentStatus,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, from_value, json};
use std::collections::BTreeMap;
use vocab::{ObjectRef, PatchType, Subresource, Write};

/// Objects that a plan rests on and that cannot be understood, with why not.
pub type Broken = BTreeMap<ObjectRef, String>;

/// What is known of an analysis run that cannot be understood: it is in error, unless it has ended before.
pub fn run(object: &Value, why: &str) -> AnalysisRun {
    let mut status: AnalysisRunStatus = from_value(object["status"].clone()).unwrap_or_default();
    status.phase = phase(object);
    if !status.phase.completed() {
        status.phase = AnalysisPhase::Error;
        status.message = Some(verdict("AnalysisRun", why));
    }
    let terminate = object["spec"]["terminate"] == true;
    AnalysisRun {
        metadata: metadata(object),
        spec: AnalysisRunSpec { terminate, ..AnalysisRunSpec::default() },
        status: Some(status),
    }
}

/// What is known of an experiment that cannot be understood: it is in error, unless it has ended before.
pub fn experiment(object: &Value, why: &str) -> Experiment {
    let mut status: ExperimentStatus = from_value(object["status"].clone()).unwrap_or_default();
    status.phase = Some(phase(object));
    if !phase(object).completed() {
        status.phase = Some(AnalysisPhase::Error);
        status.message = Some(verdict("Experiment", why));
    }
    let terminate = object["spec"]["terminate"] == true;
    Experiment {
        metadata: metadata(object),
        spec: ExperimentSpec { terminate, ..ExperimentSpec::default() },
        status: Some(status),
    }
}

/// The write that ends the analysis run or experiment `target`, whose text is `object`; `None` where it has ended.
pub fn end(target: ObjectRef, object: &Value, why: &str, now: Timestamp) -> Option<Write> {
    if phase(object).completed() {
        return None;
    }
    let mut status = json!({"phase": AnalysisPhase::Error, "message": verdict(&target.kind, why)});
    if target.kind == "AnalysisRun" {
        status["completedAt"] = json!(seconds_text(now));
    }
    Some(Write::Patch {
        target,
        subresource: Subresource::Main,
        patch_type: PatchType::Merge,
        body: json!({ "status": status }),
        precondition: sets::precondition(&metadata(object)),
    })
}

/// Why an object that is referred to cannot be used: it is not there, or cannot be understood.
pub(crate) fn absence(broken: &Broken, (kind, name): (&str, &str)) -> String {
    let found = broken.iter().find(|(target, _)| target.kind == kind && target.name == name);
    found.map_or_else(|| "not found".to_owned(), |(_, why)| sentence(why))
}

/// Why templates make no run.
pub(crate) fn no_run(broken: &Broken, error: &TemplateError) -> String {
    match error {
        TemplateError::NotFound { kind, name } => {
            format!("{kind} '{name}' {}", absence(broken, (kind, name)))
        }
        other => other.to_string(),
    }
}

/// What is said of an object that cannot be understood.
pub(crate) fn sentence(why: &str) -> String {
    format!("cannot be understood: {why}; whoever wrote it has to correct it")
}

fn verdict(kind: &str, why: &str) -> String {
    format!("the {kind} {}", sentence(why))
}

fn phase(object: &Value) -> AnalysisPhase {
    from_value(object["status"]["phase"].clone()).unwrap_or_default()
}

fn metadata(object: &Value) -> ObjectMeta {
    from_value(object["metadata"].clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHY: &str = "5000000000 is not an integer in range";

    fn object(phase: &str) -> Value {
        json!({
            "metadata": {"name": "web-1", "resourceVersion": "7"},
            "spec": {"metrics": [{"name": "rate", "count": 5_000_000_000_i64, "provider": {}}]},
            "status": {"phase": phase, "message": "before"},
        })
    }

    fn end_of(kind: &str, phase: &str) -> Option<Value> {
        let target = ObjectRef::new(api::argo::API_VERSION, kind, "shop", "web-1");
        match end(target, &object(phase), WHY, Timestamp::UNIX_EPOCH)? {
            Write::Patch { mut body, .. } => Some(body["status"].take()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_run_that_cannot_be_understood_ends_in_error_and_says_why() {
        let message = "the AnalysisRun cannot be understood: 5000000000 is not an integer in range; \
                       whoever wrote it has to correct it";
        let time = "1970-01-01T00:00:00Z";
        let expected = json!({"phase": "Error", "message": message, "completedAt": time});
        assert_eq!(end_of("AnalysisRun", "Running"), Some(expected));
        let seen = run(&object("Running"), WHY);
        let status = seen.status.unwrap();
        assert_eq!(
            (status.phase, status.message.as_deref()),
            (AnalysisPhase::Error, Some(message))
        );
        assert_eq!(seen.metadata.name.as_deref(), Some("web-1"));
    }

    #[test]
    fn an_experiment_that_cannot_be_understood_ends_in_error() {
        assert_eq!(end_of("Experiment", "").unwrap()["phase"], "Error");
        let status = experiment(&object("Running"), WHY).status.unwrap();
        assert_eq!(status.phase, Some(AnalysisPhase::Error));
    }

    #[test]
    fn what_has_ended_keeps_its_verdict() {
        assert_eq!(end_of("AnalysisRun", "Successful"), None);
        let status = run(&object("Successful"), WHY).status.unwrap();
        let expected = (AnalysisPhase::Successful, Some("before"));
        assert_eq!((status.phase, status.message.as_deref()), expected);
    }
}
