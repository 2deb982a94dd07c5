//! Providers that must be let in, that wait, and that judge by themselves.

use super::{
    SecretRead, SecretRef, credentials, plan,
    tests::{Stage, reply},
};
use api::argo::AnalysisPhase;
use jiff::SignedDuration;
use providers::{CredentialRead, CredentialRef, Source};
use serde_json::{Value, json};
use std::sync::Arc;
use vocab::{Call, Reply};

fn kayenta(threshold: &Value) -> Value {
    json!({"name": "m", "successCondition": "false", "provider": {"kayenta": {
        "address": "http://kayenta", "application": "a", "canaryConfigName": "c",
        "metricsAccountName": "m", "configurationAccountName": "c", "storageAccountName": "s",
        "threshold": threshold, "scopes": [],
    }}})
}

/// Answers as a Kayenta server would that judges with a score.
fn answer_with_score(stage: &mut Stage, score: u32) {
    for _ in 0..2 {
        stage.answer(|call| {
            let is_order = call.call.method == "POST";
            let found = json!([{"id": "1", "name": "c"}]);
            let ordered = json!({"canaryExecutionId": "x1"});
            Ok(reply(200, &if is_order { ordered } else { found }.to_string()))
        });
    }
    let last = stage.status().metric_results[0].measurements[0].clone();
    assert_eq!(
        (last.phase, last.metadata["canaryExecutionId"].as_str()),
        (AnalysisPhase::Running, "x1")
    );
    let at = last.resume_at.unwrap().0;
    assert_eq!(
        (Some(at), at.duration_since(stage.now)),
        (stage.wake, SignedDuration::from_secs(15))
    );
    stage.now = at;
    stage.plan();
    assert_eq!(stage.calls[0].call.url, "http://kayenta/canary/x1");
    let judged = json!({"judgeResult": {"score": {"score": score}}});
    let scored = json!({"complete": true, "result": judged}).to_string();
    stage.answer(|_| Ok(reply(200, &scored)));
}

#[track_caller]
fn check_score(score: u32, phase: AnalysisPhase) {
    let mut stage =
        Stage::new(&json!({"metrics": [kayenta(&json!({"pass": 90, "marginal": 75}))]}));
    stage.plan();
    answer_with_score(&mut stage, score);
    let status = stage.status();
    let measured = &status.metric_results[0].measurements[0];
    assert_eq!((status.phase, measured.phase), (phase, phase));
    assert_eq!(measured.value.as_deref(), Some(score.to_string().as_str()));
    assert_eq!(measured.metadata.keys().collect::<Vec<_>>(), ["canaryExecutionId"]);
    let began = measured.started_at.as_ref().unwrap().0;
    assert_eq!(stage.now.duration_since(began), SignedDuration::from_secs(15));
}

#[test]
fn a_service_that_judges_by_itself_decides_in_place_of_conditions() {
    check_score(95, AnalysisPhase::Successful);
    check_score(80, AnalysisPhase::Inconclusive);
    check_score(10, AnalysisPhase::Failed);
}

/// A run that asks Datadog with a Secret that an argument names.
fn with_credentials() -> Stage {
    let datadog = json!({"query": "q", "secretRef": {"name": "{{args.team}}"}});
    let metric = json!({"name": "m", "provider": {"datadog": datadog}});
    let args = json!([{"name": "team", "value": "shop"}]);
    Stage::new(&json!({"metrics": [metric], "args": args}))
}

fn source(key: &str) -> Source {
    Source::of_controller("shop", key)
}

#[test]
fn credentials_reach_the_call_and_nothing_else() {
    let mut stage = with_credentials();
    let open = [CredentialRef::open(source("address"))];
    let keys = ["api-key", "app-key"].map(|key| CredentialRef::hidden(source(key)));
    let wanted = open.into_iter().chain(keys);
    assert_eq!(credentials(&stage.observed), wanted.clone().collect());
    let values = ["http://datadog", "api-s3cr3t", "app-s3cr3t"].into_iter();
    let read = values.map(|value| CredentialRead::Value(value.to_owned()));
    stage.observed.credentials = wanted.zip(read).collect();
    stage.plan();
    let header = ("DD-API-KEY".to_owned(), "api-s3cr3t".to_owned());
    assert!(stage.calls[0].call.headers.contains(&header));
    stage.answer(|call| {
        let sent: Vec<&str> = call.call.headers.iter().map(|(_, value)| value.as_str()).collect();
        Ok(reply(403, &format!("http://datadog refuses {}", sent.join(" "))))
    });
    let message = stage.status().metric_results[0].measurements[0].message.clone().unwrap();
    assert_eq!(
        message,
        "received authentication error response code: 403 http://datadog refuses application/json ***** *****"
    );
    let written = format!("{:?}{:?}{:?}", stage.observed, stage.events, stage.calls);
    assert!(!written.contains("s3cr3t"), "{written}");
}

