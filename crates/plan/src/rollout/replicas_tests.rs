//! The number tables of Argo Rollouts 1.10.

use super::*;
use IntOrPercent::{Int, Percent};

#[test]
fn a_weight_is_approximated_by_the_closest_ratio_of_pods() {
    // (replicas, weight, surge) → (canary, stable)
    let table = [
        ((0, 0, 0), (0, 0)),
        ((0, 50, 0), (0, 0)),
        ((0, 100, 0), (0, 0)),
        ((0, 0, 1), (0, 0)),
        ((0, 50, 1), (0, 0)),
        ((0, 100, 1), (0, 0)),
        ((1, 0, 0), (0, 1)),
        ((1, 1, 0), (0, 1)),
        ((1, 49, 0), (0, 1)),
        ((1, 50, 0), (1, 0)),
        ((1, 99, 0), (1, 0)),
        ((1, 100, 0), (1, 0)),
        ((1, 0, 1), (0, 1)),
        ((1, 1, 1), (1, 1)),
        ((1, 49, 1), (1, 1)),
        ((1, 50, 1), (1, 1)),
        ((1, 99, 1), (1, 1)),
        ((1, 100, 1), (1, 0)),
        ((2, 0, 0), (0, 2)),
        ((2, 1, 0), (1, 1)),
        ((2, 50, 0), (1, 1)),
        ((2, 99, 0), (1, 1)),
        ((2, 100, 0), (2, 0)),
        ((2, 0, 1), (0, 2)),
        ((2, 1, 1), (1, 2)),
        ((2, 50, 1), (1, 1)),
        ((2, 99, 1), (2, 1)),
        ((2, 100, 1), (2, 0)),
        ((3, 10, 0), (1, 2)),
        ((3, 25, 0), (1, 2)),
        ((3, 33, 0), (1, 2)),
        ((3, 34, 0), (1, 2)),
        ((3, 49, 0), (1, 2)),
        ((3, 50, 0), (2, 1)),
        ((3, 10, 1), (1, 3)),
        ((3, 25, 1), (1, 3)),
        ((3, 33, 1), (1, 2)),
        ((3, 34, 1), (1, 2)),
        ((3, 49, 1), (2, 2)),
        ((3, 50, 1), (2, 2)),
        ((10, 0, 1), (0, 10)),
        ((10, 1, 0), (1, 9)),
        ((10, 14, 0), (1, 9)),
        ((10, 15, 0), (2, 8)),
        ((10, 16, 0), (2, 8)),
        ((10, 99, 0), (9, 1)),
        ((10, 100, 1), (10, 0)),
        ((10, 0, 1), (0, 10)),
        ((10, 1, 1), (1, 10)),
        ((10, 18, 1), (2, 9)),
        ((10, 19, 1), (2, 9)),
        ((10, 20, 1), (2, 8)),
        ((10, 23, 1), (2, 8)),
        ((10, 24, 1), (3, 8)),
        ((10, 25, 1), (3, 8)),
        ((10, 99, 1), (10, 1)),
        ((10, 100, 1), (10, 0)),
    ];
    for ((replicas, weight, max_surge), (canary, stable)) in table {
        let size = Size { replicas, max_surge, max_unavailable: 0 };
        let found = approximate(size, Share { weight, max: 100 });
        assert_eq!(
            found,
            Targets { canary, stable },
            "replicas {replicas} weight {weight} surge {max_surge}"
        );
    }
}

