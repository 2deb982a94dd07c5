//! A metric's provider as raw JSON, for code that looks providers up by name.
//!
//! Start at [`Metric::provider_value`]. Nothing here knows what a provider does.

use super::{Metric, MetricProvider};
use serde_json::Value;

/// The names of the providers in the order in which the first one that is set wins.
const PROVIDER_NAMES: [&str; 12] = [
    "prometheus",
    "kayenta",
    "web",
    "datadog",
    "wavefront",
    "newRelic",
    "job",
    "cloudWatch",
    "graphite",
    "influxdb",
    "skywalking",
    "plugin",
];

impl Metric {
    /// The name of the provider and its settings, or nothing when none is set.
    ///
    /// Of several the first in upstream's order; [`MetricProvider::values`] has them all.
    pub fn provider_value(&self) -> Option<(&'static str, Value)> {
        self.provider.values().into_iter().next()
    }
}

impl MetricProvider {
    /// Every provider that is set, with its settings; a valid metric has exactly one.
    pub fn values(&self) -> Vec<(&'static str, Value)> {
        let Ok(Value::Object(mut settings)) = serde_json::to_value(self) else { return Vec::new() };
        PROVIDER_NAMES
            .into_iter()
            .filter_map(|name| settings.remove(name).map(|value| (name, value)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metric(provider: &Value) -> Metric {
        serde_json::from_value(json!({ "name": "m", "provider": provider })).unwrap()
    }

    #[test]
    fn the_provider_is_handed_on_as_it_was_written() {
        let settings = json!({ "url": "http://x", "jsonBody": { "a": [null, 1.5] } });
        let metric = metric(&json!({ "web": settings }));
        assert_eq!(metric.provider_value(), Some(("web", settings)));
    }

    #[test]
    fn a_metric_without_a_provider_has_none() {
        assert_eq!(metric(&json!({})).provider_value(), None);
    }

    #[test]
    fn every_provider_that_is_set_is_listed() {
        let metric = metric(&json!({ "plugin": { "x": {} }, "graphite": {} }));
        let names: Vec<_> = metric.provider.values().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["graphite", "plugin"]);
    }
}