#[test]
fn without_credentials_the_measurement_is_an_error_and_nobody_is_asked() {
    let mut stage = with_credentials();
    stage.plan();
    assert!(stage.calls.is_empty());
    let last = stage.status().metric_results[0].measurements[0].clone();
    let expected = "failed to find the credentials for datadog metrics provider";
    assert_eq!((last.phase, last.message.as_deref()), (AnalysisPhase::Error, Some(expected)));
}

#[test]
fn a_run_that_has_ended_needs_no_credentials() {
    let mut stage = with_credentials();
    let mut status = stage.status();
    status.phase = AnalysisPhase::Successful;
    Arc::make_mut(&mut stage.observed.run).status = Some(status);
    assert!(credentials(&stage.observed).is_empty());
    assert!(plan(&stage.observed, stage.now).calls.is_empty());
}

fn compare() -> Value {
    let query = |version: &str, what: &str| {
        format!("sum(increase({what}{{service=\"{{{{args.{version}}}}}\"}}[1m]))")
    };
    let queries = |version| json!({"bad": query(version, "bad"), "total": query(version, "all")});
    json!({"name": "errors", "provider": {"plugin": {"ringfence/compare": {
        "source": {"prometheus": {"headers": [{"key": "X-Key", "value": "{{args.key}}"}]}},
        "canary": queries("canary"), "stable": queries("stable"),
        "alpha": "{{args.alpha}}", "every": "1m", "atMost": "5m",
    }}}})
}

fn comparison() -> Stage {
    let secret = json!({"secretKeyRef": {"name": "prometheus", "key": "key"}});
    let args = json!([
        {"name": "canary", "value": "web-canary"}, {"name": "stable", "value": "web-stable"},
        {"name": "alpha", "value": "0.01"}, {"name": "key", "valueFrom": secret},
    ]);
    let mut stage = Stage::new(&json!({"metrics": [compare()], "args": args}));
    stage.observed.prometheus_address = Some("http://prometheus".to_owned());
    let secret = SecretRef { name: "prometheus".to_owned(), key: "key".to_owned() };
    stage.observed.secrets.insert(secret, SecretRead::Value("s3cr3t".to_owned()));
    stage
}

/// What a Prometheus knows in which so many of the canary's 200 requests are bad, and 9 of stable's 900.
fn counted(call: &Call, canary_bad: u32) -> Reply {
    assert_eq!(call.url, "http://prometheus/api/v1/query");
    assert!(call.headers.contains(&("X-Key".to_owned(), "s3cr3t".to_owned())));
    let query = String::from_utf8(call.body.clone().unwrap()).unwrap();
    let count = match (query.contains("web-canary"), query.contains("bad")) {
        (true, true) => canary_bad,
        (true, false) => 200,
        (false, true) => 9,
        (false, false) => 900,
    };
    let sample = json!({"metric": {}, "value": [1, count.to_string()]});
    let data = json!({"resultType": "vector", "result": [sample]});
    reply(200, &json!({"status": "success", "data": data}).to_string())
}

fn look(stage: &mut Stage, canary_bad: u32) {
    stage.plan();
    for _ in 0..4 {
        stage.answer(|call| Ok(counted(&call.call, canary_bad)));
    }
}

#[track_caller]
fn check_comparison(canary_bad: u32, phase: AnalysisPhase) {
    let mut stage = comparison();
    look(&mut stage, canary_bad);
    let first = stage.status().metric_results[0].measurements[0].clone();
    assert_eq!(first.phase, AnalysisPhase::Running);
    assert_eq!(first.metadata["lnE"].split_once(" of ").unwrap().1, "4.61");
    assert!(first.metadata["evidence"].ends_with("intervals: 1"), "{:?}", first.metadata);
    assert_eq!(stage.wake, Some(stage.now + SignedDuration::from_mins(1)));
    while !stage.status().phase.completed() {
        stage.now = stage.wake.unwrap();
        look(&mut stage, canary_bad);
    }
    let status = stage.status();
    let result = &status.metric_results[0];
    assert_eq!((status.phase, result.phase, result.measurements.len()), (phase, phase, 1));
    let last = &result.measurements[0];
    assert_eq!((last.phase, &last.started_at), (phase, &first.started_at));
    let value: Value = serde_json::from_str(last.value.as_deref().unwrap()).unwrap();
    assert!(value["looks"].as_u64() > Some(1), "{value}");
    assert_eq!(result.metadata["canary.bad"], "sum(increase(bad{service=\"web-canary\"}[1m]))");
    let written = format!("{:?}{:?}", stage.observed.run, stage.events);
    assert!(!written.contains("s3cr3t"), "{written}");
}