#[test]
fn a_basic_canary_moves_within_surge_and_unavailability() {
    // (replicas, weight, surge, unavailable), stable and canary as (wanted, available), older → (canary, stable)
    let table = [
        ((10, 100, Int(3), Int(0)), (7, 8), (6, 3), 0, (6, 7)),
        ((10, 20, Int(2), Int(0)), (10, 10), (0, 0), 0, (2, 10)),
        ((10, 20, Percent(20), Int(0)), (10, 10), (0, 0), 0, (2, 10)),
        ((10, 20, Percent(20), Int(0)), (10, 10), (2, 2), 0, (2, 8)),
        ((10, 30, Int(2), Int(0)), (10, 10), (0, 0), 0, (2, 10)),
        ((10, 20, Int(0), Int(2)), (10, 10), (0, 0), 0, (0, 8)),
        ((10, 20, Int(0), Percent(20)), (10, 10), (0, 0), 0, (0, 8)),
        ((10, 30, Int(0), Int(2)), (10, 10), (0, 0), 0, (0, 8)),
        ((10, 50, Int(2), Int(1)), (10, 10), (0, 0), 0, (2, 9)),
        ((10, 0, Int(1), Int(1)), (10, 10), (1, 1), 0, (0, 10)),
        ((10, 100, Int(1), Int(1)), (1, 1), (10, 10), 0, (10, 0)),
        ((1, 20, Int(1), Int(0)), (1, 1), (0, 0), 0, (1, 1)),
        ((1, 90, Int(1), Int(0)), (1, 1), (0, 0), 0, (1, 1)),
        ((1, 49, Int(0), Int(1)), (1, 1), (0, 0), 0, (0, 1)),
        ((1, 51, Int(0), Int(1)), (1, 1), (0, 0), 0, (0, 0)),
        ((1, 51, Int(0), Int(1)), (0, 0), (0, 0), 0, (1, 0)),
        ((10, 30, Int(1), Int(0)), (1, 1), (0, 0), 3, (1, 7)),
        ((10, 30, Int(0), Int(3)), (8, 5), (4, 4), 0, (3, 7)),
        ((10, 100, Int(1), Int(0)), (10, 2), (10, 8), 0, (9, 2)),
        ((10, 30, Int(0), Int(1)), (8, 6), (4, 2), 3, (4, 8)),
        ((10, 100, Int(2), Int(2)), (8, 0), (2, 2), 2, (2, 0)),
        ((10, 100, Int(2), Int(2)), (8, 3), (2, 2), 2, (2, 3)),
        ((10, 20, Int(2), Int(2)), (8, 0), (2, 2), 2, (2, 8)),
        ((10, 5, Int(0), Int(1)), (10, 10), (0, 0), 0, (0, 9)),
        ((10, 5, Int(0), Int(1)), (9, 9), (0, 0), 0, (1, 9)),
        ((10, 10, Percent(0), Percent(0)), (10, 10), (0, 0), 0, (0, 9)),
        ((10, 20, Percent(20), Int(0)), (10, 10), (0, 0), 0, (2, 10)),
        ((4, 100, Int(1), Int(0)), (4, 1), (0, 0), 0, (1, 4)),
        ((3, 99, Int(0), Int(2)), (3, 3), (0, 0), 0, (0, 1)),
        ((3, 99, Int(0), Int(2)), (1, 1), (0, 0), 0, (2, 1)),
        ((4, 100, Int(1), Int(0)), (4, 1), (1, 1), 0, (1, 3)),
        ((4, 0, Int(1), Int(0)), (0, 0), (4, 4), 0, (4, 1)),
        ((4, 0, Int(1), Int(0)), (1, 0), (4, 4), 0, (4, 1)),
        ((4, 0, Int(1), Int(0)), (1, 1), (4, 4), 0, (3, 1)),
        ((4, 100, Int(4), Int(4)), (4, 4), (0, 0), 0, (4, 0)),
        ((4, 100, Int(3), Int(0)), (4, 4), (0, 0), 0, (3, 4)),
    ];
    for (row, (spec, stable, new, older, (canary_target, stable_target))) in
        table.into_iter().enumerate()
    {
        let (replicas, weight, surge, unavailable) = spec;
        let (max_surge, max_unavailable) = fenceposts(surge, unavailable, replicas);
        let size = Size { replicas, max_surge, max_unavailable };
        let new = Count { wanted: new.0, available: new.1 };
        let stable = Stable::Distinct(Count { wanted: stable.0, available: stable.1 });
        let found = basic(size, Share { weight, max: 100 }, Some(new), stable, older);
        assert_eq!(found, Targets { canary: canary_target, stable: stable_target }, "row {row}");
    }
}

