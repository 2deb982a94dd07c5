//! A short hunt of every target, the same one every time.

use fuzz::{Hunt, TARGETS, hunt, named};
use std::time::Duration;

/// How many inputs each target reads, its seeds included.
const RUNS: u64 = 4_000;
/// One seed for now and ever; a hunt with others is `cargo xtask fuzz`.
const HUNT: Hunt = Hunt { seed: 1, patience: Duration::from_mins(1) };

#[test]
fn nothing_that_reads_input_panics_or_breaks_its_promise() {
    for target in TARGETS {
        let report = hunt(target, HUNT, |runs, _| runs < RUNS);
        assert!(report.finding.is_none(), "{}: {:?}", target.name, report.finding);
        assert!(report.sorts > 2, "{} comes to {} sorts only", target.name, report.sorts);
    }
}

#[test]
fn targets_are_in_alphabetical_order_and_have_seeds() {
    assert!(TARGETS.iter().map(|target| target.name).is_sorted());
    for target in TARGETS {
        assert!(named(target.name).is_some() && (target.seeds)().len() > 2, "{}", target.name);
    }
}
