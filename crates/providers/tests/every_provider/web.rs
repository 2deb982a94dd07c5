//! Any HTTP service: JSON by path, and text as it is.

use crate::support::{check_problem, play, reply};
use serde_json::json;
use vocab::Call;

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
fn json_that_is_nested_too_deep_is_an_error_and_no_text() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    check_web(&nested(127), "{$}", Ok(&nested(127)));
    check_web(&nested(128), "{$}", Err("the body is nested more than 127 deep"));
    check_web(&nested(100_000), "{$}", Err("the body is nested more than 127 deep"));
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
fn web_asks_by_any_method_and_any_address_that_can_be_escaped() {
    for (method, expected) in [("PATCH", "PATCH"), ("DELETE", "DELETE"), ("", "GET")] {
        let config = json!({"url": "HTTP://svc/my job", "method": method});
        let (calls, _) = play("web", &config, &[reply(200, "{}")]);
        assert_eq!(
            (calls[0].method.as_str(), calls[0].url.as_str()),
            (expected, "HTTP://svc/my job")
        );
    }
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
    let method = ("method", "method is no word that HTTP knows methods by");
    check_problem("web", &json!({"url": "http://x", "method": "GET /"}), method);
    let host = "unsupported protocol scheme or malformed address \"http://a b/\"";
    check_problem("web", &json!({"url": "http://a b/"}), ("url", host));
    let path = ("jsonPath", "jsonPath $.a must be enclosed in braces, like {$.result}");
    check_problem("web", &json!({"url": "http://x", "jsonPath": "$.a"}), path);
}
