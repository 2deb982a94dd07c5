//! `plugin ringfence/compare` with `judge: log`: what the pods of two versions log, look after look.

use crate::compare::{NAME, Play, reread};
use crate::support::reply;
use jiff::{SignedDuration, Timestamp};
use providers::{Destination, Measured, Verdict, by_name};
use serde_json::{Value, json};
use vocab::{Call, Exchange, Reply};

const NEW: &str = "ERROR cannot decode order 4711 of jo@example.org: token=hunter2";

fn logs(own: &Value) -> Value {
    let mut config = json!({
        "judge": "log", "source": null, "container": "web",
        "canary": {"pods": "hash=new"}, "stable": {"pods": "hash=old"},
    });
    config.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    config
}

/// An API server with one pod of the canary and nine of the stable version. `line` is what a pod writes in
/// the second before a look, if anything.
fn answer(call: &Call, look_at: Timestamp, line: impl Fn(&str) -> Option<&'static str>) -> Reply {
    let (path, query) = call.url.split_once('?').unwrap();
    let pod = |name: String| json!({"metadata": {"name": name}});
    if let Some(name) = path.strip_suffix("/log").and_then(|path| path.rsplit('/').next()) {
        assert!(query.starts_with("container=web&sinceTime="), "{query}");
        let at = look_at - SignedDuration::from_secs(1);
        let text = line(name).map(|line| format!("{at} {line}\n{at} INFO all is well\n"));
        return reply(200, &text.unwrap_or_default());
    }
    assert_eq!(path, "/api/v1/namespaces/shop/pods");
    let pods: Vec<Value> = if query.contains("new") {
        vec![pod("new-1".to_owned())]
    } else {
        (1..=9).map(|number| pod(format!("old-{number}"))).collect()
    };
    reply(200, &json!({"items": pods}).to_string())
}

/// Plays with one line of the canary at each of the first looks.
fn with_lines(looks: u32, own: &Value) -> (Play, Measured) {
    let mut play = Play::of(&logs(own));
    let began = play.now;
    let measured = play.play(|look, call| {
        let at = began + SignedDuration::from_mins(1) * i32::try_from(look).unwrap();
        let is_canary = |name: &str| name.starts_with("new");
        Ok(answer(call, at, |name| (is_canary(name) && look < looks).then_some(NEW)))
    });
    (play, measured.unwrap())
}

#[test]
fn a_new_error_fails_at_its_third_line_with_a_tenth_of_the_pods() {
    let (play, measured) = with_lines(9, &json!({}));
    assert_eq!((measured.verdict, play.looks), (Some(Verdict::Failed), 2));
    let value: Value = serde_json::from_str(&measured.value).unwrap();
    let worst = &value["templates"][0];
    assert_eq!((&worst["canary"], &worst["stable"]), (&json!(3), &json!(0)));
    let text = "ERROR cannot decode order <num> of <mail>: token=<secret>";
    assert_eq!(worst["text"], text);
    let told = format!("3 of the canary, 0 of the stable version: {text}");
    assert_eq!(measured.metadata["template"], told);
    let (_, measured) = with_lines(2, &json!({"atMost": "10m"}));
    assert_eq!(measured.verdict, Some(Verdict::Inconclusive));
}

#[test]
fn nothing_of_a_secret_is_kept() {
    let (play, measured) = with_lines(9, &json!({}));
    let written = format!("{:?}{measured:?}", play.kept);
    for secret in ["hunter2", "jo@example.org", "order 4711"] {
        assert!(!written.contains(secret), "{secret} is in {written}");
    }
}

#[test]
fn what_all_pods_log_is_no_evidence() {
    let mut play = Play::of(&logs(&json!({"atMost": "10m"})));
    let began = play.now;
    let measured = play.play(|look, call| {
        let at = began + SignedDuration::from_mins(1) * i32::try_from(look).unwrap();
        Ok(answer(call, at, |_| Some(NEW)))
    });
    let measured = measured.unwrap();
    assert_eq!(measured.verdict, Some(Verdict::Inconclusive));
    let value: Value = serde_json::from_str(&measured.value).unwrap();
    assert_eq!((&value["canary"]["bad"], &value["stable"]["bad"]), (&json!(11), &json!(99)));
}

/// Plays with a line at the first look of the only pod of the canary, which started so long before it.
fn with_a_pod_of_age(seconds: i64, own: &Value) -> (Play, Measured) {
    let mut play = Play::of(&logs(own));
    let began = play.now;
    let started = (began - SignedDuration::from_secs(seconds)).to_string();
    let measured = play.play(|look, call| {
        if call.url.contains("/pods?") && call.url.contains("new") {
            let state = json!({"running": {"startedAt": started}});
            let status = json!({"name": "web", "restartCount": 0, "state": state});
            let status = json!({"containerStatuses": [status]});
            let pods = [json!({"metadata": {"name": "new-1"}, "status": status})];
            return Ok(reply(200, &json!({"items": pods}).to_string()));
        }
        let at = began + SignedDuration::from_mins(1) * i32::try_from(look).unwrap();
        let line = "ERROR no cache";
        Ok(answer(call, at, |name| (name.starts_with("new") && look == 0).then_some(line)))
    });
    (play, measured.unwrap())
}

