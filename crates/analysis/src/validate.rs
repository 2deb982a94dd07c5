//! What must hold of metrics before anything is measured.
//!
//! Start with [`metrics`]. Arguments must be substituted first, since limits may be templates.

use crate::{counting::to_int, duration};
use api::argo::{Metric, MetricProvider};
use std::{collections::BTreeSet, fmt};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, such as `metrics[0]`; empty for the whole.
    pub path: String,
    /// What, in a sentence without a full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Everything that is wrong with metrics, in their order.
pub fn metrics(metrics: &[Metric]) -> Vec<Problem> {
    if metrics.is_empty() {
        return vec![Problem { path: String::new(), message: "no metrics specified".to_owned() }];
    }
    let mut names = BTreeSet::new();
    let mut problems = Vec::new();
    for (index, metric) in metrics.iter().enumerate() {
        let mut messages = Vec::new();
        if !names.insert(&metric.name) {
            messages.push(format!("duplicate name '{}'", metric.name));
        }
        messages.extend(metric_problems(metric));
        let path = format!("metrics[{index}]");
        problems
            .extend(messages.into_iter().map(|message| Problem { path: path.clone(), message }));
    }
    problems
}

/// The keys of the providers a metric has, plugins by their own names.
pub fn provider_names(provider: &MetricProvider) -> Vec<String> {
    let built_in = [
        ("prometheus", provider.prometheus.is_some()),
        ("kayenta", provider.kayenta.is_some()),
        ("web", provider.web.is_some()),
        ("datadog", provider.datadog.is_some()),
        ("wavefront", provider.wavefront.is_some()),
        ("newRelic", provider.new_relic.is_some()),
        ("job", provider.job.is_some()),
        ("cloudWatch", provider.cloud_watch.is_some()),
        ("graphite", provider.graphite.is_some()),
        ("influxdb", provider.influxdb.is_some()),
        ("skywalking", provider.skywalking.is_some()),
    ];
    let set = built_in.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name.to_owned());
    set.chain(provider.plugin.keys().map(|name| format!("plugin {name}"))).collect()
}

fn metric_problems(metric: &Metric) -> Vec<String> {
    let mut problems = limit_problems(metric);
    problems.extend(time_problems(metric));
    match provider_names(&metric.provider).len() {
        0 => problems.push("no provider specified".to_owned()),
        1 => {}
        _ => problems.push("multiple providers specified".to_owned()),
    }
    problems
}

fn limit_problems(metric: &Metric) -> Vec<String> {
    let [count, failure, success, inconclusive, error] = [
        &metric.count,
        &metric.failure_limit,
        &metric.consecutive_success_limit,
        &metric.inconclusive_limit,
        &metric.consecutive_error_limit,
    ]
    .map(|field| field.as_ref().map_or(0, to_int));
    let mut problems = Vec::new();
    let mut refuse = |wrong: bool, message: &str| {
        if wrong {
            problems.push(message.to_owned());
        }
    };
    refuse(success < 0, "consecutiveSuccessLimit must be >= 0");
    refuse(failure < -1, "failureLimit must be >= 0, or -1 to be disabled");
    let undecided = success == 0 && failure == -1;
    refuse(undecided, "failureLimit and consecutiveSuccessLimit cannot both be disabled");
    refuse(inconclusive < 0, "inconclusiveLimit must be >= 0");
    refuse(error < 0, "consecutiveErrorLimit must be >= 0");
    let limited = count > 0 && success >= 0;
    let both = format!(
        "count ({count}) must be >= failureLimit + consecutiveSuccessLimit ({failure} + {success}) if both >= 0"
    );
    refuse(
        limited && failure >= 0 && i64::from(count) < i64::from(failure) + i64::from(success),
        &both,
    );
    refuse(limited && failure < 0 && count < success, "count must be >= consecutiveSuccessLimit");
    refuse(count > 0 && count < inconclusive, "count must be >= inconclusiveLimit");
    problems
}

