//! A small part of the benchmark `operating`: the promises hold where they are easy to break.

#![expect(unreachable_pub, reason = "the modules are shared with a benchmark")]
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]
#![expect(dead_code, reason = "the benchmark uses more of them")]

#[path = "../benches/operating/families.rs"]
mod families;
#[path = "../benches/operating/nature.rs"]
mod nature;
#[path = "../benches/operating/power.rs"]
mod power;
#[path = "../benches/operating/tails.rs"]
mod tails;
#[path = "../benches/operating/walk.rs"]
mod walk;

use families::{Family, World};
use judges::{
    evidence::{Evidence, Verdict},
    judge::Judge,
    quantile::judge::QuantileState,
    sign::{Arms, Settings, SignJudge},
};

const RUNS: u64 = 200;

/// A judge that is wrong as often as it may, and no more, is wrong more often than this once in a thousand.
const MOST_WRONG: u64 = 20;

fn check<J: Judge>(judge: &J, family: &Family<J::Interval>, verdict: Verdict) {
    let short = Family { looks: family.looks.min(60), ..*family };
    let wrong = walk::count(judge, &short, RUNS, verdict);
    assert!(wrong <= MOST_WRONG, "{}: wrong {wrong} times of {RUNS}", family.name);
}

#[test]
fn a_canary_that_is_no_worse_is_seldom_failed() {
    for family in [families::CONSTANT, families::DRIFTING, families::UNEQUAL_LARGE] {
        check(&walk::usual(), &family, Verdict::Fail);
    }
    check(&walk::tolerant(), &families::AT_TOLERANCE, Verdict::Fail);
    let thinned = Settings { arms: Arms::Thinned, ..Settings::default() };
    check(&SignJudge::new(thinned), &families::BURSTY_LARGE, Verdict::Fail);
}

#[test]
fn the_sign_of_a_larger_arm_as_it_is_cannot_be_believed() {
    let judge = SignJudge::new(Settings::default());
    let wrong = walk::count(&judge, &families::BURSTY_LARGE, 20, Verdict::Fail);
    assert!(wrong > 10, "wrong {wrong} times of 20");
}

#[test]
fn a_canary_as_fast_is_seldom_failed_by_a_quantile_while_latencies_and_split_change() {
    for p in [0.9, 0.99] {
        let judge = tails::judge(p);
        let wrong = walk::count(&judge, &tails::WEIGHT_CHANGES, RUNS / 2, Verdict::Fail);
        assert!(wrong <= MOST_WRONG / 2 + 2, "p{p}: wrong {wrong} times");
        let worse =
            Family { interval: |world, id| tails::double(world, id, 2.0), ..tails::WEIGHT_CHANGES };
        assert_eq!(walk::count(&judge, &worse, 10, Verdict::Fail), 10, "p{p}");
    }
}

#[test]
fn a_canary_of_which_twice_as_many_are_slow_is_seldom_passed_by_a_quantile() {
    check(&tails::judge(0.99), &tails::AT_PASS_RATIO, Verdict::Pass);
}

/// The benchmark leaves the bounds out, so they must decide nothing.
#[test]
fn a_quantile_is_judged_alike_without_its_bounds() {
    let (whole, unbounded) =
        (tails::judge(0.9), tails::unbounded(0.9, judges::rate::Settings::default()));
    let (mut world, mut state) = (World::new(3), QuantileState::default());
    for id in 0..tails::WEIGHT_CHANGES.looks {
        whole.feed(&mut state, &tails::double(&mut world, id, 1.5));
        let (with, without) = (whole.evidence(&state), unbounded.evidence(&state));
        assert_eq!(with, Evidence { edge: with.edge, quantiles: with.quantiles, ..without });
    }
    assert_eq!(whole.evidence(&state).verdict, Verdict::Fail);
}

#[test]
fn the_bounds_of_a_quantile_seldom_exclude_it() {
    let short = Family { looks: 60, ..tails::CONSTANT };
    let outside = |quantile| {
        walk::count_outside_of_quantiles(&tails::judge(0.99), &short, RUNS / 2, quantile)
    };
    assert!(outside(tails::SLOW) <= MOST_WRONG / 2 + 2);
    // They are not so wide that they exclude nothing.
    assert_eq!(outside(3.0), RUNS / 2);
}

/// Why the bounds decide nothing: the canary had more of its requests when everything was slow.
#[test]
fn the_bounds_of_a_quantile_cannot_be_compared_where_latencies_and_split_change() {
    let (judge, mut world) = (tails::judge(0.5), World::new(1));
    let mut state = QuantileState::default();
    for id in 0..tails::WEIGHT_CHANGES.looks {
        judge.feed(&mut state, &(tails::WEIGHT_CHANGES.interval)(&mut world, id));
    }
    let evidence = judge.evidence(&state);
    let bounds = evidence.quantiles.unwrap();
    assert!(bounds.canary.low.unwrap() >= bounds.stable.high.unwrap(), "{bounds}");
    assert_ne!(evidence.verdict, Verdict::Fail);
}

#[test]
fn a_canary_that_is_twice_as_bad_is_seldom_passed() {
    check(&walk::usual(), &families::AT_PASS_RATIO, Verdict::Pass);
}

#[test]
fn a_restart_after_every_interval_changes_no_verdict() {
    let short = Family { looks: 30, ..families::CONSTANT };
    let uninterrupted = walk::count(&walk::usual(), &short, 20, Verdict::Fail);
    assert_eq!(walk::count_with_restarts(&walk::usual(), &short, 20), uninterrupted);
}

#[test]
fn a_canary_that_is_five_times_as_bad_is_found_as_soon_as_expected() {
    for row in [&power::TO_FAIL[1][0], &power::TO_FAIL[7][0]] {
        let median = row.median(101);
        assert!(
            row.agrees(median) || median.abs_diff(row.expected) * 4 <= row.expected,
            "{median}"
        );
    }
}
