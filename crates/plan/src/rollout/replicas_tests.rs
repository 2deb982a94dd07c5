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
