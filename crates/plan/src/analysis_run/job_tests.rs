//! Metrics that are Jobs, against Jobs that are made up.

use super::{Observed, awaited_jobs, plan};
use api::argo::{AnalysisPhase, AnalysisRun, AnalysisRunStatus, Measurement};
use jiff::{Timestamp, ToSpan};
use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};
use std::sync::Arc;
use vocab::{ObjectRef, Plan, Propagation, Write};

const NAME: &str = "u.check.1";

fn metric(fields: &Value) -> Value {
    let template = json!({"metadata": {"labels": {"rev": "{{args.rev}}"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let job = json!({"metadata": {"labels": {"team": "shop"}}, "spec": {"template": template}});
    let mut metric = json!({"name": "check", "provider": {"job": job}});
    metric.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    metric
}

fn observed(fields: &Value) -> Observed {
    let args = json!([{"name": "rev", "value": "7"}]);
    let run = json!({
        "metadata": {"name": "run", "namespace": "ns", "uid": "u", "resourceVersion": "7"},
        "spec": {"metrics": [metric(fields)], "args": args},
    });
    Observed { run: Arc::new(serde_json::from_value(run).unwrap()), ..Observed::default() }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_000).unwrap()
}

/// What one look came to.
type Look = (Vec<Write>, Option<Write>, Option<Timestamp>);

/// Plans, takes in the status and makes the Jobs.
fn carry_out(observed: &mut Observed, now: Timestamp) -> Look {
    let Plan { writes, status, wake, .. } = plan(observed, now).plan;
    for write in &writes {
        match write {
            Write::Create { object } => observed.jobs.push(made(object, now)),
            Write::Delete { target, .. } => {
                observed.jobs.retain(|job| job.metadata.name.as_deref() != Some(&target.name));
            }
            other => panic!("unexpected write {other:?}"),
        }
    }
    if let Some(Write::Patch { body, .. }) = &status {
        let mut run = serde_json::to_value(&*observed.run).unwrap();
        json_patch::merge(&mut run, body);
        observed.run = Arc::new(serde_json::from_value(run).unwrap());
    }
    (writes, status, wake)
}

fn made(object: &Value, now: Timestamp) -> Job {
    let mut job: Job = serde_json::from_value(object.clone()).unwrap();
    job.metadata.uid = Some(format!("uid-of-{}", job.metadata.name.clone().unwrap()));
    job.metadata.creation_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now));
    job
}

fn end(observed: &mut Observed, condition: &str) {
    let status = json!({"conditions": [{"type": condition, "status": "True"}]});
    observed.jobs.last_mut().unwrap().status = Some(serde_json::from_value(status).unwrap());
}

fn status(observed: &Observed) -> AnalysisRunStatus {
    observed.run.status.clone().unwrap()
}

fn last(observed: &Observed) -> Measurement {
    status(observed).metric_results[0].measurements.last().unwrap().clone()
}

#[track_caller]
fn check_end(condition: &str, phase: AnalysisPhase, message: Option<&str>) {
    let mut observed = observed(&json!({}));
    carry_out(&mut observed, now());
    end(&mut observed, condition);
    carry_out(&mut observed, now() + 5.seconds());
    let (status, measurement) = (status(&observed), last(&observed));
    assert_eq!((status.phase, status.message.as_deref()), (phase, message));
    assert_eq!(measurement.finished_at.unwrap().0, now() + 5.seconds());
    assert_eq!(measurement.started_at.unwrap().0, now());
    assert_eq!(measurement.metadata["job-name"], NAME);
}

#[test]
fn the_end_of_a_job_is_the_measurement() {
    check_end("Complete", AnalysisPhase::Successful, None);
    let message = "Metric \"check\" assessed Failed due to failed (1) > failureLimit (0)";
    check_end("Failed", AnalysisPhase::Failed, Some(message));
}

#[test]
fn a_job_is_made_once_and_belongs_to_its_run() {
    let mut observed = observed(&json!({}));
    let (first, ..) = carry_out(&mut observed, now());
    let [Write::Create { object }] = &first[..] else { panic!("{first:#?}") };
    let metadata = &object["metadata"];
    assert_eq!((&metadata["name"], &metadata["namespace"]), (&json!(NAME), &json!("ns")));
    assert_eq!(metadata["labels"], json!({"team": "shop", "analysisrun.argoproj.io/uid": "u"}));
    assert_eq!(metadata["annotations"]["analysisrun.argoproj.io/metric-name"], "check");
    assert_eq!(metadata["ownerReferences"][0]["kind"], "AnalysisRun");
    let labels = &object["spec"]["template"]["metadata"]["labels"];
    assert_eq!(*labels, json!({"rev": "7", "analysisrun.argoproj.io/uid": "u"}));
    let again = carry_out(&mut observed, now() + 60.seconds());
    assert_eq!(again, (Vec::new(), None, None), "the Job itself wakes the run");
}

#[test]
fn a_job_whose_status_was_never_written_is_taken_up() {
    let mut observed = observed(&json!({}));
    carry_out(&mut observed, now());
    Arc::make_mut(&mut observed.run).status = None;
    let (writes, ..) = carry_out(&mut observed, now());
    assert_eq!(writes, Vec::new());
    assert_eq!(last(&observed).metadata["job-name"], NAME);
}

#[test]
fn a_job_that_is_gone_is_an_error_and_is_tried_again() {
    let mut observed = observed(&json!({}));
    carry_out(&mut observed, now());
    observed.jobs.clear();
    carry_out(&mut observed, now());
    let measurement = last(&observed);
    assert_eq!(measurement.phase, AnalysisPhase::Error);
    assert_eq!(measurement.message.as_deref(), Some("job.batch \"u.check.1\" not found"));
    carry_out(&mut observed, now() + 10.seconds());
    assert_eq!(last(&observed).metadata["job-name"], "u.check.2");
}

#[test]
fn an_image_that_cannot_be_pulled_is_inconclusive() {
    let mut observed = observed(&json!({}));
    carry_out(&mut observed, now());
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}});
    let pod = json!({
        "metadata": {"name": "p", "ownerReferences": [
            {"apiVersion": "batch/v1", "kind": "Job", "name": NAME, "uid": "j"}]},
        "status": {"containerStatuses": [{"name": "c", "image": "i", "imageID": "",
            "ready": false, "restartCount": 0, "state": waiting}]},
    });
    observed.job_pods.push(serde_json::from_value(pod).unwrap());
    carry_out(&mut observed, now());
    assert_eq!(status(&observed).phase, AnalysisPhase::Inconclusive);
    let message = "Pod p, container c has terminal error (ImagePullBackOff): no such image";
    assert_eq!(last(&observed).message.as_deref(), Some(message));
}

