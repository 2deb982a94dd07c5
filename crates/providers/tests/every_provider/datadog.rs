//! Datadog: both versions of its API, and where its keys come from.

use crate::support::{
    Expected, Stage, body, check_outcome, check_problem, header, nothing, number, numbers, play,
    reply,
};
use providers::{CredentialRef, Place, Source};
use serde_json::{Value, json};

const PLEASE: &str = "Please review the Analysis Template.";

#[track_caller]
fn check(config: &Value, answer: &str, expected: Expected<'_>) {
    check_outcome(play("datadog", config, &[reply(200, answer)]).1, expected);
}

#[track_caller]
fn check_first(answer: &str, expected: Expected<'_>) {
    check(&json!({"query": "avg:errors{*}", "apiVersion": "v1"}), answer, expected);
}

#[track_caller]
fn check_second(columns: &Value, expected: Expected<'_>) {
    let answer = json!({"data": {"attributes": {"columns": columns}}});
    let config = json!({"query": "avg:errors{*}", "apiVersion": "v2"});
    check(&config, &answer.to_string(), expected);
}

#[test]
fn datadog_is_asked_in_its_first_version_by_get() {
    let config = json!({"query": "avg:errors{a:b} by {c}", "interval": "10m"});
    let (call, _) = Stage::new("datadog", &config).first_call();
    assert_eq!((call.method.as_str(), &call.body, call.timeout.as_secs()), ("GET", &None, 10));
    let expected = "https://api.datadoghq.com/api/v1/query?from=1699999400&query=avg%3Aerrors%7Ba%3Ab%7D+by+%7Bc%7D&to=1700000000";
    assert_eq!(call.url, expected);
    assert_eq!(header(&call, "DD-API-KEY"), Some("dd-api-s3cr3t"));
    assert_eq!(header(&call, "DD-APPLICATION-KEY"), Some("dd-app-s3cr3t"));
    assert_eq!(header(&call, "Content-Type"), Some("application/json"));
}

#[test]
fn datadog_is_asked_in_its_second_version_by_post() {
    let config = json!({"queries": {"b": "sum:ok{*}", "a": "sum:bad{*}"}, "formula": "a/b",
        "apiVersion": "v2", "aggregator": "sum", "requestTimeout": "30s"});
    let (call, _) = Stage::new("datadog", &config).first_call();
    assert_eq!((call.method.as_str(), call.timeout.as_secs()), ("POST", 30));
    assert_eq!(call.url, "https://api.datadoghq.com/api/v2/query/scalar");
    let query = |name: &str, query: &str| json!({"aggregator": "sum", "data_source": "metrics", "name": name, "query": query});
    let attributes = json!({"from": 1_699_999_700_000_i64, "to": 1_700_000_000_000_i64,
        "queries": [query("a", "sum:bad{*}"), query("b", "sum:ok{*}")],
        "formulas": [{"formula": "a/b"}]});
    let expected = json!({"data": {"attributes": attributes, "type": "scalar_request"}});
    assert_eq!(serde_json::from_str::<Value>(&body(&call)).unwrap(), expected);
    let single = json!({"query": "avg:x{*}", "apiVersion": "v2"});
    let (call, _) = Stage::new("datadog", &single).first_call();
    let sent: Value = serde_json::from_str(&body(&call)).unwrap();
    let query = &sent["data"]["attributes"]["queries"][0];
    assert_eq!((&query["name"], &query["aggregator"]), (&json!("query"), &json!("last")));
    assert_eq!(sent["data"]["attributes"]["formulas"], json!([]));
}

#[test]
fn datadogs_keys_come_from_the_environment_only_with_an_address() {
    let variables = |address: bool| {
        let address = address.then_some((Source::Variable("DD_ADDRESS"), "https://eu.dd/"));
        [(Source::Variable("DD_API_KEY"), "env-api"), (Source::Variable("DD_APP_KEY"), "env-app")]
            .into_iter()
            .chain(
                [("api-key", "secret-api"), ("app-key", "secret-app")]
                    .map(|(key, value)| (Source::of_controller("datadog", key), value)),
            )
            .chain(address)
            .collect::<Vec<_>>()
    };
    let config = json!({"query": "q"});
    let call = |address| Stage::new("datadog", &config).with(&variables(address)).first_call().0;
    let (with, without) = (call(true), call(false));
    assert!(with.url.starts_with("https://eu.dd/api/v1/query?"), "{}", with.url);
    assert_eq!(header(&with, "DD-API-KEY"), Some("env-api"));
    assert_eq!(header(&without, "DD-API-KEY"), Some("secret-api"));
}

