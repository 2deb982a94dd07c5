//! `SkyWalking`: GraphQL over a span of minutes.

use crate::support::{Expected, Stage, body, check_outcome, check_problem, header, play, reply};
use providers::MeasuredValue;
use serde_json::{Value, json};

#[track_caller]
fn check(status: u16, answer: &str, expected: Expected<'_>) {
    let config = json!({"address": "http://oap", "query": "q"});
    check_outcome(play("skywalking", &config, &[reply(status, answer)]).1, expected);
}

#[test]
fn skywalking_is_asked_for_a_span_of_minutes() {
    let query = "query q($duration: Duration!) { sla }";
    let config = json!({"address": "http://oap:12800/", "query": query, "interval": "1h"});
    let (call, _) = Stage::new("skywalking", &config).first_call();
    assert_eq!((call.method.as_str(), call.timeout.as_secs()), ("POST", 30));
    assert_eq!(call.url, "http://oap:12800/graphql");
    assert_eq!(header(&call, "Content-Type"), Some("application/json; charset=utf-8"));
    let duration = json!({"start": "2023-11-14 2113", "end": "2023-11-14 2213", "step": "MINUTE"});
    let expected = json!({"query": query, "variables": {"duration": duration}});
    assert_eq!(serde_json::from_str::<Value>(&body(&call)).unwrap(), expected);
}

#[test]
fn skywalkings_whole_answer_is_the_result() {
    let data = json!({"service": {"values": {"values": [{"value": 9900}]}}});
    let answer = json!({"data": data}).to_string();
    let value = r#"{"service":{"values":{"values":[{"value":9900}]}}}"#;
    check(200, &answer, Ok((value, MeasuredValue::Json(data))));
    check(200, r#"{"data":null}"#, Err("no results returned from SkyWalking query"));
    check(200, r#"{"errors":[{"message":"no such field"}]}"#, Err("graphql: no such field"));
    check(200, "<html>", Err("decoding response: "));
    check(500, "<html>", Err("graphql: server returned a non-200 status code: 500"));
    check(500, r#"{"data":{"a":1}}"#, Err("graphql: server returned a non-200 status code: 500"));
    let config = json!({"address": "http://oap", "query": "q", "interval": "1d"});
    let expected = "time: unknown unit \"d\" in duration \"1d\"";
    check_problem("skywalking", &config, ("interval", expected));
}
