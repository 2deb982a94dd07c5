//! The answers of metric services: a provider and a status, and below them a body.

use super::in_two;
use crate::{Seen, Target};
use jiff::Timestamp;
use providers::{
    Asked, CredentialRead, Credentials, Measured, MeasuredValue, Provider, Source, by_name,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use vocab::{Exchange, Reply};

pub(super) const TARGET: Target = Target { name: "answers", seeds, words: WORDS, read };

const WORDS: &[&str] = &[
    "prometheus 200\n",
    "web 200\n",
    "datadog 200\n",
    "graphite 200\n",
    "influxdb 200\n",
    "newRelic 200\n",
    "wavefront 200\n",
    "skywalking 200\n",
    "kayenta 200\n",
    "cloudWatch 200\n",
    "\"status\":\"success\"",
    "\"resultType\":\"vector\"",
    "\"resultType\":\"matrix\"",
    "\"resultType\":\"scalar\"",
    "\"result\":",
    "\"value\":[1,\"2\"]",
    "\"values\":",
    "\"data\":",
    "\"warnings\":[\"w\"]",
    "null",
    "[]",
    "{}",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"NaN\"",
    "\"+Inf\"",
    "1",
    "1e999",
    "\"\"",
    "\"series\":",
    "\"pointlist\":",
    "\"datapoints\":",
    "#datatype",
    "_value",
    "\r\n",
    "\"errors\":",
];
/// When every measurement is made.
const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);
/// Most calls of one measurement that are answered.
const MOST_CALLS: usize = 8;

fn seeds() -> Vec<Vec<u8>> {
    let bodies = [
        r#"prometheus 200|{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"0.97"]},{"metric":{"a":"b"},"value":[1700000000.1,"NaN"]}]}}"#,
        r#"prometheus 200|{"status":"success","data":{"resultType":"scalar","result":[1700000000,"5"]},"warnings":["slow"]}"#,
        r#"prometheus 200|{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2,"+Inf"]]}]}}"#,
        r#"prometheus 400|{"status":"error","errorType":"bad_data","error":"parse error"}"#,
        r#"web 200|{"data":{"ok":true,"percent":0.95}}"#,
        r#"datadog 200|{"series":[{"pointlist":[[1598867910000,0.0020008318672513122],[1598867925000,null]]}]}"#,
        r#"graphite 200|[{"target":"a","datapoints":[[null,1],[0.5,2]]}]"#,
        "influxdb 200|#datatype,string,long,double\r\n#group,false,false,false\r\n#default,_result,,\r\n,result,table,_value\r\n,,0,1.5\r\n",
        r#"newRelic 200|{"data":{"actor":{"account":{"nrql":{"results":[{"count":10}]}}}}}"#,
        r#"wavefront 200|{"timeseries":[{"data":[[1,2.5],[2,3]]}]}"#,
        r#"skywalking 200|{"data":{"service_apdex":{"values":{"values":[{"value":1}]}}}}"#,
        r#"kayenta 200|[{"id":"x","name":"errors"}]"#,
        r#"kayenta 200|{"canaryExecutionId":"1","complete":true,"status":"succeeded","result":{"judgeResult":{"score":{"score":91}}}}"#,
        r#"cloudWatch 200|{"MetricDataResults":[{"Id":"rate","Label":"rate","StatusCode":"Complete","Timestamps":[1],"Values":[0.5]}],"Messages":[]}"#,
    ];
    bodies.map(|seed| seed.replacen('|', "\n", 1).into_bytes()).to_vec()
}

