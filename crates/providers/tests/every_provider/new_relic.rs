//! New Relic: rows of an NRQL query, by `NerdGraph`.

use crate::support::{Expected, Stage, body, check_outcome, check_problem, header, play, reply};
use providers::{MeasuredValue, Source};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn secret(key: &str) -> Source {
    Source::of_controller("newrelic", key)
}

#[track_caller]
fn check(results: &Value, expected: Expected<'_>) {
    let answer = json!({"data": {"actor": {"account": {"nrql": {"results": results}}}}});
    let config = json!({"query": "SELECT 1"});
    check_outcome(play("newRelic", &config, &[reply(200, &answer.to_string())]).1, expected);
}

#[track_caller]
fn check_access(access: &[(Source, &str)], expected: Result<&str, &str>) {
    let stage = Stage::new("newRelic", &json!({"query": "SELECT 1"}));
    let (calls, outcome) = stage.with(access).play(&[reply(500, "")]);
    match expected {
        Ok(url) => assert_eq!(calls[0].url, url),
        Err(message) => assert_eq!(outcome.unwrap_err(), message),
    }
}

#[test]
fn new_relic_is_asked_for_an_account() {
    let config = json!({"query": "SELECT count(*) FROM T", "timeout": 10});
    let (call, _) = Stage::new("newRelic", &config).first_call();
    assert_eq!((call.method.as_str(), call.timeout.as_secs()), ("POST", 30));
    assert_eq!(call.url, "https://api.newrelic.com/graphql");
    assert_eq!(header(&call, "Api-Key"), Some("nr-s3cr3t"));
    assert_eq!(header(&call, "Content-Type"), Some("application/json"));
    let sent: Value = serde_json::from_str(&body(&call)).unwrap();
    let variables =
        json!({"accountId": 1_234_567, "query": "SELECT count(*) FROM T", "timeout": 10});
    assert_eq!(sent["variables"], variables);
    let question = sent["query"].as_str().unwrap();
    assert!(question.contains("nrql(query: $query, timeout: $timeout) { results }"), "{question}");
    let metadata = Stage::new("newRelic", &config).provider.metadata(&config);
    let resolved = ("ResolvedNewRelicQuery".to_owned(), "SELECT count(*) FROM T".to_owned());
    assert_eq!(metadata, BTreeMap::from([resolved]));
}

#[test]
fn new_relics_secret_says_where_and_as_whom() {
    let key = (secret("personal-api-key"), "k");
    let account = (secret("account-id"), "1");
    let region = |name| [key.clone(), account.clone(), (secret("region"), name)];
    check_access(&region("eu"), Ok("https://api.eu.newrelic.com/graphql"));
    check_access(&region("US"), Ok("https://api.newrelic.com/graphql"));
    check_access(&region("jp"), Ok("https://api.jp.newrelic.com/graphql"));
    check_access(&region("FedRAMP"), Ok("https://gov-api.newrelic.com/graphql"));
    check_access(&region("mars"), Err("unknown region: mars"));
    let own = (secret("base-url-nerdgraph"), "http://proxy/graphql");
    check_access(&[key.clone(), account.clone(), own], Ok("http://proxy/graphql"));
    check_access(&[], Err("secrets \"newrelic\" not found"));
    check_access(
        &[(secret("personal-api-key"), ""), account],
        Err("account ID or personal API key not found"),
    );
    let expected = "could not parse account ID: strconv.Atoi: parsing \"abc\": invalid syntax";
    check_access(&[key, (secret("account-id"), "abc")], Err(expected));
}

#[test]
fn another_profile_is_another_secret() {
    let config = json!({"query": "SELECT 1", "profile": "team"});
    let stage = Stage::new("newRelic", &config);
    let refs = stage.provider.credentials(&config);
    assert!(
        refs.iter().all(|wanted| {
            matches!(&wanted.source, Source::Secret { name, .. } if name == "team")
        })
    );
    let (_, outcome) = play("newRelic", &config, &[]);
    assert_eq!(outcome.unwrap_err(), "secrets \"team\" not found");
}

#[test]
fn one_row_is_a_map_and_several_are_a_list() {
    let one = json!([{"count": 10, "appName": "shop"}]);
    let value = r#"{"appName":"shop","count":10}"#;
    check(&one, Ok((value, MeasuredValue::Json(one[0].clone()))));
    let two = json!([{"a": 1.5}, {"a": null}]);
    check(&two, Ok((r#"[{"a":1.5},{"a":null}]"#, MeasuredValue::Json(two.clone()))));
    for nothing in [json!([]), json!([{}]), json!(null), json!("x"), json!([1])] {
        check(&nothing, Err("no results returned from NRQL query"));
    }
}

#[test]
fn new_relic_says_what_was_refused() {
    let fault = r#"{"errors":[{"message":"NRQL Syntax Error"},{"message":"at line 1"}]}"#;
    let check = |status, answer: &str, expected: &str| {
        let (_, outcome) = play("newRelic", &json!({"query": "q"}), &[reply(status, answer)]);
        assert_eq!(outcome.unwrap_err(), expected);
    };
    check(200, fault, "NRQL Syntax Error, at line 1");
    check(500, fault, "500 response returned: NRQL Syntax Error, at line 1");
    check(429, "<html>", "429 response returned");
    let bad = "401 response returned: Invalid credentials provided. Missing API key or an invalid API key was provided.";
    check(401, fault, bad);
    check(404, "", "resource not found");
    let negative = "timeout value needs to be a positive value";
    check_problem("newRelic", &json!({"query": "q", "timeout": -1}), ("timeout", negative));
    let deprecated = json!({
        "errors": [{"message": "This field is deprecated! Please use another."}],
        "data": {"actor": {"account": {"nrql": {"results": [{"n": 1}]}}}},
    });
    let (_, outcome) =
        play("newRelic", &json!({"query": "q"}), &[reply(200, &deprecated.to_string())]);
    assert_eq!(outcome.unwrap().value, r#"{"n":1}"#);
}