#[test]
fn a_comparison_runs_on_until_the_judge_has_a_verdict() {
    check_comparison(9, AnalysisPhase::Failed);
    check_comparison(0, AnalysisPhase::Successful);
    check_comparison(3, AnalysisPhase::Inconclusive);
}

#[test]
fn an_answer_that_tells_the_secret_is_kept_without_it() {
    let mut stage = comparison();
    stage.plan();
    stage.answer(|_| {
        let error =
            json!({"status": "error", "errorType": "bad_data", "error": "key s3cr3t is old"});
        Ok(reply(400, &error.to_string()))
    });
    let last = stage.status().metric_results[0].measurements[0].clone();
    assert_eq!(last.metadata["problem"], "canary.total: bad_data: key ***** is old");
    assert!(!format!("{:?}", stage.observed.run).contains("s3cr3t"));
    stage.now = stage.wake.unwrap();
    look(&mut stage, 9);
    assert_eq!(stage.status().metric_results[0].measurements[0].metadata["looks"], "2");
}

#[test]
fn a_comparison_that_makes_no_sense_names_all_of_it() {
    let compare = json!({"source": {"prometheus": {"address": "http://p"}}, "canary": {"bad": "b", "total": "t"},
        "stable": {"bad": "b"}, "alpha": 2, "every": "1m"});
    let provider = json!({"plugin": {"ringfence/compare": compare}});
    let mut stage = Stage::new(&json!({"metrics": [{"name": "m", "provider": provider}]}));
    stage.plan();
    let last = stage.status().metric_results[0].measurements[0].clone();
    let expected = "stable.total: a query for the count of all requests is needed; \
        alpha: alpha is 2: must be between 0 and 1, both excluded";
    assert_eq!((last.phase, last.message.as_deref()), (AnalysisPhase::Error, Some(expected)));
}

/// The same comparison in the run of a later step, which begins so long after the run before it ended.
fn next_run(before: &Stage, later: SignedDuration) -> Stage {
    let mut next = comparison();
    let left = super::left_by(&before.observed.run);
    let annotation = super::annotation(left).expect("something was learned");
    Arc::make_mut(&mut next.observed.run).metadata.annotations = Some([annotation].into());
    next.now = before.now + later;
    next
}

#[test]
fn a_later_run_goes_on_from_what_was_learned_and_counts_no_minute_twice() {
    let mut first = comparison();
    look(&mut first, 3);
    first.now = first.wake.unwrap();
    look(&mut first, 3);
    // The step is over before there is a verdict.
    Arc::make_mut(&mut first.observed.run).spec.terminate = true;
    first.plan();
    assert!(first.status().phase.completed());
    let mut next = next_run(&first, SignedDuration::from_secs(20));
    next.plan();
    // 20 of the 60 seconds of a look have passed.
    assert_eq!((next.calls.len(), next.wake), (0, Some(next.now + SignedDuration::from_secs(40))));
    let waiting = next.status().metric_results[0].measurements[0].clone();
    assert_eq!(waiting.metadata["carried"], "goes on from 2 looks of the release");
    next.now = next.wake.unwrap();
    look(&mut next, 3);
    let told = next.status().metric_results[0].measurements[0].metadata.clone();
    assert!(told["evidence"].contains("canary 9 of 600") && told["looks"] == "1", "{told:?}");
    assert!(!format!("{:?}", next.observed.run).contains("s3cr3t"));
}

#[test]
fn what_speaks_against_a_version_adds_up_from_step_to_step() {
    let looks_until_failed = |mut stage: Stage| {
        let mut looks = 0;
        while !stage.status().phase.completed() {
            stage.now = stage.wake.unwrap_or(stage.now).max(stage.now);
            look(&mut stage, 5);
            looks += 1;
        }
        (looks, stage)
    };
    let (afresh, _) = looks_until_failed(comparison());
    let mut first = comparison();
    look(&mut first, 5);
    Arc::make_mut(&mut first.observed.run).spec.terminate = true;
    first.plan();
    let (carried, next) = looks_until_failed(next_run(&first, SignedDuration::from_mins(2)));
    assert_eq!(next.status().phase, AnalysisPhase::Failed);
    assert_eq!(carried + 1, afresh);
    // Where somebody looks at the same end again, it is the same.
    let (again, last) = looks_until_failed(next_run(&next, SignedDuration::from_mins(2)));
    assert_eq!((again, last.status().phase), (1, AnalysisPhase::Failed));
}

#[test]
fn a_version_must_pass_again_at_every_step() {
    let mut stage = comparison();
    let mut looks = Vec::new();
    for _ in 0..2 {
        let mut count = 0;
        while !stage.status().phase.completed() {
            stage.now = stage.wake.unwrap_or(stage.now).max(stage.now);
            look(&mut stage, 0);
            count += 1;
        }
        assert_eq!(stage.status().phase, AnalysisPhase::Successful);
        looks.push(count);
        stage = next_run(&stage, SignedDuration::from_mins(2));
    }
    assert_eq!(looks[0], looks[1]);
}