/// A configuration that works.
fn config(provider: &str) -> Value {
    match provider {
        "cloudWatch" => json!({ "metricDataQueries": [{ "id": "rate", "expression": "a / b" }] }),
        "datadog" => json!({ "query": "avg:errors{*}" }),
        "graphite" => json!({ "address": "http://graphite", "query": "target=a.b&from=-2min" }),
        "influxdb" => json!({ "query": "from(bucket: \"b\") |> range(start: -1m)" }),
        "kayenta" => json!({
            "address": "http://kayenta", "application": "shop", "canaryConfigName": "errors",
            "metricsAccountName": "m", "configurationAccountName": "c", "storageAccountName": "s",
            "threshold": { "pass": 90, "marginal": 75 }, "scopes": [],
        }),
        "newRelic" => json!({ "query": "SELECT count(*) FROM Transaction" }),
        "skywalking" => json!({ "address": "http://oap:12800", "query": "query q { sla }" }),
        "wavefront" => json!({ "address": "example.wavefront.com", "query": "ts(errors)" }),
        "web" => json!({ "url": "http://service/health" }),
        _ => json!({ "address": "http://prometheus:9090", "query": "up" }),
    }
}

/// What is found wherever a provider looks for what lets it in.
fn found(source: &Source) -> CredentialRead {
    let text = match source {
        Source::Secret { key, .. } if key == "address" => "http://influx:8086/",
        Source::Secret { key, .. } if key == "account-id" => "1234567",
        Source::Secret { .. } => "key",
        Source::Variable("AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" | "AWS_REGION") => "aws",
        Source::Variable(_) | Source::FileOf(_) => return CredentialRead::Nothing,
    };
    CredentialRead::Value(text.to_owned())
}

fn read(input: &[u8]) -> Seen {
    let (head, body) = in_two(input);
    let (name, status) = head.split_once(' ').unwrap_or((&head, "200"));
    let status = status.trim().parse().unwrap_or(200);
    let Some(provider) = by_name(name) else { return Ok("no provider".to_owned()) };
    let reply = Reply { status, headers: BTreeMap::new(), body: body.into_bytes() };
    match measured(provider, &reply)? {
        Some(Ok(measured)) if !(200..300).contains(&status) => {
            Err(format!("{name} took an answer with status {status} for {:?}", measured.result))
        }
        Some(Ok(measured)) => Ok(format!("{name} {}", kind(&measured))),
        Some(Err(message)) => Ok(format!("{name}: {message}")),
        None => Ok(format!("{name} goes on")),
    }
}

/// A whole measurement of which every call gets the same answer; none when it goes on for ever.
fn measured(
    provider: &'static dyn Provider,
    reply: &Reply,
) -> Result<Option<Result<Measured, String>>, String> {
    let config = config(provider.name());
    let wanted = provider.credentials(&config).into_iter();
    let credentials: Credentials = wanted.map(|it| (it.clone(), found(&it.source))).collect();
    let interval = Some(Duration::from_mins(1));
    let asked = Asked {
        config: &config,
        credentials: &credentials,
        interval,
        run_started_at: NOW,
        namespace: "shop",
        learned: None,
    };
    let mut turn = provider.start(&asked, NOW);
    for _ in 0..MOST_CALLS {
        turn = match turn {
            Exchange::Call(call, _) if call.timeout.is_zero() => {
                return Err("a call has no time".to_owned());
            }
            Exchange::Call(_, state) => provider.resume(&asked, &state, Ok(reply.clone()), NOW),
            Exchange::Wait(at, _) if at <= NOW => return Err("a wait is for the past".to_owned()),
            Exchange::Wait(at, state) => provider.wake(&asked, &state, at),
            Exchange::Done(outcome) => return Ok(Some(outcome.map_err(|error| error.message))),
        };
    }
    Ok(None)
}

fn kind(measured: &Measured) -> String {
    let result = match &measured.result {
        MeasuredValue::Number(number) if number.is_nan() => "NaN",
        MeasuredValue::Number(_) => "number",
        MeasuredValue::Numbers(numbers) if numbers.is_empty() => "no numbers",
        MeasuredValue::Numbers(_) => "numbers",
        MeasuredValue::Json(Value::Null) => "nothing",
        MeasuredValue::Json(_) => "JSON",
    };
    format!("{result} {:?} {:?}", measured.verdict, measured.metadata.keys())
}
