//! A confidence sequence for the ratio of the two rates, from the bets that a judge holds anyway.
//!
//! The average likelihood of all ratios that were bet on, against the likelihood of one ratio r, is an
//! e-process while r is the truth. So the ratios for which it is below 1/α hold the true one at all
//! times at once with confidence 1 − α. The log-likelihood is concave in ln r, so between the ratios
//! that were bet on it lies below the lines through its neighbours: the bounds err only outwards.

use crate::{
    evidence::Range,
    numeric::{exp, ln_mean_exp},
    settings::ErrorRate,
};

/// Ratios closer than this in ln are the same.
const SAME: f64 = 1e-9;

/// The log-likelihood of one ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// ln of the ratio.
    pub ln_ratio: f64,
    /// Its log-likelihood, up to a constant that all points share.
    pub ln_likelihood: f64,
}

/// The ratios that are compatible with the data, given the likelihood of some.
pub fn range(mut points: Vec<Point>, alpha: ErrorRate) -> Range {
    points.sort_by(|a, b| a.ln_ratio.total_cmp(&b.ln_ratio));
    points.dedup_by(|next, kept| next.ln_ratio - kept.ln_ratio < SAME);
    let likelihoods: Vec<f64> = points.iter().map(|point| point.ln_likelihood).collect();
    let least = ln_mean_exp(&likelihoods) - alpha.ln_threshold();
    let low = lower(&points, least);
    let mirrored: Vec<Point> =
        points.iter().rev().map(|point| Point { ln_ratio: -point.ln_ratio, ..*point }).collect();
    let high = lower(&mirrored, least);
    Range { low: low.map(exp), high: high.map(|ln_ratio| exp(-ln_ratio)) }
}

/// The smallest ln r that may reach the least likelihood; none if the smallest point reaches it.
fn lower(points: &[Point], least: f64) -> Option<f64> {
    let first = points.iter().position(|point| point.ln_likelihood >= least)?;
    let outside = points.get(first.checked_sub(1)?)?;
    let from_the_right =
        points.get(first + 1).and_then(|next| crossing(points[first], *next, least));
    let from_the_left =
        first.checked_sub(2).and_then(|before| crossing(points[before], *outside, least));
    let bounds = [from_the_right, from_the_left].into_iter().flatten();
    Some(bounds.fold(outside.ln_ratio, f64::max).min(points[first].ln_ratio))
}

/// Where the rising line through two points reaches a height; none if it does not rise.
fn crossing(a: Point, b: Point, height: f64) -> Option<f64> {
    let slope = (b.ln_likelihood - a.ln_likelihood) / (b.ln_ratio - a.ln_ratio);
    (slope > 0.0).then(|| a.ln_ratio + (height - a.ln_likelihood) / slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parabola(ln_ratios: &[f64], best: f64, sharpness: f64) -> Vec<Point> {
        let point = |&ln_ratio: &f64| Point {
            ln_ratio,
            ln_likelihood: -sharpness * (ln_ratio - best) * (ln_ratio - best),
        };
        ln_ratios.iter().map(point).collect()
    }

    #[test]
    fn the_bounds_contain_those_of_the_true_curve_and_little_more() {
        let ln_ratios: Vec<f64> = (-8..=8).map(|step| f64::from(step) * 0.4).collect();
        for best in [-0.9, 0.0, 0.1, 0.33] {
            let points = parabola(&ln_ratios, best, 20.0);
            let likelihoods: Vec<f64> = points.iter().map(|point| point.ln_likelihood).collect();
            let least = ln_mean_exp(&likelihoods) - ErrorRate::USUAL.ln_threshold();
            let half = (-least / 20.0).sqrt();
            let Range { low, high } = range(points, ErrorRate::USUAL);
            let (low, high) = (libm::log(low.unwrap()), libm::log(high.unwrap()));
            assert!(low <= best - half && low > best - half - 0.2, "{low} {}", best - half);
            assert!(high >= best + half && high < best + half + 0.2, "{high} {}", best + half);
        }
    }

    #[test]
    fn without_events_nothing_is_bounded() {
        let points = parabola(&[-1.0, 0.0, 1.0], 0.0, 0.0);
        assert_eq!(range(points, ErrorRate::USUAL), Range { low: None, high: None });
    }
}
