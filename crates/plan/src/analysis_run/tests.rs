//! Runs from beginning to end, against answers that are made up.

use super::{AnalysisPlan, MeasurementCall, Observed, SecretRead, SecretRef, absorb, plan, reads};
use api::argo::{AnalysisPhase, AnalysisRunStatus};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};
use vocab::{Event, EventType, Reply, ReplyError, Write};

/// One run in a cluster of its own, with a service that answers.
pub(super) struct Stage {
    pub(super) observed: Observed,
    pub(super) now: Timestamp,
    pub(super) events: Vec<Event>,
    pub(super) calls: Vec<MeasurementCall>,
    pub(super) wake: Option<Timestamp>,
    deleted: bool,
}

impl Stage {
    pub(super) fn new(spec: &Value) -> Self {
        let run = json!({
            "metadata": {"name": "run", "namespace": "ns", "uid": "u", "resourceVersion": "7"}, "spec": spec,
        });
        Self {
            observed: Observed {
                run: Arc::new(serde_json::from_value(run).unwrap()),
                ..Observed::default()
            },
            now: Timestamp::from_second(1_000).unwrap(),
            events: Vec::new(),
            calls: Vec::new(),
            wake: None,
            deleted: false,
        }
    }

    pub(super) fn status(&self) -> AnalysisRunStatus {
        self.observed.run.status.clone().unwrap_or_default()
    }

    /// Plans and carries out all but the calls.
    pub(super) fn plan(&mut self) {
        let plan = plan(&self.observed, self.now);
        self.carry_out(plan);
    }

    /// Answers every call that is open, in order.
    pub(super) fn answer(
        &mut self,
        mut answer: impl FnMut(&MeasurementCall) -> Result<Reply, ReplyError>,
    ) {
        let calls = std::mem::take(&mut self.calls);
        let answers = calls.into_iter().map(|call| {
            let reply = answer(&call);
            (call, reply)
        });
        let plan = absorb(&self.observed, &answers.collect::<Vec<_>>(), self.now);
        self.carry_out(plan);
    }

    /// Plans and answers with these values, one measurement after the other, waking when asked to.
    fn measure(&mut self, values: &[&str]) {
        for value in values {
            self.plan();
            assert!(
                !self.calls.is_empty(),
                "nothing to measure at {}: {:?}",
                self.now,
                self.status()
            );
            self.answer(|_| Ok(vector(value)));
            self.now = self.wake.unwrap_or(self.now);
        }
    }

    fn carry_out(&mut self, planned: AnalysisPlan) {
        for write in planned.plan.writes.iter().chain(&planned.plan.status) {
            match write {
                Write::Patch { body, precondition, .. } => {
                    assert_eq!(precondition.resource_version.as_deref(), Some("7"));
                    let mut run = serde_json::to_value(&*self.observed.run).unwrap();
                    merge(&mut run, body);
                    self.observed.run = Arc::new(serde_json::from_value(run).unwrap());
                }
                Write::Delete { .. } => self.deleted = true,
                other => panic!("unexpected write {other:?}"),
            }
        }
        self.events.extend(planned.plan.events);
        self.calls.extend(planned.calls);
        self.wake = planned.plan.wake;
    }

    #[track_caller]
    fn check(&self, phase: AnalysisPhase, message: &str) {
        let status = self.status();
        assert_eq!((status.phase, status.message.as_deref().unwrap_or_default()), (phase, message));
        assert_eq!(status.completed_at.is_some(), phase.completed());
    }

