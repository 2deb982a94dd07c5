//! How long a rehearsal of a 24-hour canary takes; the aim is one second.

#![expect(clippy::print_stdout, reason = "a bench prints its figure")]

use rehearsal::{load, rehearse};
use std::{
    path::Path,
    time::{Duration, Instant},
};

const RUNS: u32 = 5;
const AIM: Duration = Duration::from_secs(1);

fn main() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let play = load(&[], Some(&scenarios.join("a-day-of-hourly-steps.scenario")), 1)
        .expect("the scenario is there");
    let mut took: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            let report = rehearse(&play).expect("every line can be carried out");
            assert!(report.ok, "{}", rehearsal::text(&report));
            assert!(report.virtual_seconds >= 24 * 3600);
            began.elapsed()
        })
        .collect();
    took.sort();
    let median = took[took.len() / 2];
    println!(
        "24-hour canary: {} ms (median of {RUNS}, {}..{} ms; aim {} ms)",
        median.as_millis(),
        took[0].as_millis(),
        took[took.len() - 1].as_millis(),
        AIM.as_millis(),
    );
}
