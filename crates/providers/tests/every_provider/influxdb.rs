//! `InfluxDB`: the values of annotated CSV.

use crate::support::{Expected, Stage, body, check_outcome, header, numbers, play, reply};
use providers::{MeasuredValue, Source};
use serde_json::{Value, json};

const ROWS: &str = "#datatype,string,long,dateTime:RFC3339,double\r\n\
    #group,false,false,false,false\r\n#default,_result,,,\r\n,result,table,_time,_value\r\n";

#[track_caller]
fn check(answer: &str, expected: Expected<'_>) {
    let config = json!({"query": "from(bucket: \"b\")"});
    check_outcome(play("influxdb", &config, &[reply(200, answer)]).1, expected);
}

#[test]
fn influxdb_is_asked_in_flux() {
    let config = json!({"query": "from(bucket: \"b\")"});
    let (call, _) = Stage::new("influxdb", &config).first_call();
    assert_eq!((call.method.as_str(), call.timeout.as_secs()), ("POST", 30));
    assert_eq!(call.url, "http://influx:8086/api/v2/query?org=my+org");
    assert_eq!(header(&call, "Authorization"), Some("Token influx-s3cr3t"));
    assert_eq!(header(&call, "Content-Type"), Some("application/json"));
    let annotations = json!(["datatype", "group", "default"]);
    let dialect = json!({"annotations": annotations, "delimiter": ",", "header": true});
    let expected = json!({"dialect": dialect, "query": "from(bucket: \"b\")", "type": "flux"});
    assert_eq!(serde_json::from_str::<Value>(&body(&call)).unwrap(), expected);
}

#[test]
fn influxdbs_values_are_those_of_every_table() {
    let time = "2026-01-01T00:00:00Z";
    let one = format!("{ROWS},,0,{time},1.5\r\n,,0,{time},NaN\r\n\r\n");
    check(&one, Ok(("[1.5 NaN]", numbers(&[1.5, f64::NAN]))));
    let two = format!("{one}{}", format!("{ROWS},,1,{time},2000000\r\n").replace("double", "long"));
    check(&two, Ok(("[1.5 NaN 2000000]", numbers(&[1.5, f64::NAN, 2e6]))));
    let text = format!("{ROWS},,0,{time},\"a, b\"\r\n,,0,{time},\r\n").replace("double", "string");
    let mixed = MeasuredValue::Json(json!(["a, b", null]));
    check(&text, Ok(("[a, b <nil>]", mixed)));
    let truths = format!("{ROWS},,0,{time},true\r\n").replace("double", "boolean");
    check(&truths, Ok(("[true]", MeasuredValue::Json(json!([true])))));
    let usual =
        format!("{ROWS},,0,{time},\r\n").replace("#default,_result,,,", "#default,_result,,,7");
    check(&usual, Ok(("[7]", numbers(&[7.0]))));
}

#[test]
fn influxdbs_nonsense_is_an_error() {
    let time = "2026-01-01T00:00:00Z";
    check("", Err("no results returned from flux query"));
    check(ROWS, Err("no results returned from flux query"));
    check(",a,b\r\n", Err("parsing error, annotations not found"));
    check("#group,false\r\n,_value\r\n", Err("parsing error, datatype annotation not found"));
    check(
        &format!("{ROWS},,0,{time},1.5,2\r\n"),
        Err("parsing error, row has different number of columns than the table: 5 vs 4"),
    );
    check(&format!("{ROWS},,0,{time},many\r\n"), Err("parsing error, \"many\" is no double"));
    let odd = format!("{ROWS},,0,{time},1\r\n").replace("double", "odd");
    check(&odd, Err("_value has unknown data type odd"));
    let late = format!(
        "{ROWS},,0,{time},1\r\n\r\n#datatype,string,string\r\n,error,reference\r\n,out of memory,897\r\n"
    );
    check(&late, Err("out of memory,897"));
}

#[test]
fn influxdb_says_what_was_refused() {
    let check = |status, answer: &str, expected: &str| {
        let config = json!({"query": "q"});
        let (_, outcome) = play("influxdb", &config, &[reply(status, answer)]);
        assert_eq!(outcome.unwrap_err(), expected);
    };
    check(400, r#"{"code":"invalid","message":"no bucket"}"#, "invalid: no bucket");
    check(401, r#"{"message":"unauthorized access"}"#, "unauthorized access");
    check(429, "{}", "too many requests: exceeded rate limit");
    check(503, "{}", "unavailable: service temporarily unavailable");
    check(502, "<html>", "502 Bad Gateway: <html>");
    let secret = |key: &str| Source::of_controller("influxdb", key);
    for (access, expected) in [
        (vec![], "secrets \"influxdb\" not found"),
        (
            vec![(secret("address"), ""), (secret("org"), "o"), (secret("authToken"), "t")],
            "authToken, org, or address not found",
        ),
        (
            vec![(secret("address"), "influx"), (secret("org"), "o"), (secret("authToken"), "t")],
            "influxdb address is not in url format",
        ),
    ] {
        let stage = Stage::new("influxdb", &json!({"query": "q"}));
        assert_eq!(stage.with(&access).play(&[]).1.unwrap_err(), expected);
    }
}
