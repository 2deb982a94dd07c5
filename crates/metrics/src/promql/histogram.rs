//! Quantiles of classic histograms, whose buckets are series with an `le` label.

use super::Generation;
use super::value::Element;
use crate::labels::{Labels, METRIC_NAME};
use std::collections::BTreeMap;

/// Differences between neighbouring buckets below this share are rounding, not a falling count.
const ROUNDING: f64 = 1e-12;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// The quantile of each histogram among the elements; series without a readable `le` are left out.
pub(super) fn quantiles(q: f64, elements: &[Element], generation: Generation) -> Vec<Element> {
    let mut histograms: BTreeMap<Labels, Vec<Bucket>> = BTreeMap::new();
    for element in elements {
        let Some(bound) = bound(element.labels.get("le")) else { continue };
        let labels = element.labels.dropping(|name| name == METRIC_NAME || name == "le");
        histograms.entry(labels).or_default().push(Bucket { bound, count: element.value });
    }
    let quantile = |(labels, buckets)| Element { labels, value: quantile(q, buckets, generation) };
    histograms.into_iter().map(quantile).collect()
}

fn bound(text: &str) -> Option<f64> {
    match text {
        "+Inf" | "Inf" | "inf" | "+inf" => Some(f64::INFINITY),
        "" => None,
        _ => text.parse().ok(),
    }
}

fn quantile(q: f64, mut buckets: Vec<Bucket>, generation: Generation) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
    if buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
        return f64::NAN;
    }
    let buckets = monotonic(coalesced(&buckets), generation);
    let total = buckets[buckets.len() - 1].count;
    if buckets.len() < 2 || total == 0.0 || total.is_nan() {
        return f64::NAN;
    }
    interpolated(q * total, &buckets)
}

fn interpolated(rank: f64, buckets: &[Bucket]) -> f64 {
    let finite = &buckets[..buckets.len() - 1];
    let place = finite.partition_point(|bucket| bucket.count < rank);
    let Some(hit) = finite.get(place) else { return finite[finite.len() - 1].bound };
    if place == 0 && hit.bound <= 0.0 {
        return hit.bound;
    }
    let below = if place == 0 { Bucket { bound: 0.0, count: 0.0 } } else { finite[place - 1] };
    let (rank, inside) = (rank - below.count, hit.count - below.count);
    below.bound + (hit.bound - below.bound) * (rank / inside)
}

#[expect(clippy::float_cmp, reason = "buckets are the same only with exactly the same bound")]
fn coalesced(sorted: &[Bucket]) -> Vec<Bucket> {
    let mut kept: Vec<Bucket> = Vec::new();
    for bucket in sorted {
        match kept.last_mut() {
            Some(last) if last.bound == bucket.bound => last.count += bucket.count,
            _ => kept.push(*bucket),
        }
    }
    kept
}

fn monotonic(mut buckets: Vec<Bucket>, generation: Generation) -> Vec<Bucket> {
    let mut highest = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let rounding = generation == Generation::V3 && is_rounding(highest, bucket.count);
        if bucket.count > highest && !rounding {
            highest = bucket.count;
        } else if bucket.count < highest || rounding {
            bucket.count = highest;
        }
    }
    buckets
}

fn is_rounding(a: f64, b: f64) -> bool {
    let difference = (a - b).abs();
    difference != 0.0 && difference / (a.abs() + b.abs()) < ROUNDING
}
