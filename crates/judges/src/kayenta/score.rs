//! All metrics: groups, a score and a verdict.

use super::classify::{Classification, Label};
use crate::numeric::real;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// From this share of metrics without data on, the score is 0.
const MAX_MISSING: f64 = 0.5;

/// A classified metric and the groups that it counts in.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// What it was classified as.
    pub classification: Classification,
    /// Its groups.
    pub groups: Vec<String>,
    /// Whether it is only reported.
    pub muted: bool,
}

/// The scores from which a canary passes or is in doubt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// At least this passes.
    pub pass: f64,
    /// At least this is in doubt.
    pub marginal: f64,
}

/// What the canary comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// Good.
    Pass,
    /// In doubt.
    Marginal,
    /// Bad.
    Fail,
}

/// The score, what it comes to and how it was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// From 0 to 100, with two decimals.
    pub score: f64,
    /// What it comes to.
    pub outcome: Outcome,
    /// Why the score is 0, if not because of the groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overruled: Option<Overruled>,
    /// The score of each group; absent for groups without data, which count as 100.
    pub groups: BTreeMap<String, Option<f64>>,
}

/// Why nothing but 0 was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Overruled {
    /// A critical metric did not pass.
    CriticalMetric,
    /// Half of the metrics or more had no data.
    MissingData,
    /// There is no metric that counts.
    NoMetrics,
}

/// Scores metrics; `weights` are percentages by group, groups without one share what is left.
pub fn score(metrics: &[Scored], weights: &BTreeMap<String, f64>, thresholds: Thresholds) -> Score {
    let counted: Vec<&Scored> = metrics.iter().filter(|metric| !metric.muted).collect();
    let groups = group_scores(&counted);
    let overruled = overruled(&counted);
    let score = if overruled.is_some() { 0.0 } else { summary(&groups, weights) };
    let outcome = if score >= thresholds.pass {
        Outcome::Pass
    } else if score >= thresholds.marginal {
        Outcome::Marginal
    } else {
        Outcome::Fail
    };
    // A threshold of 0 must not let through what nobody has looked at.
    let outcome = if overruled == Some(Overruled::NoMetrics) { Outcome::Fail } else { outcome };
    Score { score, outcome, overruled, groups }
}

fn overruled(metrics: &[&Scored]) -> Option<Overruled> {
    let of = |holds: fn(&Classification) -> bool| {
        real(metrics.iter().filter(|metric| holds(&metric.classification)).count() as u64)
    };
    if metrics.is_empty() {
        return Some(Overruled::NoMetrics);
    }
    if of(|metric| metric.critical && metric.label != Label::Pass) > 0.0 {
        return Some(Overruled::CriticalMetric);
    }
    let missing = of(|metric| metric.label == Label::Nodata) / real(metrics.len() as u64);
    (missing >= MAX_MISSING).then_some(Overruled::MissingData)
}

/// The share of passes in each group, as a percentage; none where nothing has data.
fn group_scores(metrics: &[&Scored]) -> BTreeMap<String, Option<f64>> {
    let names: BTreeSet<&String> = metrics.iter().flat_map(|metric| &metric.groups).collect();
    let score = |name: &String| {
        let ours = metrics.iter().filter(|metric| metric.groups.contains(name));
        let labels: Vec<Label> = ours.map(|metric| metric.classification.label).collect();
        let count = |wanted: &[Label]| {
            real(labels.iter().filter(|label| wanted.contains(label)).count() as u64)
        };
        let with_data = count(&[Label::Pass, Label::High, Label::Low, Label::NodataFailMetric]);
        (with_data > 0.0).then(|| count(&[Label::Pass]) / with_data * 100.0)
    };
    names.into_iter().map(|name| (name.clone(), score(name))).collect()
}

fn summary(groups: &BTreeMap<String, Option<f64>>, weights: &BTreeMap<String, f64>) -> f64 {
    let unweighted = groups.keys().filter(|name| !weights.contains_key(*name)).count();
    let left = (100.0 - weights.values().sum::<f64>()) / real(unweighted.max(1) as u64);
    let weighted = groups.iter().map(|(name, score)| {
        score.unwrap_or(100.0) * weights.get(name).copied().unwrap_or(left) / 100.0
    });
    (weighted.sum::<f64>() * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(label: Label, critical: bool, groups: &[&str]) -> Scored {
        let classification =
            Classification { label, critical, ratio: None, effect: None, shift: None };
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        Scored { classification, groups, muted: false }
    }

    fn check(metrics: &[Scored], weights: &[(&str, f64)], expected: (f64, Outcome)) {
        let weights = weights.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
        let got = score(metrics, &weights, Thresholds { pass: 95.0, marginal: 75.0 });
        assert_eq!((got.score, got.outcome), expected, "{got:?}");
    }

    #[test]
    fn groups_are_weighted_and_the_rest_is_shared() {
        use Label::{High, Pass};
        let metrics = [
            metric(Pass, false, &["errors"]),
            metric(High, false, &["errors", "latency"]),
            metric(Pass, false, &["latency"]),
            metric(Pass, false, &["latency", "system"]),
        ];
        check(
            &metrics,
            &[("errors", 40.0), ("latency", 30.0), ("system", 30.0)],
            (70.0, Outcome::Fail),
        );
        check(&metrics, &[("errors", 40.0)], (70.0, Outcome::Fail));
        check(&metrics, &[("system", 90.0)], (95.83, Outcome::Pass));
        check(&metrics, &[("system", 50.0)], (79.17, Outcome::Marginal));
    }

    #[test]
    fn a_critical_failure_or_missing_data_leaves_nothing() {
        use Label::{High, Nodata, NodataFailMetric, Pass};
        let pass = metric(Pass, false, &["a"]);
        check(&[pass.clone(), metric(High, true, &["a"])], &[], (0.0, Outcome::Fail));
        check(&[pass.clone(), metric(Nodata, true, &["a"])], &[], (0.0, Outcome::Fail));
        check(&[pass.clone(), metric(Nodata, false, &["b"])], &[], (0.0, Outcome::Fail));
        // A group without data counts as full as long as most metrics have some.
        let metrics = [pass.clone(), pass.clone(), metric(Nodata, false, &["b"])];
        check(&metrics, &[], (100.0, Outcome::Pass));
        check(&[pass.clone(), metric(NodataFailMetric, false, &["a"])], &[], (50.0, Outcome::Fail));
        check(&[], &[], (0.0, Outcome::Fail));
        check(
            &[Scored { muted: true, ..metric(High, true, &["a"]) }, pass],
            &[],
            (100.0, Outcome::Pass),
        );
    }
}