#[test]
fn a_routed_canary_is_sized_by_its_weight_or_its_own_scale() {
    // (replicas, least, canary) → (canary, stable)
    let table = [
        ((1, 0, CanarySize::Pods(9)), (9, 1)),
        ((4, 0, CanarySize::Weight(200)), (8, 4)),
        ((10, 0, CanarySize::Weight(20)), (2, 10)),
        ((10, 0, CanarySize::Weight(10)), (1, 10)),
        ((10, 0, CanarySize::Weight(11)), (2, 10)),
        ((10, 2, CanarySize::Weight(5)), (2, 10)),
        ((1, 2, CanarySize::Weight(100)), (1, 1)),
        ((10, 2, CanarySize::Weight(0)), (0, 10)),
    ];
    for ((replicas, least, size), (canary, stable)) in table {
        let found = traffic_routed(replicas, 100, least, size, StableSize::Full);
        assert_eq!(found, Targets { canary, stable }, "{replicas} {least} {size:?}");
    }
}

#[test]
fn a_dynamic_stable_has_what_its_greater_share_needs() {
    // (weight wanted, weights in force, aborted) → (canary, stable)
    let table = [
        ((20, (60, 40), true), (6, 8)),
        ((0, (60, 40), true), (6, 10)),
        ((10, (10, 90), false), (1, 9)),
        ((20, (10, 90), false), (2, 9)),
        ((0, (20, 80), true), (2, 10)),
        ((0, (10, 90), true), (1, 10)),
    ];
    for ((weight, (canary_in_force, stable_in_force), aborted), (canary, stable)) in table {
        let follows = StableSize::Follows {
            in_force: Some(canary_in_force),
            stable_in_force: Some(stable_in_force),
            aborted,
        };
        let found = traffic_routed(10, 100, 0, CanarySize::Weight(weight), follows);
        assert_eq!(found, Targets { canary, stable }, "{weight} {aborted}");
    }
}

#[test]
fn a_threshold_lets_a_version_count_as_complete_early() {
    // (threshold, wanted, available, desired) → met
    let table = [
        ((Threshold::All, 5, 5, 5), true),
        ((Threshold::All, 5, 4, 5), false),
        ((Threshold::All, 6, 5, 5), false),
        ((Threshold::Percent(80), 5, 4, 5), true),
        ((Threshold::Percent(80), 5, 3, 5), false),
        ((Threshold::Percent(70), 10, 7, 10), true),
        ((Threshold::Percent(50), 0, 0, 0), true),
        ((Threshold::Pods(2), 5, 2, 5), true),
        ((Threshold::Pods(2), 5, 1, 5), false),
        ((Threshold::Percent(-1), 5, 5, 5), true),
    ];
    for ((threshold, wanted, available, desired), met) in table {
        let found = threshold.is_met(Count { wanted, available }, desired);
        assert_eq!(found, met, "{threshold:?} {wanted} {available} {desired}");
    }
}

#[test]
fn fenceposts_round_surge_up_and_unavailability_down() {
    // (surge, unavailable, replicas) → (surge, unavailable)
    let table = [
        ((Percent(25), Percent(25), 10), (3, 2)),
        ((Percent(25), Percent(25), 1), (1, 0)),
        ((Int(0), Percent(25), 1), (0, 1)),
        ((Int(2), Int(1), 4), (2, 1)),
        ((Percent(0), Percent(0), 10), (0, 1)),
    ];
    for ((surge, unavailable, replicas), expected) in table {
        assert_eq!(fenceposts(surge, unavailable, replicas), expected);
    }
}
