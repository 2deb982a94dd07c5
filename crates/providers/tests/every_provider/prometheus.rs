//! Prometheus: numbers and lists of numbers, by POST, by GET, and signed for Amazon.

use crate::support::{
    Expected, Stage, body, check_outcome, check_problem, header, number, numbers, play, reply,
};
use jiff::Timestamp;
use providers::{Source, by_name};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vocab::Exchange;

#[track_caller]
fn check_prometheus(result_type: &str, result: &Value, expected: Expected<'_>) {
    let config = json!({"address": "http://prom", "query": "up"});
    let body = json!({"status": "success", "data": {"resultType": result_type, "result": result}});
    let (_, outcome) = play("prometheus", &config, &[reply(200, &body.to_string())]);
    check_outcome(outcome, expected);
}

#[test]
fn prometheus_reads_scalars_vectors_and_matrices() {
    check_prometheus("scalar", &json!([0, "0.5"]), Ok(("0.5", number(0.5))));
    check_prometheus("scalar", &json!([0, "NaN"]), Ok(("NaN", number(f64::NAN))));
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
fn a_proxy_that_forbids_post_is_asked_by_get() {
    let config = json!({"address": "http://prom", "query": "up"});
    for status in [403, 405, 501] {
        let scalar =
            reply(200, r#"{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}"#);
        let (calls, outcome) = play("prometheus", &config, &[reply(status, ""), scalar]);
        assert_eq!(outcome.unwrap().value, "1", "{status}");
        assert_eq!(calls[1].method, "GET");
    }
    let (_, outcome) = play("prometheus", &config, &[reply(403, ""), reply(403, "")]);
    assert_eq!(outcome.unwrap_err(), "client_error: client error: 403");
}

#[test]
fn what_the_address_asks_for_goes_along() {
    let config = json!({"address": "http://prom/prefix/?tenant=a&dedup=true#top", "query": "up"});
    let scalar =
        reply(200, r#"{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}"#);
    let (calls, _) = play("prometheus", &config, &[reply(405, ""), scalar]);
    assert_eq!(calls[0].url, "http://prom/prefix/api/v1/query?tenant=a&dedup=true");
    assert_eq!(body(&calls[0]), "query=up");
    assert_eq!(calls[1].url, "http://prom/prefix/api/v1/query?tenant=a&dedup=true&query=up");
}

#[test]
fn prometheus_asks_for_ranges() {
    let config = json!({"address": "http://prom", "query": "up", "rangeQuery":
        {"start": "now() - duration('1h')", "end": "now()", "step": "30s"}});
    let now = Timestamp::from_second(7_200).unwrap();
    let stage = Stage::new("prometheus", &config);
    let turn = stage.provider.start(&stage.asked(), now);
    let Exchange::Call(call, _) = turn else { panic!() };
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

/// A workspace of Amazon Managed Prometheus, in a region.
fn workspace(sigv4: &Value) -> Value {
    json!({
        "address": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1",
        "query": "up", "authentication": {"sigv4": sigv4},
    })
}

#[test]
fn prometheus_signs_for_amazon() {
    let scalar =
        reply(200, r#"{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}"#);
    let config = workspace(&json!({"region": "eu-west-1"}));
    let (calls, outcome) = play("prometheus", &config, &[scalar]);
    assert_eq!(outcome.unwrap().value, "1");
    let proof = header(&calls[0], "Authorization").unwrap();
    let begins = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE-s3cr3t/20231114/eu-west-1/aps/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=";
    assert!(proof.starts_with(begins), "{proof}");
    assert_eq!(header(&calls[0], "X-Amz-Date"), Some("20231114T221320Z"));
    assert_eq!(body(&calls[0]), "query=up");
    let elsewhere = json!({"address": "http://prom", "query": "up",
        "authentication": {"sigv4": {"region": "eu-west-1"}}});
    let (call, _) = Stage::new("prometheus", &elsewhere).first_call();
    assert_eq!(header(&call, "Authorization"), None);
}

#[test]
fn prometheus_assumes_the_role_it_is_told() {
    let config = workspace(&json!({"roleArn": "arn:aws:iam::1:role/prom"}));
    let keys = "<R><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>k</SecretAccessKey><SessionToken>t</SessionToken></Credentials></R>";
    let answers = [reply(200, keys), reply(200, "{}")];
    let (calls, _) = play("prometheus", &config, &answers);
    assert_eq!(calls[0].url, "https://sts.eu-west-1.amazonaws.com/");
    let expected = "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fprom&RoleSessionName=argo-rollouts&Version=2011-06-15";
    assert_eq!(body(&calls[0]), expected);
    assert!(header(&calls[0], "Authorization").unwrap().contains("/eu-west-1/sts/aws4_request"));
    assert_eq!(header(&calls[1], "X-Amz-Security-Token"), Some("t"));
    assert!(header(&calls[1], "Authorization").unwrap().contains("Credential=ASIA/"));
    let refused = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not yours</Message></Error></ErrorResponse>";
    let (_, outcome) = play("prometheus", &config, &[reply(403, refused)]);
    let expected = "operation error STS: AssumeRole, https response error StatusCode: 403, RequestID: , api error AccessDenied: not yours";
    assert_eq!(outcome.unwrap_err(), expected);
}

#[test]
fn prometheus_names_what_signing_lacks() {
    let config = workspace(&json!({"roleArn": "arn"}));
    let keys = [
        (Source::Variable("AWS_ACCESS_KEY_ID"), "id"),
        (Source::Variable("AWS_SECRET_ACCESS_KEY"), "key"),
    ];
    let (_, outcome) = Stage::new("prometheus", &config).with(&keys).play(&[]);
    let expected = "region not configured in sigv4 or in default credentials chain";
    assert_eq!(outcome.unwrap_err(), expected);
    let config = workspace(&json!({"region": "eu-west-1"}));
    let (_, outcome) = Stage::new("prometheus", &config).with(&[]).play(&[]);
    assert!(outcome.unwrap_err().starts_with("no credentials of AWS"));
    let config = workspace(&json!({"region": "evil.example/"}));
    let (_, outcome) = play("prometheus", &config, &[]);
    assert_eq!(outcome.unwrap_err(), expected);
    let config = workspace(&json!({"profile": "p"}));
    let problem = "profiles of AWS's configuration files are not supported yet";
    check_problem("prometheus", &config, ("authentication.sigv4.profile", problem));
}
