//! `plugin ringfence/compare` with `judge: latency`: the histograms of two versions, look after look.

use crate::compare::{NAME, Play, reread};
use crate::support::reply;
use providers::{Verdict, by_name};
use serde_json::{Value, json};
use vocab::{Call, Exchange, Reply};

/// Requests up to 100 ms, up to 500 ms, and of all.
type Histogram = [u32; 3];

const STABLE: Histogram = [900, 1780, 1800];
const AS_FAST: Histogram = [100, 198, 200];
const SLOW_TAIL: Histogram = [100, 180, 200];
/// Several looks are needed to tell.
const SLOWER: Histogram = [100, 193, 200];

fn latency(own: &Value) -> Value {
    let mut config = json!({
        "judge": "latency", "edges": [100, 500],
        "canary": {"buckets": "canary by le"}, "stable": {"buckets": "stable by le"},
    });
    config.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    config
}

/// A Prometheus that knows these histograms, with an edge that nobody asks for.
fn counted(call: &Call, canary: Histogram) -> Reply {
    let counts = counted_by(call, canary, STABLE);
    let edges = [("+Inf", counts[2]), ("500", counts[1]), ("100", counts[0]), ("50", 0)];
    histogram(&edges)
}

/// The counts of the version that a call asks for.
pub(crate) fn counted_by<T>(call: &Call, canary: T, stable: T) -> T {
    let query = String::from_utf8(call.body.clone().unwrap()).unwrap();
    if query.contains("canary") { canary } else { stable }
}

/// An answer of Prometheus with a series for each edge.
pub(crate) fn histogram(edges: &[(&str, u32)]) -> Reply {
    let series =
        |(le, count): &(&str, u32)| json!({"metric": {"le": le}, "value": [1, count.to_string()]});
    let result: Vec<Value> = edges.iter().map(series).collect();
    let data = json!({"resultType": "vector", "result": result});
    reply(200, &json!({"status": "success", "data": data}).to_string())
}

#[track_caller]
fn check(canary: Histogram, verdict: Verdict) -> Value {
    let mut play = Play::of(&latency(&json!({})));
    let measured = play.play(|_, call| Ok(counted(call, canary))).unwrap();
    assert_eq!(measured.verdict, Some(verdict), "{}", measured.value);
    serde_json::from_str(&measured.value).unwrap()
}

#[test]
fn a_slower_tail_fails_and_its_edge_is_named() {
    let value = check(SLOW_TAIL, Verdict::Failed);
    assert_eq!((&value["edge"], &value["judge"]), (&json!(500.0), &json!("latency")));
    let looks = value["looks"].as_u64().unwrap();
    assert_eq!(value["canary"], json!({"bad": 20 * looks, "total": 200 * looks, "rate": 0.1}));
    check(AS_FAST, Verdict::Successful);
}

#[test]
fn two_queries_make_a_look() {
    let play = Play::of(&latency(&json!({})));
    let provider = play.stage.provider;
    let (mut turn, mut asked) = (provider.start(&play.stage.asked(), play.now), Vec::new());
    while let Exchange::Call(call, state) = turn {
        asked.push(String::from_utf8(call.body.clone().unwrap()).unwrap());
        turn = provider.resume(&play.stage.asked(), &state, Ok(counted(&call, AS_FAST)), play.now);
    }
    assert_eq!(asked, ["query=canary+by+le", "query=stable+by+le"]);
    assert!(matches!(turn, Exchange::Wait(..)), "{turn:?}");
}

#[test]
fn a_controller_that_dies_in_a_look_counts_its_histograms_once() {
    let mut whole = Play::of(&latency(&json!({})));
    let expected = whole.play(|_, call| Ok(counted(call, SLOWER))).unwrap();
    let mut now = whole.now;
    let provider = whole.stage.provider;
    let mut kept = reread(&serde_json::from_str(whole.kept.last().unwrap()).unwrap());
    // The last look is begun, cut off, and taken again from what was kept.
    for calls in [0, 1, 2] {
        let asked = whole.stage.asked();
        let mut turn = provider.wake(&asked, &kept, now);
        for _ in 0..calls {
            let Exchange::Call(call, state) = turn else { panic!("{turn:?}") };
            turn = provider.resume(&asked, &state, Ok(counted(&call, SLOWER)), now);
        }
        match turn {
            Exchange::Done(outcome) => return assert_eq!(outcome.unwrap().value, expected.value),
            Exchange::Wait(at, state) => (now, kept) = (at, reread(&state)),
            Exchange::Call(..) => {}
        }
    }
    panic!("no end");
}

#[test]
fn a_histogram_without_the_edge_is_told_and_judges_nothing() {
    let mut play = Play::of(&latency(&json!({"unreachableLimit": 2})));
    let measured = play.play(|_, _| Ok(histogram(&[("100", 1), ("+Inf", 2)]))).unwrap();
    assert_eq!(measured.verdict, Some(Verdict::Inconclusive));
    let expected = "canary.buckets: the histogram has no edge 500: it has 100, +Inf";
    assert_eq!(play.told()["problem"], expected);
}

#[test]
fn no_requests_at_all_are_no_verdict() {
    let mut play = Play::of(&latency(&json!({"atMost": "5m"})));
    let measured = play.play(|_, call| Ok(counted(call, [0, 0, 0]))).unwrap();
    assert_eq!(measured.verdict, Some(Verdict::Inconclusive));
    assert_eq!(play.told()["problem"], "the canary had no traffic");
}

#[test]
fn everything_that_is_wrong_with_a_histogram_is_named() {
    let provider = by_name(NAME).unwrap();
    let problems = |own: &Value| {
        let config = Play::of(&latency(own)).stage.config;
        let texts = provider.validate(&config).into_iter();
        texts.map(|(path, message)| format!("{path}: {message}")).collect::<Vec<_>>()
    };
    assert!(problems(&json!({"edges": "0.1, 0.5"})).is_empty());
    assert!(problems(&json!({"edges": 0.5})).is_empty());
    let wrong = json!({
        "canary": {"buckets": "x", "total": "y"}, "stable": {}, "source": {"graphite": {"address": "http://g"}},
        "edges": [2, 1],
    });
    let expected = [
        "canary.total: the judge latency does not heed it",
        "stable.buckets: a query for the counts of requests by le is needed",
        "source: histograms are read from prometheus only",
        "edges: edge is 1: must be finite, and above the edge before it",
    ];
    assert_eq!(problems(&wrong), expected);
    let none = json!({"edges": "fast"});
    assert_eq!(problems(&none), ["edges: must be numbers"]);
}
