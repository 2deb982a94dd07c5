//! How many conditions a second one core evaluates; the aim is 100,000.
//!
//! Each evaluation reads the condition anew, as a measurement does.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use analysis::condition::{Measured, holds};
use jiff::Timestamp;
use serde_json::json;
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const RUNS: usize = 5;
const RUN: Duration = Duration::from_millis(400);
const AIM: f64 = 100_000.0;
/// Evaluations between two looks at the clock.
const BATCH: u32 = 500;

fn main() {
    let mut slowest = f64::INFINITY;
    let mut seconds_of_all = 0.0;
    let cases = cases();
    for (condition, result) in &cases {
        let rate = median_rate(condition, result);
        println!("{rate:>9.0}/s  {condition}");
        slowest = slowest.min(rate);
        seconds_of_all += 1.0 / rate;
    }
    let count = f64::from(u32::try_from(cases.len()).unwrap_or(u32::MAX));
    println!(
        "conditions: {:.0} evaluations/s of the mixture, slowest {slowest:.0}/s (median of {RUNS} runs each; aim {AIM:.0})",
        count / seconds_of_all
    );
}

fn cases() -> Vec<(&'static str, Measured)> {
    let vector = Measured::Numbers(vec![0.97]);
    let several = Measured::Numbers(vec![0.97, 0.99, 0.95, 1.0]);
    let document = Measured::Json(json!({
        "status": "ok",
        "data": {"successPercent": 0.95, "ok": true},
        "items": [{"name": "a", "value": 1}, {"name": "b", "value": 2.5}],
    }));
    vec![
        ("result >= 0.95", Measured::Number(0.97)),
        ("result[0] >= 0.95", vector.clone()),
        ("len(result) == 0 || isNaN(result[0]) || result[0] < 0.05", vector.clone()),
        ("default(result, [0])[0] >= 0.95 and result[0] <= 1", vector),
        ("all(result, # >= 0.95)", several.clone()),
        ("let worst = min(result); worst > 0.9 ? true : false", several),
        ("result.data.ok && result.data.successPercent >= 0.90", document.clone()),
        ("any(result.items, {.name == 'b' and .value > 2})", document.clone()),
        ("result.status in ['ok', 'up'] and result.missing?.deeper == nil", document),
    ]
}

fn median_rate(condition: &str, result: &Measured) -> f64 {
    let mut rates: Vec<f64> = (0..RUNS).map(|_| rate(condition, result)).collect();
    rates.sort_by(f64::total_cmp);
    rates[RUNS / 2]
}

fn rate(condition: &str, result: &Measured) -> f64 {
    let began = now();
    let mut evaluations = 0.0;
    while began.elapsed() < RUN {
        for _ in 0..BATCH {
            let answer = holds(black_box(condition), black_box(result), Timestamp::UNIX_EPOCH);
            assert!(black_box(answer).is_ok(), "{condition} gives no answer");
        }
        evaluations += f64::from(BATCH);
    }
    evaluations / began.elapsed().as_secs_f64()
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn now() -> Instant {
    Instant::now()
}