fn time_problems(metric: &Metric) -> Vec<String> {
    let mut problems = Vec::new();
    if metric.count.as_ref().map_or(0, to_int) > 1 && metric.interval.is_none() {
        problems.push("interval must be specified when count > 1".to_owned());
    }
    for (field, text) in [("interval", &metric.interval), ("startDelay", &metric.initial_delay)] {
        if let Some(Err(error)) = text.as_deref().map(duration::parse) {
            problems.push(format!("invalid {field} string: {error}"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(fields: &[Value], expected: &[&str]) {
        let metric = |fields: &Value| {
            let mut whole = json!({"name": "m", "provider": {"job": {"spec": {"template": {}}}}});
            whole.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            serde_json::from_value(whole).unwrap()
        };
        let metrics_read: Vec<Metric> = fields.iter().map(metric).collect();
        let problems: Vec<String> =
            metrics(&metrics_read).iter().map(ToString::to_string).collect();
        assert_eq!(problems, expected);
    }

    #[test]
    fn upstreams_refusals_hold() {
        check(&[], &["no metrics specified"]);
        check(&[json!({})], &[]);
        check(&[json!({"count": 2})], &["metrics[0]: interval must be specified when count > 1"]);
        check(
            &[json!({"count": 1, "failureLimit": 2})],
            &[
                "metrics[0]: count (1) must be >= failureLimit + consecutiveSuccessLimit (2 + 0) if both >= 0",
            ],
        );
        check(
            &[json!({"count": 1, "inconclusiveLimit": 2})],
            &["metrics[0]: count must be >= inconclusiveLimit"],
        );
        check(
            &[json!({"count": 1, "failureLimit": -1, "consecutiveSuccessLimit": 2})],
            &["metrics[0]: count must be >= consecutiveSuccessLimit"],
        );
        check(
            &[json!({"failureLimit": -2})],
            &["metrics[0]: failureLimit must be >= 0, or -1 to be disabled"],
        );
        check(
            &[json!({"failureLimit": -1})],
            &["metrics[0]: failureLimit and consecutiveSuccessLimit cannot both be disabled"],
        );
        check(&[json!({"inconclusiveLimit": -1})], &["metrics[0]: inconclusiveLimit must be >= 0"]);
        check(
            &[json!({"consecutiveErrorLimit": -1})],
            &["metrics[0]: consecutiveErrorLimit must be >= 0"],
        );
        check(
            &[json!({"consecutiveSuccessLimit": -1})],
            &["metrics[0]: consecutiveSuccessLimit must be >= 0"],
        );
        check(
            &[json!({"interval": "60x"})],
            &["metrics[0]: invalid interval string: time: unknown unit \"x\" in duration \"60x\""],
        );
        check(
            &[json!({"initialDelay": "60x"})],
            &[
                "metrics[0]: invalid startDelay string: time: unknown unit \"x\" in duration \"60x\"",
            ],
        );
    }

    #[test]
    fn exactly_one_provider_is_needed() {
        check(&[json!({"provider": {}})], &["metrics[0]: no provider specified"]);
        let two = json!({"provider": {"prometheus": {}, "web": {"url": "x"}}});
        check(&[two], &["metrics[0]: multiple providers specified"]);
        check(&[json!({"provider": {"plugin": {"a/b": {}}}})], &[]);
        let two = json!({"provider": {"plugin": {"a/b": {}, "c/d": {}}}});
        check(&[two], &["metrics[0]: multiple providers specified"]);
    }

    #[test]
    fn every_problem_is_reported() {
        check(
            &[json!({"count": 2, "inconclusiveLimit": 9}), json!({"provider": {}})],
            &[
                "metrics[0]: count must be >= inconclusiveLimit",
                "metrics[0]: interval must be specified when count > 1",
                "metrics[1]: duplicate name 'm'",
                "metrics[1]: no provider specified",
            ],
        );
    }
}
