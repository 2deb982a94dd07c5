//! Rules that pick metrics by name: dry-run and measurement retention.
//!
//! A rule's name is a regular expression that may match anywhere in a metric's name; `*` alone means
//! every metric. A rule without any match is an error, for it was meant for something.

use api::argo::{DryRun, MeasurementRetention, Metric};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};

/// A rule that picked nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{list}[{index}]: Rule didn't match any metric name(s)")]
pub struct RuleError {
    /// `dryRun` or `measurementRetention`.
    pub list: &'static str,
    /// Place in the list.
    pub index: usize,
}

/// Names of the metrics that decide nothing.
///
/// # Errors
/// [`RuleError`] for the first rule that matches no metric.
pub fn dry_run_metrics(
    rules: &[DryRun],
    metrics: &[Metric],
) -> Result<BTreeSet<String>, RuleError> {
    let mut found = BTreeSet::new();
    for (index, rule) in rules.iter().enumerate() {
        found.extend(matches("dryRun", index, &rule.metric_name, metrics)?);
    }
    Ok(found)
}

/// How many measurements to keep of the metrics that have a rule; a later rule wins.
///
/// # Errors
/// [`RuleError`] for the first rule that matches no metric.
pub fn kept_measurements(
    rules: &[MeasurementRetention],
    metrics: &[Metric],
) -> Result<BTreeMap<String, usize>, RuleError> {
    let mut found = BTreeMap::new();
    for (index, rule) in rules.iter().enumerate() {
        let names = matches("measurementRetention", index, &rule.metric_name, metrics)?;
        let limit = usize::try_from(rule.limit).unwrap_or(0);
        found.extend(names.into_iter().map(|name| (name, limit)));
    }
    found.retain(|_, limit| *limit > 0);
    Ok(found)
}

fn matches(
    list: &'static str,
    index: usize,
    rule: &str,
    metrics: &[Metric],
) -> Result<Vec<String>, RuleError> {
    let pattern = Regex::new(rule).ok();
    let picks =
        |name: &str| rule == "*" || pattern.as_ref().is_some_and(|pattern| pattern.is_match(name));
    let names: Vec<String> =
        metrics.iter().map(|metric| &metric.name).filter(|name| picks(name)).cloned().collect();
    if names.is_empty() { Err(RuleError { list, index }) } else { Ok(names) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Vec<Metric> {
        ["success-rate", "latency"]
            .map(|name| Metric { name: name.to_owned(), ..Metric::default() })
            .to_vec()
    }

    #[track_caller]
    fn check(rule: &str, expected: Result<&[&str], &str>) {
        let rules = [DryRun { metric_name: rule.to_owned() }];
        let got = dry_run_metrics(&rules, &metrics()).map_err(|error| error.to_string());
        let names = got.as_ref().map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(names.map_err(String::as_str), expected.map(<[&str]>::to_vec));
    }

    #[test]
    fn rules_pick_metrics_by_pattern() {
        check("success-rate", Ok(&["success-rate"]));
        check("success.*", Ok(&["success-rate"]));
        check(".*", Ok(&["latency", "success-rate"]));
        check("*", Ok(&["latency", "success-rate"]));
        check("none", Err("dryRun[0]: Rule didn't match any metric name(s)"));
        check("(", Err("dryRun[0]: Rule didn't match any metric name(s)"));
        check("(.{1000}){1000}{1000}", Err("dryRun[0]: Rule didn't match any metric name(s)"));
    }

    #[test]
    fn retention_without_a_positive_limit_keeps_the_default() {
        let rule = |limit| MeasurementRetention { metric_name: "latency".to_owned(), limit };
        assert_eq!(kept_measurements(&[rule(20)], &metrics()).unwrap()["latency"], 20);
        assert!(kept_measurements(&[rule(0)], &metrics()).unwrap().is_empty());
    }
}
