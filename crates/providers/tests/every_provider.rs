//! What holds of every provider, and what each makes of its service's answers.

use jiff::Timestamp;
use providers::{Measured, MeasuredValue, PROVIDERS, Provider, by_name};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vocab::{Call, Exchange, Reply, ReplyError};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A configuration that works, for each provider; a provider without one fails the suite.
fn working(provider: &dyn Provider) -> Value {
    match provider.name() {
        "prometheus" => json!({"address": "http://prom:9090", "query": "up"}),
        "web" => json!({"url": "http://svc/health"}),
        other => panic!("provider {other} needs a working configuration here"),
    }
}

fn reply(status: u16, body: &str) -> Reply {
    Reply { status, headers: BTreeMap::new(), body: body.as_bytes().to_vec() }
}

fn first_call(provider: &dyn Provider, config: &Value) -> (Call, Value) {
    match provider.start(config, NOW) {
        Exchange::Call(call, state) => (call, state),
        other => panic!("{} began with {other:?}", provider.name()),
    }
}

/// Plays a conversation to its end: each call gets the next answer.
fn play(name: &str, config: &Value, answers: &[Reply]) -> (Vec<Call>, Result<Measured, String>) {
    let provider = by_name(name).expect("a provider");
    let mut turn = provider.start(config, NOW);
    let mut calls = Vec::new();
    let mut answers = answers.iter();
    loop {
        match turn {
            Exchange::Call(call, state) => {
                calls.push(call);
                let answer = answers.next().expect("an answer for each call").clone();
                turn = provider.resume(config, &state, Ok(answer), NOW);
            }
            Exchange::Wait(..) => panic!("nothing to wait for"),
            Exchange::Done(outcome) => return (calls, outcome.map_err(|error| error.message)),
        }
    }
}

#[test]
fn providers_are_in_alphabetical_order_and_found_by_name() {
    let names: Vec<&str> = PROVIDERS.iter().map(|provider| provider.name()).collect();
    assert!(names.is_sorted(), "{names:?}");
    assert!(names.iter().all(|name| by_name(name).is_some()));
    assert!(by_name("none").is_none());
}

#[test]
fn a_working_configuration_has_no_problems_and_makes_a_bounded_call() {
    for provider in PROVIDERS {
        let config = working(*provider);
        assert_eq!(provider.validate(&config), [], "{}", provider.name());
        let (call, _) = first_call(*provider, &config);
        assert!(!call.timeout.is_zero() && !call.insecure);
        assert_eq!(provider.start(&config, NOW), provider.start(&config, NOW));
    }
}

#[test]
fn a_broken_configuration_is_an_error_and_never_a_panic() {
    for provider in PROVIDERS {
        for config in [
            json!(null),
            json!([]),
            json!("x"),
            json!({}),
            json!({"timeout": "x", "timeoutSeconds": []}),
        ] {
            assert!(!provider.validate(&config).is_empty(), "{} took {config}", provider.name());
            assert!(matches!(provider.start(&config, NOW), Exchange::Done(Err(_))));
            let resumed =
                provider.resume(&config, &json!({"step": "ask"}), Ok(reply(200, "{}")), NOW);
            assert!(matches!(resumed, Exchange::Done(Err(_))));
        }
    }
}

#[test]
fn a_service_that_does_not_answer_is_an_error_in_its_words() {
    let url = || "http://x".to_owned();
    for provider in PROVIDERS {
        let config = working(*provider);
        let (_, state) = first_call(*provider, &config);
        for error in [
            ReplyError::Unreachable { url: url(), cause: "connection refused".to_owned() },
            ReplyError::TimedOut { url: url(), seconds: 30 },
            ReplyError::TooLong { url: url(), limit: 1 },
        ] {
            let turn = provider.resume(&config, &state, Err(error.clone()), NOW);
            let Exchange::Done(Err(got)) = turn else { panic!("{turn:?}") };
            assert_eq!(got.message, error.to_string());
        }
    }
}

#[test]
fn an_answer_that_is_no_success_is_an_error() {
    for provider in PROVIDERS {
        for status in [100, 204, 301, 302, 400, 401, 403, 404, 429, 500, 503] {
            let config = working(*provider);
            let (_, outcome) = play(provider.name(), &config, &[reply(status, "<html>")]);
            // An empty or textual answer is a value to `web` alone, and only with a 2xx.
            let textual = provider.name() == "web" && status == 204;
            assert_eq!(outcome.is_err(), !textual, "{} took {status}", provider.name());
        }
    }
}

