//! Functions of a range that look at each of its samples: `*_over_time`, `changes`, `resets`.

use super::arithmetic::{self, Sum};
use super::value::SeriesPoints;
use crate::number::float;
use crate::series::Point;

/// The function of this name, if it takes nothing but a range.
pub(super) fn reducer(name: &str) -> Option<fn(&[Point]) -> f64> {
    Some(match name {
        "avg_over_time" => |points| arithmetic::mean(&values(points)),
        "sum_over_time" => |points| Sum::of(values(points)),
        "min_over_time" => |points| arithmetic::smallest(values(points)),
        "max_over_time" => |points| arithmetic::largest(values(points)),
        "count_over_time" => |points| float(points.len()),
        "last_over_time" => |points| points.last().map_or(f64::NAN, |point| point.value),
        "first_over_time" => |points| points.first().map_or(f64::NAN, |point| point.value),
        "present_over_time" => |_| 1.0,
        "stdvar_over_time" => |points| arithmetic::variance(&values(points)),
        "stddev_over_time" => |points| arithmetic::variance(&values(points)).sqrt(),
        "mad_over_time" => |points| deviation(&values(points)),
        "changes" => |points| count_pairs(points, differ),
        "resets" => |points| count_pairs(points, |before, after| after < before),
        _ => return None,
    })
}

/// Whether the function of this name keeps the metric's name.
pub(super) fn keeps_name(name: &str) -> bool {
    matches!(name, "last_over_time" | "first_over_time")
}

pub(super) fn quantile(q: f64, series: &SeriesPoints) -> f64 {
    arithmetic::quantile(q, values(&series.points))
}

fn values(points: &[Point]) -> Vec<f64> {
    points.iter().map(|point| point.value).collect()
}

fn deviation(values: &[f64]) -> f64 {
    let median = arithmetic::quantile(0.5, values.to_vec());
    let distances = values.iter().map(|value| (value - median).abs());
    arithmetic::quantile(0.5, distances.collect())
}

#[expect(clippy::float_cmp, reason = "a change is any difference, however small")]
fn differ(before: f64, after: f64) -> bool {
    before != after && !(before.is_nan() && after.is_nan())
}

fn count_pairs(points: &[Point], counts: fn(f64, f64) -> bool) -> f64 {
    let pairs = points.windows(2).filter(|pair| counts(pair[0].value, pair[1].value));
    float(pairs.count())
}