#[test]
fn a_run_that_is_ended_ends_its_job() {
    let mut observed = observed(&json!({}));
    carry_out(&mut observed, now());
    Arc::make_mut(&mut observed.run).spec.terminate = true;
    let (writes, ..) = carry_out(&mut observed, now());
    let [Write::Delete { target, propagation, precondition }] = &writes[..] else {
        panic!("{writes:#?}")
    };
    assert_eq!((target.name.as_str(), *propagation), (NAME, Propagation::Foreground));
    assert_eq!(precondition.uid.as_deref(), Some("uid-of-u.check.1"));
    assert_eq!(status(&observed).phase, AnalysisPhase::Inconclusive);
    assert_eq!(last(&observed).message.as_deref(), Some("Metric Terminated"));
}

#[test]
fn a_run_that_is_ended_before_its_job_was_made_makes_none() {
    let mut observed = observed(&json!({}));
    Arc::make_mut(&mut observed.run).spec.terminate = true;
    let (writes, ..) = carry_out(&mut observed, now());
    assert_eq!(writes, Vec::new());
    assert_eq!(status(&observed).phase, AnalysisPhase::Successful);
}

#[test]
fn only_the_jobs_of_measurements_that_are_kept_stay() {
    let mut observed = observed(&json!({"count": 14, "interval": "1s"}));
    for second in 0..40 {
        carry_out(&mut observed, now() + second.seconds());
        if second % 2 == 0 {
            end(&mut observed, "Complete");
        }
    }
    assert_eq!(status(&observed).phase, AnalysisPhase::Successful);
    assert_eq!(status(&observed).metric_results[0].count, 14);
    let names = observed.jobs.iter().map(|job| job.metadata.name.clone().unwrap());
    let expected = (5..=14).map(|number| format!("u.check.{number}"));
    assert_eq!(names.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn long_names_that_begin_alike_have_jobs_of_their_own() {
    let long = "success-rate-of-the-service-as-seen-from-the-other-side";
    let named = |name: String| {
        let mut observed = observed(&json!({"name": name}));
        Arc::make_mut(&mut observed.run).metadata.uid =
            Some("5e9ab4ce-4b1c-4bb3-a1c7-0f2b7d4d6a11".to_owned());
        carry_out(&mut observed, now());
        observed.jobs[0].metadata.name.clone().unwrap()
    };
    let (one, other) = (named(format!("{long}-1")), named(format!("{long}-2")));
    assert_ne!(one, other);
    assert_eq!((one.len(), other.len()), (63, 63), "{one} {other}");
}

#[test]
fn a_job_that_may_not_be_made_is_an_error_and_holds_up_no_other_metric() {
    let mut observed = observed(&json!({}));
    let other = json!({"name": "rate", "provider": {"web": {"url": "http://shop/", "jsonPath": "{$.rate}"}}});
    Arc::make_mut(&mut observed.run).spec.metrics.push(serde_json::from_value(other).unwrap());
    let job = ObjectRef::new("batch/v1", "Job", "ns", NAME);
    observed.refused.insert(job, "exceeded quota: jobs".to_owned());
    let asked = plan(&observed, now()).calls;
    assert_eq!(asked.iter().map(|call| call.metric.as_str()).collect::<Vec<_>>(), ["rate"]);
    let (writes, ..) = carry_out(&mut observed, now());
    assert_eq!(writes, Vec::new());
    let measurement = last(&observed);
    assert_eq!(measurement.phase, AnalysisPhase::Error);
    assert_eq!(measurement.message.as_deref(), Some("exceeded quota: jobs"));
}

fn waiting(phase: &str, measurement: &Value) -> AnalysisRun {
    let result = json!({"name": "check", "phase": "Running", "measurements": [measurement]});
    let run = json!({
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"metrics": []},
        "status": {"phase": phase, "metricResults": [result]},
    });
    serde_json::from_value(run).unwrap()
}

#[test]
fn a_job_is_awaited_while_its_run_and_its_measurement_go_on() {
    let begun = json!({"phase": "Running", "metadata": {"job-name": "a-1"}});
    let mut ended = begun.clone();
    ended["finishedAt"] = json!("2026-01-01T00:00:00Z");
    let other = json!({"phase": "Running"});
    for (phase, measurement, expected) in [
        ("Running", &begun, vec![ObjectRef::new("batch/v1", "Job", "shop", "a-1")]),
        ("Failed", &begun, vec![]),
        ("Running", &ended, vec![]),
        ("Running", &other, vec![]),
    ] {
        assert_eq!(awaited_jobs(&waiting(phase, measurement)), expected, "{phase} {measurement}");
    }
}
