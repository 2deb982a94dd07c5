//! `plugin ringfence/compare` with `judge: quantile`: whole histograms of two versions, look after look.

use crate::compare::{NAME, Play, reread};
use crate::compare_latency::{counted_by, histogram};
use providers::{Verdict, by_name};
use serde_json::{Value, json};
use vocab::{Call, Exchange, Reply};

/// Requests up to 50, 100 and 500 ms, and of all.
type Histogram = [u32; 4];

const STABLE: Histogram = [0, 900, 1782, 1800];
const AS_FAST: Histogram = [0, 100, 198, 200];
const SLOW_TAIL: Histogram = [0, 100, 180, 200];

fn quantile(own: &Value) -> Value {
    let mut config = json!({
        "judge": "quantile",
        "canary": {"buckets": "canary by le"}, "stable": {"buckets": "stable by le"},
    });
    config.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    config
}

fn counted(call: &Call, canary: Histogram) -> Reply {
    let counts = counted_by(call, canary, STABLE);
    histogram(&[("+Inf", counts[3]), ("500", counts[2]), ("100", counts[1]), ("50", counts[0])])
}

#[track_caller]
fn check(own: &Value, canary: Histogram, verdict: Verdict) -> (Play, Value) {
    let mut play = Play::of(&quantile(own));
    let measured = play.play(|_, call| Ok(counted(call, canary))).unwrap();
    assert_eq!(measured.verdict, Some(verdict), "{}", measured.value);
    let value = serde_json::from_str(&measured.value).unwrap();
    (play, value)
}

#[test]
fn a_slower_tail_fails_at_the_edge_of_the_quantile() {
    let (_, value) = check(&json!({}), SLOW_TAIL, Verdict::Failed);
    assert_eq!((&value["edge"], &value["judge"]), (&json!(500.0), &json!("quantile")));
    // The first look only teaches where the quantile is.
    let compared = value["looks"].as_u64().unwrap() - 1;
    assert_eq!(
        value["canary"],
        json!({"bad": 20 * compared, "total": 200 * compared, "rate": 0.1})
    );
    let (_, value) = check(&json!({"quantile": "0.5"}), AS_FAST, Verdict::Successful);
    assert_eq!(value["edge"], json!(100.0));
}

#[test]
fn the_bounds_of_both_quantiles_are_told() {
    let (play, value) = check(&json!({"atMost": "20m"}), AS_FAST, Verdict::Successful);
    assert_eq!(value["quantiles"]["quantile"], json!(0.99));
    assert_eq!(value["quantiles"]["stable"]["low"], json!(100.0));
    let told = play.told();
    assert!(told["quantiles"].starts_with("p99 of the canary "), "{told:?}");
    assert_eq!(told["edge"], "500");
}

#[test]
fn versions_with_other_edges_are_compared_at_those_that_both_have() {
    let mut play = Play::of(&quantile(&json!({})));
    let measured = play.play(|_, call| {
        let is_canary = counted_by(call, [1; 4], [0; 4])[0] == 1;
        Ok(if is_canary {
            histogram(&[("+Inf", 200), ("500", 180), ("200", 150)])
        } else {
            histogram(&[("+Inf", 1800), ("500", 1782), ("100", 900)])
        })
    });
    let measured = measured.unwrap();
    assert_eq!(measured.verdict, Some(Verdict::Failed));
    let value: Value = serde_json::from_str(&measured.value).unwrap();
    assert_eq!(value["edge"], json!(500.0));
}

#[test]
fn a_version_without_a_histogram_holds_and_is_said() {
    let mut play = Play::of(&quantile(&json!({"atMost": "5m"})));
    let measured = play.play(|_, call| {
        let is_canary = counted_by(call, [1; 4], [0; 4])[0] == 1;
        Ok(if is_canary { histogram(&[]) } else { counted(call, AS_FAST) })
    });
    assert_eq!(measured.unwrap().verdict, Some(Verdict::Inconclusive));
    let expected = "the source has no data of the canary, and has some of the stable version";
    assert_eq!(play.told()["problem"], expected);
}

#[test]
fn a_controller_that_dies_in_a_look_counts_its_histograms_once() {
    let (whole, expected) = check(&json!({}), AS_FAST, Verdict::Successful);
    let provider = whole.stage.provider;
    let mut kept = reread(&serde_json::from_str(whole.kept.last().unwrap()).unwrap());
    let mut now = whole.now;
    // The last look is begun, cut off, and taken again from what was kept.
    for calls in [0, 1, 2] {
        let asked = whole.stage.asked();
        let mut turn = provider.wake(&asked, &kept, now);
        for _ in 0..calls {
            let Exchange::Call(call, state) = turn else { panic!("{turn:?}") };
            turn = provider.resume(&asked, &reread(&state), Ok(counted(&call, AS_FAST)), now);
        }
        match turn {
            Exchange::Done(outcome) => {
                let value: Value = serde_json::from_str(&outcome.unwrap().value).unwrap();
                return assert_eq!(value, expected);
            }
            Exchange::Wait(at, state) => (now, kept) = (at, reread(&state)),
            Exchange::Call(..) => {}
        }
    }
    panic!("no end");
}

#[test]
fn everything_that_is_wrong_with_a_quantile_is_named() {
    let provider = by_name(NAME).unwrap();
    let problems = |own: &Value| {
        let config = Play::of(&quantile(own)).stage.config;
        let texts = provider.validate(&config).into_iter();
        texts.map(|(path, message)| format!("{path}: {message}")).collect::<Vec<_>>()
    };
    assert!(problems(&json!({"quantile": "0.999"})).is_empty());
    let wrong = json!({"quantile": 1, "edges": [1], "budget": 0.1, "container": "web"});
    let expected = [
        "quantile: quantile is 1: must be between 0 and 1, both excluded",
        "edges: the judge quantile does not heed it",
        "budget: the judge quantile does not heed it",
        "container: the judge quantile does not heed it",
    ];
    assert_eq!(problems(&wrong), expected);
    let other = json!({"judge": "latency", "edges": [1], "quantile": 0.5});
    assert_eq!(problems(&other), ["quantile: the judge latency does not heed it"]);
}