#[test]
fn what_a_young_pod_logs_when_it_starts_is_no_evidence() {
    let bad = |own: &Value, seconds| {
        let (_, measured) = with_a_pod_of_age(seconds, own);
        let value: Value = serde_json::from_str(&measured.value).unwrap();
        (value["canary"]["bad"].as_u64().unwrap(), value["canary"]["total"].as_u64().unwrap())
    };
    let (usual, all) = (json!({"atMost": "3m"}), json!({"atMost": "3m", "warmUp": "0s"}));
    // Four looks; of the first nothing counts, or half a minute of it.
    assert_eq!(bad(&usual, 30), (0, 150));
    assert_eq!(bad(&usual, 3600), (1, 240));
    assert_eq!(bad(&all, 30), (1, 210));
    let (play, _) = with_a_pod_of_age(30, &usual);
    let first = serde_json::from_str(&play.kept[0]).unwrap();
    let told = play.stage.provider.waiting(&first);
    assert_eq!(told["problem"], "no running pod of the canary is past its warm-up");
}

#[test]
fn requests_stand_in_for_the_time_of_pods_where_they_are_known() {
    let totals = json!({
        "source": {"prometheus": {"address": "http://prom:9090"}},
        "canary": {"pods": "hash=new", "total": "new total"}, "stable": {"pods": "hash=old", "total": "old total"},
    });
    let mut play = Play::of(&logs(&totals));
    let began = play.now;
    // One pod of ten has half of the requests, and half of the lines.
    let measured = play.play(|look, call| {
        if call.url.starts_with("http://prom") {
            let sample = json!({"metric": {}, "value": [1, "900"]});
            let data = json!({"resultType": "vector", "result": [sample]});
            return Ok(reply(200, &json!({"status": "success", "data": data}).to_string()));
        }
        let at = began + SignedDuration::from_mins(1) * i32::try_from(look).unwrap();
        Ok(answer(call, at, |name| matches!(name, "new-1" | "old-1").then_some(NEW)))
    });
    let value: Value = serde_json::from_str(&measured.unwrap().value).unwrap();
    assert_eq!(
        (&value["verdict"], &value["canary"]["total"]),
        (&json!("continue"), &json!(900 * 61))
    );
}

#[test]
fn calls_to_the_api_server_are_told_from_those_to_a_service() {
    let play = Play::of(&logs(&json!({})));
    let provider = play.stage.provider;
    let Exchange::Call(call, state) = provider.start(&play.stage.asked(), play.now) else {
        panic!("a call")
    };
    assert!(call.url.starts_with("/api/v1/namespaces/shop/pods?"), "{}", call.url);
    assert_eq!(provider.destination(&state), Destination::Cluster);
    let counts = Play::of(&json!({}));
    let Exchange::Call(_, state) = provider.start(&counts.stage.asked(), counts.now) else {
        panic!("a call")
    };
    assert_eq!(provider.destination(&state), Destination::Network);
}

#[test]
fn a_look_that_is_cut_off_is_taken_again_with_the_same_lines() {
    let mut whole = Play::of(&logs(&json!({"atMost": "3m"})));
    let began = whole.now;
    let line = |look: u32, call: &Call| {
        let at = began + SignedDuration::from_mins(1) * i32::try_from(look).unwrap();
        answer(call, at, |name| name.starts_with("new").then_some("ERROR once"))
    };
    let expected = whole.play(|_, call| Ok(line(0, call))).unwrap();
    let provider = whole.stage.provider;
    // After the first look, the line of it is not counted again.
    let value: Value = serde_json::from_str(&expected.value).unwrap();
    assert_eq!(value["canary"]["bad"], 1, "{value}");
    let kept = reread(&serde_json::from_str(&whole.kept[0]).unwrap());
    let second = began + SignedDuration::from_mins(1);
    for calls in [3, 12] {
        let asked = whole.stage.asked();
        let mut turn = provider.wake(&asked, &kept, second);
        for _ in 0..calls {
            let Exchange::Call(call, state) = turn else { panic!("{turn:?}") };
            turn = provider.resume(&asked, &state, Ok(line(0, &call)), second);
        }
        if let Exchange::Wait(_, state) = turn {
            assert_eq!(state.to_string(), whole.kept[1]);
        }
    }
}

#[test]
fn logs_that_may_not_be_read_hold_and_are_inconclusive_at_last() {
    let mut play = Play::of(&logs(&json!({"unreachableLimit": 2})));
    let status = json!({"message": "pods is forbidden"}).to_string();
    let measured = play.play(|_, _| Ok(reply(403, &status))).unwrap();
    assert_eq!(measured.verdict, Some(Verdict::Inconclusive));
    let expected =
        "canary.pods: pods cannot be listed: the API server answers 403: pods is forbidden";
    assert_eq!(play.told()["problem"], expected);
}

#[test]
fn everything_that_is_wrong_with_logs_is_named() {
    let provider = by_name(NAME).unwrap();
    let problems = |own: &Value| {
        let config = Play::of(&logs(own)).stage.config;
        let texts = provider.validate(&config).into_iter();
        texts.map(|(path, message)| format!("{path}: {message}")).collect::<Vec<_>>()
    };
    assert!(problems(&json!({})).is_empty());
    let wrong =
        json!({"canary": {"bad": "x", "total": "y"}, "beta": 0.1, "budget": 0.1, "container": ""});
    let expected = [
        "canary.total: there is no source to ask",
        "canary.bad: the judge log does not heed it",
        "canary.pods: a label selector of its pods is needed",
        "container: must be the name of a container",
        "beta: the judge log does not heed it",
        "budget: the judge log does not heed it",
    ];
    assert_eq!(problems(&wrong), expected);
    assert_eq!(problems(&json!({"warmUp": "-1s"})), ["warmUp: must not be negative"]);
    let other = json!({"judge": "rate", "container": null});
    assert!(problems(&other).contains(&"canary.pods: the judge rate does not heed it".to_owned()));
}