#[test]
fn a_verdict_names_what_it_rests_on_in_status_and_event() {
    let mut stage = comparison();
    while !stage.status().phase.completed() {
        stage.now = stage.wake.unwrap_or(stage.now);
        look(&mut stage, 9);
    }
    let last = stage.status().metric_results[0].measurements[0].clone();
    let expected = "fails at ln E 4.61 against the canary, passes at ln E 3.00 for it";
    assert_eq!(last.metadata["condition"], expected);
    assert_eq!(last.metadata["limit"], "alpha 0.01");
    let looks = &last.metadata["looks"];
    let window = format!("{looks} looks of 1m0s each since 1970-01-01T00:16:40Z");
    assert_eq!(last.metadata["window"], window);
    let told = &stage.events.iter().find(|event| event.reason == "MetricFailed").unwrap().evidence;
    for key in ["condition", "limit", "window"] {
        assert_eq!(told[key], last.metadata[key]);
    }
    assert_eq!(Some(&told["value"]), last.value.as_ref());
    assert!(told["query"].starts_with("canary.bad: sum(increase(bad{"), "{told:?}");
}

/// One comparison by a judge, of a canary that is far worse.
fn judged_by(judge: &str) -> Value {
    let (source, canary, stable) = match judge {
        "log" => (Value::Null, json!({"pods": "canary"}), json!({"pods": "stable"})),
        "latency" | "quantile" => (
            json!({"prometheus": {}}),
            json!({"buckets": "canary by le"}),
            json!({"buckets": "stable by le"}),
        ),
        _ => (
            json!({"prometheus": {}}),
            json!({"bad": "canary bad", "total": "canary all"}),
            json!({"bad": "stable bad", "total": "stable all"}),
        ),
    };
    let mut config = json!({"judge": judge, "canary": canary, "stable": stable, "every": "1m"});
    if !source.is_null() {
        config["source"] = source;
    }
    if judge == "latency" {
        config["edges"] = json!([1]);
    }
    json!({"name": "m", "provider": {"plugin": {"ringfence/compare": config}}})
}

/// What an API server and a Prometheus say of a canary that fails half of its requests, or is slow, or complains.
fn far_worse(call: &Call, now: jiff::Timestamp) -> Reply {
    let query = String::from_utf8(call.body.clone().unwrap_or_default()).unwrap();
    let is_canary = call.url.contains("canary") || query.contains("canary");
    if call.url.contains("/log?") {
        let at = now - SignedDuration::from_secs(1);
        return reply(200, &if is_canary { format!("{at} ERROR broken\n") } else { String::new() });
    }
    if call.url.contains("/pods?") {
        let name = if is_canary { "canary" } else { "stable" };
        return reply(200, &json!({"items": [{"metadata": {"name": name}}]}).to_string());
    }
    let sample =
        |le: &str, count: u32| json!({"metric": {"le": le}, "value": [1, count.to_string()]});
    let (bad, all) = if is_canary { (100, 200) } else { (2, 200) };
    let result = match (query.contains("le"), query.contains("bad")) {
        (true, _) if query.contains("by") => json!([sample("1", all - bad), sample("+Inf", all)]),
        (_, true) => json!([sample("", bad)]),
        _ => json!([sample("", all)]),
    };
    let data = json!({"resultType": "vector", "result": result});
    reply(200, &json!({"status": "success", "data": data}).to_string())
}

#[test]
fn every_judge_names_value_condition_limit_query_and_window() {
    for judge in ["rate", "proportion", "sign", "latency", "quantile", "log"] {
        let mut stage = Stage::new(&json!({"metrics": [judged_by(judge)]}));
        stage.observed.prometheus_address = Some("http://prometheus".to_owned());
        while !stage.status().phase.completed() {
            stage.now = stage.wake.unwrap_or(stage.now);
            stage.plan();
            while !stage.calls.is_empty() {
                let now = stage.now;
                stage.answer(|call| Ok(far_worse(&call.call, now)));
            }
        }
        let result = stage.status().metric_results[0].clone();
        assert_eq!(result.phase, AnalysisPhase::Failed, "{judge}: {result:?}");
        let told = stage.events.iter().find(|event| event.reason == "MetricFailed").unwrap();
        for fact in ["value", "condition", "limit", "query", "window"] {
            let fact_told = told.evidence.get(fact);
            assert!(fact_told.is_some_and(|text| !text.is_empty()), "{judge} names no {fact}");
            let kept = result.metadata.get(&format!("ringfence.dev/{fact}"));
            let value = result.measurements[0].value.as_ref();
            assert_eq!(kept.or(value), fact_told, "{judge}: {fact} in the status");
        }
    }
}