#[test]
fn a_foreign_state_is_an_error() {
    for provider in PROVIDERS {
        let turn =
            provider.resume(&working(*provider), &json!({"foreign": 1}), Ok(reply(200, "{}")), NOW);
        assert!(matches!(turn, Exchange::Done(Err(_))));
    }
}

#[test]
fn every_provider_signs_in_with_a_password() {
    for provider in PROVIDERS {
        let mut config = working(*provider);
        config["authentication"] = json!({"basicAuth": {"username": "u", "password": "p"}});
        let (call, _) = first_call(*provider, &config);
        assert!(call.headers.contains(&("Authorization".to_owned(), "Basic dTpw".to_owned())));
        config["authentication"] = json!({"basicAuth": {"username": "u"}});
        let expected = "missing mandatory parameter in metric for basic auth setup: password";
        let problem = ("authentication.basicAuth.password".to_owned(), expected.to_owned());
        assert_eq!(provider.validate(&config), [problem]);
        config["authentication"] = json!({"sigv4": {"region": "eu-west-1"}});
        assert_eq!(provider.validate(&config)[0].1, "signing with AWS SigV4 is not supported yet");
    }
}

#[test]
fn every_provider_fetches_a_token_first_and_tries_both_ways() {
    for provider in PROVIDERS {
        let mut config = working(*provider);
        config["authentication"] = json!({"oauth2": {"tokenUrl": "http://id/token", "clientId": "me", "clientSecret": "s&x", "scopes": ["a", "b"]}});
        let granted = reply(200, r#"{"access_token": "T", "token_type": "bearer"}"#);
        let answers = [reply(401, ""), granted, reply(500, "")];
        let (calls, outcome) = play(provider.name(), &config, &answers);
        assert!(outcome.is_err());
        let body = |call: &Call| String::from_utf8(call.body.clone().unwrap_or_default()).unwrap();
        assert_eq!(calls[0].url, "http://id/token");
        assert_eq!(body(&calls[0]), "grant_type=client_credentials&scope=a+b");
        assert!(
            calls[0]
                .headers
                .iter()
                .any(|(name, value)| name == "Authorization" && value.starts_with("Basic "))
        );
        assert!(body(&calls[1]).ends_with("client_id=me&client_secret=s%26x"));
        assert!(calls[2].headers.contains(&("Authorization".to_owned(), "Bearer T".to_owned())));
        let (_, refused) = play(provider.name(), &config, &[reply(401, ""), reply(403, "")]);
        assert_eq!(refused.unwrap_err(), "oauth2: cannot fetch token: 403");
        let (_, without) = play(provider.name(), &config, &[reply(200, "{}"), reply(200, "{}")]);
        assert_eq!(without.unwrap_err(), "oauth2: server response missing access_token");
    }
}

#[track_caller]
fn check_prometheus(
    result_type: &str,
    result: &Value,
    expected: Result<(&str, MeasuredValue), &str>,
) {
    let config = json!({"address": "http://prom", "query": "up"});
    let body = json!({"status": "success", "data": {"resultType": result_type, "result": result}});
    let (_, outcome) = play("prometheus", &config, &[reply(200, &body.to_string())]);
    match (outcome, expected) {
        // NaN is not equal to itself; its text tells.
        (Ok(got), Ok((value, result))) => {
            assert_eq!(
                (got.value.as_str(), format!("{:?}", got.result)),
                (value, format!("{result:?}"))
            );
        }
        (Err(got), Err(expected)) => assert!(got.contains(expected), "{got:?} lacks {expected:?}"),
        (got, expected) => panic!("{got:?}, not {expected:?}"),
    }
}

#[test]
fn prometheus_reads_scalars_vectors_and_matrices() {
    let numbers = |values: &[f64]| MeasuredValue::Numbers(values.to_vec());
    check_prometheus("scalar", &json!([0, "0.5"]), Ok(("0.5", MeasuredValue::Number(0.5))));
    check_prometheus("scalar", &json!([0, "NaN"]), Ok(("NaN", MeasuredValue::Number(f64::NAN))));
    let vector =
        json!([{"metric": {"a": "b"}, "value": [0, "10"]}, {"metric": {}, "value": [0, "+Inf"]}]);
    check_prometheus("vector", &vector, Ok(("[10,+Inf]", numbers(&[10.0, f64::INFINITY]))));
    check_prometheus("vector", &json!([]), Ok(("[]", numbers(&[]))));
    check_prometheus(
        "vector",
        &json!([{"value": [0, "1e-7"]}]),
        Ok(("[0.0000001]", numbers(&[1e-7]))),
    );
    let matrix = json!([{"values": [[0, "1"], [1, "2"]]}, {"values": [[0, "-Inf"]]}]);
    check_prometheus(
        "matrix",
        &matrix,
        Ok(("[1,2,-Inf]", numbers(&[1.0, 2.0, f64::NEG_INFINITY]))),
    );
    check_prometheus("string", &json!([0, "x"]), Err("Prometheus metric type not supported"));
    check_prometheus(
        "vector",
        &json!([{"histogram": [0, {}]}]),
        Err("histograms are not supported"),
    );
    check_prometheus("vector", &json!([{"value": [0, "x"]}]), Err("bad_response"));
}

#[test]
fn prometheus_asks_by_post_and_then_by_get() {
    let config = json!({"address": "http://prom:9090/prefix/", "query": "sum(up) > 1", "timeout": 5,
        "headers": [{"key": "X-Scope-OrgID", "value": "team"}]});
    let scalar =
        reply(200, r#"{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}"#);
    let (calls, outcome) = play("prometheus", &config, &[reply(405, ""), scalar]);
    assert_eq!(outcome.unwrap().value, "1");
    assert_eq!(
        (calls[0].method.as_str(), calls[0].url.as_str()),
        ("POST", "http://prom:9090/prefix/api/v1/query")
    );
    assert_eq!(calls[0].body.as_deref(), Some(b"query=sum%28up%29+%3E+1".as_slice()));
    assert_eq!(calls[0].timeout.as_secs(), 5);
    assert!(calls[0].headers.contains(&("X-Scope-OrgID".to_owned(), "team".to_owned())));
    assert_eq!(calls[1].url, "http://prom:9090/prefix/api/v1/query?query=sum%28up%29+%3E+1");
    assert_eq!((calls[1].method.as_str(), &calls[1].body), ("GET", &None));
}

#[test]
fn prometheus_asks_for_ranges() {
    let config = json!({"address": "http://prom", "query": "up", "rangeQuery":
        {"start": "now() - duration('1h')", "end": "now()", "step": "30s"}});
    let now = Timestamp::from_second(7_200).unwrap();
    let Exchange::Call(call, _) = by_name("prometheus").unwrap().start(&config, now) else {
        panic!()
    };
    assert_eq!(call.url, "http://prom/api/v1/query_range");
    assert_eq!(call.body.as_deref(), Some(b"query=up&start=3600&end=7200&step=30".as_slice()));
    let broken = json!({"address": "http://prom", "query": "up", "rangeQuery": {"start": "1", "end": "now()", "step": "1s"}});
    let (_, outcome) = play("prometheus", &broken, &[]);
    assert_eq!(
        outcome.unwrap_err(),
        "failed to parse rangeQuery.start as time: expected time.Time, but got 1"
    );
}

#[track_caller]
fn check_prometheus_error(status: u16, body: &str, expected: &str) {
    let config = json!({"address": "http://prom", "query": "up"});
    let (_, outcome) = play("prometheus", &config, &[reply(status, body)]);
    let got = outcome.expect_err("an error");
    assert!(got.contains(expected), "{got:?} lacks {expected:?}");
}

#[test]
fn prometheus_says_what_its_server_said() {
    let refused = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
    check_prometheus_error(400, refused, "bad_data: parse error");
    check_prometheus_error(422, refused, "bad_data: parse error");
    check_prometheus_error(404, "", "client_error: client error: 404");
    check_prometheus_error(503, "", "server_error: server error: 503");
    check_prometheus_error(200, "<html>login</html>", "bad_response: not an answer of Prometheus");
    check_prometheus_error(
        200,
        r#"{"status":"success"}"#,
        "bad_response: the answer holds no data",
    );
}

#[test]
fn prometheus_keeps_warnings_and_the_query() {
    let body = r#"{"status":"success","warnings":["w1","w2"],"data":{"resultType":"scalar","result":[0,"1"]}}"#;
    let config = json!({"address": "http://prom", "query": "up"});
    let (_, outcome) = play("prometheus", &config, &[reply(200, body)]);
    assert_eq!(outcome.unwrap().metadata["warnings"], "\"w1\", \"w2\"");
    let metadata = by_name("prometheus").unwrap().metadata(&config);
    assert_eq!(metadata, BTreeMap::from([("ResolvedPrometheusQuery".to_owned(), "up".to_owned())]));
}

#[track_caller]
fn check_problem(name: &str, config: &Value, expected: (&str, &str)) {
    let problems = by_name(name).expect("a provider").validate(config);
    assert_eq!(problems, [(expected.0.to_owned(), expected.1.to_owned())]);
}

#[test]
fn prometheus_names_what_its_configuration_lacks() {
    check_problem(
        "prometheus",
        &json!({"query": "up"}),
        ("address", "prometheus address is not configured"),
    );
    let config = json!({"address": "prom:9090", "query": "up"});
    check_problem("prometheus", &config, ("address", "prometheus address is not in url format"));
    let config = json!({"address": "http://prom", "query": "up", "timeout": -1});
    check_problem("prometheus", &config, ("timeout", "prometheus timeout should not be negative"));
    let config = json!({"address": "http://prom", "query": "up", "authentication": {"oauth2": {"tokenUrl": "http://id"}}});
    let expected =
        ("authentication.oauth2", "missing mandatory parameter in metric for OAuth2 setup");
    check_problem("prometheus", &config, expected);
}

#[track_caller]
fn check_web(body: &str, path: &str, expected: Result<&str, &str>) {
    let config = json!({"url": "http://svc", "jsonPath": path});
    let (_, outcome) = play("web", &config, &[reply(200, body)]);
    match (outcome, expected) {
        (Ok(got), Ok(expected)) => assert_eq!(got.value, expected),
        (Err(got), Err(expected)) => assert!(got.contains(expected), "{got:?} lacks {expected:?}"),
        (got, expected) => panic!("{got:?}, not {expected:?}"),
    }
}

#[test]
fn web_follows_the_path_and_takes_text_as_it_is() {
    let body = r#"{"a": 1, "b": true, "c": [1, 2, 3, 4], "d": null}"#;
    check_web(body, "", Ok(r#"{"a":1,"b":true,"c":[1,2,3,4],"d":null}"#));
    check_web(
        r#"{"key":{"num":1.2,"bool":true,"m":{"foo":"bar"}}}"#,
        "{$.key}",
        Ok(r#"{"bool":true,"m":{"foo":"bar"},"num":1.2}"#),
    );
    let nested = r#"{"key": [{"key2": {"value": "1"}}]}"#;
    check_web(nested, "{$.key[0].key2.value}", Ok("\"1\""));
    check_web(r#"{"v": 3.0}"#, "{.v}", Ok("3"));
    check_web(
        nested,
        "{$.key[0].key2.novalue}",
        Err("Could not find JSONPath in body: $.key[0].key2.novalue is not found"),
    );
    check_web("", "{$.key}", Ok(""));
    check_web("test: notJson", "{$.key}", Ok("test: notJson"));
}

#[test]
fn web_sends_what_the_metric_says() {
    let config = json!({"url": "https://svc/x", "method": "POST", "jsonBody": {"a": "x"},
        "headers": [{"key": "K", "value": "V"}], "timeoutSeconds": 3, "insecure": true});
    let (calls, _) = play("web", &config, &[reply(200, "{}")]);
    let expected = Call {
        method: "POST".to_owned(),
        url: "https://svc/x".to_owned(),
        headers: [("K", "V"), ("Content-Type", "application/json")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body: Some(br#"{"a":"x"}"#.to_vec()),
        timeout: std::time::Duration::from_secs(3),
        insecure: true,
    };
    assert_eq!(calls, [expected]);
}

#[test]
fn web_names_what_its_configuration_gets_wrong() {
    let expected = "unsupported protocol scheme or malformed address \"bad://url.com\"";
    check_problem("web", &json!({"url": "bad://url.com"}), ("url", expected));
    let get = ("method", "Body/JSONBody can only be used with POST or PUT WebMetric Method types");
    check_problem("web", &json!({"url": "http://x", "body": "b"}), get);
    check_problem("web", &json!({"url": "http://x", "method": "GET", "jsonBody": {}}), get);
    let both =
        ("jsonBody", "use either Body or JSONBody; both cannot exists for WebMetric payload");
    check_problem("web", &json!({"url": "http://x", "body": "b", "jsonBody": {}}), both);
    let delete = ("method", "method is none of GET, POST and PUT");
    check_problem("web", &json!({"url": "http://x", "method": "DELETE"}), delete);
    let path = ("jsonPath", "jsonPath $.a must be enclosed in braces, like {$.result}");
    check_problem("web", &json!({"url": "http://x", "jsonPath": "$.a"}), path);
}
