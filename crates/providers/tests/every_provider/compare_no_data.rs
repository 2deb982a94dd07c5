//! `plugin ringfence/compare` where there is nothing to judge: no judge passes, and none fails, on that.

use crate::compare::Play;
use crate::support::reply;
use providers::Verdict;
use serde_json::{Value, json};
use vocab::{Call, Reply};

/// Every judge with all that could let it pass, or fail, by itself.
fn judges() -> [Value; 7] {
    let counts = |version: &str| json!({"bad": format!("{version} bad"), "total": version});
    let buckets = |version: &str| json!({"buckets": format!("{version} by le")});
    let pods = |version: &str| json!({"pods": version});
    let of = |judge: &str, canary: Value, stable: Value, own: Value| {
        let mut config = json!({"judge": judge, "canary": canary, "stable": stable});
        config.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        config
    };
    let budget = json!({"budget": 0.5});
    let edges = json!({"edges": [1], "budget": 0.5});
    [
        of("rate", counts("canary"), counts("stable"), json!({})),
        of("rate", counts("canary"), counts("stable"), budget),
        of("proportion", counts("canary"), counts("stable"), json!({})),
        of("sign", counts("canary"), counts("stable"), json!({})),
        of("latency", buckets("canary"), buckets("stable"), edges),
        of("quantile", buckets("canary"), buckets("stable"), json!({})),
        of("log", pods("canary"), pods("stable"), json!({"source": null})),
    ]
}

/// What a source knows: no series, or series of this value, and of no pods at all.
fn answer(call: &Call, value: Option<&str>) -> Reply {
    if call.url.contains("/pods?") {
        return reply(200, &json!({"items": []}).to_string());
    }
    let query = String::from_utf8(call.body.clone().unwrap()).unwrap();
    let edges = if query.contains("by") { vec!["1", "+Inf"] } else { vec![""] };
    let series = |le: &str| json!({"metric": {"le": le}, "value": [1, value]});
    let result: Vec<Value> = edges.into_iter().filter(|_| value.is_some()).map(series).collect();
    let data = json!({"resultType": "vector", "result": result});
    reply(200, &json!({"status": "success", "data": data}).to_string())
}

#[test]
fn no_judge_decides_anything_on_no_valid_measurement() {
    for judge in judges() {
        for value in [None, Some("0"), Some("NaN"), Some("+Inf"), Some("-1")] {
            let mut play = Play::of(&judge);
            let measured = play.play(|_, call| Ok(answer(call, value))).unwrap();
            let verdict = measured.verdict;
            assert_eq!(verdict, Some(Verdict::Inconclusive), "{judge} of {value:?}: {measured:?}");
        }
    }
}
