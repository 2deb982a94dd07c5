//! The straight line through the points of a range.

use super::arithmetic::Sum;
use crate::number::{float, seconds};
use crate::series::Point;

/// Slope per second, and the value at `origin`.
#[expect(clippy::float_cmp, reason = "a constant series is one whose values are all the same")]
pub(super) fn line(points: &[Point], origin: i64) -> (f64, f64) {
    let first = points.first().map_or(f64::NAN, |point| point.value);
    if points.iter().all(|point| point.value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let x = |point: &Point| seconds(point.at - origin);
    let count = float(points.len());
    let sum_x = Sum::of(points.iter().map(x));
    let sum_y = Sum::of(points.iter().map(|point| point.value));
    let products = Sum::of(points.iter().map(|point| x(point) * point.value));
    let squares = Sum::of(points.iter().map(|point| x(point) * x(point)));
    let covariance = products - sum_x * sum_y / count;
    let variance = squares - sum_x * sum_x / count;
    let slope = covariance / variance;
    (slope, sum_y / count - slope * sum_x / count)
}