    #[track_caller]
    fn check_events(&self, expected: &[(&str, &str)]) {
        let told: Vec<(&str, &str)> = self
            .events
            .iter()
            .map(|event| (event.reason.as_str(), event.message.as_str()))
            .collect();
        assert_eq!(told, expected);
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

pub(super) fn reply(status: u16, body: &str) -> Reply {
    Reply { status, headers: BTreeMap::new(), body: body.as_bytes().to_vec() }
}

/// A vector of one sample, or none for an empty text.
fn vector(value: &str) -> Reply {
    let samples =
        if value.is_empty() { json!([]) } else { json!([{"metric": {}, "value": [0, value]}]) };
    reply(
        200,
        &json!({"status": "success", "data": {"resultType": "vector", "result": samples}})
            .to_string(),
    )
}

/// A metric that asks Prometheus, with further fields.
fn metric(name: &str, fields: &Value) -> Value {
    let mut metric = json!({
        "name": name,
        "successCondition": "result[0] >= 0.95",
        "provider": {"prometheus": {"address": "http://prom:9090", "query": "rate"}},
    });
    merge(&mut metric, fields);
    metric
}

#[test]
fn a_run_says_at_once_that_it_runs_and_then_succeeds() {
    let mut stage = Stage::new(&json!({"metrics": [metric("success-rate", &json!({}))]}));
    stage.plan();
    stage.check(AnalysisPhase::Running, "");
    assert_eq!(stage.status().started_at.unwrap().0, stage.now);
    assert_eq!(stage.wake, None);
    stage.answer(|_| Ok(vector("0.99")));
    stage.check(AnalysisPhase::Successful, "");
    let result = &stage.status().metric_results[0];
    assert_eq!((result.count, result.successful, result.phase), (1, 1, AnalysisPhase::Successful));
    assert_eq!(result.measurements[0].value.as_deref(), Some("[0.99]"));
    assert_eq!(result.metadata["ResolvedPrometheusQuery"], "rate");
    stage.check_events(&[
        ("MetricSuccessful", "Metric 'success-rate' Completed. Result: Successful"),
        ("AnalysisRunSuccessful", "Analysis Completed. Result: Successful"),
    ]);
    stage.plan();
    assert_eq!(stage.events.len(), 2);
}

#[test]
fn a_failed_run_carries_value_and_condition() {
    let fields = json!({"interval": "30s", "count": 5, "failureLimit": 1});
    let mut stage = Stage::new(&json!({"metrics": [metric("success-rate", &fields)]}));
    stage.measure(&["0.84", "0.99", "0.8412"]);
    stage.check(
        AnalysisPhase::Failed,
        "Metric \"success-rate\" assessed Failed due to failed (2) > failureLimit (1)",
    );
    assert_eq!(
        stage.status().metric_results[0].message.as_deref(),
        Some("success-rate 0.8412 < 0.95")
    );
    stage.check_events(&[
        ("MetricFailed", "Metric 'success-rate' Completed. Result: Failed"),
        ("AnalysisRunFailed", "Analysis Completed. Result: Failed"),
    ]);
    for event in &stage.events {
        assert_eq!(event.event_type, EventType::Warning);
        let fact = |key: &str| event.evidence[key].as_str();
        assert_eq!((fact("metric"), fact("phase")), ("success-rate", "Failed"));
        assert_eq!((fact("value"), fact("condition")), ("[0.8412]", "result[0] >= 0.95"));
        assert_eq!(
            (fact("finding"), fact("limit")),
            ("success-rate 0.8412 < 0.95", "failed (2) > failureLimit (1)")
        );
        let window = "3 measurements from 1970-01-01T00:16:40Z to 1970-01-01T00:17:40Z";
        assert_eq!((fact("query"), fact("window")), ("rate", window));
        for kept in ["condition", "limit", "query", "window"] {
            let metadata = stage.status().metric_results[0].metadata.clone();
            assert_eq!(metadata[&format!("ringfence.dev/{kept}")], event.evidence[kept]);
        }
    }
}

#[test]
fn a_metric_that_passes_names_what_it_rests_on_too() {
    let mut stage = Stage::new(&json!({"metrics": [metric("m", &json!({}))]}));
    stage.measure(&["1"]);
    let told = &stage.events[0].evidence;
    assert_eq!((told["value"].as_str(), told["condition"].as_str()), ("[1]", "result[0] >= 0.95"));
    assert_eq!(told["limit"], "failed (0) <= failureLimit (0)");
    assert_eq!(
        (told["query"].as_str(), told["window"].as_str()),
        ("rate", "one measurement at 1970-01-01T00:16:40Z")
    );
}

#[test]
fn measurements_follow_each_other_by_the_interval() {
    let fields = json!({"interval": "30s", "count": 3});
    let mut stage = Stage::new(&json!({"metrics": [metric("m", &fields)]}));
    let began = stage.now;
    stage.measure(&["1"]);
    assert_eq!(stage.wake, Some(began + 30.seconds()));
    stage.now = began + 29.seconds();
    stage.plan();
    assert!(stage.calls.is_empty());
    stage.now = began + 30.seconds();
    stage.measure(&["1", "1"]);
    stage.check(AnalysisPhase::Successful, "");
    assert_eq!(stage.wake, None);
}

#[test]
fn an_initial_delay_is_waited_for() {
    let fields = json!({"initialDelay": "1m"});
    let mut stage = Stage::new(&json!({"metrics": [metric("m", &fields)]}));
    stage.plan();
    stage.check(AnalysisPhase::Running, "");
    assert!(stage.calls.is_empty());
    assert_eq!(stage.wake, Some(stage.now + 60.seconds()));
    stage.now += 60.seconds();
    stage.measure(&["1"]);
    stage.check(AnalysisPhase::Successful, "");
}

#[test]
fn no_data_is_an_error_and_neither_success_nor_failure() {
    let fields = json!({"interval": "5s", "count": 2, "consecutiveErrorLimit": 1});
    let mut stage = Stage::new(&json!({"metrics": [metric("m", &fields)]}));
    let began = stage.now;
    stage.measure(&[""]);
    let result = stage.status().metric_results[0].clone();
    assert_eq!((result.count, result.successful, result.failed, result.error), (0, 0, 0, 1));
    assert_eq!(stage.wake, Some(began + 10.seconds()), "errors are tried again after 10 s");
    stage.measure(&["1", "", ""]);
    let message = "Metric \"m\" assessed Error due to consecutiveErrors (2) > consecutiveErrorLimit (1): \
        \"Error Message: could not evaluate successCondition \"result[0] >= 0.95\": \
        metric result is nil or empty: no data returned from the metric provider\"";
    stage.check(AnalysisPhase::Error, message);
    assert_eq!(stage.events[0].evidence["value"], "[]");
}

#[test]
fn nan_is_a_value_that_a_condition_can_ask_for() {
    let fields = json!({"successCondition": "isNaN(result[0]) || result[0] >= 0.95"});
    let mut stage = Stage::new(&json!({"metrics": [metric("m", &fields)]}));
    stage.measure(&["NaN"]);
    stage.check(AnalysisPhase::Successful, "");
}

#[test]
fn a_service_out_of_reach_is_tried_five_times() {
    let mut stage = Stage::new(&json!({"metrics": [metric("m", &json!({}))]}));
    for _ in 0..5 {
        stage.check(
            if stage.wake.is_some() { AnalysisPhase::Running } else { AnalysisPhase::Pending },
            "",
        );
        stage.plan();
        stage.answer(|call| Err(ReplyError::TimedOut { url: call.call.url.clone(), seconds: 30 }));
        stage.now = stage.wake.unwrap_or(stage.now);
    }
    let message = "Metric \"m\" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4): \
        \"Error Message: http://prom:9090/api/v1/query did not answer within 30 s\"";
    stage.check(AnalysisPhase::Error, message);
}

#[test]
fn metrics_are_measured_in_parallel_and_one_failure_ends_the_others() {
    let endless = metric("endless", &json!({"interval": "1m"}));
    let mut stage = Stage::new(&json!({"metrics": [endless, metric("once", &json!({}))]}));
    stage.plan();
    let asked: Vec<&str> = stage.calls.iter().map(|call| call.metric.as_str()).collect();
    assert_eq!(asked, ["endless", "once"]);
    stage.answer(|call| Ok(vector(if call.metric == "once" { "0.5" } else { "1" })));
    stage.check(
        AnalysisPhase::Failed,
        "Metric \"once\" assessed Failed due to failed (1) > failureLimit (0)",
    );
    let phases: Vec<AnalysisPhase> =
        stage.status().metric_results.iter().map(|result| result.phase).collect();
    assert_eq!(phases, [AnalysisPhase::Successful, AnalysisPhase::Failed]);
    assert_eq!(stage.wake, None);
}

#[test]
fn calls_in_flight_are_not_made_twice() {
    let mut stage = Stage::new(&json!({"metrics": [metric("m", &json!({}))]}));
    stage.plan();
    stage.observed.in_flight.insert("m".to_owned());
    let again = plan(&stage.observed, stage.now);
    assert_eq!((again.calls.len(), again.plan.status, again.plan.wake), (0, None, None));
    stage.observed.in_flight.clear();
    let after_restart = plan(&stage.observed, stage.now);
    assert_eq!(after_restart.calls.len(), 1, "a controller that died measures again");
}

#[test]
fn a_terminated_run_is_successful_whatever_was_under_way() {
    let mut stage = Stage::new(&json!({"metrics": [metric("m", &json!({"interval": "1m"}))]}));
    stage.plan();
    let late = std::mem::take(&mut stage.calls);
    Arc::make_mut(&mut stage.observed.run).spec.terminate = true;
    stage.plan();
    stage.check(AnalysisPhase::Successful, "Run Terminated");
    let answers = late.into_iter().map(|call| (call, Ok(vector("0.1")))).collect::<Vec<_>>();
    let dropped = absorb(&stage.observed, &answers, stage.now);
    assert_eq!(dropped, AnalysisPlan::default());
}

#[test]
fn a_dry_run_metric_decides_nothing() {
    let metrics = json!([metric("dry", &json!({})), metric("wet", &json!({}))]);
    let mut stage = Stage::new(&json!({"metrics": metrics, "dryRun": [{"metricName": "dry"}]}));
    stage.plan();
    stage.answer(|call| Ok(vector(if call.metric == "dry" { "0.5" } else { "1" })));
    stage.check(AnalysisPhase::Successful, "");
    let status = stage.status();
    let dry = &status.metric_results[0];
    assert!(dry.dry_run);
    assert_eq!(
        dry.message.as_deref(),
        Some("Metric assessed Failed due to failed (1) > failureLimit (0)")
    );
    assert_eq!(status.dry_run_summary.unwrap().failed, 1);
    assert_eq!((status.run_summary.count, status.run_summary.successful), (1, 1));
}

#[test]
fn only_the_latest_measurements_are_kept_but_all_are_counted() {
    let fields = json!({"interval": "10s", "count": 14});
    let mut stage = Stage::new(&json!({"metrics": [metric("a", &fields)]}));
    stage.measure(&["1"; 14]);
    let result = stage.status().metric_results[0].clone();
    assert_eq!((result.measurements.len(), result.count), (10, 14));
    let retention = json!([{"metricName": "a", "limit": 3}]);
    let mut stage =
        Stage::new(&json!({"metrics": [metric("a", &fields)], "measurementRetention": retention}));
    stage.measure(&["1"; 14]);
    assert_eq!(stage.status().metric_results[0].measurements.len(), 3);
}

#[track_caller]
fn check_early_end(spec: &Value, message: &str) {
    let mut stage = Stage::new(spec);
    stage.plan();
    stage.check(AnalysisPhase::Error, message);
    stage.check_events(&[("AnalysisRunError", "Analysis Completed. Result: Error")]);
    assert_eq!(stage.events[0].evidence["message"], message);
    assert!(stage.calls.is_empty());
}

#[test]
fn a_run_that_makes_no_sense_ends_with_the_time_of_it() {
    check_early_end(&json!({"metrics": []}), "Analysis spec invalid: no metrics specified");
    check_early_end(
        &json!({"metrics": [metric("m", &json!({"count": 2})), {"name": "n", "provider": {}}]}),
        "Analysis spec invalid: metrics[0]: interval must be specified when count > 1; metrics[1]: no provider specified",
    );
    check_early_end(
        &json!({"metrics": [metric("m", &json!({"interval": "{{args.gone}}"}))]}),
        "Unable to resolve metric arguments: failed to resolve {{args.gone}}",
    );
    check_early_end(
        &json!({"metrics": [metric("m", &json!({}))], "args": [{"name": "a"}]}),
        "Unable to resolve metric arguments: argument \"a\" was not supplied",
    );
    check_early_end(
        &json!({"metrics": [metric("m", &json!({}))], "dryRun": [{"metricName": "x"}]}),
        "Analysis spec invalid: dryRun[0]: Rule didn't match any metric name(s)",
    );
    let secret = json!([{"name": "a", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]);
    check_early_end(
        &json!({"metrics": [metric("m", &json!({}))], "args": secret}),
        "Unable to resolve metric arguments: secrets \"s\" not found",
    );
}

#[test]
fn a_secret_that_may_not_be_read_ends_the_run_with_the_servers_words() {
    let args = json!([{"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]);
    let mut stage = Stage::new(&json!({"metrics": [metric("m", &json!({}))], "args": args}));
    let secret = SecretRef { name: "s".to_owned(), key: "k".to_owned() };
    let why = "secrets \"s\" is forbidden: User \"rollouts\" cannot get resource \"secrets\"";
    stage.observed.secrets.insert(secret, SecretRead::Refused(why.to_owned()));
    stage.plan();
    let expected = format!("Unable to resolve metric arguments: {why}");
    stage.check(AnalysisPhase::Error, &expected);
}

#[test]
fn a_provider_that_is_not_there_is_named_at_once() {
    let plugin = json!({"name": "m", "provider": {"plugin": {"a/b": {}}}});
    let mut stage = Stage::new(&json!({"metrics": [plugin]}));
    stage.plan();
    stage.check(
        AnalysisPhase::Error,
        "Metric \"m\" assessed Error due to provider plugin a/b is not supported yet",
    );
    assert_eq!(stage.status().run_summary.error, 1);
    stage.check_events(&[
        ("MetricError", "Metric 'm' Completed. Result: Error"),
        ("AnalysisRunError", "Analysis Completed. Result: Error"),
    ]);
}

#[test]
fn a_secret_reaches_the_call_and_nothing_else() {
    let web = json!({
        "name": "m", "successCondition": "result == 'never'",
        "provider": {"web": {"url": "http://svc/?k={{args.token}}",
            "headers": [{"key": "Authorization", "value": "Bearer {{args.token}}"}]}},
    });
    let query =
        metric("p", &json!({"provider": {"prometheus": {"query": "up{k=\"{{args.token}}\"}"}}}));
    let args = json!([{"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]);
    let mut stage = Stage::new(&json!({"metrics": [web, query], "args": args}));
    let secret = SecretRef { name: "s".to_owned(), key: "k".to_owned() };
    assert_eq!(reads(&stage.observed.run), std::iter::once(secret.clone()).collect());
    stage.observed.secrets.insert(secret, SecretRead::Value("s3cr3t".to_owned()));
    stage.plan();
    let header = ("Authorization".to_owned(), "Bearer s3cr3t".to_owned());
    assert!(stage.calls[0].call.headers.contains(&header));
    assert!(!format!("{:?}", stage.calls).contains("s3cr3t"));
    stage.answer(|call| match call.metric.as_str() {
        "m" => Ok(reply(200, "you sent s3cr3t")),
        _ => Err(ReplyError::Unreachable {
            url: "http://prom/?q=s3cr3t".to_owned(),
            cause: "x".to_owned(),
        }),
    });
    let written = format!("{:?}{:?}", stage.observed.run, stage.events);
    assert!(!written.contains("s3cr3t"), "{written}");
    let results = stage.status().metric_results;
    assert_eq!(results[0].measurements[0].value.as_deref(), Some("you sent *****"));
    assert_eq!(results[1].metadata["ResolvedPrometheusQuery"], "up{k=\"*****\"}");
    assert!(reads(&stage.observed.run).is_empty(), "an ended run reads nothing");
}

#[test]
fn a_metric_without_address_asks_the_default_prometheus() {
    let bare = json!({"name": "m", "provider": {"prometheus": {"query": "up"}}});
    let mut stage = Stage::new(&json!({"metrics": [&bare]}));
    stage.observed.prometheus_address = Some("http://default:9090".to_owned());
    stage.plan();
    assert_eq!(stage.calls[0].call.url, "http://default:9090/api/v1/query");
    let mut stage = Stage::new(&json!({"metrics": [&bare]}));
    stage.plan();
    let message = stage.status().metric_results[0].measurements[0].message.clone();
    assert_eq!(message.as_deref(), Some("prometheus address is not configured"));
}

#[track_caller]
fn check_ttl(ttl: &Value, value: &str, expected_seconds: Option<i64>) {
    let mut stage = Stage::new(&json!({"metrics": [metric("m", &json!({}))], "ttlStrategy": ttl}));
    stage.plan();
    stage.answer(|_| Ok(vector(value)));
    assert_eq!(stage.wake, expected_seconds.map(|seconds| stage.now + seconds.seconds()), "{ttl}");
    let Some(seconds) = expected_seconds else { return };
    stage.now += (seconds - 1).seconds();
    stage.plan();
    assert!(!stage.deleted);
    stage.now += 1.second();
    stage.plan();
    assert!(stage.deleted);
}

#[test]
fn an_ended_run_is_deleted_when_its_time_is_over() {
    check_ttl(&json!({"secondsAfterCompletion": 60}), "1", Some(61));
    check_ttl(&json!({"secondsAfterSuccess": 5, "secondsAfterCompletion": 60}), "1", Some(6));
    check_ttl(&json!({"secondsAfterFailure": 5}), "0.1", Some(6));
    check_ttl(&json!({"secondsAfterFailure": 5}), "1", None);
}

#[test]
fn a_run_that_another_controller_left_without_end_time_gets_one() {
    let mut stage =
        Stage::new(&json!({"metrics": [], "ttlStrategy": {"secondsAfterCompletion": 5}}));
    Arc::make_mut(&mut stage.observed.run).status =
        Some(AnalysisRunStatus { phase: AnalysisPhase::Error, ..AnalysisRunStatus::default() });
    stage.plan();
    assert_eq!(stage.status().completed_at.unwrap().0, stage.now);
}

#[test]
fn counters_that_fall_back_to_zero_are_written() {
    let fields = json!({"interval": "10s", "count": 3});
    let mut stage = Stage::new(&json!({"metrics": [metric("m", &fields)]}));
    stage.measure(&["", "1"]);
    let result = stage.status().metric_results[0].clone();
    assert_eq!((result.error, result.consecutive_error, result.consecutive_success), (1, 0, 1));
}

#[test]
fn a_wait_says_what_is_waited_for() {
    let fields = json!({"interval": "30s", "count": 3});
    let mut stage = Stage::new(&json!({"metrics": [metric("m", &fields)]}));
    stage.measure(&["1"]);
    let planned = plan(&stage.observed, stage.now - 1.second());
    let reason = &planned.plan.reasons[0];
    assert_eq!(
        (reason.code.as_str(), reason.message.as_str()),
        ("WaitingForMeasurement", "metric m has 1 of 3 measurements")
    );
}
