//! What judges have learned, beyond the end of a measurement and of a run.
//!
//! It stands in the metadata of the metric's result; a run that goes on from another one has it in an
//! annotation, from its first moment. So nothing has to be read, and nothing is lost with the older run.

use super::measuring;
use analysis::validate::provider_names;
use api::argo::{AnalysisRun, Measurement, Metric};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Annotation of a run, and key in the metadata of a metric's result.
pub(crate) const LEARNED: &str = "ringfence.dev/learned";
/// The longest annotation with it, in bytes; a metric with more begins afresh.
const MAX_BYTES: usize = 128 * 1024;

/// What the metrics of a run start from, by their names.
pub(super) fn before(run: &AnalysisRun) -> BTreeMap<String, Value> {
    let text = run.metadata.annotations.as_ref().and_then(|all| all.get(LEARNED));
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// What a metric's result says that was learned in this run.
pub(super) fn of_result(metadata: &BTreeMap<String, String>) -> Option<Value> {
    serde_json::from_str(metadata.get(LEARNED)?).ok()
}

/// What a measurement that waits has learned so far.
pub(super) fn of_waiting(metric: &Metric, measurement: &Measurement) -> Option<Value> {
    let name = provider_names(&metric.provider).into_iter().next()?;
    let state = measuring::state_of(measurement);
    providers::by_name(&name)?.learned(&state).filter(|_| measurement.finished_at.is_none())
}

/// What the metrics of a run leave to the next one, by their names.
pub(crate) fn left_by(run: &AnalysisRun) -> BTreeMap<String, Value> {
    let mut left = before(run);
    let results = run.status.iter().flat_map(|status| &status.metric_results);
    for result in results {
        let metric = run.spec.metrics.iter().find(|metric| metric.name == result.name);
        let waiting = metric.zip(result.measurements.last());
        let waiting = waiting.and_then(|(metric, last)| of_waiting(metric, last));
        if let Some(learned) = waiting.or_else(|| of_result(&result.metadata)) {
            left.insert(result.name.clone(), learned);
        }
    }
    left
}

/// The annotation that hands on what was learned; none if there is nothing.
pub(crate) fn annotation(learned: BTreeMap<String, Value>) -> Option<(String, String)> {
    let mut bytes = 0;
    let small = learned.into_iter().filter(|(name, learned)| {
        let more = name.len() + learned.to_string().len();
        let fits = bytes + more <= MAX_BYTES;
        bytes += if fits { more } else { 0 };
        fits
    });
    let small: Map<String, Value> = small.collect();
    (!small.is_empty()).then(|| (LEARNED.to_owned(), Value::Object(small).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_too_long_is_not_handed_on() {
        let long = "x".repeat(MAX_BYTES);
        let learned = BTreeMap::from([("a".to_owned(), json!(long)), ("b".to_owned(), json!(1))]);
        let (key, text) = annotation(learned).unwrap();
        assert_eq!((key.as_str(), text.as_str()), (LEARNED, r#"{"b":1}"#));
        assert_eq!(annotation(BTreeMap::new()), None);
    }
}
