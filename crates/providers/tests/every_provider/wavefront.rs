//! Wavefront: the points nearest to this moment.

use crate::support::{Expected, Stage, check_outcome, header, number, numbers, play, reply};
use serde_json::{Value, json};

fn config() -> Value {
    json!({"address": "example.wavefront.com", "query": "sum(ts(errors))"})
}

#[track_caller]
fn check(answer: &Value, expected: Expected<'_>) {
    check_outcome(play("wavefront", &config(), &[reply(200, &answer.to_string())]).1, expected);
}

#[test]
fn wavefront_is_asked_for_this_moment() {
    let (call, _) = Stage::new("wavefront", &config()).first_call();
    assert_eq!(call.method, "GET");
    let expected = "https://example.wavefront.com/api/v2/chart/api?autoEvents=false&e=1700000000000&g=s&i=true&includeObsoleteMetrics=false&listmode=false&p=1&q=sum%28ts%28errors%29%29&s=1700000000000&strict=false";
    assert_eq!(call.url, expected);
    assert_eq!(header(&call, "Authorization"), Some("Bearer wf-s3cr3t"));
    let elsewhere = json!({"address": "other.wavefront.com", "query": "q"});
    let (_, outcome) = play("wavefront", &elsewhere, &[]);
    assert_eq!(outcome.unwrap_err(), "API token not found");
    let (_, outcome) = Stage::new("wavefront", &config()).with(&[]).play(&[]);
    assert_eq!(outcome.unwrap_err(), "secrets \"wavefront-api-tokens\" not found");
}

#[test]
fn wavefronts_nearest_points_count() {
    let series = json!({"data": [[1_699_999_900, 9], [1_700_000_003, 0.126], [1_700_000_030, 7]]});
    check(&json!({"timeseries": [series]}), Ok(("0.13", number(0.126))));
    let second = json!({"data": [[1_699_999_999.5, 2]]});
    check(&json!({"timeseries": [series, second]}), Ok(("[0.13,2.00]", numbers(&[0.126, 2.0]))));
    let answer = json!({"timeseries": [series, second], "warnings": "slow"}).to_string();
    let metadata = play("wavefront", &config(), &[reply(200, &answer)]).1.unwrap().metadata;
    assert_eq!(metadata["timestamps"], "[1700000003,1699999999]");
    assert_eq!((metadata["drift"].as_str(), metadata["warnings"].as_str()), ("[3,0]", "slow"));
    let alone = json!({"timeseries": [series]}).to_string();
    let metadata = play("wavefront", &config(), &[reply(200, &alone)]).1.unwrap().metadata;
    assert_eq!((metadata["timestamps"].as_str(), metadata["drift"].as_str()), ("1700000003", "3"));
    assert!(!metadata.contains_key("warnings"));
}

#[test]
fn a_series_without_points_is_no_zero() {
    let (empty, full) = (json!({"data": []}), json!({"data": [[1_700_000_000, 5]]}));
    check(&json!({"timeseries": [empty]}), Err("No data points found in response from Wavefront"));
    check(&json!({"timeseries": [empty, full]}), Ok(("[5.00]", numbers(&[5.0]))));
    check(&json!({"timeseries": []}), Err("No TimeSeries found in response from Wavefront"));
    let fault = json!({"errorType": "QuerySyntaxError", "errorMessage": "at 3"});
    check(&fault, Err("QuerySyntaxError: at 3"));
    let (_, outcome) = play("wavefront", &config(), &[reply(401, "who are you")]);
    assert_eq!(outcome.unwrap_err(), "server returned 401 Unauthorized\nwho are you\n");
}