#[test]
fn datadogs_secret_may_be_the_teams_own() {
    let own = json!({"query": "q", "secretRef": {"name": "mine", "namespaced": true}});
    let stage = Stage::new("datadog", &own);
    let key = |key: &str| Source::Secret {
        place: Place::Run,
        name: "mine".to_owned(),
        key: key.to_owned(),
    };
    let refs = stage.provider.credentials(&own);
    assert_eq!(refs[0], CredentialRef::open(key("address")));
    assert_eq!(refs[1..], [key("api-key"), key("app-key")].map(CredentialRef::hidden));
    let found = [(key("api-key"), "a"), (key("app-key"), "b"), (key("address"), "http://dd")];
    let (call, _) = stage.with(&found).first_call();
    assert!(call.url.starts_with("http://dd/api/v1/query?"));
    let (_, outcome) = play("datadog", &own, &[]);
    assert_eq!(outcome.unwrap_err(), "failed to find the credentials for datadog metrics provider");
    let nameless = json!({"query": "q", "secretRef": {"namespaced": true}});
    let expected = "secret name is required for namespaced credentials";
    check_problem("datadog", &nameless, ("secretRef.name", expected));
}

#[test]
fn datadogs_first_version_answers_with_the_last_point() {
    check_first(
        r#"{"status":"ok","series":[{"pointlist":[[1598867910000,0.002],[1598867925000,0.0003]]}]}"#,
        Ok(("0.0003", number(0.0003))),
    );
    check_first(r#"{"status":"ok","series":[]}"#, Ok(("[]", nothing())));
    check_first(r#"{"status":"ok","series":null}"#, Ok(("null", nothing())));
    check_first(r#"{"series":[{"pointlist":[]}]}"#, Ok((r#"[{"Pointlist":[]}]"#, nothing())));
    check_first(r#"{"series":[{"pointlist":[[1598867910000,null]]}]}"#, Ok(("null", nothing())));
    check_first(
        r#"{"series":[{"pointlist":[[1598867910000]]}]}"#,
        Err("Datapoint does not have 2 values"),
    );
    check_first(r#"{"series":[{"pointlist":[[1,"x"]]}]}"#, Err("Could not parse JSON body: "));
    check_first(
        r#"{"status":"error","error":"Rule 'avg' is unknown","series":[]}"#,
        Err("There were errors in your query: Rule 'avg' is unknown"),
    );
}

#[test]
fn datadogs_second_version_answers_with_its_first_numbers() {
    check_second(&json!([{"values": [0.0006]}]), Ok(("0.0006", number(0.0006))));
    check_second(
        &json!([{"name": "f", "type": "number", "values": [1, 2]}]),
        Ok(("1", number(1.0))),
    );
    check_second(&json!([{"type": "number", "values": [null]}]), Ok(("[]", nothing())));
    check_second(&json!([{"type": "number", "values": []}]), Ok(("[]", nothing())));
    check_second(&json!([]), Ok(("[]", nothing())));
    check_second(
        &json!([{"name": "f", "type": "number", "values": ["invalid"]}]),
        Err(
            r#"could not parse numeric value "\"invalid\"" in column "f": json: cannot unmarshal string into Go value of type float64"#,
        ),
    );
    check(
        &json!({"query": "q", "apiVersion": "v2"}),
        r#"{"data":{"errors":"error1"}}"#,
        Err("There were errors in your query: error1"),
    );
}

#[test]
fn datadogs_groups_are_a_list_and_named_in_the_metadata() {
    let columns = json!([
        {"name": "region", "type": "group", "values": [["us"], ["eu"], ["ap"]]},
        {"name": "host", "type": "group", "values": [["a"], ["b", "b2"], ["c"]]},
        {"name": "errors", "type": "number", "values": [0.5, 2, null]},
    ]);
    check_second(&columns, Ok(("[0.5,2]", numbers(&[0.5, 2.0]))));
    let answer = json!({"data": {"attributes": {"columns": columns}}}).to_string();
    let config = json!({"query": "q", "apiVersion": "v2"});
    let metadata = play("datadog", &config, &[reply(200, &answer)]).1.unwrap().metadata;
    let expected = r#"[{"name":"us,a","value":0.5},{"name":"eu,b,b2","value":2}]"#;
    assert_eq!(metadata["groups"], expected);
    assert!(!metadata.contains_key("groups_truncated"));
    let one = json!([{"type": "group", "values": [["a"]]}, {"type": "number", "values": [1]}]);
    check_second(&one, Ok(("[1]", numbers(&[1.0]))));
    for labels in [json!([]), json!([null]), json!([[]]), json!(["a"]), json!([[1]])] {
        let columns =
            json!([{"type": "group", "values": labels}, {"type": "number", "values": [1]}]);
        check_second(&columns, Err("could not parse group label at index 0"));
    }
}

#[test]
fn of_many_groups_the_lowest_and_the_highest_are_named() {
    let (labels, values): (Vec<Value>, Vec<i32>) =
        (0..150).map(|index| (json!([format!("g{index}")]), index)).unzip();
    let columns =
        json!([{"type": "group", "values": labels}, {"type": "number", "values": values}]);
    let answer = json!({"data": {"attributes": {"columns": columns}}}).to_string();
    let config = json!({"query": "q", "apiVersion": "v2"});
    let measured = play("datadog", &config, &[reply(200, &answer)]).1.unwrap();
    assert_eq!(measured.metadata["groups_truncated"], "true");
    let named: Vec<Value> = serde_json::from_str(&measured.metadata["groups"]).unwrap();
    assert_eq!(named.len(), 100);
    assert_eq!((&named[49]["name"], &named[50]["name"]), (&json!("g49"), &json!("g100")));
}

#[test]
fn datadog_says_what_was_refused() {
    let check = |status, expected: &str| {
        let answer = reply(status, r#"{"errors":["no"]}"#);
        let (_, outcome) = play("datadog", &json!({"query": "q"}), &[answer]);
        assert_eq!(outcome.unwrap_err(), format!("{expected}: {status} {{\"errors\":[\"no\"]}}"));
    };
    check(401, "received authentication error response code");
    check(403, "received authentication error response code");
    check(429, "received non 2xx response code");
    check(500, "received non 2xx response code");
}

#[test]
fn datadog_names_what_its_configuration_gets_wrong() {
    let check = |config: Value, path: &str, expected: &str| {
        check_problem("datadog", &config, (path, expected));
    };
    let neither = format!("Must have either a query or queries. {PLEASE}");
    check(json!({"apiVersion": "v2"}), "query", &neither);
    let both = format!("Cannot have both a query and queries. {PLEASE}");
    let queries = json!({"query": "q", "queries": {"a": "b"}, "apiVersion": "v2"});
    check(queries, "queries", &both);
    let only = "Query is empty. API Version v1 only supports using the query parameter in your Analysis Template.";
    check(json!({"queries": {"a": "b"}, "apiVersion": "v1"}), "query", only);
    let formula = format!("Formula are only valid when queries are set. {PLEASE}");
    check(json!({"query": "q", "formula": "a", "apiVersion": "v2"}), "formula", &formula);
    let several = json!({"queries": {"a": "b", "c": "d"}, "apiVersion": "v2"});
    check(several, "formula", "When multiple queries are provided you must include a formula.");
    let aggregator = format!("Aggregator is not supported in v1. {PLEASE}");
    check(json!({"query": "q", "aggregator": "sum"}), "aggregator", &aggregator);
    let positive = format!("Request timeout must be a positive duration (e.g. 30s). {PLEASE}");
    check(json!({"query": "q", "requestTimeout": "0s"}), "requestTimeout", &positive);
    let parse = "Could not parse the request timeout: time: unknown unit \"x\" in duration \"3x\".";
    let parse = format!("{parse} {PLEASE}");
    check(json!({"query": "q", "requestTimeout": "3x"}), "requestTimeout", &parse);
    let interval = "time: invalid duration \"long\"";
    check(json!({"query": "q", "interval": "long"}), "interval", interval);
}
