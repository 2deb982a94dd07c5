//! Functions of a range that compare its ends: rates, differences and their kin.

use super::Generation;
use super::regression;
use super::value::Window;
use crate::number::{float, seconds};
use crate::series::Point;

/// What a range is reduced to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Increase per second of a counter.
    Rate,
    /// Increase of a counter.
    Increase,
    /// Difference of a gauge.
    Delta,
}

/// How close to a range's end a sample must be for the range to be taken as covered, in average
/// distances of samples.
const NEAR: f64 = 1.1;

/// The change over the window, extrapolated to its ends as far as the samples suggest.
pub(super) fn extrapolated(
    change: Change,
    points: &[Point],
    window: Window,
    generation: Generation,
) -> Option<f64> {
    let (first, last) = (points.first()?, points.last()?);
    if points.len() < 2 {
        return None;
    }
    let counter = change != Change::Delta;
    let mut result = last.value - first.value;
    if counter {
        result += resets(points);
    }
    let sampled = seconds(last.at - first.at);
    let spacing = sampled / float(points.len() - 1);
    let mut before = seconds(first.at - window.start);
    let after = seconds(window.end - last.at);
    let near = spacing * NEAR;
    let bounded = |gap: f64| if gap >= near { spacing / 2.0 } else { gap };
    let to_zero = if counter && result > 0.0 && first.value >= 0.0 {
        sampled * (first.value / result)
    } else {
        f64::INFINITY
    };
    // A counter never was below zero; the generations differ in when they take that into account.
    before = match generation {
        Generation::V2 => bounded(before.min(to_zero)),
        Generation::V3 => bounded(before).min(to_zero),
    };
    let factor = (sampled + before + bounded(after)) / sampled;
    let span = seconds(window.end - window.start);
    Some(if change == Change::Rate { result * (factor / span) } else { result * factor })
}

/// The change between the last two samples, per second for a counter.
pub(super) fn instant(points: &[Point], counter: Counter) -> Option<f64> {
    let [.., before, last] = points else { return None };
    let interval = last.at - before.at;
    if interval == 0 {
        return None;
    }
    Some(match counter {
        Counter::No => last.value - before.value,
        Counter::Yes if last.value < before.value => last.value / seconds(interval),
        Counter::Yes => (last.value - before.value) / seconds(interval),
    })
}

/// Whether a drop of a series means that it started over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counter {
    Yes,
    No,
}

/// The slope of the line through the points.
pub(super) fn slope(points: &[Point]) -> Option<f64> {
    (points.len() >= 2).then(|| regression::line(points, points[0].at).0)
}

/// The value of the line through the points, `ahead` seconds after `at`.
pub(super) fn predicted(points: &[Point], at: i64, ahead: f64) -> Option<f64> {
    (points.len() >= 2).then(|| {
        let (slope, intercept) = regression::line(points, at);
        slope * ahead + intercept
    })
}

/// What a counter had reached each time it started over.
fn resets(points: &[Point]) -> f64 {
    let mut previous = points.first().map_or(0.0, |point| point.value);
    let mut lost = 0.0;
    for point in points {
        if point.value < previous {
            lost += previous;
        }
        previous = point.value;
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[(i64, f64)]) -> Vec<Point> {
        values.iter().map(|(at, value)| Point { at: at * 1000, value: *value }).collect()
    }

    fn window(start: i64, end: i64) -> Window {
        Window { start: start * 1000, end: end * 1000 }
    }

    #[test]
    fn a_steady_counter_is_extrapolated_to_both_ends() {
        let points = points(&[(5, 10.0), (15, 20.0), (25, 30.0), (35, 40.0)]);
        for generation in [Generation::V2, Generation::V3] {
            let rate = extrapolated(Change::Rate, &points, window(0, 40), generation);
            assert_eq!(rate, Some(1.0));
        }
    }

    #[test]
    fn a_counter_is_never_extrapolated_below_zero() {
        let points = points(&[(8, 0.0), (18, 10.0)]);
        let increase = extrapolated(Change::Increase, &points, window(0, 20), Generation::V3);
        assert_eq!(increase, Some(12.0));
    }

    #[test]
    fn a_reset_counts_what_came_before_it() {
        let points = points(&[(0, 10.0), (10, 20.0), (20, 5.0)]);
        let increase = extrapolated(Change::Increase, &points, window(0, 20), Generation::V2);
        assert_eq!(increase, Some(15.0));
    }

    #[test]
    fn one_sample_has_no_rate() {
        let points = points(&[(1, 1.0)]);
        assert_eq!(extrapolated(Change::Rate, &points, window(0, 5), Generation::V3), None);
        assert_eq!(instant(&points, Counter::Yes), None);
    }
}
