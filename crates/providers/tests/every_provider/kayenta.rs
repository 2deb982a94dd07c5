//! Kayenta: looked up, ordered, and asked for until there is a score.

use crate::support::{NOW, Stage, body, check_problem, play, reply};
use jiff::SignedDuration;
use providers::Verdict;
use serde_json::{Value, json};
use vocab::{Exchange, Reply};

fn config(scopes: &Value, lookback: bool) -> Value {
    json!({
        "address": "https://kayenta.example.com", "application": "guest book",
        "canaryConfigName": "errors", "metricsAccountName": "wavefront-prod",
        "configurationAccountName": "team-config", "storageAccountName": "team-store",
        "threshold": {"pass": 90, "marginal": 75}, "scopes": scopes, "lookback": lookback,
    })
}

fn side(hash: &str, times: &Value) -> Value {
    let mut side = json!({"scope": format!("hash={hash}"), "region": "us-west-2", "step": 60});
    side.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
    side
}

fn scopes(control: &Value, experiment: &Value) -> Value {
    json!([{"name": "default", "controlScope": side("old", control),
        "experimentScope": side("new", experiment)}])
}

fn known() -> Reply {
    reply(200, r#"[{"id":"1","name":"other"},{"id":"id/2","name":"errors"}]"#)
}

fn ordered() -> Reply {
    reply(200, r#"{"canaryExecutionId":"01DS50"}"#)
}

fn scored(score: f64) -> Reply {
    let result = json!({"judgeResult": {"score": {"score": score}}});
    reply(200, &json!({"complete": true, "result": result}).to_string())
}

#[test]
fn kayenta_is_asked_until_there_is_a_score() {
    let times = json!({"start": "2019-03-29T01:08:34Z", "end": "2019-03-29T01:38:34Z"});
    let mut stage = Stage::new("kayenta", &config(&scopes(&times, &times), false));
    let answers = [known(), ordered(), reply(200, r#"{"complete":false}"#), scored(95.7)];
    let (calls, outcome) = stage.play(&answers);
    let urls: Vec<&str> = calls.iter().map(|call| call.url.as_str()).collect();
    let host = "https://kayenta.example.com";
    let expected = [
        format!("{host}/canaryConfig?application=guest+book&configurationAccountName=team-config"),
        format!(
            "{host}/canary/id%2F2?application=guest+book&metricsAccountName=wavefront-prod&configurationAccountName=team-config&storageAccountName=team-store"
        ),
        format!("{host}/canary/01DS50"),
        format!("{host}/canary/01DS50"),
    ];
    assert_eq!(urls, expected);
    assert!(calls.iter().all(|call| call.timeout.as_secs() == 15));
    let side = |hash: &str| {
        json!({"scope": format!("hash={hash}"), "location": "us-west-2", "step": 60,
            "start": times["start"], "end": times["end"]})
    };
    let scope = json!({"controlScope": side("old"), "experimentScope": side("new")});
    let order = json!({"scopes": {"default": scope}, "thresholds": {"pass": 90, "marginal": 75}});
    assert_eq!(serde_json::from_str::<Value>(&body(&calls[1])).unwrap(), order);
    let fifteen = SignedDuration::from_secs(15);
    assert_eq!(stage.waits, [NOW + fifteen, NOW + fifteen + fifteen]);
    let measured = outcome.unwrap();
    assert_eq!((measured.value.as_str(), measured.verdict), ("95", Some(Verdict::Successful)));
    assert_eq!(measured.metadata["canaryExecutionId"], "01DS50");
}

#[test]
fn kayentas_score_decides() {
    let check = |score, value: &str, verdict| {
        let answers = [known(), ordered(), scored(score)];
        let measured = play("kayenta", &config(&json!([]), false), &answers).1.unwrap();
        assert_eq!((measured.value.as_str(), measured.verdict), (value, Some(verdict)));
    };
    check(90.0, "90", Verdict::Successful);
    check(89.9, "89", Verdict::Inconclusive);
    check(75.0, "75", Verdict::Inconclusive);
    check(74.0, "74", Verdict::Failed);
    check(0.0, "0", Verdict::Failed);
}

#[test]
fn a_span_of_time_is_the_last_interval_or_the_whole_run() {
    let check = |lookback, start: &str| {
        let mut stage = Stage::new("kayenta", &config(&scopes(&json!({}), &json!({})), lookback));
        let (calls, _) = stage.play(&[known(), reply(500, "")]);
        let order: Value = serde_json::from_str(&body(&calls[1])).unwrap();
        for side in ["controlScope", "experimentScope"] {
            let side = &order["scopes"]["default"][side];
            assert_eq!(
                (&side["start"], &side["end"]),
                (&json!(start), &json!("2023-11-14T22:13:20Z"))
            );
        }
    };
    check(false, "2023-11-14T22:12:20Z");
    check(true, "2023-11-14T22:03:20Z");
    let mut stage = Stage::new("kayenta", &config(&scopes(&json!({}), &json!({})), false));
    stage.interval = None;
    let expected = "Invalid duration \"\": time: invalid duration \"\"";
    assert_eq!(stage.play(&[known()]).1.unwrap_err(), expected);
}

#[test]
fn kayentas_waits_name_the_judgement_and_outlive_the_controller() {
    let stage = Stage::new("kayenta", &config(&json!([]), false));
    let (_, kept) = stage.first_call();
    let turn = stage.provider.resume(&stage.asked(), &kept, Ok(known()), NOW);
    let Exchange::Call(_, kept) = turn else { panic!("{turn:?}") };
    let turn = stage.provider.resume(&stage.asked(), &kept, Ok(ordered()), NOW);
    let Exchange::Wait(_, kept) = turn else { panic!("{turn:?}") };
    assert_eq!(stage.provider.waiting(&kept)["canaryExecutionId"], "01DS50");
    let turn = stage.provider.wake(&stage.asked(), &Value::Null, NOW);
    assert!(matches!(turn, Exchange::Call(call, _) if call.url.contains("/canaryConfig?")));
}

#[test]
fn kayenta_says_what_was_wrong() {
    let check = |answers: &[Reply], expected: &str| {
        let (_, outcome) = play("kayenta", &config(&json!([]), false), answers);
        assert_eq!(outcome.unwrap_err(), expected);
    };
    check(&[reply(500, "")], "Invalid Response: HTTP 500");
    check(&[reply(200, "[]")], "Canary config not found");
    check(&[known(), reply(500, "")], "Invalid Response");
    check(&[known(), reply(200, "{}")], "Invalid canaryExecutionId");
    check(&[known(), ordered(), reply(404, "")], "Invalid Response");
    check(&[known(), ordered(), reply(200, "{}")], "Missing Complete Status");
    check(&[known(), ordered(), reply(200, r#"{"complete":true}"#)], "Missing Score");
    let (_, outcome) = play("kayenta", &config(&json!([]), false), &[reply(200, "{")]);
    assert!(outcome.unwrap_err().starts_with("not an answer of Kayenta"));
}

#[test]
fn kayentas_scopes_are_whole() {
    let (none, start, end) = (json!({}), json!({"start": "x"}), json!({"end": "x"}));
    let problem = |end: &str| {
        format!("controlScope.{end} and experimentScope.{end} must both be set or be empty")
    };
    let check = |scopes: &Value, expected: &str| {
        check_problem("kayenta", &config(scopes, false), ("scopes[0]", expected));
    };
    check(&scopes(&start, &none), &problem("start"));
    check(&scopes(&none, &end), &problem("end"));
}
